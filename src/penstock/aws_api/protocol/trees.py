"""Parameters from JSON or CBOR, and answers to it: trees of mappings and lists.

https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html
"""

import base64
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from penstock.aws_api.protocol.scalars import (
    UNIX,
    decode_base64,
    epoch_of,
    format_timestamp,
    from_epoch,
    parse_timestamp,
    special_float,
    to_moment,
)
from penstock.aws_api.protocol.shapes import Shape
from penstock.aws_api.protocol.unreadable import UnreadableError

# No shape that is sent is nested as deep (assumed).
MAX_DEPTH: Final = 100

# The texts as seen on AWS: https://github.com/architect/dynalite/blob/main/validations/index.js
_STRUCTURE: Final = "Start of structure or map found where not expected"
_FIELD: Final = "Unexpected field type"
_TYPES: Final = {
    "string": "String",
    "integer": "Integer",
    "long": "Long",
    "float": "Float",
    "double": "Double",
    "boolean": "Boolean",
    "timestamp": "Date",
    "blob": "Blob",
}


# --- reading ---


def read_tree(shape: Shape, value: Any, depth: int = 0) -> Any:
    """`value` is not None. Members that the shape does not have are left out, and so are those that are null. Raises
    UnreadableError.
    """
    if depth > MAX_DEPTH:
        raise UnreadableError("The request is nested too deeply")
    if shape.kind == "structure":
        return _read_structure(shape, value, depth)
    if shape.kind == "list":
        if not isinstance(value, list):
            raise UnreadableError(_STRUCTURE if isinstance(value, dict) else _FIELD)
        return [read_tree(shape.member, each, depth + 1) for each in value if each is not None]
    if shape.kind == "map":
        if not isinstance(value, dict):
            raise UnreadableError(_FIELD)
        members = ((name, each) for name, each in value.items() if each is not None)
        return {str(name): read_tree(shape.value, each, depth + 1) for name, each in members}
    return _read_scalar(shape, value)


def _read_structure(shape: Shape, value: Any, depth: int) -> Any:
    if shape.traits.get("document"):
        return value
    if not isinstance(value, dict):
        raise UnreadableError(_FIELD)
    read = {}
    for name, member in shape.members.items():
        found = value.get(member.wire_name(name))
        if found is not None:
            read[name] = read_tree(member, found, depth + 1)
    return read


def _read_scalar(shape: Shape, value: Any) -> Any:
    if isinstance(value, dict):
        raise UnreadableError(_STRUCTURE)
    if isinstance(value, list):
        raise UnreadableError(_FIELD)
    try:
        read = _scalar(shape.kind, value)
    except (ValueError, OverflowError):
        read = None
    if read is None:
        raise UnreadableError(f"{_token(value)} cannot be converted to {_TYPES.get(shape.kind, shape.kind)}")
    return read


def _scalar(kind: str, value: Any) -> Any:
    """None when `value` is of no fitting type. Raises ValueError or OverflowError."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if kind in ("integer", "long"):
        return int(value) if number else None
    if kind in ("float", "double"):
        special = isinstance(value, str) and value in ("NaN", "Infinity", "-Infinity")
        return float(value) if number or special else None
    if kind == "boolean":
        return value if isinstance(value, bool) else None
    if kind == "timestamp":
        return _moment(value) if number or isinstance(value, str | datetime) else None
    if kind == "blob":
        if isinstance(value, str):
            return decode_base64(value)
        return value if isinstance(value, bytes) else None
    return value if isinstance(value, str) else None


def _moment(value: Any) -> datetime:
    if isinstance(value, datetime):
        return value
    return parse_timestamp(value) if isinstance(value, str) else from_epoch(value)


def _token(value: object) -> str:
    if isinstance(value, bool):
        return "TRUE_VALUE" if value else "FALSE_VALUE"
    return "STRING_VALUE" if isinstance(value, str) else "NUMBER_VALUE"


# --- writing ---


def write_tree(shape: Shape, value: Any, *, binary: bool = False) -> Any:
    """What JSON can hold, or with `binary` what CBOR can. Members that the shape does not have are left out."""
    if shape.kind == "structure":
        return value if shape.traits.get("document") else write_members(shape, value, binary=binary)
    if shape.kind == "list":
        return [write_tree(shape.member, each, binary=binary) for each in value]
    if shape.kind == "map":
        return {str(name): write_tree(shape.value, each, binary=binary) for name, each in value.items()}
    return _write_binary(shape, value) if binary else _write_json(shape, value)


def write_members(shape: Shape, value: Mapping[str, Any], *, binary: bool = False) -> dict[str, Any]:
    """Those that belong in the body."""
    return {
        member.wire_name(name): write_tree(member, value[name], binary=binary)
        for name, member in shape.members.items()
        if value.get(name) is not None and not member.location
    }


def _write_json(shape: Shape, value: Any) -> Any:
    if shape.kind == "timestamp":
        kind = shape.traits.get("timestampFormat", UNIX)
        return epoch_of(to_moment(value)) if kind == UNIX else format_timestamp(value, kind)
    if shape.kind == "blob":
        return base64.b64encode(value).decode()
    if shape.kind in ("float", "double"):
        number = float(value)
        return special_float(number) or number
    return _plain(shape, value)


def _write_binary(shape: Shape, value: Any) -> Any:
    if shape.kind == "timestamp":
        return to_moment(value)
    if shape.kind == "blob":
        return bytes(value)
    return float(value) if shape.kind in ("float", "double") else _plain(shape, value)


def _plain(shape: Shape, value: Any) -> Any:
    if shape.kind in ("integer", "long"):
        return int(value)
    return bool(value) if shape.kind == "boolean" else str(value)
