"""Many connections over one: what they write in one turn of the event loop leaves in one write, and comes in one read.

Each slot of the adapter is a connection of its own to the Runtime API. Between our adapter and our own platform these
are carried by a single one, the link: a loopback write costs as much as reading a small request, and under load there
is one for all slots instead of one for each. What is carried stays HTTP, byte for byte; nobody else sees a link.

A frame is a head of nine bytes, little-endian (payload bytes, connection, kind), and its payload. Connections are
opened by the client alone, with rising numbers. A connection may have `WINDOW` bytes under way that the other side's
protocol has not taken, so one that does not read holds up no other.
"""

import asyncio
from collections.abc import Callable
from struct import Struct
from typing import Any, Final, cast

from penstock_adapter.link_transport import CREDIT, CREDIT_PAYLOAD, DATA, LARGE, OPEN, SIZES, LinkError, LinkTransport
from penstock_adapter.writing import write_lines

# What the client asks for, and the only answer that makes a connection a link.
TARGET: Final = "/penstock/link"
PROTOCOL: Final = "penstock-link"
SWITCHING: Final = f"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: {PROTOCOL}\r\n\r\n".encode()

_HEAD: Final = Struct("<IIB")
_HEAD_BYTES: Final = _HEAD.size

# What leaves together at the most. More would keep the first of a burst waiting for the last, and the other process
# idle meanwhile: an event or a whole answer is work for it, so few of these are gathered; a chunk is not (measured).
_WRITE_WEIGHT: Final = 32
_WHOLE_WEIGHT: Final = 8
# Waiting for room on the link itself before all its connections are told to pause.
_HIGH_WATER: Final = 1024 * 1024
# Twice what an environment may have slots, and more; who opens more does not know what it is doing.
_MAX_CONNECTIONS: Final = 4096


