"""Intrinsic functions and conditions, resolved to plain values.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html
"""

import base64
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final, Literal, Protocol, TypeAlias

from penstock.model.errors import Place, UserError
from penstock.template.hints import did_you_mean
from penstock.template.parameters import Parameter
from penstock.template.source import Map, Source, Value


class Absent(Enum):
    """`AWS::NoValue`: the property or item is left out."""

    ABSENT = "absent"


Resolved: TypeAlias = Value | Literal[Absent.ABSENT]
SUB_VARIABLE: Final = re.compile(r"\$\{([^}]*)\}")


class UnresolvableError(UserError):
    """A value that only a real account could tell. Fatal only where the value is needed."""


class ResourceValues(Protocol):
    """What `Ref` and `Fn::GetAtt` give for a resource."""

    def __contains__(self, logical_id: object) -> bool: ...

    def ref(self, logical_id: str, place: Place) -> Value: ...

    def attribute(self, logical_id: str, name: str, place: Place) -> Value: ...


def partition(region: str) -> str:
    """The part of AWS that holds a region: the second word of its ARNs."""
    if region.startswith("cn-"):
        return "aws-cn"
    return "aws-us-gov" if region.startswith("us-gov-") else "aws"


@dataclass(frozen=True, slots=True)
class Pseudo:
    """The pseudo parameters of a stack.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/pseudo-parameter-reference.html
    """

    region: str
    account_id: str
    stack_name: str
    stack_id: str

    @property
    def partition(self) -> str:
        return partition(self.region)

    def values(self) -> dict[str, Resolved]:
        return {
            "AWS::AccountId": self.account_id,
            "AWS::NoValue": Absent.ABSENT,
            "AWS::NotificationARNs": [],
            "AWS::Partition": self.partition,
            "AWS::Region": self.region,
            "AWS::StackId": self.stack_id,
            "AWS::StackName": self.stack_name,
            "AWS::URLSuffix": "amazonaws.com.cn" if self.partition == "aws-cn" else "amazonaws.com",
        }


def is_intrinsic(value: Value) -> bool:
    """Whether `value` is a call of an intrinsic function: a map of one key, `Ref`, `Condition` or `Fn::...`."""
    if not isinstance(value, dict) or len(value) != 1:
        return False
    (key,) = value
    return key == "Ref" or key.startswith("Fn::")


