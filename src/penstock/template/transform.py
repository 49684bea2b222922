"""SAM to CloudFormation, by AWS's own aws-sam-translator.

The only module that knows the translator, and it imports it late: that takes longer than all else here.
https://github.com/aws/serverless-application-model
"""

import copy
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from penstock.model.errors import Place, UserError
from penstock.template import memory as memory_of
from penstock.template.hints import did_you_mean, one_line
from penstock.template.parameters import Parameter
from penstock.template.source import Map, PathInFile, Source, Value

SAM_TRANSFORM: Final = "AWS::Serverless-2016-10-31"
_KNOWN_TRANSFORMS: Final = (SAM_TRANSFORM, "AWS::LanguageExtensions")
# The translator takes files from S3 only, as `sam deploy` leaves it. A local path becomes an object of this bucket
# whose key is the path's own place in the template, which also keeps the generated Version's id stable.
_LOCAL_BUCKET: Final = "penstock-local"
_LOCAL_FILES: Final = {
    "Api": "DefinitionUri",
    "Function": "CodeUri",
    "GraphQLApi": "SchemaUri",
    "HttpApi": "DefinitionUri",
    "LayerVersion": "ContentUri",
    "StateMachine": "DefinitionUri",
}


@dataclass(frozen=True, slots=True)
class _Session:
    """All the translator asks of a boto3 session. Nothing here contacts AWS."""

    region_name: str


def transform(source: Source, parameters: Mapping[str, Parameter], region: str, memory: Path | None) -> Map:
    """The resources of the template as CloudFormation has them. Raises UserError where the translator refuses.

    With `memory`, a folder, a template seen before is not translated again.
    """
    resources = source.section("Resources")
    if not resources:
        raise UserError("the template has no Resources", source.place("Resources"))
    serverless = [name for name in resources if _type(source, name).startswith("AWS::Serverless::")]
    if not serverless:
        return resources
    if SAM_TRANSFORM not in _transforms(source):
        raise UserError(
            f"{serverless[0]}: type {_type(source, serverless[0])} needs 'Transform: {SAM_TRANSFORM}' in the template",
            source.place("Resources", serverless[0], "Type"),
        )
    for name in serverless:
        _needs_code(source, name)
    template = copy.deepcopy(source.content)
    kept = _prepare(template)
    values = {name: parameter.text for name, parameter in parameters.items()}
    if memory is None:
        return {**_translate(source, template, values, region), **kept}
    entry = memory_of.entry(memory, template, values, region)
    result = memory_of.recall(entry)
    if result is None:
        result = _translate(source, template, values, region)
        memory_of.remember(entry, result)
    return {**result, **kept}


def unknown_transforms(source: Source) -> list[str]:
    """Macros the template asks for that only an account could run."""
    return [name for name in _transforms(source) if name not in _KNOWN_TRANSFORMS]


def local_code(code: Value, source: Source) -> tuple[Value, PathInFile] | None:
    """What a transformed Code or Content stood for: the template's own value and its path. None when not ours."""
    if not isinstance(code, dict) or code.get("S3Bucket") != _LOCAL_BUCKET:
        return None
    path = tuple(str(code.get("S3Key")).split("/"))
    return source.get(*path), path


def _needs_code(source: Source, logical_id: str) -> None:
    if _type(source, logical_id) != "AWS::Serverless::Function":
        return
    written = ("CodeUri", "InlineCode", "ImageUri", "PackageType")
    if all(source.get(*source.property_path(logical_id, name)) is None for name in written):
        place = source.place("Resources", logical_id)
        raise UserError(f"{logical_id}: CodeUri is missing: name the folder that holds the function's code", place)


class TransformError(UserError):
    """The translator's refusal. `causes` are its own words, one for each error it found."""

    def __init__(self, causes: tuple[str, ...], place: Place | None = None) -> None:
        super().__init__(causes[0], place)
        self.causes = causes


def translate(template: Map, values: Mapping[str, str], region: str) -> Map:
    """The whole of `template`, which is changed, as CloudFormation has it. Raises TransformError without a place."""
    logging.getLogger("samtranslator").setLevel(logging.CRITICAL)
    from samtranslator.model.exceptions import InvalidDocumentException  # type: ignore[import-untyped]
    from samtranslator.parser.parser import Parser  # type: ignore[import-untyped]
    from samtranslator.translator.translator import Translator  # type: ignore[import-untyped]

    try:
        # An unknown managed policy name is passed on as an ARN under `aws:policy/`, so the map may be empty.
        translator = Translator({}, Parser(), boto_session=_Session(region))
        result: Map = translator.translate(template, values)
    except InvalidDocumentException as error:
        raise TransformError(tuple(one_line(cause.message) for cause in error.causes)) from None
    return result


def _translate(source: Source, template: Map, values: Mapping[str, str], region: str) -> Map:
    try:
        result = translate(template, values, region)["Resources"]
    except TransformError as error:
        raise _Refusal(source, error.message).error() from None
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        # The translator trips over some malformed input instead of refusing it.
        detail = one_line(f"{type(error).__name__}: {error}")
        raise UserError(f"aws-sam-translator cannot read this template: {detail}", source.place()) from None
    assert isinstance(result, dict)
    return result


