"""Values of a template's parameters: given, previous or default, held against the parameter's own rules.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from penstock.aws_api.cloudformation import limits
from penstock.aws_api.cloudformation.records import Json
from penstock.aws_api.cloudformation.texts import invalid, template_error
from penstock.aws_api.service import ServiceError
from penstock.model.errors import Place
from penstock.template.parameters import Parameter
from penstock.template.source import Map, Source, Value

_SSM: Final = re.compile(r"AWS::SSM::Parameter::Value<(.+)>")
_NOWHERE: Final = Path("template")
_PLAIN: Final = frozenset(("String", "Number", "CommaDelimitedList", "List<Number>", "List<String>"))
# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-supplied-parameter-types.html
_OF_AWS: Final = re.compile(r"(List<)?AWS::(EC2::\w+::\w+|Route53::HostedZone::Id|SSM::Parameter::Name)(?(1)>)")
# https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ParameterDeclaration.html
HIDDEN: Final = "****"


@dataclass(frozen=True, slots=True)
class Declaration:
    name: str
    type: str
    default: str | None
    no_echo: bool
    rules: Map

    @property
    def is_list(self) -> bool:
        return self.type == "CommaDelimitedList" or self.type.startswith("List<")

    @property
    def is_number(self) -> bool:
        return self.type in ("Number", "List<Number>")

    @property
    def description(self) -> str:
        return str(self.rules.get("Description", ""))

    @property
    def allowed(self) -> list[str]:
        values = self.rules.get("AllowedValues")
        return [_text(item) for item in values] if isinstance(values, list) else []


def declarations(source: Source) -> dict[str, Declaration]:
    """What the template's Parameters section declares. Raises ServiceError."""
    return {name: _declared(name, item) for name, item in source.section("Parameters").items()}


def _declared(name: str, item: Value) -> Declaration:
    if not re.fullmatch(r"[A-Za-z0-9]{1,255}", name):
        raise template_error(f"Parameter names must be alphanumeric: {name}.")
    if not isinstance(item, dict):
        raise template_error("Any Parameters member must be an object.")
    kind = item.get("Type")
    if not isinstance(kind, str):
        raise template_error("Every Parameters object must contain a Type member.")
    if kind not in _PLAIN and not _OF_AWS.fullmatch(kind) and not _SSM.fullmatch(kind):
        raise template_error(f"Unrecognized parameter type: {kind}")
    default = item.get("Default")
    if isinstance(default, list | dict):
        raise template_error("Every Default member must be a string.")
    no_echo = _text(item.get("NoEcho", False)).lower() == "true"
    return Declaration(name, kind, None if default is None else _text(default), no_echo, item)


def given_parameters(
    declared: Mapping[str, Declaration], given: Iterable[Mapping[str, Any]], previous: Mapping[str, str]
) -> list[Json]:
    """`[{"key", "value", "hidden"}]` for every declared parameter. Raises ServiceError naming all without a value."""
    values = _as_given(declared, given, previous)
    missing = [name for name, item in declared.items() if name not in values and item.default is None]
    if missing:
        raise invalid(f"Parameters: [{', '.join(missing)}] must have values")
    found: list[Json] = []
    for name, item in declared.items():
        value = values[name] if name in values else str(item.default)
        _check(item, value)
        found.append({"key": name, "value": value, "hidden": item.no_echo})
    stored = [str(entry["value"]) for entry in found if _SSM.fullmatch(declared[entry["key"]].type)]
    if stored:
        # There is no parameter store here.
        raise invalid(f"Unable to fetch parameters [{','.join(stored)}] from parameter store for this account.")
    return found


def _as_given(
    declared: Mapping[str, Declaration], given: Iterable[Mapping[str, Any]], previous: Mapping[str, str]
) -> dict[str, str]:
    values: dict[str, str] = {}
    unknown: list[str] = []
    for item in given:
        name = str(item.get("ParameterKey", ""))
        if name in values:
            raise invalid(f"Duplicate parameter key: {name}")
        if name not in declared:
            unknown.append(name)
        elif item.get("UsePreviousValue"):
            if "ParameterValue" in item:
                raise invalid(
                    f"Invalid input for parameter key {name}. Cannot specify usePreviousValue as true and non "
                    "empty value for a parameter"
                )
            if name not in previous:
                raise invalid(f"Invalid input for parameter key {name}. No previous value exists for this parameter")
            values[name] = previous[name]
        elif "ParameterValue" in item:
            values[name] = str(item["ParameterValue"])
    if unknown:
        raise invalid(f"Parameters: [{', '.join(unknown)}] do not exist in the template")
    return values


def as_parameters(declared: Mapping[str, Declaration], values: Iterable[Mapping[str, Any]]) -> dict[str, Parameter]:
    """As the resolver takes them: lists split at their commas."""
    found = {}
    for entry in values:
        name, text = str(entry["key"]), str(entry["value"])
        is_list = name in declared and declared[name].is_list
        value = [part.strip() for part in text.split(",")] if is_list and text else ([] if is_list else text)
        found[name] = Parameter(name, value, Place(_NOWHERE))
    return found


def _check(item: Declaration, value: str) -> None:
    if len(value.encode()) > limits.PARAMETER_BYTES:
        raise invalid(f"Parameter '{item.name}' length must be less than or equal to {limits.PARAMETER_BYTES} bytes")
    parts = [part.strip() for part in value.split(",")] if item.is_list else [value]
    if item.allowed and any(part not in item.allowed for part in parts):
        raise _bad(item, f"Parameter '{item.name}' must be one of AllowedValues")
    if item.is_number:
        for part in parts:
            _check_number(item, part)
    elif not item.is_list:
        _check_text(item, value)


def _check_number(item: Declaration, text: str) -> None:
    try:
        number = float(text)
    except ValueError:
        raise _bad(item, f"Parameter '{item.name}' must be a number") from None
    low, high = _bound(item, "MinValue"), _bound(item, "MaxValue")
    if low is not None and number < low:
        raise _bad(item, f"Parameter '{item.name}' must be a number not less than {low:g}")
    if high is not None and number > high:
        raise _bad(item, f"Parameter '{item.name}' must be a number not greater than {high:g}")


def _check_text(item: Declaration, text: str) -> None:
    low, high = _bound(item, "MinLength"), _bound(item, "MaxLength")
    if low is not None and len(text) < low:
        raise _bad(item, f"Parameter '{item.name}' must contain at least {low:g} characters")
    if high is not None and len(text) > high:
        raise _bad(item, f"Parameter '{item.name}' must contain at most {high:g} characters")
    pattern = item.rules.get("AllowedPattern")
    if isinstance(pattern, str):
        try:
            matches = re.fullmatch(pattern, text) is not None
        except re.error:
            raise template_error(f"Invalid AllowedPattern for parameter {item.name}") from None
        if not matches:
            raise _bad(item, f"Parameter '{item.name}' must match pattern {pattern}")


def _bound(item: Declaration, rule: str) -> float | None:
    bound = item.rules.get(rule)
    if bound is None:
        return None
    try:
        return float(_text(bound))
    except ValueError:
        raise template_error(f"{rule} of parameter {item.name} must be a number.") from None


def _bad(item: Declaration, message: str) -> ServiceError:
    told = item.rules.get("ConstraintDescription")
    return invalid(f"Parameter {item.name} failed to satisfy constraint: {told}" if isinstance(told, str) else message)


def _text(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
