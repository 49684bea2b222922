"""What a run tells: a row for each tick, and the whole."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from penstock.model.instances import InstanceType
from penstock.model.pricing import InstanceHours
from penstock.model.throttles import ThrottleReason

_HOUR_S: Final = 3600.0


class Tick(NamedTuple):
    """`at`: its end, in seconds from the start, and `seconds` its length. `requests` that came, refused ones included;
    `in_flight` on average and `peak` the most at a time; `environments` that serve, with `slots`; `cpu` in
    vCPUs, of the `vcpus` that these environments have; `reason` is what decided.
    """

    at: float
    seconds: float
    requests: int
    refused_concurrency: int
    refused_cpu: int
    refused_memory: int
    in_flight: float
    peak: int
    environments: int
    starting: int
    slots: int
    cpu: float
    instances: int
    vcpus: float
    usd_per_hour: float
    reason: str

    @property
    def refused(self) -> int:
        return self.refused_concurrency + self.refused_cpu + self.refused_memory

    @property
    def rps(self) -> float:
        return self.requests / self.seconds


@dataclass(frozen=True, slots=True)
class Result:
    """`mode` is `rates` or `events`. `failed`: requests whose every attempt was refused; `throttles` counts attempts.
    `limited`: what kept it from growing, if anything.
    """

    mode: str
    seconds: float
    requests: int
    failed: int
    throttles: Counter[ThrottleReason]
    instance_hours: tuple[InstanceHours, ...]
    ticks: tuple[Tick, ...]
    limited: str = ""

    @property
    def served(self) -> int:
        return self.requests - self.failed

    @property
    def utilization(self) -> float:
        """Of the vCPUs that environments have, from 0 to 1, on average."""
        used = sum(one.cpu * one.seconds for one in self.ticks)
        return used / max(1e-9, sum(one.vcpus * one.seconds for one in self.ticks))


def hours_of(seconds: Mapping[InstanceType, float]) -> tuple[InstanceHours, ...]:
    """Of each type, most first."""
    most_first = sorted(seconds.items(), key=lambda item: -item[1])
    return tuple(InstanceHours(kind, count / _HOUR_S) for kind, count in most_first)


def thinned(ticks: Sequence[Tick], most: int) -> list[Tick]:
    """At most so many rows: of several ticks counts are added, and of what is a state the most is kept."""
    together = -(-len(ticks) // most)
    if together <= 1:
        return list(ticks)
    return [_joined(ticks[first : first + together]) for first in range(0, len(ticks), together)]


def _joined(ticks: Sequence[Tick]) -> Tick:
    last = ticks[-1]
    seconds = sum(one.seconds for one in ticks)
    return last._replace(
        seconds=seconds,
        requests=sum(one.requests for one in ticks),
        refused_concurrency=sum(one.refused_concurrency for one in ticks),
        refused_cpu=sum(one.refused_cpu for one in ticks),
        refused_memory=sum(one.refused_memory for one in ticks),
        in_flight=sum(one.in_flight * one.seconds for one in ticks) / seconds,
        peak=max(one.peak for one in ticks),
        cpu=sum(one.cpu * one.seconds for one in ticks) / seconds,
    )
