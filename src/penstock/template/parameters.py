"""Values of a template's parameters: given, default or placeholder, checked against the parameter's own rules.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from penstock.model.errors import Place, UserError
from penstock.template.hints import did_you_mean, words
from penstock.template.source import Map, Source, Value

_ATTRIBUTES: Final = words(
    "AllowedPattern AllowedValues ConstraintDescription Default Description MaxLength MaxValue "
    "MinLength MinValue NoEcho Type"
)
# Stand-ins for what a real account would hold; ids in AWS's shapes (`subnet-[0-9a-z]*` and so on).
# `{}` is a number, or the letter of an Availability Zone.
_PLACEHOLDERS: Final = {
    "AWS::EC2::AvailabilityZone::Name": "{region}{letter}",
    "AWS::EC2::Image::Id": "ami-local{number}",
    "AWS::EC2::Instance::Id": "i-local{number}",
    "AWS::EC2::KeyPair::KeyName": "local{number}",
    "AWS::EC2::SecurityGroup::GroupName": "local{number}",
    "AWS::EC2::SecurityGroup::Id": "sg-local{number}",
    "AWS::EC2::Subnet::Id": "subnet-local{number}",
    "AWS::EC2::VPC::Id": "vpc-local{number}",
    "AWS::EC2::Volume::Id": "vol-local{number}",
    "AWS::Route53::HostedZone::Id": "ZLOCAL{number}",
}
# Three subnets, so that three Availability Zones can be told apart; one of everything else.
_LIST_LENGTH: Final = {"AWS::EC2::Subnet::Id": 3, "AWS::EC2::AvailabilityZone::Name": 3}
_SSM_VALUE = re.compile(r"AWS::SSM::Parameter::Value<(.+)>")


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter's value as `Ref` gives it. `stored`: only the name of an SSM parameter is known, not its value."""

    name: str
    value: str | list[str]
    place: Place
    stored: bool = False

    @property
    def text(self) -> str:
        """As CloudFormation passes it on: a list joined with commas."""
        return self.value if isinstance(self.value, str) else ",".join(self.value)


def resolve_parameters(source: Source, overrides: Mapping[str, str], region: str) -> dict[str, Parameter]:
    """Every declared parameter with its value. Raises UserError naming the parameter, its rule and its line."""
    declared = source.section("Parameters")
    for name in overrides:
        if name not in declared:
            hint = did_you_mean(name, declared)
            raise UserError(
                f"--parameter-overrides: the template has no parameter {name}{hint}", source.place("Parameters")
            )
    return {name: _Declaration(source, name).resolve(overrides.get(name), region) for name in declared}


