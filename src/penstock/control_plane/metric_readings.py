"""What is measured of live fleets and instances, as the metrics' sources read it."""

from collections.abc import Sequence
from dataclasses import dataclass

from penstock.control_plane.autoscaler import Autoscaler
from penstock.control_plane.instances import Instances, LiveInstance
from penstock.control_plane.metric_sources import FunctionSample, ProviderSample
from penstock.control_plane.usage import Measured, UsageWatch
from penstock.model.limits import MIB


@dataclass(frozen=True, slots=True)
class FleetReading:
    """A `MetricSource`: one function version that runs."""

    autoscaler: Autoscaler
    usage: UsageWatch

    @property
    def function(self) -> str:
        return self.autoscaler.fleet.function.name

    @property
    def version(self) -> str:
        return self.autoscaler.fleet.function.version

    @property
    def alias(self) -> str | None:
        return self.autoscaler.fleet.function.alias

    @property
    def capacity_provider(self) -> str:
        return self.autoscaler.fleet.function.capacity_provider.name

    def sample(self) -> FunctionSample:
        fleet = self.autoscaler.fleet
        there = fleet.environments
        in_flight = [one.in_flight for one in there]
        seen = _measured(self.usage, [one.environment_id for one in there])
        return FunctionSample(
            concurrency=sum(in_flight),
            busiest=max(in_flight, default=0),
            limit=fleet.function.max_concurrency,
            environments=len(there),
            cpu_percent=_percent(sum(one.cpu for one in seen), fleet.function.vcpus * len(seen)),
            memory_percent=_percent(sum(one.memory for one in seen), len(seen)),
            throttles=self.autoscaler.router.throttles,
        )


@dataclass(frozen=True, slots=True)
class ProviderReading:
    """A `ProviderSource`: the instances of one capacity provider, by their type."""

    instances: Instances
    usage: UsageWatch

    @property
    def capacity_provider(self) -> str:
        return self.instances.provider.name

    def sample(self) -> Sequence[ProviderSample]:
        by_type: dict[str, list[LiveInstance]] = {}
        for one in self.instances.live:
            by_type.setdefault(one.instance.type.name, []).append(one)
        return [self._sample(name, there) for name, there in by_type.items()]

    def _sample(self, instance_type: str, there: list[LiveInstance]) -> ProviderSample:
        vcpus = sum(one.instance.type.vcpus for one in there)
        memory = sum(one.instance.type.memory_mib for one in there) * MIB
        used = [one.host().used for one in there]
        vcpus_allocated = sum(one.vcpus for one in used)
        memory_allocated = sum(one.memory_mib for one in used) * MIB
        seats = [seat.environment for one in there for seat in one.seats if seat.environment is not None]
        seen = _measured(self.usage, [one.environment_id for one in seats])
        return ProviderSample(
            instance_type=instance_type,
            cpu_percent=_percent(sum(one.cpu for one in seen), vcpus),
            memory_percent=_percent(sum(one.memory_bytes for one in seen), memory),
            vcpus_available=vcpus - vcpus_allocated,
            vcpus_allocated=vcpus_allocated,
            memory_available=memory - memory_allocated,
            memory_allocated=memory_allocated,
        )


def _measured(usage: UsageWatch, environment_ids: Sequence[str]) -> list[Measured]:
    found = (usage.of(one) for one in environment_ids)
    return [one for one in found if one is not None]


def _percent(part: float, whole: float) -> float | None:
    return part / whole * 100 if whole else None
