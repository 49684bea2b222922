"""Patterns over events split at spaces: `[ip, user, ..., status = 4* || status = 5*, bytes > 1000]`.

What stands in double quotes or square brackets is one field. `...` takes any number of fields.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/matching-terms-unstructured-log-events.html
"""

import re
from collections.abc import Callable
from typing import Final, TypeAlias

from penstock.aws_api.logs.filter_pattern.scanner import PatternError, Scanner, Test, compares, like, number

_FIELD: Final = re.compile(r'"((?:[^"\\]|\\.)*)"|\[([^\]]*)\]|(\S+)')
_NAME: Final = re.compile(r"\$?[A-Za-z_][A-Za-z0-9_\-.]*")
_OPERATOR: Final = re.compile(r"!=|<=|>=|=|<|>")
_BARE: Final = re.compile(r"[^\s,\]|&\"%()]+")
_MAX_FIELDS: Final = 100

_Fields: TypeAlias = dict[str, str]
_Condition: TypeAlias = Callable[[_Fields], bool]


def parse_delimited(text: str) -> Test:
    """Raises PatternError."""
    scanner = Scanner(text)
    scanner.expect("[")
    names: list[str] = []
    conditions: list[_Condition] = []
    gap: int | None = None
    while not scanner.take("]"):
        if names or gap is not None:
            scanner.expect(",")
        if scanner.take("..."):
            if gap is not None:
                raise PatternError("'...' stands twice")
            gap = len(names)
            continue
        name, condition = _field(scanner, len(names))
        names.append(name)
        if condition:
            conditions.append(condition)
        if len(names) > _MAX_FIELDS:
            raise PatternError(f"more than {_MAX_FIELDS} fields")
    scanner.skip_spaces()
    if not scanner.done:
        raise PatternError("there is something behind the closing bracket")

    def matches(message: str) -> bool:
        fields = _split(message, names, gap)
        return fields is not None and all(condition(fields) for condition in conditions)

    return matches


def _split(message: str, names: list[str], gap: int | None) -> _Fields | None:
    """The fields by name; None when there are more or fewer than the pattern has."""
    values = [next(part for part in found.groups() if part is not None) for found in _FIELD.finditer(message)]
    if gap is None:
        return dict(zip(names, values, strict=True)) if len(values) == len(names) else None
    if len(values) < len(names):
        return None
    behind = len(names) - gap
    return dict(zip(names, values[:gap] + values[len(values) - behind :], strict=True))


def _field(scanner: Scanner, number_of: int) -> tuple[str, _Condition | None]:
    """A name, or a condition over it; several with `&&` and `||` name the same field."""
    name = scanner.take_match(_NAME) or f"field {number_of}"
    operator = scanner.take_match(_OPERATOR)
    if operator is None:
        scanner.skip_spaces()
        return name, None
    return name, _any(scanner, name, operator)


def _any(scanner: Scanner, name: str, operator: str) -> _Condition:
    parts = [_all(scanner, name, operator)]
    while scanner.take("||"):
        parts.append(_all(scanner, name, _next_operator(scanner, name)))
    return lambda fields: any(part(fields) for part in parts)


def _all(scanner: Scanner, name: str, operator: str) -> _Condition:
    parts = [_one(scanner, name, operator)]
    while scanner.take("&&"):
        parts.append(_one(scanner, name, _next_operator(scanner, name)))
    return lambda fields: all(part(fields) for part in parts)


def _next_operator(scanner: Scanner, name: str) -> str:
    again = scanner.take_match(_NAME)
    operator = scanner.take_match(_OPERATOR)
    if operator is None or again not in (None, name):
        raise PatternError(f"a condition of the field {name!r} is missing at character {scanner.at + 1}")
    return operator


def _one(scanner: Scanner, name: str, operator: str) -> _Condition:
    test = _test(scanner, operator)
    return lambda fields: test(fields[name])


def _test(scanner: Scanner, operator: str) -> Test:
    pattern = scanner.regex()
    if pattern is not None:
        return _by_text(operator, pattern.search)
    quoted = scanner.quoted()
    if quoted is not None:
        return _by_text(operator, like(quoted))
    bare = scanner.take_match(_BARE)
    if bare is None:
        raise PatternError(f"a value is missing at character {scanner.at + 1}")
    wanted = number(bare)
    if wanted is None:
        return _by_text(operator, like(bare))
    compare = compares(operator, wanted)

    def test(text: str) -> bool:
        value = number(text)
        return compare(value) if value is not None else operator == "!="

    return test


def _by_text(operator: str, test: Test) -> Test:
    if operator not in ("=", "!="):
        raise PatternError(f"{operator} compares numbers")
    return test if operator == "=" else lambda text: not test(text)
