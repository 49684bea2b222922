"""Instances with what is placed on them, and the room that is left."""

from dataclasses import dataclass
from typing import NamedTuple

from penstock.model.instances import MIB_PER_GIB, InstanceState, InstanceType, ManagedInstance


@dataclass(frozen=True, slots=True)
class PlacementSettings:
    """`reserve_*` of each instance are the operating system's and the agent's: a rule of AWS's own calculator,
    https://github.com/aws-samples/sample-aws-lambda-managed-instances. Three instances at the start, over the zones:
    https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-scaling.html. `max_age_s`: an instance is
    replaced after 14 days (AWS's skill for agents says so; its guide does not). `idle_s`: AWS says "within minutes";
    the number is `assumed`.
    """

    reserve_vcpus: float = 1.0
    reserve_memory_mib: int = MIB_PER_GIB
    initial_instances: int = 3
    max_age_s: float = 14 * 24 * 3600.0
    idle_s: float = 120.0


class Size(NamedTuple):
    """What one environment takes, or what is free."""

    vcpus: float
    memory_mib: int


class Placed(NamedTuple):
    """One environment on an instance. `version` is whatever names a function version; `in_flight` its requests."""

    environment_id: str
    version: str
    size: Size
    in_flight: int = 0


@dataclass(frozen=True, slots=True)
class Host:
    """An instance and its environments."""

    instance: ManagedInstance
    environments: tuple[Placed, ...] = ()

    @property
    def used(self) -> Size:
        return Size(
            sum(one.size.vcpus for one in self.environments), sum(one.size.memory_mib for one in self.environments)
        )

    @property
    def takes_more(self) -> bool:
        """Not on its way out."""
        return self.instance.state in (InstanceState.PENDING, InstanceState.RUNNING)

    def count(self, version: str) -> int:
        return sum(one.version == version for one in self.environments)

    def has_room(self, size: Size, settings: PlacementSettings) -> bool:
        used, whole = self.used, usable(self.instance.type, settings)
        return used.vcpus + size.vcpus <= whole.vcpus and used.memory_mib + size.memory_mib <= whole.memory_mib


def usable(instance: InstanceType, settings: PlacementSettings) -> Size:
    """What an instance has for environments."""
    return Size(instance.vcpus - settings.reserve_vcpus, instance.memory_mib - settings.reserve_memory_mib)


def per_instance(instance: InstanceType, size: Size, settings: PlacementSettings) -> int:
    """How many environments of one size an instance holds."""
    whole = usable(instance, settings)
    return max(0, min(int(whole.vcpus / size.vcpus), whole.memory_mib // size.memory_mib))
