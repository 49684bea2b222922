"""Parameters from the parts of a REST request: path, query, headers and body.

https://smithy.io/2.0/spec/http-bindings.html
"""

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any

import orjson

from penstock.aws_api.protocol.scalars import read_text
from penstock.aws_api.protocol.shapes import Shape
from penstock.aws_api.protocol.unreadable import UnreadableError
from penstock.wire.http_messages import Headers

ReadBody = Callable[[Shape, bytes], Any]
"""A structure from a body that is not empty."""


@dataclass(frozen=True, slots=True)
class Parts:
    """`body` stands at its beginning."""

    labels: Mapping[str, str]
    query: Mapping[str, Sequence[str]]
    headers: Headers
    body: IO[bytes]


def read_parts(shape: Shape, parts: Parts, read_body: ReadBody) -> dict[str, Any]:
    """Raises UnreadableError."""
    read: dict[str, Any] = {}
    for name, member in shape.members.items():
        value = _placed(member, member.wire_name(name), parts, shape) if member.location else None
        if value is not None:
            read[name] = value
    if shape.payload:
        value = _payload(shape.members[shape.payload], parts.body, read_body)
        return read if value is None else read | {shape.payload: value}
    if any(not member.location for member in shape.members.values()) and (body := parts.body.read()):
        # Members of the body only: a name may stand for a header and for a member of the body as well.
        inside = read_body(shape, body)
        read |= {name: value for name, value in inside.items() if not shape.members[name].location}
    return read


def _payload(shape: Shape, body: IO[bytes], read_body: ReadBody) -> Any:
    if shape.traits.get("streaming"):
        return body
    content = body.read()
    if shape.kind == "blob":
        return content
    if not content:
        return None
    if shape.kind == "string":
        return content.decode("utf-8", "replace")
    return read_body(shape, content)


def _placed(shape: Shape, name: str, parts: Parts, whole: Shape) -> Any:
    if shape.location == "uri":
        label = parts.labels.get(name)
        return None if label is None else read_text(shape, label, name)
    if shape.location == "querystring":
        return _from_query(shape, name, parts.query, whole)
    if shape.location == "headers":
        return _prefixed(name.lower(), parts.headers)
    if shape.location == "header":
        return _from_headers(shape, name, parts.headers)
    return None


def _from_query(shape: Shape, name: str, query: Mapping[str, Sequence[str]], whole: Shape) -> Any:
    if shape.kind == "map":
        own = {each.wire_name(key) for key, each in whole.members.items() if each.location == "querystring"}
        rest = {key: values for key, values in query.items() if key not in own}
        single = shape.value.kind != "list"
        return {key: values[0] if single else list(values) for key, values in rest.items()} or None
    values = query.get(name)
    if values is None:
        return None
    if shape.kind == "list":
        return [read_text(shape.member, value, name) for value in values]
    return None if values[0] == "" and shape.kind != "string" else read_text(shape, values[0], name)


def _from_headers(shape: Shape, name: str, headers: Headers) -> Any:
    raw_name = name.lower().encode()
    values = [_decoded(value) for found, value in headers if found == raw_name]
    if not values:
        return None
    text = ",".join(values)
    if shape.kind == "list":
        return [read_text(shape.member, each, name) for each in _split(text, dates=shape.member.kind == "timestamp")]
    if shape.traits.get("jsonvalue"):
        return _json_value(text, name)
    if "enum" in shape.traits:
        return _one_of(shape.traits["enum"], text)
    return None if text == "" and shape.kind != "string" else read_text(shape, text, name)


def _one_of(values: Sequence[str], text: str) -> str:
    """In any case: the AWS CLI 2 (https://github.com/awslabs/aws-c-s3) sends `x-amz-checksum-mode: enabled`."""
    return next((value for value in values if value.lower() == text.lower()), text)


def _json_value(text: str, name: str) -> Any:
    try:
        return orjson.loads(base64.b64decode(text, validate=True))
    except ValueError:
        raise UnreadableError(f"{name} is no JSON in Base64", name, text) from None


def _prefixed(prefix: str, headers: Headers) -> dict[str, str] | None:
    """Headers such as `x-amz-meta-*`, without the prefix."""
    raw = prefix.encode()
    found: dict[str, str] = {}
    for name, value in headers:
        if name.startswith(raw):
            key = name[len(raw) :].decode("latin-1")
            found[key] = f"{found[key]},{_decoded(value)}" if key in found else _decoded(value)
    return found or None


def _decoded(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _split(text: str, *, dates: bool) -> list[str]:
    """At commas outside double quotes; dates of HTTP hold a comma each."""
    found, quoted, escaped = [""], False, False
    for character in text:
        if escaped:
            found[-1] += character
            escaped = False
        elif character == "\\" and quoted:
            escaped = True
        elif character == '"':
            quoted = not quoted
        elif character == "," and not quoted:
            found.append("")
        else:
            found[-1] += character
    parts = [each.strip() for each in found]
    if dates and len(parts) % 2 == 0 and not parts[0][:1].isdigit():
        return [f"{day}, {rest}" for day, rest in zip(parts[::2], parts[1::2], strict=True)]
    return parts
