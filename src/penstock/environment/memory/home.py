"""Where this process may make cgroups that have a controller: tried, not guessed."""

import contextlib
import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from penstock.environment.memory.cgroup import MemoryCgroup
from penstock.environment.memory.hierarchy import Hierarchy, find_hierarchies
from penstock.model.errors import PenstockError
from penstock.model.limits import MIB

PROC: Final = Path("/proc/self")
_GIB: Final = 1024 * MIB
_PREFIX: Final = "penstock-"
_PLATFORM: Final = f"{_PREFIX}platform"
_CONTROLLERS: Final = ("memory", "cpu")
"""Those that environments make use of."""


class CgroupError(PenstockError):
    """No cgroup with the controller may be made; one line says why."""


@dataclass(frozen=True, slots=True)
class CgroupHome:
    """A directory of the cgroup file system in which this process may make cgroups."""

    directory: Path
    version: int

    def new(self) -> Path:
        """A new, empty cgroup. Raises OSError."""
        path = self.directory / f"{_PREFIX}{os.getpid()}-{secrets.token_hex(4)}"
        path.mkdir()
        return path

    def make(self, limit: int) -> MemoryCgroup:
        """A new, empty memory cgroup for `limit` bytes. Raises OSError."""
        return MemoryCgroup(self.new(), self.version, limit)

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


def find_home(proc: Path = PROC) -> CgroupHome:
    """Where memory cgroups may be made. Raises CgroupError."""
    return search("memory", lambda path, version: MemoryCgroup(path, version, _GIB).set_limits(0), proc)


def search(
    controller: str, prepare: Callable[[Path, int], None], proc: Path, beside: CgroupHome | None = None
) -> CgroupHome:
    """Where cgroups may be made that have the controller, and on which `prepare(path, version)` succeeds. With version
    2 a process is in one cgroup only: one that is in a cgroup of `beside` as well can have it there alone. What killed
    platforms left is removed there. Raises CgroupError.
    """
    if sys.platform != "linux":
        raise CgroupError(f"{controller} cgroups need Linux")
    refusals: list[str] = []
    for hierarchy in find_hierarchies(proc, controller):
        for directory in _candidates(hierarchy, controller, beside):
            home = CgroupHome(directory, hierarchy.version)
            try:
                _try(home, prepare)
            except OSError as error:
                refusals.append(f"{error.filename or directory}: {error.strerror}")
            else:
                home.sweep()
                return home
    if not refusals and beside and beside.version == 2:
        raise CgroupError(f"{beside.directory} does not give its cgroups the {controller} controller")
    raise CgroupError(refusals[0] if refusals else f"the kernel offers no {controller} controller here")


def _candidates(hierarchy: Hierarchy, controller: str, beside: CgroupHome | None) -> Iterator[Path]:
    """Version 1: our own cgroup. Version 2: processes live in leaves only, so the nearest one above that gives its
    children the controller; or our own, when it is all ours.

    https://docs.kernel.org/admin-guide/cgroup-v2.html#no-internal-process-constraint
    """
    if hierarchy.version == 1:
        yield hierarchy.own
        return
    if beside and beside.version == 2:
        if controller in _words(beside.directory / "cgroup.subtree_control"):
            yield beside.directory
        return
    above = [hierarchy.own, *hierarchy.own.parents]
    within = above[: above.index(hierarchy.top) + 1]
    found = [directory for directory in within if controller in _words(directory / "cgroup.subtree_control")]
    yield from found[:1]
    if _take_over(hierarchy.own, controller):
        yield hierarchy.own


def _take_over(own: Path, controller: str) -> bool:
    """Make a delegated cgroup that holds this process alone (`Delegate=` of systemd) give its children the controller,
    and the others of `_CONTROLLERS` that it has: this process moves into a leaf of it. False when it is not so.
    """
    offered = _words(own / "cgroup.controllers")
    if controller not in offered or _words(own / "cgroup.procs") != [str(os.getpid())]:
        return False
    leaf = own / _PLATFORM
    try:
        leaf.mkdir(exist_ok=True)
        (leaf / "cgroup.procs").write_text("0")
        _give(own, [name for name in _CONTROLLERS if name in offered], controller)
    except OSError:
        return False
    return True


def _give(own: Path, wanted: list[str], needed: str) -> None:
    """All of them or none, says the kernel: then the one that is needed. Raises OSError."""
    control = own / "cgroup.subtree_control"
    try:
        control.write_text(" ".join(f"+{name}" for name in wanted))
    except OSError:  # the cpu controller may refuse where processes with real-time scheduling are
        control.write_text(f"+{needed}")


def _words(path: Path) -> list[str]:
    try:
        return path.read_text().split()
    except OSError:
        return []


def _try(home: CgroupHome, prepare: Callable[[Path, int], None]) -> None:
    """Make one and move a process into it, as each process of a function will be. Raises OSError."""
    path = home.new()
    try:
        prepare(path, home.version)
        with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as child:
            (path / "cgroup.procs").write_text(str(child.pid))
    finally:
        with contextlib.suppress(OSError):
            path.rmdir()
