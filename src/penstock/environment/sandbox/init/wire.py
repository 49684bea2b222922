"""Messages between the platform and init: one JSON object a line over a Unix stream socket, descriptors beside them.

A message that brings descriptors says so in its fields; they arrive no later than its first byte and in the order of
their messages, so the receiver takes them from one queue (unix(7), SCM_RIGHTS).
"""

import json
import os
import socket
from collections import deque
from typing import NamedTuple

_READ_BYTES = 64 * 1024
_MAX_FDS = 16
# Set by the kernel in the same step as the descriptor is made, so that no fork of another thread inherits it.
_RECEIVE_FLAGS: int = getattr(socket, "MSG_CMSG_CLOEXEC", 0)


class Setup(NamedTuple):
    """Platform, first of all: what to build. Paths are absolute host paths."""

    work_dir: str
    task_root: str
    opt_root: str
    lang_root: str | None
    runtime_root: str | None
    tmp_mib: int
    max_open_files: int
    isolated_network: bool
    keep_visible: list[str]
    masked: list[str]
    namespaces: bool
    cgroups: list[str]
    worker_socket: str | None = None


class Ready(NamedTuple):
    """Init: built. With `isolated_network` it brings one descriptor, the socket listening inside."""

    mounts: bool
    pids: bool
    isolated_network: bool
    notes: list[str]


class Refused(NamedTuple):
    """Init: it cannot be built, and why. Nothing follows."""

    reason: str


class Spawn(NamedTuple):
    """Platform: start a process. Brings one descriptor, its stdout and stderr."""

    name: str
    argv: list[str]
    env: dict[str, str]
    cwd: str


class Started(NamedTuple):
    """Init: `pid` is init's own view; with `pidfd` it brings one descriptor that tells the platform's view."""

    name: str
    pid: int
    pidfd: bool


class SpawnFailed(NamedTuple):
    name: str
    errno: int
    message: str


class Signal(NamedTuple):
    """Platform: signal the process group of a process that still runs."""

    name: str
    signum: int


class Exited(NamedTuple):
    """Init: a started process ended, with exactly one of `returncode` and `signal`."""

    name: str
    returncode: int | None
    signal: int | None


class OpenSocket(NamedTuple):
    """Platform: make an unconnected TCP socket in the environment's network."""


class SocketOpened(NamedTuple):
    """Init: answers the oldest `OpenSocket`. With `errno` 0 it brings one descriptor, the socket."""

    errno: int


Message = Setup | Ready | Refused | Spawn | Started | SpawnFailed | Signal | Exited | OpenSocket | SocketOpened

_KINDS: dict[str, type[Message]] = {
    "setup": Setup,
    "ready": Ready,
    "refused": Refused,
    "spawn": Spawn,
    "started": Started,
    "spawn_failed": SpawnFailed,
    "signal": Signal,
    "exited": Exited,
    "open_socket": OpenSocket,
    "socket_opened": SocketOpened,
}
_NAMES = {kind: name for name, kind in _KINDS.items()}


def encode(message: Message) -> bytes:
    # ASCII only: bytes of a variable that are not UTF-8 travel as surrogate escapes.
    return json.dumps({"type": _NAMES[type(message)], **message._asdict()}).encode("ascii") + b"\n"


def decode(line: bytes) -> Message:
    fields = json.loads(line)
    return _KINDS[fields.pop("type")](**fields)


def send(control: socket.socket, message: Message, fds: list[int]) -> None:
    """Write all of it to a blocking socket."""
    data = encode(message)
    sent = socket.send_fds(control, [data], fds) if fds else 0
    control.sendall(data[sent:])


class Inbox:
    """The receiving side: messages and descriptors in the order they came."""

    def __init__(self) -> None:
        self._partial = b""
        self._fds: deque[int] = deque()

    def receive(self, control: socket.socket) -> list[Message]:
        """Read once; every message that is complete by now. Raises EOFError when the other side is gone."""
        try:
            data, fds, _, _ = socket.recv_fds(control, _READ_BYTES, _MAX_FDS, _RECEIVE_FLAGS)
        except ConnectionResetError:
            data, fds = b"", []
        for fd in fds:
            os.set_inheritable(fd, False)
            self._fds.append(fd)
        if not data:
            raise EOFError
        *lines, self._partial = (self._partial + data).split(b"\n")
        return [decode(line) for line in lines]

    def take_fd(self) -> int:
        """The next descriptor; the caller owns it."""
        return self._fds.popleft()

    def close(self) -> None:
        """Close the descriptors nobody took."""
        while self._fds:
            os.close(self._fds.popleft())
