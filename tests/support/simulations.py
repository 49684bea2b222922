"""Simulations of a function as tests want it."""

from dataclasses import dataclass, replace
from pathlib import Path

from penstock.model.function import Function
from penstock.simulate.plan import Plan, Settings
from penstock.simulate.profile import Durations, Fixed, Profile
from penstock.simulate.traffic import Constant, Traffic
from support.functions import function


def simulated(*, concurrency: int = 16, max_vcpus: int = 400, minimum: int = 3, maximum: int | None = None) -> Function:
    plain = function(Path("app"))
    return replace(
        plain,
        max_concurrency=concurrency,
        min_environments=minimum,
        max_environments=maximum,
        capacity_provider=replace(plain.capacity_provider, max_vcpu_count=max_vcpus),
    )


def plan(
    traffic: Traffic | None = None,
    *,
    seconds: float = 600.0,
    durations: Durations | None = None,
    cpu_s: float = 0.005,
    settings: Settings | None = None,
    of: Function | None = None,
) -> Plan:
    profile = Profile(durations or Fixed(0.2), cpu_s)
    return Plan.of(of or simulated(), traffic or Constant(20), profile, seconds, settings or Settings())


@dataclass(frozen=True, slots=True)
class Bursts:
    """So many requests at the same moment, each moment as often as told."""

    at: tuple[tuple[float, int], ...]

    def arrivals(self, start: float, end: float) -> float:
        return 0.0

    def together(self, start: float, end: float) -> int:
        return sum(count for moment, count in self.at if start <= moment < end)


@dataclass(frozen=True, slots=True)
class Stretches:
    """Requests a second from one moment to another, and none between."""

    parts: tuple[tuple[float, float, float], ...]

    def arrivals(self, start: float, end: float) -> float:
        return sum(rps * max(0.0, min(end, last) - max(start, first)) for first, last, rps in self.parts)

    def together(self, start: float, end: float) -> int:
        return 0
