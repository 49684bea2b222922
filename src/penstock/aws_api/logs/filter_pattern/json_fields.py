"""Patterns over fields of JSON events: `{ ($.level = "ERROR" || $.status >= 500) && $.user.id NOT EXISTS }`.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/matching-terms-json-log-events.html
"""

import re
from collections.abc import Callable
from typing import Final, TypeAlias

import orjson

from penstock.aws_api.logs.filter_pattern.scanner import PatternError, Scanner, Test, compares, like, number

# JSON is recursive, and so is its parser.
_MAX_DEPTH: Final = 32
_OPERATOR: Final = re.compile(r"!=|<=|>=|=|<|>")
_IS: Final = re.compile(r"IS\s+(TRUE|FALSE|NULL)\b|(NOT\s+EXISTS)\b", re.IGNORECASE)
_BARE: Final = re.compile(r"[^\s()|&\"%{}]+")
_NAME: Final = re.compile(r"[A-Za-z0-9_\-:@#/]+")
_INDEX: Final = re.compile(r"\d+|\*")
_QUOTE: Final = re.compile(r"'([^']*)'")

Json: TypeAlias = object
Condition: TypeAlias = Callable[[Json], bool]
_Step: TypeAlias = str | int | None
"""A member, an element, or any element."""


def parse_json_fields(text: str) -> Test:
    """Raises PatternError."""
    scanner = Scanner(text)
    scanner.expect("{")
    condition = _any(scanner, 0)
    scanner.expect("}")
    scanner.skip_spaces()
    if not scanner.done:
        raise PatternError("there is something behind the closing brace")

    def matches(message: str) -> bool:
        if not message.lstrip().startswith("{"):
            return False
        try:
            return condition(orjson.loads(message))
        except orjson.JSONDecodeError:
            return False

    return matches


def _any(scanner: Scanner, depth: int) -> Condition:
    parts = [_all(scanner, depth)]
    while scanner.take("||"):
        parts.append(_all(scanner, depth))
    return parts[0] if len(parts) == 1 else lambda event: any(part(event) for part in parts)


def _all(scanner: Scanner, depth: int) -> Condition:
    parts = [_one(scanner, depth)]
    while scanner.take("&&"):
        parts.append(_one(scanner, depth))
    return parts[0] if len(parts) == 1 else lambda event: all(part(event) for part in parts)


def _one(scanner: Scanner, depth: int) -> Condition:
    if depth > _MAX_DEPTH:
        raise PatternError(f"parentheses are nested more than {_MAX_DEPTH} deep")
    if scanner.take("("):
        inner = _any(scanner, depth + 1)
        scanner.expect(")")
        return inner
    steps = _selector(scanner)
    told = scanner.take_match(_IS)
    if told is not None:
        return _is(steps, " ".join(told.upper().split()))
    operator = scanner.take_match(_OPERATOR)
    if operator is None:
        raise PatternError(f"an operator is missing at character {scanner.at + 1}")
    return _compared(scanner, steps, operator)


def _selector(scanner: Scanner) -> tuple[_Step, ...]:
    """`$.a.b[0].c[*]`, also `$['a.b']` and `$.['a.b']`."""
    scanner.expect("$")
    steps: list[_Step] = []
    while True:
        if scanner.peek("."):
            scanner.at += 1
            if scanner.peek("["):
                continue
            name = _NAME.match(scanner.text, scanner.at)
            if name is None:
                raise PatternError(f"a property's name is missing at character {scanner.at + 1}")
            steps.append(name[0])
            scanner.at = name.end()
        elif scanner.peek("["):
            scanner.at += 1
            steps.append(_bracketed(scanner))
            scanner.expect("]")
        else:
            break
    if not steps:
        raise PatternError("a selector names a property: $.name")
    return tuple(steps)


def _bracketed(scanner: Scanner) -> _Step:
    quoted = _QUOTE.match(scanner.text, scanner.at)
    if quoted is not None:
        scanner.at = quoted.end()
        return quoted[1]
    index = scanner.take_match(_INDEX)
    if index is None:
        name = scanner.quoted()
        if name is None:
            raise PatternError(f"an element's number is missing at character {scanner.at + 1}")
        return name
    return None if index == "*" else int(index)


def _found(value: Json, steps: tuple[_Step, ...]) -> list[Json]:
    """What the selector points at: nothing, one value, or several with `[*]`."""
    values = [value]
    for step in steps:
        following: list[Json] = []
        for one in values:
            if isinstance(step, str):
                if isinstance(one, dict) and step in one:
                    following.append(one[step])
            elif isinstance(one, list):
                following += one if step is None else one[step : step + 1]
        values = following
    return values


def _is(steps: tuple[_Step, ...], what: str) -> Condition:
    match what:
        case "NOT EXISTS":
            return lambda event: not _found(event, steps)
        case "IS TRUE":
            return lambda event: any(value is True for value in _found(event, steps))
        case "IS FALSE":
            return lambda event: any(value is False for value in _found(event, steps))
        case _:
            return lambda event: any(value is None for value in _found(event, steps))


def _compared(scanner: Scanner, steps: tuple[_Step, ...], operator: str) -> Condition:
    pattern = scanner.regex()
    if pattern is not None:
        return _by_text(steps, operator, pattern.search)
    quoted = scanner.quoted()
    if quoted is not None:
        return _by_text(steps, operator, like(quoted))
    bare = scanner.take_match(_BARE)
    if bare is None:
        raise PatternError(f"a value is missing at character {scanner.at + 1}")
    wanted = number(bare)
    if wanted is None:
        return _by_text(steps, operator, like(bare))
    compare = compares(operator, wanted)
    as_text = like(bare)

    def condition(event: Json) -> bool:
        values = _found(event, steps)
        numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
        if any(compare(value) for value in numbers):
            return True
        # A number without quotes is also found in a string; assumed.
        texts = [value for value in values if isinstance(value, str)]
        return operator in ("=", "!=") and any(as_text(value) == (operator == "=") for value in texts)

    return condition


def _by_text(steps: tuple[_Step, ...], operator: str, test: Test) -> Condition:
    """A property that is not there, or is no text, matches neither way; that `!=` needs it, too, is assumed."""
    if operator not in ("=", "!="):
        raise PatternError(f"{operator} compares numbers")
    wanted = operator == "="
    return lambda event: any(test(value) == wanted for value in _texts(_found(event, steps)))


def _texts(values: list[Json]) -> list[str]:
    """Numbers and booleans as they are written: `*` and regular expressions look at them, too."""
    texts: list[str] = []
    for value in values:
        if isinstance(value, str):
            texts.append(value)
        elif isinstance(value, bool | int | float):
            texts.append(orjson.dumps(value).decode())
    return texts
