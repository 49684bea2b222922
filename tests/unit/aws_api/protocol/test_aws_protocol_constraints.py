"""What the models ask of parameters, in AWS's words, and times in every format."""

from pathlib import Path
from typing import Any

import pytest

from penstock.aws_api.protocol.constraints import _compiled, told, violations
from penstock.aws_api.protocol.models import Models
from penstock.aws_api.protocol.scalars import format_timestamp, parse_timestamp
from penstock.aws_api.protocol.shapes import Shape


def shape(**traits: Any) -> Shape:
    shapes = {"It": traits, "Whole": {"type": "structure", "members": {"It": {"shape": "It"}}}}
    return Shape(shapes, {"shape": "Whole"})


@pytest.mark.parametrize(
    ("traits", "value", "constraint"),
    [
        ({"type": "string", "min": 1}, "", "Member must have length greater than or equal to 1"),
        ({"type": "string", "max": 2}, "abc", "Member must have length less than or equal to 2"),
        ({"type": "integer", "max": 2}, 3, "Member must have value less than or equal to 2"),
        ({"type": "string", "enum": ["a", "b"]}, "c", "Member must satisfy enum value set: [a, b]"),
        ({"type": "string", "pattern": "[a-z]+"}, "ab1", "Member must satisfy regular expression pattern: [a-z]+"),
        ({"type": "string", "pattern": "[a-z]+"}, "ab", None),
        ({"type": "string", "pattern": r"\S"}, "a word", None),
        ({"type": "string", "pattern": r"\S"}, "  ", r"Member must satisfy regular expression pattern: \S"),
        ({"type": "string", "pattern": r"[\p{L}\p{Z}\p{N}_.:/=+\-@]*"}, "Ünï 1", None),
        ({"type": "string", "pattern": r"(?<no"}, "whatever", None),
        ({"type": "blob", "max": 2}, b"abc", "Member must have length less than or equal to 2"),
    ],
)
def test_constraints(traits: dict[str, Any], value: Any, constraint: str | None) -> None:
    found = violations(shape(**traits), {"It": value})
    assert [violation.constraint for violation in found] == ([constraint] if constraint else [])
    assert all(violation.path == "it" for violation in found)


def test_violations_inside_lists_and_maps() -> None:
    shapes: dict[str, Any] = {
        "Name": {"type": "string", "min": 2},
        "Names": {"type": "list", "member": {"shape": "Name"}, "max": 2},
        "Item": {"type": "structure", "members": {"Name": {"shape": "Name"}}, "required": ["Name"]},
        "Items": {"type": "list", "member": {"shape": "Item"}},
        "Map": {"type": "map", "key": {"shape": "Name"}, "value": {"shape": "Name"}},
        "Secret": {"type": "string", "max": 1, "sensitive": True},
        "Whole": {
            "type": "structure",
            "members": {name: {"shape": name} for name in ("Names", "Items", "Map", "Secret")},
        },
    }
    params = {"Names": ["ok", "x"], "Items": [{"Name": "ok"}, {}], "Map": {"k": "v"}, "Secret": "hidden"}
    assert told(violations(Shape(shapes, {"shape": "Whole"}), params)) == (
        "5 validation errors detected: Value '[ok, x]' at 'names' failed to satisfy constraint: Member must satisfy "
        "constraint: [Member must have length greater than or equal to 2, Member must not be null]; "
        "Value null at 'items.2.member.name' failed to satisfy constraint: Member must not be null; "
        "Value '{k=v}' at 'map' failed to satisfy constraint: Map keys must satisfy constraint: [Member must have "
        "length greater than or equal to 2, Member must not be null]; "
        "Value '{k=v}' at 'map' failed to satisfy constraint: Map value must satisfy constraint: [Member must have "
        "length greater than or equal to 2, Member must not be null]; "
        "Value at 'secret' failed to satisfy constraint: Member must have length less than or equal to 1"
    )


def test_every_pattern_of_the_offered_services_is_understood(tmp_path: Path) -> None:
    unknown = set()
    for service in ("lambda", "s3", "sts", "iam", "cloudformation", "logs", "cloudwatch"):
        names = Models(tmp_path).load(service, []).operations
        model = Models(tmp_path).load(service, names)
        unknown |= {
            each["pattern"]
            for each in model._shapes.values()
            if "pattern" in each and _compiled(each["pattern"]) is None
        }
    assert unknown == set()


# --- timestamps ---


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-01T12:00:00Z",
        "2026-03-01T12:00:00.000Z",
        "2026-03-01T13:00:00+01:00",
        "2026-03-01T12:00:00",
        "Sun, 01 Mar 2026 12:00:00 GMT",
        "1772366400",
        "1772366400.0",
        "1.7723664e9",
    ],
)
def test_timestamps_in_any_format(text: str) -> None:
    assert format_timestamp(parse_timestamp(text), "iso8601") == "2026-03-01T12:00:00.000Z"
    assert format_timestamp(text, "rfc822") == "Sun, 01 Mar 2026 12:00:00 GMT"
    assert format_timestamp(text, "unixTimestamp") == "1772366400"


@pytest.mark.parametrize("text", ["", "yesterday", "9" * 19, "2026-13-01T00:00:00Z"])
def test_what_is_no_timestamp(text: str) -> None:
    with pytest.raises((ValueError, OverflowError)):
        parse_timestamp(text)
