"""Requests sent at times of their own, whatever became of those before: what a crowd of callers does."""

import select
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic_ns
from typing import Final

_NS: Final = 1_000_000_000
_READ_BYTES: Final = 65536
_PATIENCE_S: Final = 30
"""How long answers are waited for once every request was sent."""


@dataclass(slots=True, eq=False)
class Call:
    """One request and what came back. Times are `monotonic_ns`; `due_at` is when it should have been sent."""

    due_at: int
    sent_at: int
    ended_at: int = 0
    reads: list[tuple[int, bytes]] = field(default_factory=list)

    @property
    def status(self) -> int:
        """0 when nothing came back."""
        return int(self.reads[0][1][9:12]) if self.reads else 0

    @property
    def whole(self) -> bool:
        """The answer came to its end: a refusal's JSON, or a chunked body's last chunk."""
        return bool(self.reads) and self.reads[-1][1].endswith(b"}" if self.status == 429 else b"0\r\n\r\n")

    @property
    def first_ms(self) -> float:
        return (self.reads[0][0] - self.sent_at) / 1e6

    @property
    def total_ms(self) -> float:
        return (self.ended_at - self.sent_at) / 1e6


class OpenLoop:
    """Plain sockets and one epoll: the measuring must not wait for an event loop of its own.

    Connections are kept and used again; of `fresh_every` requests one comes on a connection of its own (0: none).
    """

    def __init__(self, host: str, port: int, path: str, *, fresh_every: int = 0) -> None:
        self._address = (host, port)
        self._kept = f"GET {path} HTTP/1.1\r\nhost: bench\r\n\r\n".encode()
        self._single = f"GET {path} HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n".encode()
        self._fresh_every = fresh_every
        self._epoll = select.epoll()
        self._sockets: dict[int, socket.socket] = {}
        self._idle: list[socket.socket] = []
        self._calls: dict[int, tuple[Call, bool]] = {}
        """By file number; True where the connection is to be kept."""
        self.begun = 0
        """Answers that have begun and not ended."""

    def connect(self, count: int) -> None:
        """Have at least `count` idle connections."""
        while len(self._idle) < count:
            self._idle.append(self._open())

    def run(self, count: int, rate: float, watch: Callable[[], None] = lambda: None) -> list[Call]:
        """Send `count` requests, `rate` a second, and wait for their answers. `watch` is called all the time."""
        gap = int(_NS / rate)
        began = monotonic_ns()
        calls: list[Call] = []
        until = began + count * gap + _PATIENCE_S * _NS
        while len(calls) < count or self._calls:
            now = monotonic_ns()
            if now > until:
                break
            while len(calls) < count and (due := began + len(calls) * gap) <= now:
                fresh = bool(self._fresh_every) and len(calls) % self._fresh_every == 0
                calls.append(self._send(due, fresh=fresh))
            wait = max(0, due - now) / _NS if len(calls) < count else 1.0
            for fd, _ in self._epoll.poll(wait):
                self._read(fd)
            watch()
        return calls

    def close(self) -> None:
        for sock in self._sockets.values():
            sock.close()
        self._epoll.close()

    def _open(self) -> socket.socket:
        sock = socket.create_connection(self._address)
        self._sockets[sock.fileno()] = sock
        self._epoll.register(sock, select.EPOLLIN)
        return sock

    def _send(self, due_at: int, *, fresh: bool) -> Call:
        sock = self._idle.pop() if self._idle and not fresh else self._open()
        call = Call(due_at, monotonic_ns())
        self._calls[sock.fileno()] = (call, not fresh)
        sock.sendall(self._single if fresh else self._kept)
        return call

    def _read(self, fd: int) -> None:
        sock = self._sockets[fd]
        try:
            data = sock.recv(_READ_BYTES)
        except ConnectionResetError:
            data = b""
        at = monotonic_ns()
        call, keep = self._calls.get(fd, (None, False))
        if call and data:
            self.begun += not call.reads
            call.reads.append((at, data))
            if not call.whole:
                return
        if call:
            call.ended_at = at
            self.begun -= bool(call.reads)
            del self._calls[fd]
        if call and data and keep:
            self._idle.append(sock)
        elif not (call and data):
            self._forget(sock)

    def _forget(self, sock: socket.socket) -> None:
        del self._sockets[sock.fileno()]
        if sock in self._idle:
            self._idle.remove(sock)
        self._epoll.unregister(sock)
        sock.close()