class _Declaration:
    def __init__(self, source: Source, name: str) -> None:
        self.name = name
        self._source = source
        self._map: Map = source.section("Parameters", name)
        for attribute in self._map:
            if attribute not in _ATTRIBUTES:
                hint = did_you_mean(attribute, _ATTRIBUTES)
                raise self._error(f"unknown attribute {attribute}{hint}", attribute)
        self.type = self._type()

    def resolve(self, given: str | None, region: str) -> Parameter:
        stored = given is None and _SSM_VALUE.fullmatch(self.type) is not None
        text = given if given is not None else self._default()
        if text is None:
            value = self._placeholder(region)
            if value is None:
                raise self._error(f"needs a value: give it a Default, or --parameter-overrides {self.name}=VALUE")
        else:
            value = [item.strip() for item in text.split(",")] if self._is_list and text else text or self._empty
            if not stored:
                self._check(value)
        return Parameter(self.name, value, self._source.place("Parameters", self.name), stored)

    @property
    def _is_list(self) -> bool:
        return self._inner_type == "CommaDelimitedList" or self._inner_type.startswith("List<")

    @property
    def _empty(self) -> str | list[str]:
        return [] if self._is_list else ""

    @property
    def _inner_type(self) -> str:
        """The type of the value itself: of `AWS::SSM::Parameter::Value<T>` it is T."""
        match = _SSM_VALUE.fullmatch(self.type)
        return match[1] if match else self.type

    @property
    def _item_type(self) -> str:
        return self._inner_type.removeprefix("List<").removesuffix(">")

    def _type(self) -> str:
        kind = self._map.get("Type")
        known = {"String", "Number", "CommaDelimitedList", "List<Number>", "List<String>", "AWS::SSM::Parameter::Name"}
        known |= {form.format(name) for name in _PLACEHOLDERS for form in ("{}", "List<{}>")}
        if not isinstance(kind, str):
            raise self._error("needs a Type such as String, Number or CommaDelimitedList", "Type")
        match = _SSM_VALUE.fullmatch(kind)
        if (match[1] if match else kind) not in known:
            raise self._error(f"unknown Type {kind}{did_you_mean(kind, known)}", "Type")
        return kind

    def _default(self) -> str | None:
        default = self._map.get("Default")
        if default is None:
            return None
        if isinstance(default, bool):
            return str(default).lower()
        if isinstance(default, (list, dict)):
            raise self._error("Default must be text; write a list as 'a,b,c'", "Default")
        return str(default)

    def _placeholder(self, region: str) -> str | list[str] | None:
        form = _PLACEHOLDERS.get(self._item_type)
        if form is None:
            return None
        count = _LIST_LENGTH.get(self._item_type, 1) if self._is_list else 1
        items = [form.format(region=region, letter="abc"[at], number=at + 1) for at in range(count)]
        return items if self._is_list else items[0]

    def _check(self, value: str | list[str]) -> None:
        allowed = self._map.get("AllowedValues")
        choices = [_text(item) for item in allowed] if isinstance(allowed, list) else None
        for item in [value] if isinstance(value, str) else value:
            if choices is not None and item not in choices:
                raise self._bad(item, f"allowed: {', '.join(choices)}", "AllowedValues")
            if self._item_type == "Number":
                self._check_number(item)
        if isinstance(value, str):
            self._check_text(value)

    def _check_number(self, item: str) -> None:
        try:
            number = float(item)
        except ValueError:
            raise self._bad(item, "it must be a number", "Type") from None
        low, high = self._bound("MinValue"), self._bound("MaxValue")
        if low is not None and number < low:
            raise self._bad(item, f"the minimum is {low:g}", "MinValue")
        if high is not None and number > high:
            raise self._bad(item, f"the maximum is {high:g}", "MaxValue")

    def _check_text(self, value: str) -> None:
        low, high = self._bound("MinLength"), self._bound("MaxLength")
        if low is not None and len(value) < low:
            raise self._bad(value, f"it needs at least {low:g} characters", "MinLength")
        if high is not None and len(value) > high:
            raise self._bad(value, f"at most {high:g} characters are allowed", "MaxLength")
        pattern = self._map.get("AllowedPattern")
        if isinstance(pattern, str):
            self._check_pattern(value, pattern)

    def _check_pattern(self, value: str, pattern: str) -> None:
        try:
            matches = re.fullmatch(pattern, value) is not None
        except re.error as error:
            raise self._error(f"AllowedPattern is not a regular expression: {error}", "AllowedPattern") from None
        if not matches:
            raise self._bad(value, f"it must match {pattern}", "AllowedPattern")

    def _bound(self, attribute: str) -> float | None:
        bound = self._map.get(attribute)
        if bound is None:
            return None
        try:
            return float(_text(bound))
        except ValueError:
            raise self._error(f"{attribute} must be a number", attribute) from None

    def _bad(self, value: str, rule: str, attribute: str) -> UserError:
        description = self._map.get("ConstraintDescription")
        told = f" ({description})" if isinstance(description, str) else ""
        shown = "****" if str(self._map.get("NoEcho")).lower() == "true" else value
        return self._error(f"bad value {shown!r}: {rule}{told}", attribute)

    def _error(self, message: str, *path: str) -> UserError:
        return UserError(f"parameter {self.name}: {message}", self._source.place("Parameters", self.name, *path))


def _text(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
