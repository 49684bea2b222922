"""Many connections over one: what they write in one turn of the event loop leaves in one write, and comes in one read.

Each slot of the adapter is a connection of its own to the Runtime API. Between our adapter and our own platform these
are carried by a single one, the link: a loopback write costs as much as reading a small request, and under load there
is one for all slots instead of one for each. What is carried stays HTTP, byte for byte; nobody else sees a link.

A frame is a head of nine bytes, little-endian (payload bytes, connection, kind), and its payload. Connections are
opened by the client with their first frame, with rising numbers. A connection may have `WINDOW` bytes under way that
the other side's protocol has not taken, so one that does not read holds up no other.
"""

import asyncio
from collections.abc import Callable
from struct import Struct
from typing import Any, Final, cast

# What the client asks for, and the only answer that makes a connection a link.
TARGET: Final = "/penstock/link"
PROTOCOL: Final = "penstock-link"
SWITCHING: Final = f"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: {PROTOCOL}\r\n\r\n".encode()

_HEAD: Final = Struct("<IIB")
_HEAD_BYTES: Final = _HEAD.size
_DATA, _CREDIT, _EOF, _CLOSE, _RESET = range(5)
_CREDIT_PAYLOAD: Final = Struct("<I")
_CREDIT_BYTES: Final = _CREDIT_PAYLOAD.size

# Under way on one connection; TCP's own buffers hold some megabytes (`assumed`, like all numbers here).
WINDOW: Final = 256 * 1024
_GRANT: Final = WINDOW // 2
# What leaves together at the most. More would keep the first of a burst waiting for the last, and the other process
# idle meanwhile: an event or a whole answer is work for it, so few of these are gathered; a chunk is not (measured).
_WRITE_WEIGHT: Final = 32
_WHOLE_WEIGHT: Final = 8
# From so many bytes on a payload is handed over without being copied once more, and as it comes. A shorter one comes
# whole: the end of an answer and the poll behind it are never seen apart.
_LARGE: Final = 16 * 1024
# Waiting for room on the link itself before all its connections are told to pause.
_LINK_HIGH_WATER: Final = 1024 * 1024
_HIGH_WATER: Final = 64 * 1024
# Many times what an environment may have slots; who opens more does not know what it is doing.
_MAX_CONNECTIONS: Final = 4096


class LinkError(ConnectionError):
    """The other side broke the rules of a link."""


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
        self._transport.set_write_buffer_limits(high=_LINK_HIGH_WATER)

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        self._out.clear()
        connections, self._connections = self._connections, {}
        for connection in connections.values():
            connection.lost(error)
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
            if kind != _DATA:
                if end - at < _HEAD_BYTES + _CREDIT_BYTES and kind == _CREDIT:
                    break
                at += self._take_other(number, kind, data[at + _HEAD_BYTES : at + _HEAD_BYTES + size])
            elif size < _LARGE:
                if end - at < _HEAD_BYTES + size:
                    break
                at += _HEAD_BYTES + size
                self._take(number, data[at - size : at])
            else:
                at += _HEAD_BYTES
                self._rest, self._number = size, number
        if at < end:
            self._part = data[at:]

    def _take(self, number: int, payload: bytes) -> None:
        connection = self._connections.get(number) or self._opened(number)
        if connection is not None:
            connection.take(payload)

    def _take_other(self, number: int, kind: int, payload: bytes) -> int:
        """A frame that carries nothing for a protocol. Returns its length."""
        connection = self._connections.get(number)
        if kind == _CREDIT and len(payload) == _CREDIT_BYTES:
            if connection is not None:
                connection.granted(_CREDIT_PAYLOAD.unpack(payload)[0])
        elif kind in (_EOF, _CLOSE, _RESET) and not payload:
            if connection is not None:
                connection.ended(kind)
        else:
            raise LinkError(f"a frame of kind {kind} with {len(payload)} bytes")
        return _HEAD_BYTES + len(payload)

    def _opened(self, number: int) -> "LinkTransport | None":
        """None for what is still on its way to a connection that has ended."""
        if number <= self._newest:
            return None
        if self._accept is None or len(self._connections) >= _MAX_CONNECTIONS:
            raise LinkError("no connection may be opened")
        self._newest = number
        return self._add(number, self._accept())

    # --- connections ---

    def open(self, protocol: asyncio.Protocol) -> None:
        """A new connection for `protocol`. Raises ConnectionError when the link is gone."""
        if self.closing:
            raise ConnectionResetError("the link is gone")
        self._newest += 1
        self._add(self._newest, protocol)

    def _add(self, number: int, protocol: asyncio.Protocol) -> "LinkTransport":
        connection = LinkTransport(self, number, protocol)
        self._connections[number] = connection
        protocol.connection_made(connection)
        return connection

    def forget(self, number: int) -> None:
        self._connections.pop(number, None)

    # --- writing ---

    def send(self, number: int, data: bytes) -> None:
        """One frame of payload. It leaves with the others of this turn of the loop."""
        size = len(data)
        out = self._out
        out.append(_HEAD.pack(size, number, _DATA))
        out.append(data)
        if size >= _LARGE:
            self._large = True
        # A NUL begins what is whole: see `runtime_wire`.
        self._flush_soon(1 if data[0] else _WHOLE_WEIGHT)

    def send_credit(self, number: int, size: int) -> None:
        self._out.append(_HEAD.pack(_CREDIT_BYTES, number, _CREDIT) + _CREDIT_PAYLOAD.pack(size))
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
            self._transport.writelines(out)
        else:
            self._transport.write(b"".join(out))


