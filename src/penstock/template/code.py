"""The function's own folder, and its layers."""

import re
from pathlib import Path
from typing import Final

from penstock.model.function import LayerVersion
from penstock.template.intrinsics import Absent
from penstock.template.physical import LAYER_VERSION, Resources
from penstock.template.properties import Path as PropertyPath
from penstock.template.properties import Properties
from penstock.template.source import Value
from penstock.template.transform import local_code

# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html (function layers)
_MAX_LAYERS: Final = 5
# botocore's service model lambda/2015-03-31 (LayerVersionArn).
_LAYER_ARN: Final = re.compile(r"arn:[a-zA-Z0-9-]+:lambda:[a-zA-Z0-9-]+:\d{12}:layer:[a-zA-Z0-9-_]+:[0-9]+")


def find_code(properties: Properties, name: str) -> Path:
    """The local directory or archive behind Code or Content. Raises UserError when there is none."""
    raw = properties.values.get(name)
    local = local_code(raw, properties.source)
    value = _resolved(properties, local[0], name) if local else properties.get(name)
    place = (name,)
    if isinstance(value, dict) and "ZipFile" in value:
        raise properties.error((name, "ZipFile"), "is not supported: put the code in a folder and name that")
    if isinstance(value, dict) or (isinstance(value, str) and value.startswith("s3://")):
        raise properties.error(place, "is in S3, which is not read here: name a local folder or .zip")
    if not isinstance(value, str) or not value:
        raise properties.error(place, "is missing: name the folder that holds the code")
    path = (properties.source.file.parent / value).resolve()
    if not path.exists():
        raise properties.error(place, f"names {value}, but there is no such folder or file beside the template")
    if path.is_file() and path.suffix.lower() not in (".zip", ".jar"):
        raise properties.error(place, f"names {value}, which is neither a folder nor a .zip")
    return path


def find_layers(properties: Properties, resources: Resources) -> tuple[LayerVersion, ...]:
    """The function's layers in order; those of this template with their content."""
    own = {resources.arn(logical_id): logical_id for logical_id in resources.of_type(LAYER_VERSION)}
    arns = properties.texts("Layers")
    if len(arns) > _MAX_LAYERS:
        raise properties.error(("Layers",), f"has {len(arns)} items; allowed: 0 to {_MAX_LAYERS}")
    layers = []
    for index, arn in enumerate(arns):
        if not _LAYER_ARN.fullmatch(arn):
            rule = "allowed: arn:aws:lambda:REGION:ACCOUNT:layer:NAME:VERSION, or !Ref of a layer"
            raise properties.bad_value(("Layers", index), arn, rule)
        content = _content(properties, resources, own[arn]) if arn in own else None
        layers.append(LayerVersion(arn, content, properties.place("Layers", index)))
    return tuple(layers)


def _content(properties: Properties, resources: Resources, logical_id: str) -> Path:
    values = resources.of_type(LAYER_VERSION)[logical_id]
    source = properties.source
    # The transform adds a hash to the id of a serverless layer.
    serverless = logical_id not in source.section("Resources")
    written: dict[PropertyPath, PropertyPath] = {("Content",): ("ContentUri",)} if serverless else {}
    view = Properties(source.owner(logical_id), values, source, properties.resolver, written)
    return find_code(view, "Content")


def _resolved(properties: Properties, value: Value, name: str) -> Value:
    resolved = properties.resolver.resolve(value, properties.place(name))
    return None if isinstance(resolved, Absent) else resolved
