"""The regular expressions of filter patterns, in time that grows with the text alone, whatever the expression.

They have no groups, so an expression is a row of characters that are there once, perhaps, or again and again. All ways
through it are followed at once, and each step is remembered. Python's own `re` tries one way after the other, which
takes for ever with some expressions, and nothing else runs meanwhile.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/regex-expressions.html
"""

import re
from collections.abc import Callable
from typing import Final, NamedTuple

# Repeats are written out; assumed.
_MAX_UNITS: Final = 1000
_MAX_STEPS: Final = 20_000
_CLASSES: Final = {
    "d": "[0-9]", "D": "[^0-9]", "w": "[A-Za-z0-9_]", "W": "[^A-Za-z0-9_]", "s": r"[ \t\n\r\f\v]",
    "S": r"[^ \t\n\r\f\v]",
}  # fmt: skip
_PLAIN: Final = re.compile(r"[A-Za-z0-9_#=@/;,:\- ]")
_ESCAPE: Final = re.compile(r"\\(?:x([0-9A-Fa-f]{2})|([dDwWsS])|([^A-Za-z0-9]))")
_SET: Final = re.compile(r"\[\^?(?:\\.|[^\]\\])+\]")
_REPEAT: Final = re.compile(r"\*|\+|\?|\{(\d{1,4})(,(\d{0,4}))?\}")


class RegexError(ValueError):
    """Not such an expression; says why in a few words."""


class _Unit(NamedTuple):
    """One character. Without it if `optional`; any number of it if `again`."""

    takes: Callable[[str], bool]
    optional: bool = False
    again: bool = False


class Regex:
    """Raises RegexError."""

    def __init__(self, source: str) -> None:
        self._units: list[_Unit | None] = []  # None ends one of the alternatives
        self._begin = self._anywhere = self._found = self._found_at_end = 0
        self._skips: list[int] = []
        self._steps: dict[tuple[int, str], int] = {}
        for alternative in _alternatives(source):
            self._add(alternative)
        self._close()

    def search(self, text: str) -> bool:
        """Whether it is somewhere in `text`."""
        state, found, steps, anywhere = self._begin, self._found, self._steps, self._anywhere
        for letter in text:
            if state & found:
                return True
            following = steps.get((state, letter))
            if following is None:
                following = self._step(state, letter)
            state = following | anywhere
        return bool(state & (found | self._found_at_end))

    def _add(self, source: str) -> None:
        at_begin, at_end = source.startswith("^"), _ends_with_anchor(source)
        start = 1 << len(self._units)
        self._begin |= start
        self._anywhere |= 0 if at_begin else start
        self._units += _units(source[at_begin : len(source) - at_end])
        if len(self._units) > _MAX_UNITS:
            raise RegexError("its repeats are too long")
        end = 1 << len(self._units)
        if at_end:
            self._found_at_end |= end
        else:
            self._found |= end
        self._units.append(None)

    def _close(self) -> None:
        """Where one is without taking a character: behind what is optional, too."""
        self._skips = [1 << at for at in range(len(self._units))]
        for at in range(len(self._units) - 1, -1, -1):
            unit = self._units[at]
            if unit and unit.optional:
                self._skips[at] |= self._skips[at + 1]
        self._begin, self._anywhere = self._closed(self._begin), self._closed(self._anywhere)

    def _closed(self, state: int) -> int:
        closed = 0
        while state:
            lowest = state & -state
            closed |= self._skips[lowest.bit_length() - 1]
            state ^= lowest
        return closed

    def _step(self, state: int, letter: str) -> int:
        following, left = 0, state
        while left:
            lowest = left & -left
            at = lowest.bit_length() - 1
            unit = self._units[at]
            if unit and unit.takes(letter):
                following |= self._skips[at] if unit.again else self._skips[at + 1]
            left ^= lowest
        if len(self._steps) >= _MAX_STEPS:
            self._steps.clear()
        self._steps[state, letter] = following
        return following


def _alternatives(source: str) -> list[str]:
    parts, at, start = [], 0, 0
    while at < len(source):
        whole = _SET.match(source, at)
        if source[at] == "|":
            parts.append(source[start:at])
            start = at + 1
        at = whole.end() if whole else at + (2 if source[at] == "\\" else 1)
    return [*parts, source[start:]]


def _ends_with_anchor(source: str) -> bool:
    before = source[:-1]
    return source.endswith("$") and (len(before) - len(before.rstrip("\\"))) % 2 == 0


def _units(source: str) -> list[_Unit]:
    units: list[_Unit] = []
    at = 0
    while at < len(source):
        takes, at = _character(source, at)
        repeat = _REPEAT.match(source, at)
        if repeat is None:
            units.append(_Unit(takes))
            continue
        at = repeat.end()
        least, most = _bounds(repeat)
        if (most is not None and (most < least or most > _MAX_UNITS)) or least > _MAX_UNITS:
            raise RegexError(f"{repeat[0]} is no repeat")
        units += [_Unit(takes)] * least
        units += [_Unit(takes, True, True)] if most is None else [_Unit(takes, True)] * (most - least)
    return units


def _bounds(repeat: re.Match[str]) -> tuple[int, int | None]:
    match repeat[0]:
        case "*":
            return 0, None
        case "+":
            return 1, None
        case "?":
            return 0, 1
    least = int(repeat[1])
    if repeat[2] is None:
        return least, least
    return least, int(repeat[3]) if repeat[3] else None


def _character(source: str, at: int) -> tuple[Callable[[str], bool], int]:
    """What one character may be, and where that ends."""
    if source[at] == ".":
        return lambda letter: True, at + 1
    escape = _ESCAPE.match(source, at)
    if escape is not None:
        return _one_of(_CLASSES[escape[2]]) if escape[2] else _same(_escaped(escape)), escape.end()
    whole = _SET.match(source, at)
    if whole is not None:
        return _one_of(whole[0]), whole.end()
    if _PLAIN.match(source[at]):
        return _same(source[at]), at + 1
    raise RegexError(f"{source[at]!r} at character {at + 1} is not supported")


def _escaped(escape: re.Match[str]) -> str:
    return chr(int(escape[1], 16)) if escape[1] else escape[3]


def _same(wanted: str) -> Callable[[str], bool]:
    return lambda letter: letter == wanted


def _one_of(source: str) -> Callable[[str], bool]:
    """One of a set in brackets. Python's `re` reads it: of one character it has one way."""
    try:
        pattern = re.compile(source.replace("[[", r"[\["), re.ASCII)
    except re.error as error:
        raise RegexError(str(error)) from None
    return lambda letter: pattern.fullmatch(letter) is not None
