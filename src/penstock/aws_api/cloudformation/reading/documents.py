"""A template's text: from the request or from S3, and what it says."""

import re
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

import yaml

from penstock.aws_api.cloudformation import limits
from penstock.aws_api.cloudformation.texts import invalid, not_supported, template_error
from penstock.aws_api.service import Context, Dispatcher, Params, ServiceError
from penstock.model.errors import UserError
from penstock.template.source import Source, Value, source_of

_NAME: Final = Path("template")
_LOADER: Final = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html
_VIRTUAL_HOST: Final = re.compile(r"(?P<bucket>.+)\.s3(?:[.-][a-z0-9-]+)*\.amazonaws\.com(?:\.cn)?")
_PATH_HOST: Final = re.compile(r"s3(?:[.-][a-z0-9-]+)*\.amazonaws\.com(?:\.cn)?")

# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-anatomy.html; Globals is SAM's.
_SECTIONS: Final = frozenset(
    (
        "AWSTemplateFormatVersion",
        "Conditions",
        "Description",
        "Globals",
        "Hooks",
        "Mappings",
        "Metadata",
        "Outputs",
        "Parameters",
        "Resources",
        "Rules",
        "Transform",
    )
)


async def template_text(params: Params, dispatcher: Dispatcher, context: Context, prefix: str = "Template") -> str:
    """What TemplateBody or TemplateURL gives; empty when neither is there. Raises ServiceError."""
    body, url = params.get(f"{prefix}Body"), params.get(f"{prefix}URL")
    if body and url:
        raise invalid(f"You must specify only one of {prefix}Body or {prefix}URL")
    if url:
        return await _fetched(str(url), dispatcher, context)
    text = str(body or "")
    if len(text.encode()) > limits.TEMPLATE_BODY_BYTES:
        raise invalid(
            "1 validation error detected: Value at 'templateBody' failed to satisfy constraint: "
            f"Member must have length less than or equal to {limits.TEMPLATE_BODY_BYTES}"
        )
    return text


async def _fetched(url: str, dispatcher: Dispatcher, context: Context) -> str:
    bucket, key = place_in_s3(url)
    try:
        answer = await dispatcher.call("s3", "GetObject", {"Bucket": bucket, "Key": key}, context)
    except ServiceError as error:
        raise invalid(f"S3 error: {error.message}") from None
    data = _bytes(answer.get("Body", b""))
    if len(data) > limits.TEMPLATE_URL_BYTES:
        raise invalid(f"Template may not exceed {limits.TEMPLATE_URL_BYTES} bytes in size.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise template_error("the object is not UTF-8 text") from None


def _bytes(body: object) -> bytes:
    """The beginning of a body, one byte longer than a template may be."""
    if isinstance(body, bytes):
        return body[: limits.TEMPLATE_URL_BYTES + 1]
    path, offset, length = (getattr(body, name) for name in ("path", "offset", "length"))
    with Path(path).open("rb") as file:
        file.seek(offset)
        return file.read(min(length, limits.TEMPLATE_URL_BYTES + 1))


def place_in_s3(url: str) -> tuple[str, str]:
    """Bucket and key. Any host but Amazon's own counts as the endpoint: `sam` writes `<endpoint>/<bucket>/<key>`."""
    parts = urlsplit(url)
    host, path = parts.hostname or "", unquote(parts.path.lstrip("/"))
    virtual = _VIRTUAL_HOST.fullmatch(host)
    if virtual and not _PATH_HOST.fullmatch(host):
        bucket, key = virtual["bucket"], path
    else:
        bucket, _, key = path.partition("/")
    if parts.scheme not in ("http", "https") or not bucket or not key:
        raise invalid("TemplateURL must be a supported URL.")
    return bucket, key


def parsed(text: str) -> Source:
    """Raises ServiceError, in CloudFormation's words where they are known."""
    if not text.strip():
        raise invalid("Either Template URL or Template Body must be specified.")
    try:
        if "*" in text:
            # Tabs as `source_of` takes them.
            _refuse_aliases(text.replace("\t", " "))
        source = source_of(text, _NAME)
    except UserError as error:
        line = f" (line {error.place.line})" if error.place and error.place.line else ""
        if error.message.startswith("not valid YAML"):
            kind = "JSON not well-formed" if text.lstrip().startswith("{") else "YAML not well-formed"
            raise template_error(f"{kind}.{line}{_after(error.message, 'not valid YAML')}") from None
        if error.message.startswith("not a template: it must be"):
            raise template_error("unsupported structure.") from None
        raise template_error(f"{error.message}{line}") from None
    _check_sections(source)
    return source


def _refuse_aliases(text: str) -> None:
    """A few of them, inside each other, could stand for more than any memory holds.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-formats.html
    """
    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=_LOADER)):
            raise invalid("Template error: YAML aliases are not allowed in CloudFormation templates")
    except yaml.YAMLError:
        # What is wrong with it is told by who reads it.
        return


def _after(message: str, beginning: str) -> str:
    return message.removeprefix(beginning).replace(": ", " ", 1)


def _check_sections(source: Source) -> None:
    unknown = [name for name in source.content if name not in _SECTIONS]
    if unknown:
        raise invalid(f"Invalid template property or properties [{', '.join(unknown)}]")
    for name in ("Hooks", "Rules"):
        if name in source.content:
            raise not_supported(f"The template section {name}")
    for name in ("Conditions", "Globals", "Mappings", "Outputs", "Parameters", "Resources"):
        if not isinstance(source.content.get(name, {}), dict):
            raise template_error(f"'{name}' must be an object.")
    description = source.content.get("Description", "")
    if not isinstance(description, str):
        raise template_error("every Description member must be a string.")
    if len(description.encode()) > limits.DESCRIPTION_BYTES:
        raise template_error(f"'Description' length is greater than {limits.DESCRIPTION_BYTES}.")
    for name, most in (("Parameters", limits.PARAMETERS), ("Outputs", limits.OUTPUTS), ("Mappings", limits.MAPPINGS)):
        if len(source.section(name)) > most:
            raise template_error(f"Number of {name.lower()}, {len(source.section(name))}, is greater than {most}")
    if not source.section("Resources"):
        raise template_error("At least one Resources member must be defined.")
    for name, item in source.section("Resources").items():
        if not isinstance(item, dict) and not name.startswith("Fn::ForEach"):
            raise template_error("Any Resources member must be an object.")
    check_nulls(source.section("Resources"), "/Resources")


def check_nulls(value: Value, path: str) -> None:
    """Raises ServiceError at the first null."""
    if value is None:
        raise template_error(f"[{path}] 'null' values are not allowed in templates")
    if isinstance(value, dict):
        for key, item in value.items():
            if key != "Metadata":
                check_nulls(item, f"{path}/{key}")
    if isinstance(value, list):
        for index, item in enumerate(value):
            check_nulls(item, f"{path}/{index}")


def transforms(source: Source) -> list[str]:
    """The names in the template's Transform section."""
    declared = source.content.get("Transform")
    items = declared if isinstance(declared, list) else [declared]
    names = (item.get("Name") if isinstance(item, dict) else item for item in items)
    return [str(name) for name in names if name is not None]
