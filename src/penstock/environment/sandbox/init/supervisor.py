"""The process that starts, signals and reaps everything of one environment, and ends with the platform."""

import contextlib
import errno
import os
import selectors
import signal
import socket
from types import FrameType

from . import child, sweep
from .wire import Exited, Inbox, Message, OpenSocket, Signal, SocketOpened, Spawn, SpawnFailed, Started, send


class Supervisor:
    def __init__(self, control: socket.socket, inbox: Inbox, policy: child.Policy, *, pids: bool) -> None:
        self._control = control
        self._inbox = inbox
        self._policy = policy
        self._pids = pids
        self._running: dict[int, str] = {}
        self.groups: set[int] = set()
        """Every process group ever made here."""

    def run(self) -> None:
        """Serve until the platform is gone, which raises EOFError or BrokenPipeError."""
        woken = _wake_on_child()
        with selectors.DefaultSelector() as selector:
            selector.register(self._control, selectors.EVENT_READ)
            selector.register(woken, selectors.EVENT_READ)
            while True:
                ready = {key.fd for key, _ in selector.select()}
                if woken in ready:
                    with contextlib.suppress(BlockingIOError):
                        os.read(woken, 4096)
                    self._reap()
                if self._control.fileno() in ready:
                    for message in self._inbox.receive(self._control):
                        self._handle(message)

    def _handle(self, message: Message) -> None:
        if isinstance(message, Spawn):
            self._spawn(message)
        elif isinstance(message, Signal):
            self._signal(message)
        elif isinstance(message, OpenSocket):
            self._open_socket()

    def _spawn(self, spawn: Spawn) -> None:
        output = self._inbox.take_fd()
        try:
            pid = child.start(spawn, output, self._policy)
        except OSError as error:
            self._send(SpawnFailed(spawn.name, error.errno or 0, error.strerror or ""))
            return
        finally:
            os.close(output)
        self._running[pid] = spawn.name
        self.groups.add(pid)
        pidfd = self._outside_view(pid)
        self._send(Started(spawn.name, pid, pidfd is not None), [] if pidfd is None else [pidfd])
        if pidfd is not None:
            os.close(pidfd)

    def _outside_view(self, pid: int) -> int | None:
        if not self._pids:
            return None
        try:
            return os.pidfd_open(pid)
        except OSError:  # before Linux 5.3
            return None

    def _signal(self, message: Signal) -> None:
        for pid, name in self._running.items():
            if name == message.name:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(pid, message.signum)

    def _open_socket(self) -> None:
        """This process is in the environment's network, and so is every socket it makes (network_namespaces(7))."""
        try:
            opened = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        except OSError as error:
            self._send(SocketOpened(error.errno or errno.EIO))
            return
        with opened:
            self._send(SocketOpened(0), [opened.fileno()])

    def _reap(self) -> None:
        for pid, status in sweep.reap().items():
            name = self._running.pop(pid, None)
            if name is None:
                continue  # an orphan that was left to us
            if os.WIFSIGNALED(status):
                self._send(Exited(name, None, os.WTERMSIG(status)))
            else:
                self._send(Exited(name, os.WEXITSTATUS(status), None))

    def _send(self, message: Message, fds: list[int] | None = None) -> None:
        send(self._control, message, fds or [])


def _wake_on_child() -> int:
    """A descriptor that becomes readable whenever a child ends."""
    woken, wake = os.pipe()
    os.set_blocking(woken, False)
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, _ignore)
    return woken


def _ignore(_signum: int, _frame: FrameType | None) -> None:
    """Only a handler in Python makes the signal reach the wake-up descriptor."""
