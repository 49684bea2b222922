"""What a service model asks of parameters, checked, in the words of AWS's services.

https://smithy.io/2.0/spec/constraint-traits.html; the texts as seen on AWS:
https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/CommonErrors.html names the error, and
https://github.com/localstack/localstack (tests/aws/services/lambda_/test_lambda_api.snapshot.json) shows what it says.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from penstock.aws_api.protocol.shapes import Shape

# Longer texts are not held against their pattern, which may take long, nor shown as a whole (both assumed).
_MAX_MATCHED: Final = 8192
_MAX_SHOWN: Final = 1024

NOT_NULL: Final = "Member must not be null"
_NESTED: Final = ("structure", "list", "map")
# Classes of characters that Python has no name for, and what comes nearest inside brackets.
_CLASSES: Final = {"L": r"\w", "N": r"\d", "Z": r"\s", "P": "!-/:-@[-`{-~", "S": "$+<->^`|~", "M": ""}
_CLASS: Final = re.compile(r"\\p\{(?:Is)?([A-Z])[a-z]?\}")
# A dash behind a class is a dash, but to Python the start of a range that cannot be.
_DASH: Final = re.compile(r"(\\[wds])-(?=[^\]])")


@dataclass(frozen=True, slots=True)
class Violation:
    """`path` begins with a small letter, as AWS's services spell members; `name` is the member's in the model.

    `shape` is that of the parameter, `value` the parameter's, None when it is missing.
    """

    path: str
    name: str
    shape: Shape
    value: Any
    constraint: str

    def __str__(self) -> str:
        shown = "" if self.shape.traits.get("sensitive") and self.value is not None else f" {_shown(self.value)}"
        return f"Value{shown} at '{self.path}' failed to satisfy constraint: {self.constraint}"


def violations(shape: Shape, params: Mapping[str, Any]) -> list[Violation]:
    """Of a structure's members, in the model's order."""
    return list(_structure(shape, params, ""))


def told(found: list[Violation]) -> str:
    """All of them in one message."""
    count = f"{len(found)} validation error{'s' if len(found) > 1 else ''} detected: "
    return count + "; ".join(map(str, found))


def _structure(shape: Shape, params: Mapping[str, Any], path: str) -> Iterator[Violation]:
    required = shape.required
    for name, member in shape.members.items():
        own = f"{path}{name[:1].lower()}{name[1:]}"
        if name in params:
            yield from _member(member, params[name], own, name)
        elif name in required:
            yield Violation(own, name, member, None, NOT_NULL)


def _member(shape: Shape, value: Any, path: str, name: str) -> Iterator[Violation]:
    for constraint in _broken(shape, value):
        yield Violation(path, name, shape, value, constraint)
    if shape.kind == "structure" and not shape.traits.get("document"):
        yield from _structure(shape, value, f"{path}.")
    elif shape.kind == "list":
        yield from _items(shape, value, path, name)
    elif shape.kind == "map":
        yield from _entries(shape, value, path, name)


def _items(shape: Shape, values: list[Any], path: str, name: str) -> Iterator[Violation]:
    item = shape.member
    if item.kind in _NESTED:
        for number, value in enumerate(values, 1):
            yield from _member(item, value, f"{path}.{number}.member", name)
    elif any(next(_broken(item, value), None) for value in values):
        yield Violation(path, name, shape, values, f"Member must satisfy constraint: {_all(item)}")


def _entries(shape: Shape, values: Mapping[str, Any], path: str, name: str) -> Iterator[Violation]:
    if any(next(_broken(shape.key, key), None) for key in values):
        yield Violation(path, name, shape, values, f"Map keys must satisfy constraint: {_all(shape.key)}")
    if shape.value.kind in _NESTED:
        for key, value in values.items():
            yield from _member(shape.value, value, f"{path}.{key}.member", name)
    elif any(next(_broken(shape.value, value), None) for value in values.values()):
        yield Violation(path, name, shape, values, f"Map value must satisfy constraint: {_all(shape.value)}")


def _all(shape: Shape) -> str:
    return f"[{', '.join([*_constraints(shape), NOT_NULL])}]"


def _constraints(shape: Shape) -> Iterator[str]:
    """All that the shape asks for."""
    what = "value" if shape.kind in ("integer", "long", "float", "double") else "length"
    if "max" in shape.traits:
        yield f"Member must have {what} less than or equal to {shape.traits['max']}"
    if "min" in shape.traits:
        yield f"Member must have {what} greater than or equal to {shape.traits['min']}"
    if "pattern" in shape.traits:
        yield f"Member must satisfy regular expression pattern: {shape.traits['pattern']}"
    if "enum" in shape.traits:
        yield f"Member must satisfy enum value set: [{', '.join(shape.traits['enum'])}]"


def _broken(shape: Shape, value: Any) -> Iterator[str]:
    """What of it `value` does not keep."""
    if shape.traits.get("streaming") or shape.kind in ("structure", "boolean", "timestamp"):
        return
    size = value if isinstance(value, int | float) else len(value)
    for constraint in _constraints(shape):
        if " less than " in constraint:
            kept = size <= shape.traits["max"]
        elif " greater than " in constraint:
            kept = size >= shape.traits["min"]
        elif " enum " in constraint:
            kept = value in shape.traits["enum"]
        else:
            kept = not isinstance(value, str) or _matches(shape.traits["pattern"], value)
        if not kept:
            yield constraint


def _matches(pattern: str, text: str) -> bool:
    """AWS's services hold the whole text against a pattern, whether it says so or not, but for those that only name a
    character which must be there.
    """
    compiled = _compiled(pattern)
    if compiled is None or len(text) > _MAX_MATCHED or compiled.fullmatch(text):
        return True
    return not re.search(r"[*+?{$]", pattern) and compiled.search(text) is not None


@lru_cache(512)
def _compiled(pattern: str) -> re.Pattern[str] | None:
    """None for what Python's regular expressions cannot say."""
    try:
        named = _CLASS.sub(lambda found: _CLASSES.get(found[1], found[0]), pattern)
        return re.compile(_DASH.sub(r"\1\\-", named))
    except re.error:
        return None


def _shown(value: Any) -> str:
    """As Java writes it."""
    if value is None:
        return "null"
    text = _java(value)
    return f"'{text if len(text) <= _MAX_SHOWN else text[:_MAX_SHOWN] + '...'}'"


def _java(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_java, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}={_java(each)}" for key, each in value.items()) + "}"
    if isinstance(value, bytes):
        return f"java.nio.HeapByteBuffer[pos=0 lim={len(value)} cap={len(value)}]"
    return str(value).lower() if isinstance(value, bool) else str(value)
