"""From a template file to a Stack: everything Penstock needs to know to start."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from penstock.model.errors import UserError
from penstock.model.function import CapacityProvider, Function
from penstock.template.capacity_providers import read_capacity_providers
from penstock.template.environment import EnvVars, ignored_env_vars
from penstock.template.functions import FunctionReader
from penstock.template.intrinsics import Pseudo, Resolver
from penstock.template.outputs import OutputReader
from penstock.template.parameters import Parameter, resolve_parameters
from penstock.template.physical import Resources, stack_id
from penstock.template.references import check_circles, check_references
from penstock.template.shapes import check_shapes
from penstock.template.sizing import check_minimum
from penstock.template.source import Map, Source, read_source
from penstock.template.transform import transform, unknown_transforms

# https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html (StackName)
_STACK_NAME: Final = re.compile(r"[a-zA-Z][-a-zA-Z0-9]{0,127}")


@dataclass(frozen=True)
class Stack:
    """One template, resolved. `warnings` are lines for the user, in the order they came up."""

    name: str
    region: str
    account_id: str
    template: Path
    functions: tuple[Function, ...]
    capacity_providers: tuple[CapacityProvider, ...]
    warnings: tuple[str, ...]
    _outputs: Callable[[Mapping[str, str]], dict[str, str]] = field(repr=False, compare=False)

    def outputs(self, urls: Mapping[str, str]) -> dict[str, str]:
        """The template's Outputs. `urls`: logical id of a function -> its local Function URL."""
        return self._outputs(urls)


def load_stack(
    path: Path,
    *,
    stack_name: str,
    parameters: Mapping[str, str],
    env_vars: EnvVars | None = None,
    region: str = "us-east-1",
    account_id: str = "123456789012",
    min_environments: int | None = None,
    memory: Path | None = None,
) -> Stack:
    """Read, transform and check the template at `path`.

    `parameters` are the values of `--parameter-overrides`; `env_vars` is the content of SAM CLI's `--env-vars` file;
    `min_environments` takes the place of every function's minimum; `memory` is a folder where what
    a template was transformed to is kept for the next time. Raises UserError: one line with the place.
    """
    _check_name(stack_name)
    check_minimum(min_environments)
    source = read_source(path)
    check_shapes(source)
    pseudo = _pseudo(region, account_id, stack_name)
    values = resolve_parameters(source, parameters, region)
    transformed = transform(source, values, region, memory)
    check_references(source, {*transformed, *source.section("Resources"), *values, *pseudo.values()})
    resolver, resources = _resolve(source, values, pseudo, transformed, {})
    check_circles(source, resources.active(), resolver)
    providers = read_capacity_providers(source, resources, resolver)
    reader = FunctionReader(source, resources, resolver, providers, env_vars or {}, min_environments)
    functions, warnings = reader.read()
    if not functions:
        raise UserError(_nothing_to_run(source), source.place("Resources"))
    outputs = OutputReader(source, resources, lambda urls: _resolve(source, values, pseudo, transformed, urls)[0])
    known = {function.logical_id: (function.name, function.environment) for function in functions}
    return Stack(
        name=stack_name,
        region=region,
        account_id=account_id,
        template=path,
        functions=tuple(functions),
        capacity_providers=tuple(providers.values()),
        warnings=(
            *(f"transform {name} is not run" for name in unknown_transforms(source)),
            *warnings,
            *ignored_env_vars(env_vars or {}, known),
            *outputs.warnings(functions),
        ),
        _outputs=outputs.read,
    )


def _check_name(stack_name: str) -> None:
    if not _STACK_NAME.fullmatch(stack_name):
        rule = "a letter, then letters, digits and -, at most 128"
        raise UserError(f"--stack-name: bad value {stack_name!r}; allowed: {rule}")


def _pseudo(region: str, account_id: str, stack_name: str) -> Pseudo:
    return Pseudo(region, account_id, stack_name, stack_id(region, account_id, stack_name))


def _resolve(
    source: Source,
    parameters: Mapping[str, Parameter],
    pseudo: Pseudo,
    transformed: Map,
    urls: Mapping[str, str],
) -> tuple[Resolver, Resources]:
    resolver = Resolver(source, parameters, pseudo)
    resources = Resources(source, transformed, resolver, urls)
    resolver.resources = resources
    return resolver, resources


def _nothing_to_run(source: Source) -> str:
    kinds = [str(source.get("Resources", name, "Type")) for name in source.section("Resources")]
    if not any(kind.endswith("::Function") for kind in kinds):
        return "nothing to run: the template holds no AWS::Serverless::Function"
    return (
        "nothing to run: no function has a CapacityProviderConfig with the Arn of an AWS::Serverless::CapacityProvider"
    )
