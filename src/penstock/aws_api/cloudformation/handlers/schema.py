"""The properties of a resource type: which there are, and what they become in a call of the service.

Most are members of the call that makes the resource, so botocore's model of that call says their names and types; a
small table by type says where CloudFormation differs. Loading a model takes time: it is done when first needed.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cache
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from penstock.aws_api.cloudformation.reading.values import is_unknown
from penstock.aws_api.cloudformation.records import Json
from penstock.template.intrinsics import text_of

if TYPE_CHECKING:
    from botocore.model import Shape


class Plain(Enum):
    TEXT = "String"
    WHOLE = "Integer"
    NUMBER = "Number"
    FLAG = "Boolean"
    POLICY = "JSONObject"
    """A document, as a JSON object or as text; the call takes text."""
    TAGS = "tags"
    """A list of `{Key, Value}`; handlers see a map."""


@dataclass(frozen=True, slots=True)
class Members:
    names: "Mapping[str, Form]"
    required: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Items:
    each: "Form"


@dataclass(frozen=True, slots=True)
class Of:
    """A shape of a service's model. `without` are members that CloudFormation lacks."""

    service: str
    shape: str
    without: tuple[str, ...] = ()


Form: TypeAlias = Plain | Members | Items | Of

TEXTS: Final = Items(Plain.TEXT)


@dataclass(frozen=True, slots=True)
class Schema:
    """`operation`'s input, without some members and with others in their place. `service` may be empty."""

    service: str = ""
    operation: str = ""
    without: tuple[str, ...] = ()
    more: Mapping[str, Form] = field(default_factory=dict)
    required: tuple[str, ...] = ()

    def names(self) -> frozenset[str]:
        return frozenset(self._members())

    def fit(self, properties: Json) -> tuple[Json, list[str]]:
        """As a call takes them, and what is wrong with them: CloudFormation's words for each fault."""
        faults: list[str] = []
        members = self._members()
        result = {}
        for name, value in properties.items():
            if name in members:
                result[name] = _fit(members[name], value, f"#/{name}", faults)
        unknown = [name for name in properties if name not in members]
        faults += _extraneous("#", unknown)
        faults += [f"#: required key [{name}] not found" for name in self.required if name not in properties]
        return result, faults

    def _members(self) -> "dict[str, Form | Shape]":
        members: dict[str, Form | Shape] = {}
        if self.service:
            shape: Any = _model(self.service).operation_model(self.operation).input_shape
            members.update({name: item for name, item in shape.members.items() if name not in self.without})
        members.update(self.more)
        return members


@cache
def _model(service: str) -> Any:
    from botocore.loaders import Loader
    from botocore.model import ServiceModel

    return ServiceModel(Loader().load_service_model(service, "service-2"), service)


def _fit(form: "Form | Shape", value: Any, path: str, faults: list[str]) -> Any:
    if isinstance(form, Plain):
        return _plain(form, value, path, faults)
    if isinstance(form, Of):
        shape = _model(form.service).shape_for(form.shape)
        return _members({k: v for k, v in shape.members.items() if k not in form.without}, (), value, path, faults)
    if isinstance(form, Members):
        return _members(form.names, form.required, value, path, faults)
    if isinstance(form, Items):
        return _items(form.each, value, path, faults)
    return _shaped(form, value, path, faults)


def _shaped(shape: Any, value: Any, path: str, faults: list[str]) -> Any:
    kind = shape.type_name
    if kind == "structure":
        return _members(shape.members, tuple(shape.required_members), value, path, faults)
    if kind == "list":
        return _items(shape.member, value, path, faults)
    if kind == "map":
        if not isinstance(value, dict):
            return _wrong("JSONObject", value, path, faults)
        return {key: _fit(shape.value, item, f"{path}/{key}", faults) for key, item in value.items()}
    return _plain(_SCALARS.get(kind, Plain.TEXT), value, path, faults)


_SCALARS: Final = {
    "boolean": Plain.FLAG,
    "double": Plain.NUMBER,
    "float": Plain.NUMBER,
    "integer": Plain.WHOLE,
    "long": Plain.WHOLE,
}


def _members(
    names: "Mapping[str, Form | Shape]", required: tuple[str, ...], value: Any, path: str, faults: list[str]
) -> Any:
    if not isinstance(value, dict):
        return _wrong("JSONObject", value, path, faults)
    faults += _extraneous(path, [key for key in value if key not in names])
    faults += [f"{path}: required key [{name}] not found" for name in required if name not in value]
    return {key: _fit(names[key], item, f"{path}/{key}", faults) for key, item in value.items() if key in names}


def _items(each: "Form | Shape", value: Any, path: str, faults: list[str]) -> Any:
    if value == {}:
        # aws-sam-translator turns an empty list into an empty map.
        return []
    if is_unknown(value) and not isinstance(value, list):
        return [value]
    if not isinstance(value, list):
        return _wrong("JSONArray", value, path, faults)
    return [_fit(each, item, f"{path}/{index}", faults) for index, item in enumerate(value)]


def _plain(form: Plain, value: Any, path: str, faults: list[str]) -> Any:
    if form is Plain.POLICY:
        return value if isinstance(value, str) else json.dumps(value)
    if form is Plain.TAGS:
        return _tags(value, path, faults)
    if is_unknown(value) and isinstance(value, str):
        return value
    text = text_of(value)
    if text is None:
        return _wrong(form.value, value, path, faults)
    if form is Plain.TEXT:
        return text
    try:
        if form is Plain.FLAG:
            return {"true": True, "false": False}[text.lower()]
        number = float(text)
        if form is Plain.WHOLE and number == int(number):
            return int(number)
        if form is Plain.NUMBER:
            return number
    except (KeyError, OverflowError, ValueError):
        pass
    return _wrong(form.value, value, path, faults)


def _tags(value: Any, path: str, faults: list[str]) -> Any:
    entries = _items(Members({"Key": Plain.TEXT, "Value": Plain.TEXT}, ("Key", "Value")), value, path, faults)
    good = [item for item in entries or [] if isinstance(item, dict) and "Key" in item and "Value" in item]
    return {item["Key"]: item["Value"] for item in good}


def _extraneous(path: str, names: list[str]) -> list[str]:
    return [f"{path}: extraneous key [{name}] is not permitted" for name in names]


def _wrong(expected: str, value: Any, path: str, faults: list[str]) -> None:
    kinds = {bool: "Boolean", dict: "JSONObject", float: "Number", int: "Integer", list: "JSONArray", str: "String"}
    faults.append(f"{path}: expected type: {expected}, found: {kinds.get(type(value), 'null')}")
