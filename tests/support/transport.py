"""Both ends of a connection without a socket: bytes go in by hand, what the server writes is recorded."""

import asyncio
from collections.abc import Callable, Iterable
from typing import cast

from penstock.wire.exchange import Exchange
from penstock.wire.http_server import HttpConnection

PEER = ("198.51.100.7", 40_000)


class FakeTransport(asyncio.Transport):
    """As strict as the real ones: writing after `write_eof` or after the connection was lost raises, as uvloop does."""

    def __init__(self) -> None:
        super().__init__({"peername": PEER})
        self.protocol: HttpConnection | None = None
        self.written = bytearray()
        self.late = bytearray()
        """What was written after `close`: nobody will see it."""
        self.reading = True
        self.ended = False
        self.aborted = False
        self.lost = False
        self.stuck = False
        """The peer takes nothing: what is written stays here."""
        self.unsent = 0
        self._closing = False
        self._high = 64 * 1024
        self._full = False

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        self._closing = True

    def abort(self) -> None:
        self._closing = self.aborted = True

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self.ended or self.lost:
            raise RuntimeError("write after the end")
        if self._closing:
            self.late += data
            return
        self.written += data
        if self.stuck:
            self.unsent += len(data)
            self._tell_full()

    def _tell_full(self) -> None:
        if self.unsent > self._high and not self._full:
            self._full = True
            cast("HttpConnection", self.protocol).pause_writing()

    def flush(self) -> None:
        """The peer takes all there is."""
        self.stuck, self.unsent = False, 0
        if self._full:
            self._full = False
            cast("HttpConnection", self.protocol).resume_writing()

    def write_eof(self) -> None:
        if self.lost:
            raise RuntimeError("write_eof after the end")
        self.ended = True

    def can_write_eof(self) -> bool:
        return True

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._high = high if high is not None else self._high

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def is_reading(self) -> bool:
        return self.reading and not self._closing


class Peer:
    """A client of one HttpConnection."""

    def __init__(
        self,
        open_exchange: Callable[[HttpConnection], Exchange],
        max_header_bytes: int = 64 * 1024,
        kind: Callable[..., HttpConnection] = HttpConnection,
    ) -> None:
        self.transport = FakeTransport()
        self.losses = 0
        self.connection = kind(open_exchange, max_header_bytes, lambda _: None, self._lost)
        self.transport.protocol = self.connection
        self.connection.connection_made(self.transport)
        self._inbox: list[bytes] = []

    def _lost(self, connection: HttpConnection) -> None:
        self.losses += 1

    def send(self, *pieces: bytes) -> "Peer":
        """Each piece as one read of the server's; what it does not read stays in the socket."""
        self._inbox.extend(piece for piece in pieces if piece)  # no event loop tells of an empty read
        self.settle()
        return self

    def trickle(self, data: bytes, sizes: Iterable[int] | None = None) -> "Peer":
        """`data` byte by byte, or in pieces of the given sizes and then the rest."""
        if sizes is None:
            return self.send(*(data[at : at + 1] for at in range(len(data))))
        at = 0
        for size in sizes:
            self.send(data[at : at + size])
            at += size
        return self.send(data[at:]) if at < len(data) else self

    def settle(self) -> None:
        """Do what an event loop would do before the next event."""
        transport = self.transport
        while self._inbox and transport.is_reading():
            self.connection.data_received(self._inbox.pop(0))
        if transport.is_closing() and not transport.lost and not (transport.unsent and not transport.aborted):
            self._lose(None)

    def hang_up(self) -> None:
        """Close the client's end."""
        if not self.transport.is_closing():
            self.connection.eof_received()
            self.transport.close()
        self.transport.unsent = 0
        self.settle()

    def reset(self) -> None:
        self.transport.abort()
        if not self.transport.lost:
            self._lose(ConnectionResetError())

    def _lose(self, error: Exception | None) -> None:
        self.transport.lost = True
        self.connection.connection_lost(error)

    @property
    def received(self) -> bytes:
        return bytes(self.transport.written)

    @property
    def sees_end(self) -> bool:
        """The server closed its side."""
        return self.transport.is_closing() or self.transport.ended

    def take(self) -> bytes:
        """What arrived since the last time."""
        data = bytes(self.transport.written)
        self.transport.written.clear()
        return data
