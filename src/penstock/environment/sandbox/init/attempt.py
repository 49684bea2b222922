"""Which isolation to try, in which order, and one try of it in a process that can be thrown away."""

import os
import socket
import sys
from typing import NamedTuple

from . import linux, root
from .wire import Setup

# AWS's own address of the Runtime API inside an execution environment.
# https://github.com/aws/aws-lambda-runtime-interface-emulator (default of --runtime-api-address: 127.0.0.1:9001)
RUNTIME_API = ("127.0.0.1", 9001)
ON_LINUX = sys.platform == "linux"

# Inside the work directory, where no mount gives the real paths.
FALLBACK_OPT = "opt"
FALLBACK_TASK = "task"
FALLBACK_TMP = "tmp"


class Attempt(NamedTuple):
    mounts: bool
    pids: bool
    network: bool
    user: bool
    """In a user namespace, which gives an ordinary user the right to make the others."""


class Built(NamedTuple):
    notes: list[str]
    listener: socket.socket | None


def ladder(setup: Setup, *, on_linux: bool, is_root: bool) -> list[Attempt]:
    """The best first. An isolated network is part of each: it is never silently given up."""
    network = setup.isolated_network
    if not on_linux:
        return [] if network else [Attempt(False, False, False, False)]
    # Never a PID namespace alone: with the host's /proc a process would find others under its own number.
    wanted = [(True, True), (True, False)] if setup.namespaces else []
    users = [False, True] if is_root else [True]
    attempts = [Attempt(mounts, pids, network, user) for mounts, pids in wanted for user in users]
    if not network:
        return [*attempts, Attempt(False, False, False, False)]
    return [*attempts, *(Attempt(False, False, True, user) for user in users)]


def missing(attempt: Attempt) -> str:
    """What this attempt goes without, in words; empty when nothing."""
    names = [("a mount namespace", attempt.mounts), ("a PID namespace", attempt.pids)]
    return " and ".join(name for name, had in names if not had)


def enter_outer(attempt: Attempt) -> None:
    """What the process above the supervisor enters: the user namespace, and the PID namespace of its children."""
    uid, gid = os.geteuid(), os.getegid()
    flags = (linux.CLONE_NEWUSER if attempt.user else 0) | (linux.CLONE_NEWPID if attempt.pids else 0)
    if flags:
        linux.unshare(flags)
    if attempt.user:
        # The same id inside as outside. An ordinary user may map groups only after giving up setgroups
        # (user_namespaces(7)).
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"{uid} {uid} 1")
        _write("/proc/self/gid_map", f"{gid} {gid} 1")


def enter_inner(attempt: Attempt, setup: Setup) -> Built:
    """What the supervisor itself enters and builds. Raises OSError naming what was refused."""
    flags = (linux.CLONE_NEWNS if attempt.mounts else 0) | (linux.CLONE_NEWNET if attempt.network else 0)
    if flags:
        linux.unshare(flags)
    listener = _listen_inside() if attempt.network else None
    if attempt.mounts:
        return Built(root.assemble(setup, pids=attempt.pids), listener)
    _lay_out(setup)
    return Built([], listener)


def _listen_inside() -> socket.socket:
    linux.bring_up_loopback()
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.bind(RUNTIME_API)
    listener.listen(4096)
    return listener


def _lay_out(setup: Setup) -> None:
    """Without mounts: real directories in the environment's own one, and a task root and layers of its own."""
    # Imported late: only this way of building needs it, and it loads the compression modules.
    import shutil

    # A try that was thrown away may have left both.
    os.makedirs(os.path.join(setup.work_dir, FALLBACK_TMP), 0o700, exist_ok=True)
    # Copied, not linked: nothing here keeps a function from writing to its files.
    for source, name in ((setup.task_root, FALLBACK_TASK), (setup.opt_root, FALLBACK_OPT)):
        shutil.copytree(source, os.path.join(setup.work_dir, name), symlinks=True, dirs_exist_ok=True)


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)
