"""What the kinds of patterns have in common: reading a text piece by piece, and what a value is compared to."""

import math
import re
from collections.abc import Callable
from typing import Final

from penstock.aws_api.logs.filter_pattern.regex import Regex, RegexError

# https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
_MAX_REGEXES: Final = 2
_NUMBER: Final = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")

Test = Callable[[str], bool]


class PatternError(ValueError):
    """Not a filter pattern; says why in a few words."""


class Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self._regexes = 0

    def skip_spaces(self) -> None:
        while self.at < len(self.text) and self.text[self.at].isspace():
            self.at += 1

    @property
    def done(self) -> bool:
        return self.at >= len(self.text)

    def peek(self, text: str) -> bool:
        return self.text.startswith(text, self.at)

    def take(self, text: str) -> bool:
        """Skips spaces, and `text` if it is there."""
        self.skip_spaces()
        if not self.peek(text):
            return False
        self.at += len(text)
        return True

    def take_match(self, pattern: re.Pattern[str]) -> str | None:
        self.skip_spaces()
        found = pattern.match(self.text, self.at)
        if found is None:
            return None
        self.at = found.end()
        return found[0]

    def expect(self, text: str) -> None:
        if not self.take(text):
            raise PatternError(f"{text!r} is missing at character {self.at + 1}")

    def quoted(self) -> str | None:
        """What stands between double quotes, if one is next; a backslash keeps the character behind it."""
        self.skip_spaces()
        if not self.peek('"'):
            return None
        letters: list[str] = []
        at = self.at + 1
        while at < len(self.text):
            letter = self.text[at]
            if letter == '"':
                self.at = at + 1
                return "".join(letters)
            if letter == "\\" and at + 1 < len(self.text) and self.text[at + 1] in '"\\':
                at += 1
                letter = self.text[at]
            letters.append(letter)
            at += 1
        raise PatternError("a double quote is not closed")

    def regex(self) -> Regex | None:
        """What stands between two percent signs, if one is next."""
        self.skip_spaces()
        if not self.peek("%"):
            return None
        end = self.text.find("%", self.at + 1)
        while end > 0 and self.text[end - 1] == "\\":
            end = self.text.find("%", end + 1)
        if end < 0:
            raise PatternError("a percent sign is not closed")
        source, self.at = self.text[self.at + 1 : end], end + 1
        self._regexes += 1
        if self._regexes > _MAX_REGEXES:
            raise PatternError(f"more than {_MAX_REGEXES} regular expressions")
        return _compiled(source)


def _compiled(source: str) -> Regex:
    if not source:
        raise PatternError("a regular expression is empty")
    try:
        return Regex(source)
    except RegexError as error:
        raise PatternError(f"%{source}%: {error}") from None


def like(value: str) -> Test:
    """Equal to `value`, in which `*` stands for any characters."""
    first, *others = value.split("*")
    if not others:
        return lambda text: text == value
    *between, last = others

    def test(text: str) -> bool:
        if not text.startswith(first) or len(text) < len(first) + len(last) or not text.endswith(last):
            return False
        at, end = len(first), len(text) - len(last)
        for part in between:
            found = text.find(part, at, end)
            if found < 0:
                return False
            at = found + len(part)
        return True

    return test


def number(text: str) -> float | None:
    if not _NUMBER.fullmatch(text):
        return None
    value = float(text)
    return value if math.isfinite(value) else None


def compares(operator: str, wanted: float) -> Callable[[float], bool]:
    """`operator` is one of `=`, `!=`, `<`, `<=`, `>`, `>=`."""
    match operator:
        case "=":
            return lambda value: value == wanted
        case "!=":
            return lambda value: value != wanted
        case "<":
            return lambda value: value < wanted
        case "<=":
            return lambda value: value <= wanted
        case ">":
            return lambda value: value > wanted
        case _:
            return lambda value: value >= wanted
