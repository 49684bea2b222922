"""What environments have worked and hold, looked at again and again: CPU as vCPUs, memory as a share of MemorySize."""

import asyncio
from collections.abc import Iterable
from typing import Final, NamedTuple

from penstock.environment.environment import Environment
from penstock.environment.memory import Usage
from penstock.model.clock import Clock
from penstock.model.limits import MIB

# Each look takes a millisecond for an environment where there is no cgroup; assumed.
INTERVAL_S: Final = 1.0


class Measured(NamedTuple):
    """`cpu` in vCPUs, on average since the look before; `memory_bytes` now. `memory` is its share of MemorySize, and
    `tmp_free` the share of /tmp that is free, None where that cannot be told.
    """

    cpu: float
    memory_bytes: int
    memory: float
    tmp_free: float | None = None


class UsageWatch:
    """The last two looks at each environment."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._before: dict[str, tuple[float, Usage]] = {}
        self._measured: dict[str, Measured] = {}

    def of(self, environment_id: str) -> Measured | None:
        """None until it was looked at twice, or where nothing can be read."""
        return self._measured.get(environment_id)

    async def look(self, environments: Iterable[tuple[Environment, int]]) -> None:
        """Each with its MemorySize in MiB. Reading files and processes is left to a thread."""
        there = tuple(environments)
        found = await asyncio.to_thread(_read, [one for one, _ in there])
        now = self._clock.monotonic()
        before, self._before = self._before, {}
        measured: dict[str, Measured] = {}
        for (environment, memory_mib), (usage, tmp_free) in zip(there, found, strict=True):
            name = environment.environment_id
            if usage is None:
                continue
            self._before[name] = (now, usage)
            if name in before and now > before[name][0]:
                at, last = before[name]
                cpu = max(0.0, usage.cpu_s - last.cpu_s) / (now - at)
                memory = usage.memory_bytes / (memory_mib * MIB)
                measured[name] = Measured(cpu, usage.memory_bytes, memory, tmp_free)
        self._measured = measured


def _read(environments: Iterable[Environment]) -> list[tuple[Usage | None, float | None]]:
    return [(environment.usage(), environment.tmp_free()) for environment in environments]
