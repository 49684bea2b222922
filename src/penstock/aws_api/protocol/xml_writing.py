"""Answers as XML, for the query protocol, EC2's and S3's."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from penstock.aws_api.protocol.scalars import write_text
from penstock.aws_api.protocol.shapes import Shape

XML_HEAD: Final = '<?xml version="1.0" encoding="UTF-8"?>\n'

# What XML 1.0 has no way to write (section 2.2): clients' parsers would refuse the whole answer.
_NO_CHARACTER: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_ESCAPES: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\r": "&#13;"})


def escape(text: str) -> str:
    return _NO_CHARACTER.sub("\ufffd", text).translate(_ESCAPES)


def element(name: str, content: str, attributes: str = "") -> str:
    """`content` is XML already, `attributes` begin with a blank."""
    return f"<{name}{attributes}>{content}</{name}>" if content else f"<{name}{attributes}/>"


def text_element(name: str, text: str) -> str:
    return element(name, escape(text))


def namespace_attribute(namespace: str) -> str:
    return f' xmlns="{namespace}"' if namespace else ""


def write_members(shape: Shape, value: Mapping[str, Any]) -> str:
    """A structure's members that belong in the body, one after the other."""
    return "".join(
        _member(name, member, value[name])
        for name, member in shape.members.items()
        if value.get(name) is not None and not member.location and not member.traits.get("xmlAttribute")
    )


def _member(name: str, shape: Shape, value: Any) -> str:
    own = shape.wire_name(name)
    if not shape.flattened:
        return write_element(shape, value, own)
    if shape.kind == "map":
        return "".join(element(own, entry) for entry in _entries(shape, value))
    item = shape.member.wire_name(own)
    return "".join(write_element(shape.member, each, item) for each in value)


def write_element(shape: Shape, value: Any, name: str) -> str:
    if shape.kind == "structure":
        return element(name, write_members(shape, value), _attributes(shape, value))
    if shape.kind == "list":
        item = shape.member.wire_name("member")
        return element(name, "".join(write_element(shape.member, each, item) for each in value))
    if shape.kind == "map":
        return element(name, "".join(element("entry", entry) for entry in _entries(shape, value)))
    return text_element(name, write_text(shape, value))


def _entries(shape: Shape, value: Mapping[str, Any]) -> Iterator[str]:
    for key, each in value.items():
        yield text_element(shape.key.wire_name("key"), str(key)) + write_element(
            shape.value, each, shape.value.wire_name("value")
        )


def _attributes(shape: Shape, value: Mapping[str, Any]) -> str:
    """Of S3's Grantee alone: its type, and the namespace of that."""
    namespace = shape.traits.get("xmlNamespace")
    declared = ""
    if isinstance(namespace, Mapping) and namespace.get("prefix"):
        declared = f' xmlns:{namespace["prefix"]}="{namespace["uri"]}"'
    own = (
        f' {member.wire_name(name)}="{escape(str(value[name]))}"'
        for name, member in shape.members.items()
        if member.traits.get("xmlAttribute") and value.get(name) is not None
    )
    return declared + "".join(own)