class Link(asyncio.Protocol):
    """Either side. `accept` makes the protocol of a connection that the other side opens; without it none may be.

    `on_lost(error)` is called when the link is gone, after all its connections were told.
    """

    def __init__(
        self,
        accept: Callable[[], asyncio.Protocol] | None = None,
        on_lost: Callable[[Exception | None], None] = lambda error: None,
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.paused = False
        self._accept = accept
        self._on_lost = on_lost
        self._transport: asyncio.Transport | None = None
        self._connections: dict[int, LinkTransport] = {}
        self._newest = 0
        self._out: list[bytes] = []
        self._weight = 0
        self._large = False
        self._scheduled = self._reading = False
        self._part = b""  # of a frame that must come whole
        self._rest = 0  # of the large payload that is being read
        self._number = 0  # and whose it is

    # --- the real connection ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=_HIGH_WATER)

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        self.paused = False
        self._out.clear()
        connections, self._connections = self._connections, {}
        for connection in connections.values():
            connection.link_lost(error)
        self._on_lost(error)

    def pause_writing(self) -> None:
        self.paused = True
        for connection in list(self._connections.values()):
            connection.tell()

    def resume_writing(self) -> None:
        self.paused = False
        for connection in list(self._connections.values()):
            connection.tell()

    def eof_received(self) -> None:
        """Neither side shuts down one direction alone."""

    def data_received(self, data: bytes) -> None:
        self._reading = True
        try:
            self._read(data)
        except LinkError:
            self.abort()
        finally:
            self._reading = False
            self.flush()

    @property
    def closing(self) -> bool:
        return self._transport is None or self._transport.is_closing()

    def close(self) -> None:
        """What was written still leaves."""
        self.flush()
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def pause_reading(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def get_extra_info(self, name: str) -> Any:
        """Of the real connection, but for its socket: no connection has that for itself."""
        return None if self._transport is None or name == "socket" else self._transport.get_extra_info(name)

    # --- reading ---

    def _read(self, data: bytes) -> None:
        if self._part:
            data = self._part + data
            self._part = b""
        at, end = 0, len(data)
        while at < end:
            if self._rest:  # of a large payload: it is handed on as it comes
                taken = min(self._rest, end - at)
                self._rest -= taken
                self._take(self._number, data[at : at + taken])
                at += taken
                continue
            if end - at < _HEAD_BYTES:
                break
            size, number, kind = _HEAD.unpack_from(data, at)
            if (kind != DATA or not size) and size != SIZES.get(kind):
                raise LinkError(f"a frame of kind {kind} with {size} bytes")
            if size < LARGE:
                if end - at < _HEAD_BYTES + size:
                    break
                at += _HEAD_BYTES + size
                if kind == DATA:
                    self._take(number, data[at - size : at])
                else:
                    self._take_other(number, kind, data[at - size : at])
            else:
                at += _HEAD_BYTES
                self._rest, self._number = size, number
        if at < end:
            self._part = data[at:]

    def _take(self, number: int, payload: bytes) -> None:
        connection = self._connections.get(number)
        if connection is not None:
            connection.take(payload)
        elif number > self._newest:
            raise LinkError("a connection that was not opened")

    def _take_other(self, number: int, kind: int, payload: bytes) -> None:
        """A frame that carries nothing for a protocol. It may come late, for a connection that has ended."""
        if kind == OPEN:
            self._opened(number)
        elif number > self._newest:
            raise LinkError("a connection that was not opened")
        elif connection := self._connections.get(number):
            if kind == CREDIT:
                connection.granted(CREDIT_PAYLOAD.unpack(payload)[0])
            else:
                connection.ended(kind)

    def _opened(self, number: int) -> None:
        if self._accept is None or number <= self._newest or len(self._connections) >= _MAX_CONNECTIONS:
            raise LinkError("no connection may be opened")
        self._newest = number
        self._add(number, self._accept())

    # --- connections ---

    def open(self, protocol: asyncio.Protocol) -> None:
        """A new connection for `protocol`. Raises ConnectionError when the link is gone."""
        if self.closing:
            raise ConnectionResetError("the link is gone")
        self._newest += 1
        self._out.append(_HEAD.pack(0, self._newest, OPEN))
        self._flush_soon()
        self._add(self._newest, protocol)

    def _add(self, number: int, protocol: asyncio.Protocol) -> None:
        connection = LinkTransport(self, number, protocol)
        self._connections[number] = connection
        protocol.connection_made(connection)

    def forget(self, number: int) -> None:
        self._connections.pop(number, None)

    # --- writing ---

    def send(self, number: int, data: bytes) -> None:
        """One frame of payload. It leaves with the others of this turn of the loop."""
        size = len(data)
        out = self._out
        out.append(_HEAD.pack(size, number, DATA))
        out.append(data)
        if size >= LARGE:
            self._large = True
        # A NUL begins what is whole: see `runtime_wire`.
        self._flush_soon(1 if data[0] else _WHOLE_WEIGHT)

    def send_credit(self, number: int, size: int) -> None:
        self._out.append(_HEAD.pack(CREDIT_PAYLOAD.size, number, CREDIT) + CREDIT_PAYLOAD.pack(size))
        self._flush_soon()

    def send_end(self, number: int, kind: int) -> None:
        self._out.append(_HEAD.pack(0, number, kind))
        self._flush_soon()

    def _flush_soon(self, weight: int = 1) -> None:
        self._weight += weight
        if self._weight >= _WRITE_WEIGHT or self._large:
            self.flush()
        elif not (self._reading or self._scheduled):
            self._scheduled = True
            self.loop.call_soon(self._flush_scheduled)

    def _flush_scheduled(self) -> None:
        self._scheduled = False
        self.flush()

    def flush(self) -> None:
        """Everything gathered leaves in one write."""
        if not self._out:
            return
        out, self._out, self._weight = self._out, [], 0
        large, self._large = self._large, False
        if self._transport is None or self._transport.is_closing():
            return
        if large:
            write_lines(self._transport, out)
        else:
            self._transport.write(b"".join(out))
