"""What one request is: how long it lasts, its stream included, and what it takes of an environment. Pure."""

import math
import random
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final, Protocol, Self

_NORMAL: Final = NormalDist()
_Z99: Final = _NORMAL.inv_cdf(0.99)
# A spread below this is none.
_LEAST_SIGMA: Final = 1e-9
_KEPT: Final = 1000


class Durations(Protocol):
    """Seconds. `beyond(t)` is the expected part of a request's duration after its first `t` seconds: the integral of
    the share of requests that last longer, from `t` on; `beyond(0)` is the mean.
    """

    @property
    def mean(self) -> float: ...

    def beyond(self, after: float) -> float: ...

    def draw(self, chance: random.Random) -> float: ...


@dataclass(frozen=True, slots=True)
class Fixed:
    """All the same."""

    seconds: float

    @property
    def mean(self) -> float:
        return self.seconds

    def beyond(self, after: float) -> float:
        return max(0.0, self.seconds - after)

    def draw(self, chance: random.Random) -> float:
        return self.seconds


@dataclass(frozen=True, slots=True)
class Lognormal:
    """Many short, few long, by the median and the 99th percentile: what response times look like."""

    p50: float
    p99: float

    @property
    def _sigma(self) -> float:
        return max(_LEAST_SIGMA, math.log(self.p99 / self.p50) / _Z99)

    @property
    def mean(self) -> float:
        return self.p50 * math.exp(self._sigma**2 / 2)

    def beyond(self, after: float) -> float:
        if after <= 0:
            return self.mean
        z = math.log(after / self.p50) / self._sigma
        return self.mean * _NORMAL.cdf(self._sigma - z) - after * _NORMAL.cdf(-z)

    def draw(self, chance: random.Random) -> float:
        return self.p50 * math.exp(self._sigma * chance.gauss(0.0, 1.0))


@dataclass(frozen=True, slots=True)
class Measured:
    """As a real run had them: some of its durations, rising, evenly chosen."""

    sorted: tuple[float, ...]

    @classmethod
    def of(cls, durations: Iterable[float]) -> Self:
        """At least one."""
        rising = sorted(durations)
        if len(rising) <= _KEPT:
            return cls(tuple(rising))
        return cls(tuple(rising[int((number + 0.5) * len(rising) / _KEPT)] for number in range(_KEPT)))

    @property
    def mean(self) -> float:
        return sum(self.sorted) / len(self.sorted)

    def beyond(self, after: float) -> float:
        longer = self.sorted[bisect_left(self.sorted, after) :]
        return sum(one - after for one in longer) / len(self.sorted)

    def draw(self, chance: random.Random) -> float:
        return chance.choice(self.sorted)


@dataclass(frozen=True, slots=True)
class Profile:
    """`cpu_s` vCPU seconds a request takes, evenly over its duration. `memory_mib` it holds while it lasts, beside
    `base_memory_mib` of the environment; 0: memory is not looked at.
    """

    durations: Durations
    cpu_s: float
    memory_mib: float = 0.0
    base_memory_mib: float = 0.0

    def slots(self, slots: int, memory_mib: int) -> int:
        """How many requests fit into one environment: its slots, or as many as its memory holds."""
        if not self.memory_mib:
            return slots
        return max(0, min(slots, int((memory_mib - self.base_memory_mib) / self.memory_mib)))

    def memory(self, in_flight: float, memory_mib: int) -> float | None:
        """The share of memory that is held with so many requests in flight in one environment."""
        if not self.memory_mib:
            return None
        return (self.base_memory_mib + in_flight * self.memory_mib) / memory_mib
