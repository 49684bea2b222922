"""The guardian: starts the supervisor in the best isolation the kernel gives, and outlives it to clean up."""

import contextlib
import os
import signal
import socket
import sys
from types import FrameType
from typing import NamedTuple, NoReturn

from . import attempt as attempts
from . import child, linux, sweep
from .attempt import Attempt
from .supervisor import Supervisor
from .wire import Inbox, Ready, Refused, Setup, send

_BUILT = "built"
_ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Terminated(Exception):
    """A signal: the process above is gone, or wants this one gone."""


class Link(NamedTuple):
    """What each fork takes along."""

    control: socket.socket
    inbox: Inbox
    guardian: int
    setup: Setup
    join: list[int]
    """Where each of `setup.cgroups` takes processes in, opened before anything covers it."""


def main(control_fd: int, life_fd: int, platform_pid: int) -> NoReturn:
    """`life_fd` is never written: it closes with the last process of ours, when nothing of the environment is alive."""
    control = socket.socket(fileno=control_fd)
    control.set_inheritable(False)
    os.set_inheritable(life_fd, False)
    work_dir: str | None = None
    cgroups: list[str] = []
    try:
        for signum in _ENDING:
            signal.signal(signum, _terminate)
        _end_with(platform_pid)
        if attempts.ON_LINUX:
            linux.adopt_orphans()
        inbox = Inbox()
        setup = _first_message(control, inbox)
        work_dir, cgroups = setup.work_dir, setup.cgroups
        join = [os.open(os.path.join(cgroup, "cgroup.procs"), os.O_WRONLY) for cgroup in cgroups]
        _guard(Link(control, inbox, os.getpid(), setup, join))
    except (Terminated, EOFError, BrokenPipeError):
        pass
    finally:
        for signum in _ENDING:
            signal.signal(signum, signal.SIG_IGN)
        sweep.kill_descendants()
        if work_dir is not None:
            sweep.remove_tree(work_dir)
        for cgroup in cgroups:
            with contextlib.suppress(OSError):  # something in it could not be killed
                os.rmdir(cgroup)
    os._exit(0)


def _terminate(_signum: int, _frame: FrameType | None) -> None:
    raise Terminated


def _end_with(parent: int) -> None:
    if attempts.ON_LINUX:
        linux.die_with_parent(signal.SIGTERM)
    if os.getppid() != parent:  # it died before it could be watched
        raise Terminated


def _first_message(control: socket.socket, inbox: Inbox) -> Setup:
    while True:
        for message in inbox.receive(control):
            if isinstance(message, Setup):
                return message


def _guard(link: Link) -> None:
    """Try down the ladder; return when the supervisor that was started has ended."""
    setup = link.setup
    refusals: list[str] = []
    for attempt in attempts.ladder(setup, on_linux=attempts.ON_LINUX, is_root=os.geteuid() == 0):
        pid, verdict = _try(attempt, link, _notes(attempt, setup, refusals))
        if verdict == _BUILT:
            link.control.close()  # the supervisor's own copy is now the only one, so that its end shows
            os.waitpid(pid, 0)
            return
        os.waitpid(pid, 0)
        refusals.append(verdict or "the first process inside died")
    reason = refusals[-1] if refusals else "this needs Linux"
    send(link.control, Refused(f"no isolated network: {reason}" if setup.isolated_network else reason), [])


def _notes(attempt: Attempt, setup: Setup, refusals: list[str]) -> list[str]:
    lacking = attempts.missing(attempt)
    if not lacking:
        return []
    if not attempts.ON_LINUX:
        return [f"without {lacking}: this needs Linux"]
    if not setup.namespaces:
        return [f"without {lacking}: switched off"]
    return [f"without {lacking}: {refusals[0]}"]


def _try(attempt: Attempt, link: Link, notes: list[str]) -> tuple[int, str]:
    """Fork one try. Its pid, and `_BUILT` or why not."""
    read_end, report = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(read_end)
        _become(attempt, link, notes, report)
    os.close(report)
    with open(read_end) as verdict:
        return pid, verdict.read()


def _become(attempt: Attempt, link: Link, notes: list[str], report: int) -> NoReturn:
    """The forked side of a try: the supervisor, or the gate above it when that is PID 1 of a namespace."""
    status = 1
    try:
        attempts.enter_outer(attempt)
        _end_with(link.guardian)
        if attempt.pids and (inner := os.fork()) != 0:
            os.close(report)
            link.control.close()
            _keep_gate(inner)
        else:
            if attempt.pids:
                _be_first()
            _supervise(attempt, link, notes, report)
        status = 0
    except Terminated:
        pass
    except OSError as error:
        os.write(report, _reason(error).encode())
    except Exception:
        sys.excepthook(*sys.exc_info())  # `os._exit` would swallow it
    finally:
        os._exit(status)


def _keep_gate(inner: int) -> None:
    """Wait for PID 1 of the namespace: the kernel lets it end only when all in it are dead."""
    try:
        os.waitpid(inner, 0)
    except Terminated:
        os.kill(inner, signal.SIGKILL)
        os.waitpid(inner, 0)


def _be_first() -> None:
    # Nothing inside may end PID 1: without a handler the kernel drops what they send it (pid_namespaces(7)).
    for signum in _ENDING:
        signal.signal(signum, signal.SIG_DFL)
    # A gate that died before this line is no loss: the platform then closes the control socket.
    linux.die_with_parent(signal.SIGKILL)


def _supervise(attempt: Attempt, link: Link, notes: list[str], report: int) -> None:
    built = attempts.enter_inner(attempt, link.setup)
    if attempts.ON_LINUX and not attempt.pids:
        linux.adopt_orphans()
    policy = child.Policy(link.setup.max_open_files, die_with_parent=not attempt.pids, join=link.join)
    supervisor = Supervisor(link.control, link.inbox, policy, pids=attempt.pids)
    ready = Ready(attempt.mounts, attempt.pids, attempt.network, notes + built.notes)
    os.write(report, _BUILT.encode())
    os.close(report)
    try:
        send(link.control, ready, [built.listener.fileno()] if built.listener else [])
        if built.listener:
            built.listener.close()
        supervisor.run()
    except (EOFError, BrokenPipeError, Terminated):
        pass
    finally:
        if not attempt.pids:  # else the kernel does it
            for signum in _ENDING:
                signal.signal(signum, signal.SIG_IGN)
            sweep.kill_descendants(supervisor.groups)


def _reason(error: OSError) -> str:
    return f"{error.filename}: {error.strerror}" if error.strerror else str(error)
