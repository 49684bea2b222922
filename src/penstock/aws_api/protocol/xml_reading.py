"""Parameters from XML, as S3 takes them. Document types and entities are refused: no request has any."""

from collections.abc import Iterable
from typing import Any, Final
from xml.parsers import expat

from penstock.aws_api.protocol.scalars import read_text
from penstock.aws_api.protocol.shapes import Shape
from penstock.aws_api.protocol.unreadable import UnreadableError

_MAX_DEPTH: Final = 100  # as for JSON (assumed)
# S3's words: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
MALFORMED: Final = "The XML you provided was not well-formed or did not validate against our published schema"


class Element:
    """Names are without their namespace."""

    __slots__ = ("attributes", "children", "tag", "text")

    def __init__(self, tag: str, attributes: dict[str, str]) -> None:
        self.tag = tag
        self.attributes = attributes
        self.children: list[Element] = []
        self.text = ""


class _Builder:
    def __init__(self) -> None:
        self.root = Element("", {})
        self._open = [self.root]

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if len(self._open) > _MAX_DEPTH:
            raise UnreadableError(MALFORMED)
        element = Element(_local(tag), {_local(name): value for name, value in attributes.items()})
        self._open[-1].children.append(element)
        self._open.append(element)

    def end(self, _tag: str) -> None:
        self._open.pop()

    def text(self, text: str) -> None:
        self._open[-1].text += text


def _local(name: str) -> str:
    return name.rpartition("}")[2]


def _refuse(*_: object) -> None:
    raise UnreadableError(MALFORMED)


def parse_xml(data: bytes) -> Element:
    """The root element. Raises UnreadableError."""
    builder = _Builder()
    parser = expat.ParserCreate(namespace_separator="}")
    parser.buffer_text = True
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.text
    parser.StartDoctypeDeclHandler = _refuse
    try:
        parser.Parse(data, True)
    except expat.ExpatError:
        raise UnreadableError(MALFORMED) from None
    return builder.root.children[0]


def read_element(shape: Shape, element: Element) -> Any:
    """Raises UnreadableError."""
    if shape.kind == "structure":
        return _structure(shape, element)
    if shape.kind == "list":
        return [read_element(shape.member, each) for each in element.children]
    if shape.kind == "map":
        return _map(shape, element.children)
    return read_text(shape, element.text, element.tag)


def _structure(shape: Shape, element: Element) -> dict[str, Any]:
    by_tag: dict[str, list[Element]] = {}
    for child in element.children:
        by_tag.setdefault(child.tag, []).append(child)
    read: dict[str, Any] = {}
    for name, member in shape.members.items():
        own = member.wire_name(name)
        if member.traits.get("xmlAttribute"):
            value = element.attributes.get(own.rpartition(":")[2])
            read |= {} if value is None else {name: read_text(member, value, own)}
        elif found := by_tag.get(own) or by_tag.get(_item_name(member, own)):
            read[name] = _repeated(member, found) if member.flattened else read_element(member, found[0])
    return read


def _item_name(member: Shape, otherwise: str) -> str:
    """A list without an element around it may go by its items' name."""
    return member.member.wire_name(otherwise) if member.kind == "list" and member.flattened else otherwise


def _repeated(shape: Shape, found: list[Element]) -> Any:
    return _map(shape, found) if shape.kind == "map" else [read_element(shape.member, each) for each in found]


def _map(shape: Shape, entries: Iterable[Element]) -> dict[str, Any]:
    key, value = shape.key.wire_name("key"), shape.value.wire_name("value")
    read = {}
    for entry in entries:
        parts = {child.tag: child for child in entry.children}
        if key in parts and value in parts:
            read[parts[key].text] = read_element(shape.value, parts[value])
    return read
