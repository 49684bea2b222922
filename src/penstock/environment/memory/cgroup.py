"""Memory cgroups: where environments may have theirs, how one is limited, and what it tells.

https://docs.kernel.org/admin-guide/cgroup-v2.html#memory
https://docs.kernel.org/admin-guide/cgroup-v1/memory.html
"""

import contextlib
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from penstock.environment.memory.hierarchy import Hierarchy, find_hierarchies
from penstock.model.errors import PenstockError
from penstock.model.limits import MIB

GIB: Final = 1024 * MIB
_PREFIX: Final = "penstock-"
_PLATFORM: Final = f"{_PREFIX}platform"


class CgroupError(PenstockError):
    """No memory cgroup may be made; one line says why."""


@dataclass(frozen=True, slots=True)
class _Files:
    """What the files of a version are called. `no_swap` is a file and what to write to it, so that memory over the
    limit is not swapped out instead: there is no swap on Lambda (assumed). `anonymous` is a line of memory.stat.
    """

    limit: str
    no_swap: tuple[str, str]
    used: str
    events: str
    anonymous: str


_VERSIONS: Final = {
    1: _Files(
        "memory.limit_in_bytes",
        ("memory.memsw.limit_in_bytes", "{limit}"),
        "memory.usage_in_bytes",
        "memory.oom_control",
        "rss",
    ),
    2: _Files("memory.max", ("memory.swap.max", "0"), "memory.current", "memory.events", "anon"),
}


class MemoryCgroup:
    """One environment's. `limit` is its MemorySize in bytes; nothing is limited before `set_limits`."""

    def __init__(self, path: Path, version: int, limit: int) -> None:
        self.path = path
        self.limit = limit
        self._files = _VERSIONS[version]

    def set_limits(self, tmp_bytes: int) -> None:
        """Raises OSError.

        A /tmp of the environment's own is a tmpfs, so the kernel counts its files as memory, which on AWS they are not:
        its limit is raised by `tmp_bytes`, and `is_over` compares what the processes themselves hold with `limit`.
        """
        limit = self.limit + tmp_bytes
        (self.path / self._files.limit).write_text(str(limit))
        no_swap, value = self._files.no_swap
        self._write_if_there(no_swap, value.format(limit=limit))
        # Version 2 can end the whole group at once; with version 1 the platform does when it sees the first kill.
        self._write_if_there("memory.oom.group", "1")

    def _write_if_there(self, name: str, value: str) -> None:
        # Kernels without swap accounting, or before Linux 4.19, lack them.
        if (self.path / name).exists():
            (self.path / name).write_text(value)

    def open_alarm(self) -> int | None:
        """A descriptor that becomes readable when the kernel begins to kill, for the caller to close; with version 2,
        where that ends the whole group and with it the runtime, there is none. Raises OSError.

        https://docs.kernel.org/admin-guide/cgroup-v1/memory.html#oom-control
        """
        control = self.path / "cgroup.event_control"
        if sys.platform != "linux" or not control.exists():
            return None
        alarm = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        try:
            with (self.path / self._files.events).open() as events:
                control.write_text(f"{alarm} {events.fileno()}")
        except OSError:
            os.close(alarm)
            raise
        return alarm

    def is_over(self) -> bool:
        """Whether the kernel killed a process for want of memory, or the processes hold more than `limit`.

        Some ten microseconds: memory.stat, which is slow, is only read when even caches and files would be too much.
        """
        try:
            if _read_flat(self.path / self._files.events).get("oom_kill", 0):
                return True
            if int((self.path / self._files.used).read_text()) <= self.limit:
                return False
            return _read_flat(self.path / "memory.stat").get(self._files.anonymous, 0) > self.limit
        except (OSError, ValueError):  # it was removed with its environment
            return False

    def held(self) -> int:
        """Bytes that the processes hold, without caches and files. Raises OSError or ValueError once it was removed."""
        return _read_flat(self.path / "memory.stat").get(self._files.anonymous, 0)

    def remove(self) -> None:
        """Once no process is in it. It may be gone already."""
        with contextlib.suppress(OSError):
            self.path.rmdir()


def _read_flat(path: Path) -> dict[str, int]:
    """A file of `name number` lines."""
    pairs = (line.split() for line in path.read_text().splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2}


@dataclass(frozen=True, slots=True)
class CgroupHome:
    """A directory of the cgroup file system in which this process may make memory cgroups."""

    directory: Path
    version: int

    def make(self, limit: int) -> MemoryCgroup:
        """A new, empty cgroup for `limit` bytes. Raises OSError."""
        path = self.directory / f"{_PREFIX}{os.getpid()}-{secrets.token_hex(4)}"
        path.mkdir()
        return MemoryCgroup(path, self.version, limit)

    def sweep(self) -> None:
        """Remove what platforms left that were killed together with the guardians of their environments."""
        for path in self.directory.glob(f"{_PREFIX}*-*"):
            pid = path.name.removeprefix(_PREFIX).partition("-")[0]
            if pid.isdigit() and not _is_alive(int(pid)):
                with contextlib.suppress(OSError):  # still used: its platform is in another PID namespace
                    path.rmdir()


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is another user's
        return True
    return True


def find_home(proc: Path = Path("/proc/self")) -> CgroupHome:
    """Where memory cgroups may be made, which is tried, not guessed. Raises CgroupError."""
    if sys.platform != "linux":
        raise CgroupError("memory cgroups need Linux")
    refusals: list[str] = []
    for hierarchy in find_hierarchies(proc):
        for directory in _candidates(hierarchy):
            home = CgroupHome(directory, hierarchy.version)
            try:
                _try(home)
            except OSError as error:
                refusals.append(f"{error.filename or directory}: {error.strerror}")
            else:
                home.sweep()
                return home
    raise CgroupError(refusals[0] if refusals else "the kernel offers no memory controller here")


def _candidates(hierarchy: Hierarchy) -> Iterator[Path]:
    """Version 1: our own cgroup. Version 2: processes live in leaves only, so the nearest one above that gives its
    children the memory controller; or our own, when it is all ours.

    https://docs.kernel.org/admin-guide/cgroup-v2.html#no-internal-process-constraint
    """
    if hierarchy.version == 1:
        yield hierarchy.own
        return
    above = [hierarchy.own, *hierarchy.own.parents]
    within = above[: above.index(hierarchy.top) + 1]
    found = [directory for directory in within if "memory" in _words(directory / "cgroup.subtree_control")]
    yield from found[:1]
    if _take_over(hierarchy.own):
        yield hierarchy.own


def _take_over(own: Path) -> bool:
    """Make a delegated cgroup that holds this process alone (`Delegate=` of systemd) give its children the memory
    controller: this process moves into a leaf of it. False when it is not so.
    """
    if "memory" not in _words(own / "cgroup.controllers") or _words(own / "cgroup.procs") != [str(os.getpid())]:
        return False
    leaf = own / _PLATFORM
    try:
        leaf.mkdir(exist_ok=True)
        (leaf / "cgroup.procs").write_text("0")
        (own / "cgroup.subtree_control").write_text("+memory")
    except OSError:
        return False
    return True


def _words(path: Path) -> list[str]:
    try:
        return path.read_text().split()
    except OSError:
        return []


def _try(home: CgroupHome) -> None:
    """Make one and move a process into it, as each process of a function will be. Raises OSError."""
    cgroup = home.make(1 * GIB)
    try:
        cgroup.set_limits(0)
        with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as child:
            (cgroup.path / "cgroup.procs").write_text(str(child.pid))
    finally:
        cgroup.remove()
