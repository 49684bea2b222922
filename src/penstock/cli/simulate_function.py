"""The function that `penstock simulate` is about, with the numbers that the command line gives it."""

from dataclasses import dataclass, replace

from penstock.model.errors import UserError
from penstock.model.function import Function
from penstock.model.limits import MAX_MEMORY_MIB, MIN_MEMORY_MIB
from penstock.template import Stack

_MIB_PER_GIB = 1024


@dataclass(frozen=True, slots=True)
class Overrides:
    """None: as the template has it. `memory` in MiB, `target_cpu` in percent."""

    concurrency: int | None = None
    memory: int | None = None
    max_vcpu: int | None = None
    target_cpu: float | None = None
    minimum: int | None = None
    maximum: int | None = None


def choose(stack: Stack, wanted: str | None) -> Function:
    """The function that is named, else the only one. Raises UserError."""
    found = [function for function in stack.functions if wanted in (None, function.logical_id)]
    if len(found) == 1:
        return found[0]
    known = ", ".join(function.logical_id for function in stack.functions)
    if wanted is not None:
        raise UserError(f"--function: there is no {wanted}; there are: {known}")
    raise UserError(f"several functions: choose one with --function: {known}")


def overridden(function: Function, changes: Overrides) -> Function:
    """Raises UserError for what AWS would refuse."""
    provider = function.capacity_provider
    if changes.max_vcpu is not None:
        provider = replace(provider, max_vcpu_count=changes.max_vcpu)
    if changes.target_cpu is not None:
        provider = replace(provider, scaling_mode="Manual", target_cpu_utilization=changes.target_cpu)
    minimum = function.min_environments if changes.minimum is None else changes.minimum
    maximum = function.max_environments if changes.maximum is None else changes.maximum
    if maximum is not None and maximum < minimum:
        raise UserError(f"--max: {maximum} environments are less than the least number, {minimum}")
    if minimum == 0 and maximum != 0:
        raise UserError("--min: 0 is allowed together with --max 0 alone")
    return replace(
        function,
        capacity_provider=provider,
        memory_mib=_memory(function, changes.memory),
        max_concurrency=function.max_concurrency if changes.concurrency is None else changes.concurrency,
        min_environments=minimum,
        max_environments=maximum,
    )


def _memory(function: Function, wanted: int | None) -> int:
    if wanted is None:
        return function.memory_mib
    step = int(function.memory_gib_per_vcpu * _MIB_PER_GIB)
    if not MIN_MEMORY_MIB <= wanted <= MAX_MEMORY_MIB or wanted % step:
        raise UserError(
            f"--memory: bad value {wanted}; allowed: {MIN_MEMORY_MIB} to {MAX_MEMORY_MIB} in steps of {step}"
        )
    return wanted
