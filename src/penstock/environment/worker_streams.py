"""Streams of their own for the worker processes of AWS's Python runtime, and word of each worker that dies.

Each worker connects twice to the socket that _LAMBDA_TELEMETRY_LOG_FD_PROVIDER_SOCKET names and puts the connections in
the place of its stdout and stderr. With one pipe for all, workers that print at once would write into each other's
lines.
https://github.com/aws/aws-lambda-python-runtime-interface-client (lambda_multi_concurrent_utils.py)

The kernel names the process behind a connection, and a pidfd tells its end, also while the runtime's main process has
not noticed: that one only waits for all of them.
"""

import asyncio
import contextlib
import os
import socket
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final, cast

from penstock.environment.output import LineReader

VARIABLE: Final = "_LAMBDA_TELEMETRY_LOG_FD_PROVIDER_SOCKET"
# sockaddr_un holds 108 bytes, the closing NUL among them: unix(7).
MAX_PATH_BYTES: Final = 107
_BACKLOG: Final = 4096
_UCRED: Final = struct.Struct("iII")


class WorkerStreams:
    """`on_line(line)` for each line of any worker; `on_death()` when a worker's process has ended.

    Without pidfds (Linux before 5.3) deaths go unnoticed.
    """

    def __init__(self, path: Path, on_line: Callable[[bytes], None], on_death: Callable[[], None]) -> None:
        self.path = path
        self._on_line = on_line
        self._on_death = on_death
        self._server: asyncio.Server | None = None
        self._watched: dict[int, int] = {}
        self.closed: list[asyncio.Future[None]] = []
        """One for each stream: done when all of it was read."""

    async def open(self) -> None:
        """Listen at `path`, however long it is. Raises OSError."""
        listener = bind_at(self.path)
        self._server = await asyncio.get_running_loop().create_unix_server(
            self._stream, sock=listener, backlog=_BACKLOG
        )

    def _stream(self) -> "_Stream":
        stream = _Stream(self._on_line, self._watch)
        self.closed.append(stream.closed)
        return stream

    def _watch(self, pid: int) -> None:
        if pid in self._watched:
            return
        with contextlib.suppress(OSError):  # it has ended already, or the kernel has no pidfds
            pidfd = os.pidfd_open(pid)
            self._watched[pid] = pidfd
            asyncio.get_running_loop().add_reader(pidfd, self._died, pid)

    def _died(self, pid: int) -> None:
        self._forget(pid)
        self._on_death()

    def _forget(self, pid: int) -> None:
        pidfd = self._watched.pop(pid)
        asyncio.get_running_loop().remove_reader(pidfd)
        os.close(pidfd)

    def close(self) -> None:
        """Listen and watch no more. What the streams still hold is read all the same."""
        for pid in list(self._watched):
            self._forget(pid)
        if self._server:
            self._server.close()
        self.path.unlink(missing_ok=True)


class _Stream(LineReader):
    def __init__(self, on_line: Callable[[bytes], None], on_peer: Callable[[int], None]) -> None:
        super().__init__(on_line)
        self._on_peer = on_peer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        pid = _peer(cast("socket.socket", transport.get_extra_info("socket")).fileno())
        if pid:
            self._on_peer(pid)


def _peer(fd: int) -> int:
    """The process at the other end as this one sees it, whatever it is called in its own namespace; 0 when unknown."""
    if sys.platform != "linux":
        return 0
    with socket.socket(fileno=os.dup(fd)) as connection:
        pid, _, _ = _UCRED.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
    return int(pid)


def bind_at(path: Path) -> socket.socket:
    """A UNIX socket at `path`, however long that is; not listening yet. Raises OSError."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    folder = -1
    try:
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        # A temporary folder's name may be longer than an address can be.
        short = f"/proc/self/fd/{folder}/{path.name}"
        listener.bind(str(path) if len(os.fsencode(path)) <= MAX_PATH_BYTES else short)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    finally:
        if folder >= 0:
            os.close(folder)
    return listener
