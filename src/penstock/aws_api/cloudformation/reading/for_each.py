"""`Fn::ForEach` of the language extensions: a piece of a template, once for each item of a list.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-foreach.html
"""

import re
from typing import Final

from penstock.aws_api.cloudformation import limits
from penstock.aws_api.cloudformation.texts import invalid
from penstock.template.parameters import Parameter
from penstock.template.source import Map, Value

LANGUAGE_EXTENSIONS: Final = "AWS::LanguageExtensions"
_PREFIX: Final = "Fn::ForEach::"
# Levels of loops inside each other. https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
_DEPTH: Final = 5
_LONGEST: Final = limits.RESOURCES * 10


def expand(template: Map, parameters: dict[str, Parameter]) -> Map:
    """`template` with every loop written out. Raises ServiceError."""
    return _Expansion(template, parameters).map(template, {}, 0)


class _Expansion:
    def __init__(self, template: Map, parameters: dict[str, Parameter]) -> None:
        self._template = template
        self._parameters = parameters
        self._made = 0

    def value(self, value: Value, names: dict[str, str], depth: int) -> Value:
        if isinstance(value, list):
            return [self.value(item, names, depth) for item in value]
        if isinstance(value, dict):
            if len(value) == 1 and isinstance(value.get("Ref"), str) and value["Ref"] in names:
                return names[str(value["Ref"])]
            return self.map(value, names, depth)
        return _filled(value, names) if isinstance(value, str) else value

    def map(self, value: Map, names: dict[str, str], depth: int) -> Map:
        result: Map = {}
        for key, item in value.items():
            if key.startswith(_PREFIX):
                result.update(self._loop(key, item, names, depth + 1))
            else:
                result[_filled(key, names)] = self.value(item, names, depth)
        return result

    def _loop(self, key: str, value: Value, names: dict[str, str], depth: int) -> Map:
        if not isinstance(value, list) or len(value) != 3 or not isinstance(value[2], dict):
            raise _layout(key)
        if depth > _DEPTH:
            raise invalid(f"Fn::ForEach: loops may stand {_DEPTH} deep inside each other")
        name, collection, body = value
        if not isinstance(name, str) or name in self._parameters or name in names:
            raise _layout(key)
        assert isinstance(body, dict)
        result: Map = {}
        for item in self._items(collection, names, key):
            self._made += 1
            if self._made > _LONGEST:
                raise invalid(f"Fn::ForEach: more than {_LONGEST} turns in one template")
            result.update(self.map(body, {**names, name: item}, depth))
        return result

    def _items(self, value: Value, names: dict[str, str], key: str) -> list[str]:
        if isinstance(value, dict) and list(value) == ["Ref"]:
            parameter = self._parameters.get(str(value["Ref"]))
            if parameter is None or isinstance(parameter.value, str):
                raise _layout(key)
            return parameter.value
        if not isinstance(value, list):
            raise _layout(key)
        items: list[str] = []
        for item in value:
            if isinstance(item, dict) and list(item) == ["Ref"]:
                name = str(item["Ref"])
                if name in names:
                    items.append(names[name])
                elif name in self._parameters:
                    given = self._parameters[name].value
                    items.extend([given] if isinstance(given, str) else given)
                else:
                    raise _layout(key)
            elif isinstance(item, str | int):
                items.append(_filled(str(item), names))
            else:
                raise _layout(key)
        return list(dict.fromkeys(items))


def _filled(text: str, names: dict[str, str]) -> str:
    """`${Name}` with a loop's value; `&{Name}` with its letters and digits only, as a logical id needs it."""
    for name, value in names.items():
        text = text.replace(f"${{{name}}}", value)
        text = text.replace(f"&{{{name}}}", re.sub(r"[^A-Za-z0-9]", "", value))
    return text


def _layout(key: str) -> Exception:
    return invalid(f"{key}: Fn::ForEach layout is incorrect")
