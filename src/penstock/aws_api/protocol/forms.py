"""Parameters from the form of the query protocol and from EC2's: `Tags.member.1.Key=a`.

https://smithy.io/2.0/aws/protocols/aws-query-protocol.html, https://smithy.io/2.0/aws/protocols/aws-ec2-query-protocol.html
"""

from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import parse_qsl

from penstock.aws_api.protocol.scalars import read_text
from penstock.aws_api.protocol.shapes import Shape
from penstock.aws_api.protocol.unreadable import UnreadableError

# More than any request has that fits the limit of its size in ordinary use (assumed).
_MAX_FIELDS: Final = 50_000


class Form:
    """A node of the tree that dots in the names make. `value` is None where only deeper names were sent."""

    __slots__ = ("children", "value")

    def __init__(self) -> None:
        self.value: str | None = None
        self.children: dict[str, Form] = {}

    def child(self, path: str) -> "Form | None":
        """`path` may hold dots."""
        node: Form | None = self
        for name in path.split("."):
            node = node.children.get(name) if node else None
        return node

    def numbered(self) -> Iterator[tuple[str, "Form"]]:
        """The children that are numbers, in order: `1`, `2`, ... whichever are there."""
        numbers = sorted((int(name), name) for name in self.children if name.isdecimal() and len(name) < 10)
        for _, name in numbers:
            yield name, self.children[name]


def parse_form(text: str) -> Form:
    """Raises UnreadableError."""
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_MAX_FIELDS, errors="strict")
    except ValueError:
        raise UnreadableError("The form holds too many parameters or no UTF-8") from None
    root = Form()
    for name, value in pairs:
        node = root
        for part in name.split(".", 100):
            node = node.children.setdefault(part, Form())
        node.value = value
    return root


def read_form(shape: Shape, form: Form, *, ec2: bool = False) -> dict[str, Any]:
    """A structure's members. Raises UnreadableError."""
    return _Reader(ec2=ec2).structure(shape, form, "")


class _Reader:
    def __init__(self, *, ec2: bool) -> None:
        self._ec2 = ec2

    def _name(self, shape: Shape, otherwise: str) -> str:
        """EC2 begins names with a capital on the way in: https://smithy.io/2.0/aws/protocols/aws-ec2-query-protocol.html"""
        if not self._ec2:
            return shape.wire_name(otherwise)
        if "queryName" in shape.traits:
            return str(shape.traits["queryName"])
        name = shape.wire_name(otherwise)
        return name[:1].upper() + name[1:] if "locationName" in shape.traits else name

    def structure(self, shape: Shape, form: Form, path: str) -> dict[str, Any]:
        read = {}
        for name, member in shape.members.items():
            own = self._name(member, name)
            # Without a list between, the item's own name takes the place of the list's.
            if member.kind == "list" and member.flattened and "locationName" in member.member.traits:
                own = member.member.wire_name(own)
            node = form.child(own)
            if node is not None and (value := self.value(member, node, f"{path}{own}")) is not None:
                read[name] = value
        return read

    def value(self, shape: Shape, form: Form, path: str) -> Any:
        """None when nothing of it was sent."""
        if shape.kind == "structure":
            return self.structure(shape, form, f"{path}.") if form.children else None
        if shape.kind == "list":
            return self._list(shape, form, path)
        if shape.kind == "map":
            return self._map(shape, form, path)
        if form.value is None:
            return None
        if form.value == "" and shape.kind != "string":
            return None
        return read_text(shape, form.value, path)

    def _list(self, shape: Shape, form: Form, path: str) -> list[Any] | None:
        if form.value == "" and not form.children:
            return []
        if not (self._ec2 or shape.flattened):
            item = shape.member.wire_name("member")
            inner = form.child(item)
            form, path = (inner, f"{path}.{item}") if inner else (form, path)
        found = [self.value(shape.member, node, f"{path}.{number}") for number, node in form.numbered()]
        return [each for each in found if each is not None] if found else None

    def _map(self, shape: Shape, form: Form, path: str) -> dict[str, Any] | None:
        if not shape.flattened:
            inner = form.child("entry")
            if inner is None:
                return {} if form.value == "" else None
            form, path = inner, f"{path}.entry"
        read = {}
        for number, node in form.numbered():
            key, value = node.child(shape.key.wire_name("key")), node.child(shape.value.wire_name("value"))
            if key is not None and key.value is not None and value is not None:
                read[key.value] = self.value(shape.value, value, f"{path}.{number}.value")
        return {name: value for name, value in read.items() if value is not None}
