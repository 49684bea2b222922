"""A service's operations and the shapes of what they take and give, as its model says them.

The attributes: https://github.com/boto/botocore/blob/develop/botocore/model.py (SERIALIZED_ATTRS, METADATA_ATTRS)
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

Description = Mapping[str, Any]
"""A service model as botocore ships it, or a smaller one of the same form."""


class Shape:
    """One shape where it is used: its own attributes, and over them those of the place.

    `kind` is structure, list, map, or a scalar: string, integer, long, float, double, boolean, blob, timestamp.
    """

    def __init__(self, shapes: Mapping[str, Description], reference: Description) -> None:
        self._shapes = shapes
        self.name: str = reference["shape"]
        self.traits: Description = {**shapes[self.name], **reference}
        self.kind: str = self.traits["type"]
        self.location: str = self.traits.get("location", "")
        """`uri`, `querystring`, `header`, `headers`, `statusCode`, or nothing: in the body."""
        self.flattened: bool = self.traits.get("flattened", False)

    def wire_name(self, otherwise: str) -> str:
        """What it is called outside, where that is said."""
        name: str = self.traits.get("locationName", otherwise)
        return name

    @cached_property
    def members(self) -> dict[str, "Shape"]:
        return {name: Shape(self._shapes, each) for name, each in self.traits.get("members", {}).items()}

    @property
    def required(self) -> tuple[str, ...]:
        return tuple(self.traits.get("required", ()))

    @cached_property
    def member(self) -> "Shape":
        """Of a list."""
        return Shape(self._shapes, self.traits["member"])

    @cached_property
    def key(self) -> "Shape":
        """Of a map."""
        return Shape(self._shapes, self.traits["key"])

    @cached_property
    def value(self) -> "Shape":
        """Of a map."""
        return Shape(self._shapes, self.traits["value"])

    @property
    def payload(self) -> str:
        """The member that is the whole body, or nothing."""
        name: str = self.traits.get("payload", "")
        return name

    @cached_property
    def event_stream(self) -> str:
        """The member that is a stream of events, or nothing."""
        return next((name for name, each in self.members.items() if each.traits.get("eventstream")), "")

    @property
    def error_code(self) -> str:
        """Of an exception: what clients are told, https://smithy.io/2.0/aws/protocols/aws-query-protocol.html"""
        code: str = self.traits.get("error", {}).get("code", self.name)
        return code

    @property
    def error_status(self) -> int:
        """Of an exception; 0 when the model does not say."""
        status: int = self.traits.get("error", {}).get("httpStatusCode", 0)
        return status

    def __repr__(self) -> str:
        return f"Shape({self.name}: {self.kind})"


@dataclass(frozen=True, slots=True)
class Operation:
    """`uri` is the template of the path with a fixed query, `status` that of a good answer."""

    name: str
    method: str
    uri: str
    status: int
    input: Shape | None
    output: Shape | None
    deprecated: bool
    unsigned: bool
    """Callers need not sign."""


class ServiceModel:
    """`name` is botocore's. Operations and their shapes are made when they are first asked for."""

    def __init__(self, name: str, description: Description) -> None:
        self.name = name
        self.metadata: Description = description["metadata"]
        self._operations: Mapping[str, Description] = description["operations"]
        self._shapes: Mapping[str, Description] = description["shapes"]
        self._made: dict[str, Operation] = {}

    @property
    def operations(self) -> tuple[str, ...]:
        """The names of all there are."""
        return tuple(self._operations)

    def operation(self, name: str) -> Operation | None:
        found = self._made.get(name)
        if found is None and name in self._operations:
            found = self._made[name] = self._make(name, self._operations[name])
        return found

    def _make(self, name: str, described: Description) -> Operation:
        http = described["http"]
        return Operation(
            name=name,
            method=http.get("method", "POST"),
            uri=http.get("requestUri", "/"),
            status=http.get("responseCode", 200),
            input=self._shape(described.get("input")),
            output=self._shape(described.get("output")),
            deprecated=described.get("deprecated", False),
            unsigned=described.get("authtype") == "none",
        )

    def _shape(self, reference: Description | None) -> Shape | None:
        return Shape(self._shapes, reference) if reference and reference["shape"] in self._shapes else None

    @cached_property
    def _errors(self) -> dict[str, Shape]:
        shapes = [Shape(self._shapes, {"shape": name}) for name, each in self._shapes.items() if each.get("exception")]
        return {shape.error_code: shape for shape in shapes} | {shape.name: shape for shape in shapes}

    def error(self, code: str) -> Shape | None:
        """The shape of an error, by its code or its shape's name."""
        return self._errors.get(code)


def xml_namespace(model: ServiceModel) -> str:
    """That of all answers, or nothing."""
    namespace: str = model.metadata.get("xmlNamespace", "")
    return namespace
