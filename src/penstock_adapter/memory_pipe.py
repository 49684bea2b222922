"""A connection without a socket: what one end writes is read by the other in a later turn of the event loop.

As with a socket, an end that does not read fills up, and the writer is told to pause.
"""

import asyncio
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

# Where asyncio pauses a protocol that writes, and where it lets it go on.
# https://docs.python.org/3/library/asyncio-protocol.html#asyncio.WriteTransport.set_write_buffer_limits
_HIGH_WATER: Final = 64 * 1024
_LOW_WATER: Final = _HIGH_WATER // 4


class MemoryTransport(asyncio.Transport):
    """One end. Make both with `connect`."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, protocol: asyncio.Protocol, extra: Mapping[str, object]
    ) -> None:
        super().__init__(dict(extra))
        self.peer = self
        self._loop = loop
        self._protocol = protocol
        self._waiting: list[bytes] = []
        self._size = 0
        self._high, self._low = _HIGH_WATER, _LOW_WATER
        self._reading = True
        self._full = self._ended = self._closing = self._aborted = self._lost = self._scheduled = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._ended or self._closing or not data:
            return
        self._waiting.append(bytes(data))
        self._size += len(data)
        if self._size > self._high and not self._full:
            self._full = True
            self._protocol.pause_writing()
        self._schedule()

    def write_eof(self) -> None:
        self._ended = True
        self._schedule()

    def can_write_eof(self) -> bool:
        return True

    def close(self) -> None:
        """What was written still arrives."""
        if not self._closing:
            self._closing = True
            self._schedule()

    def abort(self) -> None:
        """What was written is lost, and the other end sees a reset."""
        self._closing = self._aborted = True
        self._loop.call_soon(self._reset)

    def is_closing(self) -> bool:
        return self._closing

    def is_reading(self) -> bool:
        return self._reading and not self._closing

    def pause_reading(self) -> None:
        self._reading = False

    def resume_reading(self) -> None:
        self._reading = True
        self.peer._schedule()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._high = _HIGH_WATER if high is None else high
        self._low = self._high // 4 if low is None else low

    def get_write_buffer_size(self) -> int:
        return self._size

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        if not isinstance(protocol, asyncio.Protocol):
            raise TypeError(f"{protocol!r} takes no bytes as they come")
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._protocol

    def _schedule(self) -> None:
        if not (self._scheduled or self._lost):
            self._scheduled = True
            self._loop.call_soon(self._deliver)

    def _deliver(self) -> None:
        self._scheduled = False
        peer = self.peer
        if self._aborted or self._lost or (self._size and not peer._reading):
            return
        waiting, self._waiting, self._size = self._waiting, [], 0
        if waiting and not peer._closing:
            peer._protocol.data_received(waiting[0] if len(waiting) == 1 else b"".join(waiting))
        if self._full and self._size <= self._low and not self._lost:
            self._full = False
            self._protocol.resume_writing()
        if self._size:  # written while the peer was told
            self._schedule()
        elif self._closing:
            self._lose(None)
            peer._hear_end()
        elif self._ended:
            peer._hear_end()

    def _hear_end(self) -> None:
        """The other end writes no more: unless the protocol wants to go on writing, that is the end of both."""
        if not (self._closing or self._lost) and not self._protocol.eof_received():
            self.close()

    def _reset(self) -> None:
        self._lose(None)
        self.peer._closing = True
        self.peer._lose(ConnectionResetError("the other end reset the connection"))

    def _lose(self, error: Exception | None) -> None:
        if not self._lost:
            self._lost = True
            self._waiting, self._size = [], 0
            self._protocol.connection_lost(error)


def connect(
    client: asyncio.Protocol, server: asyncio.Protocol, server_extra: Mapping[str, object] = MappingProxyType({})
) -> None:
    """Join two protocols on the running loop. `server_extra` is what the server's `get_extra_info` knows."""
    loop = asyncio.get_running_loop()
    ours, theirs = MemoryTransport(loop, client, {}), MemoryTransport(loop, server, server_extra)
    ours.peer, theirs.peer = theirs, ours
    server.connection_made(theirs)
    client.connection_made(ours)
