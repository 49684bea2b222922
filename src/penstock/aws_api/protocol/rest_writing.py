"""The parts of a REST answer beside its body: status and headers. https://smithy.io/2.0/spec/http-bindings.html"""

import base64
from collections.abc import Mapping
from typing import Any, Final

import orjson

from penstock.aws_api.protocol.scalars import RFC_822, write_text
from penstock.aws_api.protocol.shapes import Shape
from penstock.wire.http_messages import Headers

_CONTROLS: Final = dict.fromkeys((*range(32), 127), " ")


def write_headers(shape: Shape, answer: Mapping[str, Any]) -> Headers:
    """Of an answer or an error, whose shape it is."""
    headers: Headers = []
    for name, member in shape.members.items():
        value = answer.get(name)
        if value is None:
            continue
        if member.location == "header":
            text = _text(member, value)
            headers.append((member.wire_name(name).lower().encode(), header_value(text)))
        elif member.location == "headers":
            prefix = member.wire_name(name).lower()
            headers += [(header_name(prefix + key), metadata_value(text)) for key, text in value.items()]
    return headers


def status_of(shape: Shape | None, answer: Mapping[str, Any], otherwise: int) -> int:
    """The status is a member of a few answers."""
    for name, member in shape.members.items() if shape else ():
        if member.location == "statusCode" and answer.get(name) is not None:
            return int(answer[name])
    return otherwise


def _text(shape: Shape, value: Any) -> str:
    if shape.kind == "list":
        return ",".join(_text(shape.member, each) for each in value)
    if shape.traits.get("jsonvalue"):
        return base64.b64encode(orjson.dumps(value)).decode()
    return write_text(shape, value, RFC_822)


def header_name(name: str) -> bytes:
    """What is no character of a name becomes a dash: nothing may end the header here."""
    return "".join(each if each.isascii() and (each.isalnum() or each in "-_.!~") else "-" for each in name).encode()


def header_value(text: str) -> bytes:
    """Nothing in it ends the header."""
    return text.translate(_CONTROLS).strip().encode()


def metadata_value(text: str) -> bytes:
    """S3 gives metadata that is not ASCII as RFC 2047 has it:
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html
    """
    if text.isascii():
        return header_value(text)
    return b"=?UTF-8?B?" + base64.b64encode(text.encode()) + b"?="
