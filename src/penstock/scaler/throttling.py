"""Which of the four reasons a refusal carries.

https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-monitoring.html: exactly one. How AWS tells them
apart is not published; the thresholds are `assumed`.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from penstock.model.throttles import ThrottleReason
from penstock.scaler.sample import EnvironmentSample


@dataclass(frozen=True, slots=True)
class ThrottleSettings:
    """From which share of its vCPUs or memory on an environment counts as short of it, and not just of slots."""

    cpu: float = 0.95
    memory: float = 0.95


_DEFAULT = ThrottleSettings()


def throttle_reason(
    environments: Iterable[EnvironmentSample],
    vcpus: float,
    *,
    disk_full: bool = False,
    settings: ThrottleSettings = _DEFAULT,
) -> ThrottleReason:
    """Why nobody took a request: what most environments that serve are short of. `disk_full`: one of them cannot write
    to its `/tmp`.
    """
    there = tuple(environments)
    if disk_full:
        return ThrottleReason.DISK
    short_of_memory = sum(one.memory is not None and one.memory >= settings.memory for one in there)
    short_of_cpu = sum(one.cpu is not None and one.cpu >= settings.cpu * vcpus for one in there)
    if there and short_of_memory * 2 > len(there):
        return ThrottleReason.MEMORY
    if there and short_of_cpu * 2 > len(there):
        return ThrottleReason.CPU
    return ThrottleReason.CONCURRENCY