class LinkTransport(asyncio.Transport):
    """One connection on a link, as its protocol knows it."""

    __slots__ = (
        "_backlog",
        "_backlog_bytes",
        "_closing",
        "_consumed",
        "_credit",
        "_end",
        "_eof_sent",
        "_held",
        "_held_bytes",
        "_high",
        "_link",
        "_lost",
        "_number",
        "_paused",
        "_protocol",
        "_reading",
    )

    def __init__(self, link: Link, number: int, protocol: asyncio.Protocol) -> None:
        super().__init__()
        self._link = link
        self._number = number
        self._protocol = protocol
        self._credit = WINDOW
        self._backlog: list[bytes] = []  # written, and waiting for credit
        self._backlog_bytes = 0
        self._high = _HIGH_WATER
        self._held: list[bytes] = []  # come, and not taken by a protocol that does not read
        self._held_bytes = 0
        self._consumed = 0  # taken, and not yet granted anew
        self._end = _DATA  # how the other side has ended, when it has
        self._reading = True
        self._paused = self._closing = self._eof_sent = self._lost = False

    # --- from the protocol ---

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._closing or self._eof_sent or not data:
            return
        size = len(data)
        link = self._link
        if not self._backlog and size <= self._credit:
            self._credit -= size
            link.send(self._number, data if type(data) is bytes else bytes(data))
        else:
            self._backlog.append(bytes(data))
            self._backlog_bytes += size
            self._send_backlog()
        if link.paused or self._backlog:
            self.tell()

    def writelines(self, list_of_data: Any) -> None:
        for data in list_of_data:
            self.write(data)

    def write_eof(self) -> None:
        if not (self._closing or self._eof_sent):
            self._eof_sent = True
            self._send_backlog()

    def can_write_eof(self) -> bool:
        return True

    def close(self) -> None:
        """What was written still arrives."""
        if not self._closing:
            self._closing = True
            self._send_backlog()

    def abort(self) -> None:
        """What was written and has not left is lost, and the other side sees a reset."""
        if not self._lost:
            self._closing = True
            self._backlog.clear()
            self._backlog_bytes = 0
            self._link.send_end(self._number, _RESET)
            self._leave()

    def is_closing(self) -> bool:
        return self._closing

    def is_reading(self) -> bool:
        return self._reading and not self._closing

    def pause_reading(self) -> None:
        self._reading = False

    def resume_reading(self) -> None:
        if not self._reading:
            self._reading = True
            if self._held or self._end:
                self._link.loop.call_soon(self._deliver)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._high = _HIGH_WATER if high is None else high

    def get_write_buffer_size(self) -> int:
        return self._backlog_bytes

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        found = self._link.get_extra_info(name)
        return default if found is None else found

    # --- from the link ---

    def take(self, data: bytes) -> None:
        if self._closing:
            return
        if self._reading and not self._held:
            self._consumed += len(data)
            if self._consumed >= _GRANT:
                self._grant()
            self._protocol.data_received(data)
            return
        self._held.append(data)
        self._held_bytes += len(data)
        if self._held_bytes > WINDOW:
            raise LinkError("more than the window was sent")

    def granted(self, size: int) -> None:
        self._credit += size
        if self._backlog:
            self._send_backlog()
        self.tell()

    def ended(self, kind: int) -> None:
        if kind == _RESET:
            self.lost(ConnectionResetError("the other side reset the connection"))
            return
        self._end = kind
        if self._reading and not self._held:
            self._hear_end()

    def tell(self) -> None:
        """Tells the protocol whether it may write, when that has changed."""
        full = self._link.paused or self._backlog_bytes > (self._high // 4 if self._paused else self._high)
        if full == self._paused or self._lost:
            return
        self._paused = full
        if full:
            self._protocol.pause_writing()
        else:
            self._protocol.resume_writing()

    def lost(self, error: Exception | None) -> None:
        self._link.forget(self._number)
        if not self._lost:
            self._lost = self._closing = True
            self._held.clear()
            self._backlog.clear()
            self._protocol.connection_lost(error)

    # --- inside ---

    def _grant(self) -> None:
        self._link.send_credit(self._number, self._consumed)
        self._consumed = 0

    def _deliver(self) -> None:
        """What came while the protocol did not read, as long as it does now."""
        while self._held and self._reading and not self._closing:
            held, self._held = self._held, []
            self._consumed += self._held_bytes
            self._held_bytes = 0
            self._grant()
            self._protocol.data_received(held[0] if len(held) == 1 else b"".join(held))
        if self._end and self._reading and not self._held:
            self._hear_end()

    def _hear_end(self) -> None:
        kind, self._end = self._end, _DATA
        if self._closing:
            if kind == _CLOSE and not self._lost:
                self.lost(None)
            return
        stays = self._protocol.eof_received()
        if kind == _CLOSE:
            self.lost(None)
        elif not stays:
            self.close()

    def _send_backlog(self) -> None:
        while self._backlog and self._credit:
            data = self._backlog[0]
            if len(data) > self._credit:
                data, self._backlog[0] = data[: self._credit], data[self._credit :]
            else:
                del self._backlog[0]
            self._backlog_bytes -= len(data)
            self._credit -= len(data)
            self._link.send(self._number, data)
        if self._backlog or self._lost:
            return
        if self._closing:
            self._link.send_end(self._number, _CLOSE)
            self._leave()
        elif self._eof_sent:
            self._link.send_end(self._number, _EOF)

    def _leave(self) -> None:
        """The protocol hears the end of what it has ended itself in a later turn, as on any transport."""
        self._lost = True
        self._link.forget(self._number)
        self._link.loop.call_soon(self._protocol.connection_lost, None)
