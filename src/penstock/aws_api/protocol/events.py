"""Events of an answer as messages of AWS's event stream encoding.

https://smithy.io/2.0/aws/amazon-eventstream.html
"""

import struct
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from zlib import crc32

import orjson

from penstock.aws_api.protocol import cbor
from penstock.aws_api.protocol.head import Form
from penstock.aws_api.protocol.scalars import epoch_of, to_moment
from penstock.aws_api.protocol.shapes import Shape
from penstock.aws_api.protocol.trees import write_members
from penstock.aws_api.protocol.xml_writing import element
from penstock.aws_api.protocol.xml_writing import write_members as xml_members
from penstock.aws_api.service import ServiceError

_TRUE, _FALSE, _INTEGER, _LONG, _BYTES, _STRING, _TIMESTAMP = 0, 1, 4, 5, 6, 7, 8
_CONTENT_TYPES: Final = {
    Form.JSON: "application/json",
    Form.REST_JSON: "application/json",
    Form.CBOR: "application/cbor",
    Form.S3: "text/xml",
    Form.REST_XML: "text/xml",
}


@dataclass(frozen=True, slots=True)
class EventBody:
    """The body of an answer. `shape` is that of all events, `initial` the content of a first message or None."""

    form: Form
    shape: Shape
    events: AsyncIterator[Mapping[str, Any]]
    initial: bytes | None

    def first(self) -> bytes:
        """The message that comes before all events, or nothing."""
        if self.initial is None:
            return b""
        return message(_event_headers("initial-response", _CONTENT_TYPES[self.form]), self.initial)

    def event(self, event: Mapping[str, Any]) -> bytes:
        """Raises KeyError or TypeError for one that is not of the shape."""
        ((name, members),) = event.items()
        shape = self.shape.members[name]
        headers, content, content_type = _header_members(shape, members), b"", ""
        payload = next((key for key, each in shape.members.items() if each.traits.get("eventpayload")), "")
        if payload:
            member = shape.members[payload]
            content, content_type = self._payload(member, members.get(payload), payload)
        elif any(not each.traits.get("eventheader") for each in shape.members.values()):
            body = {key: each for key, each in members.items() if key not in headers}
            content, content_type = self._structure(shape, body, name), _CONTENT_TYPES[self.form]
        return message(_event_headers(name, content_type) | headers, content)

    def error(self, error: ServiceError) -> bytes:
        """The end of a stream that cannot go on."""
        if error.code in self.shape.members:
            headers = {":message-type": "exception", ":exception-type": error.code}
            shape = self.shape.members[error.code]
            name = next((name for name in shape.members if name.lower() == "message"), "message")
            content = self._structure(shape, {name: error.message, **error.members}, error.code)
            return message(headers | {":content-type": _CONTENT_TYPES[self.form]}, content)
        return message({":message-type": "error", ":error-code": error.code, ":error-message": error.message}, b"")

    def _payload(self, shape: Shape, value: Any, name: str) -> tuple[bytes, str]:
        if shape.kind == "blob":
            return bytes(value or b""), "application/octet-stream"
        if shape.kind == "string":
            return str(value or "").encode(), "text/plain"
        return self._structure(shape, value or {}, name), _CONTENT_TYPES[self.form]

    def _structure(self, shape: Shape, value: Mapping[str, Any], name: str) -> bytes:
        if self.form is Form.CBOR:
            return cbor.dumps(write_members(shape, value, binary=True))
        if self.form in (Form.S3, Form.REST_XML):
            return element(shape.wire_name(name), xml_members(shape, value)).encode()
        return orjson.dumps(write_members(shape, value))


def _event_headers(name: str, content_type: str) -> dict[str, Any]:
    headers = {":message-type": "event", ":event-type": name}
    return headers | ({":content-type": content_type} if content_type else {})


def _header_members(shape: Shape, members: Mapping[str, Any]) -> dict[str, Any]:
    placed = {name: each for name, each in shape.members.items() if each.traits.get("eventheader")}
    values = {name: members[name] for name in placed if members.get(name) is not None}
    return {name: to_moment(each) if placed[name].kind == "timestamp" else each for name, each in values.items()}


def message(headers: Mapping[str, Any], payload: bytes) -> bytes:
    """Prelude, headers, payload and checksums; the layout is in `wire/event_stream.py`."""
    raw = b"".join(_header(name, value) for name, value in headers.items())
    lengths = struct.pack(">II", 16 + len(raw) + len(payload), len(raw))
    before = b"".join((lengths, struct.pack(">I", crc32(lengths)), raw, payload))
    return before + struct.pack(">I", crc32(before))


def _header(name: str, value: Any) -> bytes:
    encoded = name.encode()
    head = struct.pack(">B", len(encoded)) + encoded
    if isinstance(value, bool):
        return head + bytes([_TRUE if value else _FALSE])
    if isinstance(value, int):
        small = -(1 << 31) <= value < 1 << 31
        return head + (struct.pack(">Bi", _INTEGER, value) if small else struct.pack(">Bq", _LONG, value))
    if isinstance(value, datetime):
        return head + struct.pack(">Bq", _TIMESTAMP, round(epoch_of(value) * 1000))
    kind, raw = (_BYTES, value) if isinstance(value, bytes) else (_STRING, str(value).encode())
    return head + struct.pack(">BH", kind, len(raw)) + raw