def _prepare(template: Map) -> Map:
    """Point local files at the local bucket; take out, and return, what the translator would look up in an account."""
    resources, global_values = template["Resources"], template.get("Globals", {})
    assert isinstance(resources, dict)
    kept: Map = {}
    for name, resource in list(resources.items()):
        assert isinstance(resource, dict)
        kind = str(resource["Type"])
        if kind == "AWS::Serverless::Application":
            kept[name] = resources.pop(name)
        file_property = _LOCAL_FILES.get(kind.removeprefix("AWS::Serverless::"))
        if file_property:
            _point_at_bucket(resource.get("Properties"), file_property, f"Resources/{name}/Properties")
    for section, file_property in _LOCAL_FILES.items():
        if isinstance(global_values, dict):
            _point_at_bucket(global_values.get(section), file_property, f"Globals/{section}")
    return kept


def _point_at_bucket(properties: Value, name: str, key: str) -> None:
    if not isinstance(properties, dict) or name not in properties:
        return
    value = properties[name]
    in_s3 = (isinstance(value, str) and value.startswith("s3://")) or (isinstance(value, dict) and "Bucket" in value)
    if not in_s3:
        properties[name] = f"s3://{_LOCAL_BUCKET}/{key}/{name}"


def _transforms(source: Source) -> list[str]:
    declared = source.content.get("Transform")
    return [str(item) for item in (declared if isinstance(declared, list) else [declared]) if item is not None]


def _type(source: Source, logical_id: str) -> str:
    return str(source.get("Resources", logical_id, "Type"))


class _Refusal:
    """One error of the translator, put into our form with the line it means."""

    def __init__(self, source: Source, message: str) -> None:
        self._source = source
        self._message = one_line(message)

    def error(self) -> UserError:
        for handler in (self._globals, self._unknown_property, self._nested, self._resource):
            error = handler()
            if error is not None:
                return error
        return UserError(self._message, self._source.place())

    def _globals(self) -> UserError | None:
        match = re.search(r"'Globals' section is invalid\. '(.+?)' is not (?:a )?supported(.*)", self._message)
        if match is None:
            return None
        name, rest = match[1], match[2]
        section = re.search(r"property of '(\w+)'", rest)
        allowed = re.findall(r"'(\w+)'", rest.split("[", 1)[-1])
        path = ("Globals", section[1], name) if section else ("Globals", name)
        noun = "property" if section else "section"
        owner = ".".join(path[:-1])
        message = f"{owner}: unknown {noun} {name}{did_you_mean(name, allowed)}"
        return UserError(message, self._source.place(*path))

    def _unknown_property(self) -> UserError | None:
        match = re.search(
            r"\[(\w+)\] is invalid\. property (\w+) not defined for resource of type (\S+)", self._message
        )
        if match is None:
            return None
        logical_id, name, kind = self._source.owner(match[1]), match[2], match[3]
        hint = did_you_mean(name, _property_names(kind))
        return UserError(f"{logical_id}: unknown property {name}{hint}", self._place(logical_id, (name,)))

    def _nested(self) -> UserError | None:
        """`Invalid CapacityProviderConfig: 1 validation error for CapacityProviderConfig Arn field required (...)`."""
        match = re.search(r"\[(\w+)\] is invalid\. Invalid (\w+): .* for \w+ (\S+) ([^(]+) \(type", self._message)
        if match is None:
            return None
        logical_id, path = self._source.owner(match[1]), (match[2], match[3])
        what = f"{'.'.join(path)} is missing" if match[4] == "field required" else f"{'.'.join(path)}: {match[4]}"
        return UserError(f"{logical_id}: {what}", self._place(logical_id, path))

    def _resource(self) -> UserError | None:
        match = re.search(r"(?:Resource|Event) with id \[(\w+)\] is invalid\. (.*)", self._message)
        if match is None:
            return None
        logical_id, told = self._source.owner(match[1]), match[2]
        return UserError(f"{logical_id}: {told}", self._place(logical_id, self._meant(logical_id, told)))

    def _meant(self, logical_id: str, told: str) -> tuple[str, ...]:
        """The property a message speaks of, best guess: a quoted name, else any name that the resource has."""
        quoted, plain = re.findall(r"['`]([A-Z][\w.]*)['`]", told), re.findall(r"[A-Z]\w+", told)
        path: tuple[str, ...] = ()
        for name in (*quoted, *plain):
            deeper = (*path, *name.split("."))
            if self._has(logical_id, deeper):
                path = deeper
        return path

    def _has(self, logical_id: str, path: tuple[str, ...]) -> bool:
        full = self._source.property_path(logical_id, *path)
        return self._source.depth(*full) == len(full)

    def _place(self, logical_id: str, path: tuple[str, ...]) -> Place:
        return self._source.place(*self._source.property_path(logical_id, *path))


def _property_names(kind: str) -> list[str]:
    from samtranslator.model import ResourceTypeResolver, sam_resources  # type: ignore[import-untyped]

    known = ResourceTypeResolver(sam_resources).resource_types.get(kind)
    return sorted(known.property_types) if known else []
