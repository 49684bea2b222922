"""What a sandbox is made from, what it turned out to be, and how it fails."""

from dataclasses import dataclass
from pathlib import Path

from penstock.model.errors import PenstockError


class SandboxError(PenstockError):
    """The environment's first process could not be started, or what was asked for cannot be had; one line says why."""


class SpawnError(PenstockError):
    """A process could not be executed. `errno` as execve(2) gives it, `message` names the file."""

    def __init__(self, errno: int, message: str) -> None:
        super().__init__(message)
        self.errno = errno
        self.message = message


@dataclass(frozen=True, slots=True)
class SandboxSpec:
    """All paths are absolute and exist.

    `task_root`, `opt_root`, `lang_root` and `runtime_root` hold what the function sees, read-only, at `/var/task`,
    `/opt`, `/var/lang` and `/var/runtime`. `keep_visible` are paths that must stay where they are even if one of these
    covers them: the interpreters. `namespaces=False` goes without mount and PID namespaces where the kernel has them.
    `cgroups` are directories of the cgroup file systems, one in each; what is spawned is in all of them from before it
    runs, the sandbox's own processes are not, and they are removed in the end.
    """

    task_root: Path
    opt_root: Path
    lang_root: Path | None
    runtime_root: Path | None
    tmp_mib: int
    max_open_files: int
    isolated_network: bool
    keep_visible: tuple[Path, ...] = ()
    namespaces: bool = True
    cgroups: tuple[Path, ...] = ()
    worker_socket: Path | None = None
    """A UNIX socket that processes inside find at `SandboxPaths.worker_socket`."""


@dataclass(frozen=True, slots=True)
class SandboxPaths:
    """Where things stand as seen from inside. `lang` and `runtime` may be shared with other environments."""

    task_root: str
    opt: str
    tmp: str
    lang: str | None
    runtime: str | None
    worker_socket: str | None = None


@dataclass(frozen=True, slots=True)
class SandboxFeatures:
    """What the kernel gave. `notes` says in words what is missing and why; empty when nothing is."""

    mounts: bool
    """The paths inside are Lambda's own, read-only but for /tmp, and the host's AWS credentials are out of sight."""
    pids: bool
    """A process table of its own."""
    isolated_network: bool
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ProcessExit:
    """A spawned process ended: exactly one of `returncode` and `signal` is set."""

    name: str
    returncode: int | None
    signal: int | None
