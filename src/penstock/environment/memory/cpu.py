"""An environment's vCPU share: held by the kernel where a cgroup with the cpu controller may be made; and how long its
processes have worked, where a cgroup counts that.

https://docs.kernel.org/admin-guide/cgroup-v2.html#cpu-interface-files
https://docs.kernel.org/scheduler/sched-bwc.html
https://docs.kernel.org/admin-guide/cgroup-v1/cpuacct.html
"""

import contextlib
import errno
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from penstock.environment.memory.cgroup import MemoryCgroup, read_flat
from penstock.environment.memory.hierarchy import find_hierarchies
from penstock.environment.memory.home import PROC, CgroupError, CgroupHome, search
from penstock.environment.sandbox.init.child import NICENESS

PERIOD_US: Final = 100_000
"""The kernel's default. An environment that has used up its share waits for the rest of it, 100 ms at most."""
_LEAST_QUOTA_US: Final = 1_000
"""Less is refused."""
_GIVING_WAY: Final = 1 / 1.25**NICENESS
"""The weight of a process with NICENESS beside one without (sched(7): a step is about 1.25). Niceness counts inside a
cgroup only, so the cgroup gives way for its processes, with this much for each vCPU."""


@dataclass(frozen=True, slots=True)
class CpuHome:
    """Where environments have the cgroups that hold them to their share, and that count how long they worked; None:
    they have none. Either may be where their memory cgroups are. `refusal` says why there is no quota.
    """

    quota: CgroupHome | None
    accounting: CgroupHome | None
    refusal: str = ""


class CpuCgroups:
    """One environment's, with `vcpus` of processor time each second. `memory` is its memory cgroup, and where that was
    made: one of version 2 is used for this as well. Nothing is limited before `set_quota`.
    """

    def __init__(self, home: CpuHome, vcpus: float, memory: tuple[CgroupHome, MemoryCgroup] | None) -> None:
        """Raises OSError."""
        self._home = home
        self._vcpus = vcpus
        self._places = {memory[0]: memory[1].path} if memory else {}
        self.paths: list[Path] = []
        """What was made here, in which each process must be as well."""
        try:
            self._quota = self._place(home.quota)
            self._accounting = self._place(home.accounting)
        except OSError:
            self.remove()
            raise

    def _place(self, home: CgroupHome | None) -> Path | None:
        if home is None:
            return None
        if home not in self._places:
            self._places[home] = home.new()
            self.paths.append(self._places[home])
        return self._places[home]

    def set_quota(self) -> None:
        """Before processes join. Raises OSError."""
        if self._quota and self._home.quota:
            write_quota(self._quota, self._home.quota.version, self._vcpus)

    def give_way(self) -> None:
        """With version 2 also where there is no quota: all children of a cgroup have the controller, or none."""
        for path in self._places.values():
            with contextlib.suppress(OSError):  # it was removed with its environment
                _set_weight(path, self._vcpus)

    def worked(self) -> float | None:
        """Processor time of all its processes in seconds; None where no cgroup counts it. Raises OSError or ValueError
        once it was removed.
        """
        if self._accounting is None or self._home.accounting is None:
            return None
        if self._home.accounting.version == 1:
            return int((self._accounting / "cpuacct.usage").read_text()) / 1e9
        return read_flat(self._accounting / "cpu.stat").get("usage_usec", 0) / 1e6

    def remove(self) -> None:
        """Once no process is in them. They may be gone already."""
        for path in self.paths:
            with contextlib.suppress(OSError):
                path.rmdir()


def write_quota(path: Path, version: int, vcpus: float) -> None:
    """Let the cgroup have `vcpus` of processor time each second. Raises OSError."""
    quota = max(_LEAST_QUOTA_US, round(vcpus * PERIOD_US))
    if version == 2:
        (path / "cpu.max").write_text(f"{quota} {PERIOD_US}")
        return
    (path / "cpu.cfs_period_us").write_text(str(PERIOD_US))
    try:
        (path / "cpu.cfs_quota_us").write_text(str(quota))
    except OSError as error:
        if error.errno != errno.EINVAL:  # which says that the cgroup above has less: that is enforced, then
            raise


def _set_weight(path: Path, vcpus: float) -> None:
    for name, of_one, least, most in (("cpu.shares", 1024, 2, 262_144), ("cpu.weight", 100, 1, 10_000)):
        if (path / name).exists():
            (path / name).write_text(str(min(most, max(least, round(of_one * _GIVING_WAY * vcpus)))))


def find_cpu_home(memory: CgroupHome | None, *, enforce: bool, proc: Path = PROC) -> CpuHome:
    """Where cgroups for the vCPU share may be made, beside those of `memory`. Without `enforce` there is no quota."""
    quota, refusal = None, ""
    if enforce:
        try:
            quota = search("cpu", lambda path, version: write_quota(path, version, 1.0), proc, memory)
        except CgroupError as error:
            refusal = str(error)
    return CpuHome(quota, _find_accounting(quota, memory, proc), refusal)


def _find_accounting(quota: CgroupHome | None, memory: CgroupHome | None, proc: Path) -> CgroupHome | None:
    """With version 2 every cgroup counts, with or without the controller; with version 1 those of one hierarchy do,
    which is often, not always, that of the quota.
    """
    for home in (memory, quota):
        if home and home.version == 2 and (home.directory / "cpu.stat").exists():
            return home
    if not any(hierarchy.version == 1 for hierarchy in find_hierarchies(proc, "cpuacct")):
        return None
    with contextlib.suppress(CgroupError):
        found = search("cpuacct", lambda path, version: None, proc)
        return found if (found.directory / "cpuacct.usage").exists() else None
    return None