def text_of(value: Value) -> str | None:
    """A scalar as CloudFormation writes it into text: `true`, `8000`. None for lists, maps and null."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, (int, float, str)) else None


class Resolver:
    """Resolves values of one template. `resources` is set once the resources are known: before, none can be named."""

    def __init__(self, source: Source, parameters: Mapping[str, Parameter], pseudo: Pseudo) -> None:
        self.pseudo = pseudo
        self.resources: ResourceValues | None = None
        self._source = source
        self._parameters = parameters
        self._pseudo_values = pseudo.values()
        self._open_conditions: list[str] = []
        self._functions: dict[str, Callable[[Value, Place], Resolved]] = {
            "Ref": self._ref,
            "Fn::Base64": self._base64,
            "Fn::FindInMap": self._find_in_map,
            "Fn::GetAtt": self._get_att,
            "Fn::GetAZs": self._get_azs,
            "Fn::If": self._if,
            "Fn::Join": self._join,
            "Fn::Length": self._length,
            "Fn::Select": self._select,
            "Fn::Split": self._split,
            "Fn::Sub": self._sub,
            "Fn::ToJsonString": self._to_json,
            "Condition": lambda name, place: self.condition(name, place),
            "Fn::And": lambda value, place: all(self._tests(value, place)),
            "Fn::Or": lambda value, place: any(self._tests(value, place)),
            "Fn::Not": lambda value, place: not all(self._tests(value, place)),
            "Fn::Equals": self._equals,
        }

    def resolve(self, value: Value, place: Place) -> Resolved:
        """`value` with every intrinsic function resolved. Raises UserError at `place`."""
        if isinstance(value, list):
            items = (self.resolve(item, place) for item in value)
            return [item for item in items if not isinstance(item, Absent)]
        if not isinstance(value, dict):
            return value
        if is_intrinsic(value):
            ((name, argument),) = value.items()
            return self._call(name, argument, place)
        entries = ((key, self.resolve(item, place)) for key, item in value.items())
        return {key: item for key, item in entries if not isinstance(item, Absent)}

    def chosen(self, value: Value, place: Place) -> Value:
        """`value` with every `Fn::If` replaced by the branch its condition chooses, and nothing else resolved."""
        if isinstance(value, list):
            return [self.chosen(item, place) for item in value]
        if not isinstance(value, dict):
            return value
        if list(value) == ["Fn::If"]:
            name, then, otherwise = self._list(value["Fn::If"], "Fn::If", place, 3)
            return self.chosen(then if self.condition(name, place) else otherwise, place)
        return {key: self.chosen(item, place) for key, item in value.items()}

    def condition(self, name: Value, place: Place) -> bool:
        """The truth of a condition of the template's Conditions section."""
        conditions = self._source.section("Conditions")
        if not isinstance(name, str) or name not in conditions:
            raise UserError(f"no condition {name}{did_you_mean(str(name), conditions)}", place)
        here = self._source.place("Conditions", name)
        if name in self._open_conditions:
            raise UserError(f"circular reference: {' -> '.join([*self._open_conditions, name])}", here)
        self._open_conditions.append(name)
        try:
            return self._test(conditions[name], here)
        finally:
            self._open_conditions.pop()

    def _call(self, name: str, argument: Value, place: Place) -> Resolved:
        function = self._functions.get(name)
        if function is None:
            raise UnresolvableError(f"{name} is not supported: its value is needed here", place)
        return function(argument, place)

    # Conditions

    def _test(self, value: Value, place: Place) -> bool:
        if isinstance(value, dict) and len(value) == 1:
            ((name, argument),) = value.items()
            if name in ("Condition", "Fn::And", "Fn::Or", "Fn::Not", "Fn::Equals"):
                return self._call(name, argument, place) is True
        raise UserError("a condition must be Condition, Fn::And, Fn::Or, Fn::Not or Fn::Equals", place)

    def _tests(self, value: Value, place: Place) -> list[bool]:
        if not isinstance(value, list) or not value:
            raise UserError("Fn::And, Fn::Or and Fn::Not take a list of conditions", place)
        return [self._test(item, place) for item in value]

    def _equals(self, value: Value, place: Place) -> Resolved:
        left, right = (self.resolve(item, place) for item in self._list(value, "Fn::Equals", place, 2))
        if isinstance(left, (list, dict, Absent)) or isinstance(right, (list, dict, Absent)):
            return left == right
        return text_of(left) == text_of(right)

    def _if(self, value: Value, place: Place) -> Resolved:
        name, then, otherwise = self._list(value, "Fn::If", place, 3)
        return self.resolve(then if self.condition(name, place) else otherwise, place)

    # References

    def _ref(self, value: Value, place: Place) -> Resolved:
        if not isinstance(value, str):
            raise UserError("Ref takes a name", place)
        if value in self._pseudo_values:
            return self._pseudo_values[value]
        parameter = self._parameters.get(value)
        if parameter is not None:
            return self._parameter(parameter, place)
        return self._resource_values(value, "Ref", place).ref(value, place)

    def _parameter(self, parameter: Parameter, place: Place) -> Value:
        if parameter.stored:
            raise UnresolvableError(
                f"parameter {parameter.name} is read from AWS Systems Manager; "
                f"give its value with --parameter-overrides {parameter.name}=VALUE",
                place,
            )
        return parameter.value if isinstance(parameter.value, str) else list(parameter.value)

    def _get_att(self, value: Value, place: Place) -> Resolved:
        parts: list[Value] = (
            [*value.split(".", 1)] if isinstance(value, str) else self._list(value, "Fn::GetAtt", place)
        )
        names = [text_of(self._value(part, place)) for part in parts]
        if len(names) < 2 or any(name is None for name in names):
            raise UserError("Fn::GetAtt takes the name of a resource and of its attribute", place)
        logical_id, attribute = str(names[0]), ".".join(map(str, names[1:]))
        return self._resource_values(logical_id, "Fn::GetAtt", place).attribute(logical_id, attribute, place)

    def _resource_values(self, logical_id: str, function: str, place: Place) -> ResourceValues:
        if self.resources is None:
            raise UserError(f"{function} {logical_id}: only a parameter can be named here", place)
        if logical_id not in self.resources:
            raise UserError(f"{function} {logical_id}: the template has no such parameter or resource", place)
        return self.resources

    # Text and lists

    def _sub(self, value: Value, place: Place) -> Resolved:
        text, variables = (value, {}) if isinstance(value, str) else self._list(value, "Fn::Sub", place, 2)
        if not isinstance(text, str) or not isinstance(variables, dict):
            raise UserError("Fn::Sub takes a text, or a list of a text and a map", place)
        return SUB_VARIABLE.sub(lambda match: self._variable(match[1].strip(), variables, place), text)

    def _variable(self, name: str, variables: Map, place: Place) -> str:
        if name.startswith("!"):
            return f"${{{name[1:]}}}"
        if name in variables:
            value = self.resolve(variables[name], place)
        else:
            value = self._get_att(name, place) if "." in name else self._ref(name, place)
        return self._text(value, f"Fn::Sub: ${{{name}}}", place)

    def _join(self, value: Value, place: Place) -> Resolved:
        delimiter, items = self._list(value, "Fn::Join", place, 2)
        return self._text(delimiter, "Fn::Join", place).join(
            self._text(item, "Fn::Join", place) for item in self._items(items, "Fn::Join", place)
        )

    def _split(self, value: Value, place: Place) -> Resolved:
        delimiter, text = self._list(value, "Fn::Split", place, 2)
        separator = self._text(delimiter, "Fn::Split", place)
        if not separator:
            raise UserError("Fn::Split needs a delimiter", place)
        return [*self._text(self.resolve(text, place), "Fn::Split", place).split(separator)]

    def _select(self, value: Value, place: Place) -> Resolved:
        index_value, items_value = self._list(value, "Fn::Select", place, 2)
        items = self._items(items_value, "Fn::Select", place)
        index = self._text(self.resolve(index_value, place), "Fn::Select", place)
        if not index.isdigit() or int(index) >= len(items):
            raise UserError(f"Fn::Select: no item {index} in a list of {len(items)}", place)
        return items[int(index)]

    def _find_in_map(self, value: Value, place: Place) -> Resolved:
        parts = self._list(value, "Fn::FindInMap", place)
        if len(parts) not in (3, 4):
            raise UserError("Fn::FindInMap takes the names of a map and two keys", place)
        names = [self._text(self.resolve(part, place), "Fn::FindInMap", place) for part in parts[:3]]
        found: Value = self._source.section("Mappings")
        for name in names:
            if not isinstance(found, dict) or name not in found:
                return self._default(parts, f"Fn::FindInMap: no {'.'.join(names)} in Mappings", place)
            found = found[name]
        return found

    def _default(self, parts: list[Value], message: str, place: Place) -> Resolved:
        default = parts[3] if len(parts) == 4 else None
        if not isinstance(default, dict) or list(default) != ["DefaultValue"]:
            raise UserError(message, place)
        return self.resolve(default["DefaultValue"], place)

    def _base64(self, value: Value, place: Place) -> Resolved:
        text = self._text(self.resolve(value, place), "Fn::Base64", place)
        return base64.b64encode(text.encode()).decode()

    def _get_azs(self, value: Value, place: Place) -> Resolved:
        region = self._text(self.resolve(value, place), "Fn::GetAZs", place) or self.pseudo.region
        return [f"{region}{letter}" for letter in "abc"]

    def _length(self, value: Value, place: Place) -> Resolved:
        return len(self._items(value, "Fn::Length", place))

    def _to_json(self, value: Value, place: Place) -> Resolved:
        return json.dumps(self._value(value, place), separators=(",", ":"))

    # Arguments

    def _value(self, value: Value, place: Place) -> Value:
        resolved = self.resolve(value, place)
        return None if isinstance(resolved, Absent) else resolved

    def _items(self, value: Value, function: str, place: Place) -> list[Value]:
        items = self.resolve(value, place)
        if not isinstance(items, list):
            raise UserError(f"{function} takes a list", place)
        return items

    def _list(self, value: Value, function: str, place: Place, length: int | None = None) -> list[Value]:
        if not isinstance(value, list) or (length is not None and len(value) != length):
            raise UserError(f"{function} takes a list{f' of {length}' if length else ''}", place)
        return value

    def _text(self, value: Resolved, function: str, place: Place) -> str:
        text = None if isinstance(value, Absent) else text_of(value)
        if text is None:
            raise UserError(f"{function} needs text here", place)
        return text
