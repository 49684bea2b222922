"""The macros: what a template is transformed to. SAM's by AWS's own translator, the language extensions by ours."""

import copy
from collections.abc import Mapping
from threading import Lock
from typing import Final

from penstock.aws_api.cloudformation.reading.documents import transforms
from penstock.aws_api.cloudformation.reading.for_each import LANGUAGE_EXTENSIONS, expand
from penstock.aws_api.cloudformation.texts import invalid
from penstock.model.errors import UserError
from penstock.template.hints import one_line
from penstock.template.parameters import Parameter
from penstock.template.source import Map, Source
from penstock.template.transform import SAM_TRANSFORM, TransformError, translate

# Nothing says that the translator may run in two threads.
_ONE_AT_A_TIME: Final = Lock()
MACROS: Final = (LANGUAGE_EXTENSIONS, SAM_TRANSFORM)


class TransformFailure(Exception):
    """A macro that refuses the template, in the words a change set shows."""


def processed(source: Source, parameters: Mapping[str, Parameter], region: str) -> Map:
    """The template without macros. Raises TransformFailure, and ServiceError for a macro nobody has.

    Importing the translator and running it takes a good part of a second the first time: call it in a thread.
    """
    names = transforms(source)
    for name in names:
        if name not in MACROS:
            raise invalid(f"No transform named {name} found.")
    template = copy.deepcopy(source.content)
    if LANGUAGE_EXTENSIONS in names:
        template = expand(template, dict(parameters))
    _no_loops(template)
    if SAM_TRANSFORM in names:
        template = _serverless(template, parameters, region)
    else:
        _no_serverless(template)
    template.pop("Transform", None)
    template.pop("Globals", None)
    return template


def _no_loops(template: Map) -> None:
    for section in ("Resources", "Outputs", "Conditions"):
        items = template.get(section)
        for name in items if isinstance(items, dict) else ():
            if name.startswith("Fn::ForEach"):
                raise invalid(f"Template format error: {name} needs 'Transform: {LANGUAGE_EXTENSIONS}'")


def _no_serverless(template: Map) -> None:
    resources = template["Resources"]
    assert isinstance(resources, dict)
    for name, item in resources.items():
        kind = str(item.get("Type")) if isinstance(item, dict) else ""
        if kind.startswith("AWS::Serverless::"):
            # https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/transform-aws-serverless.html
            told = f"Template format error: Unrecognized resource types: [{kind}]."
            raise invalid(f"{told} {name} needs 'Transform: {SAM_TRANSFORM}'")


def _serverless(template: Map, parameters: Mapping[str, Parameter], region: str) -> Map:
    values = {name: parameter.text for name, parameter in parameters.items()}
    try:
        with _ONE_AT_A_TIME:
            return translate(template, values, region)
    except TransformError as error:
        count = len(error.causes)
        told = " ".join(error.causes)
        beginning = f"Invalid Serverless Application Specification document. Number of errors found: {count}."
        raise TransformFailure(f"Transform {SAM_TRANSFORM} failed with: {beginning} {told}") from None
    except (AttributeError, KeyError, TypeError, ValueError, UserError) as error:
        # The translator trips over some malformed input instead of refusing it.
        detail = one_line(f"{type(error).__name__}: {error}")
        raise TransformFailure(f"Transform {SAM_TRANSFORM} failed with: {detail}") from None
