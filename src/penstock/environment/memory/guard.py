"""One environment's memory, looked at again and again until it holds more than its MemorySize; and its vCPU share."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from penstock.environment.memory.cpu import CpuCgroups, CpuHome
from penstock.environment.memory.home import CgroupHome
from penstock.environment.memory.tree import ProcessTree

INTERVAL_S: Final = 0.2
"""How long too much may be held unnoticed where the kernel does not see to it, as on AWS it always does (assumed)."""


class Usage(NamedTuple):
    """Of all processes of an environment together."""

    memory_bytes: int
    cpu_s: float


class MemoryGuard:
    """`limit` in bytes. Without a `home` for a cgroup the process tree is watched. `on_over()` is called once, and not
    after `stop`. With a `cpu` home the processes are held to `vcpus` there, if it has a quota.

    As on AWS extensions count like the runtime; the sandbox's own processes do not.
    """

    def __init__(
        self,
        home: CgroupHome | None,
        limit: int,
        on_over: Callable[[], None],
        cpu: CpuHome | None = None,
        vcpus: float = 1.0,
    ) -> None:
        """Raises OSError when no cgroup can be made."""
        self._limit = limit
        self._on_over = on_over
        self._tree: ProcessTree | None = None
        self._watching: asyncio.Task[None] | None = None
        self._alarm: int | None = None
        self._cgroup = home.make(limit) if home else None
        self._cpu: CpuCgroups | None = None
        try:
            self._cpu = CpuCgroups(cpu, vcpus, (home, self._cgroup) if home and self._cgroup else None) if cpu else None
        except OSError:
            self.close()
            raise

    @property
    def cgroups(self) -> tuple[Path, ...]:
        """What each process must be moved into before it runs."""
        memory = (self._cgroup.path,) if self._cgroup else ()
        return (*memory, *self._cpu.paths) if self._cpu else memory

    def start(self, top: int, tmp_bytes: int) -> None:
        """Limit and watch what will be started below process `top`; nothing of the function runs yet. `tmp_bytes` is
        the size of /tmp where that is held in memory, else 0. Raises OSError.
        """
        if self._cpu:
            self._cpu.set_quota()
        if self._cgroup:
            self._cgroup.set_limits(tmp_bytes)
            self._alarm = self._cgroup.open_alarm()
        if self._alarm is not None:
            asyncio.get_running_loop().add_reader(self._alarm, self._alarmed)
        self._tree = ProcessTree(top)
        self._watching = asyncio.get_running_loop().create_task(self._watch(None if self._cgroup else self._tree))

    def give_way(self) -> None:
        """From now on to the platform, whenever both want the processor. Until then an environment has what any other
        process on the machine has, so that it starts as fast.
        """
        if self._cpu:
            self._cpu.give_way()

    def is_over(self) -> bool:
        """Whether the limit is what ended a process just now. Only a cgroup knows afterwards."""
        return self._cgroup is not None and self._cgroup.is_over()

    def usage(self) -> Usage | None:
        """What the processes hold and have worked so far; None when that cannot be read any more. May take
        milliseconds.
        """
        if self._tree is None:
            return None
        try:
            held = self._cgroup.held() if self._cgroup else self._tree.held()
            worked = self._cpu.worked() if self._cpu else None
        except (OSError, ValueError):  # it was removed with its environment
            return None
        return Usage(held, self._tree.worked() if worked is None else worked)

    def _alarmed(self) -> None:
        self.stop()
        # The kernel also raises the alarm when the cgroup is removed, by a sandbox that was ended from outside.
        if self._cgroup is None or self._cgroup.path.exists():
            self._on_over()

    async def _watch(self, tree: ProcessTree | None) -> None:
        while True:
            await asyncio.sleep(INTERVAL_S)
            if await self._look(tree):
                self._alarmed()
                return

    async def _look(self, tree: ProcessTree | None) -> bool:
        return self.is_over() if tree is None else await asyncio.to_thread(tree.holds_more_than, self._limit)

    def stop(self) -> None:
        """Watch no more."""
        if self._watching:
            self._watching.cancel()
        if self._alarm is not None:
            asyncio.get_running_loop().remove_reader(self._alarm)
            os.close(self._alarm)
            self._alarm = None

    def close(self) -> None:
        """When every process is gone. May be called any number of times."""
        self.stop()
        if self._cgroup:
            self._cgroup.remove()
        if self._cpu:
            self._cpu.remove()
