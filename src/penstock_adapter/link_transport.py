"""One of the connections that a link carries, as its protocol knows it: a transport like any other.

What was sent and not taken by the other side's protocol is bounded by `WINDOW`: who sends more waits for credit.
"""

import asyncio
from struct import Struct
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from penstock_adapter.link import Link

# Kinds of frames. CREDIT says how many bytes more may be sent.
DATA, CREDIT, EOF, CLOSE, RESET, OPEN = range(6)
CREDIT_PAYLOAD: Final = Struct("<I")
# The payload of each kind beside DATA, which has some and of any size.
SIZES: Final = {CREDIT: CREDIT_PAYLOAD.size, EOF: 0, CLOSE: 0, RESET: 0, OPEN: 0}

# From so many bytes on a payload is handed over without being copied once more, and as it comes. A shorter one comes
# whole: the end of an answer and the poll behind it are never seen apart.
LARGE: Final = 16 * 1024
# Under way on one connection; TCP's own buffers hold some megabytes (`assumed`, like all numbers here).
WINDOW: Final = 256 * 1024
_GRANT: Final = WINDOW // 2
_HIGH_WATER: Final = 64 * 1024


class LinkError(ConnectionError):
    """The other side broke the rules of a link."""


class LinkTransport(asyncio.Transport):
    """Made by a link. A protocol that raises loses this connection alone."""

    __slots__ = (
        "_backlog",
        "_backlog_bytes",
        "_backlog_sent",
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

    def __init__(self, link: "Link", number: int, protocol: asyncio.Protocol) -> None:
        super().__init__()
        self._link = link
        self._number = number
        self._protocol = protocol
        self._credit = WINDOW
        self._backlog: list[bytes] = []  # written, and waiting for credit
        self._backlog_bytes = 0
        self._backlog_sent = 0  # of the first of these
        self._high = _HIGH_WATER
        self._held: list[bytes] = []  # come, and not taken by a protocol that does not read
        self._held_bytes = 0
        self._consumed = 0  # taken, and not yet granted anew
        self._end = DATA  # how the other side has ended, when it has and the protocol does not know
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
        elif not link.closing:
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
        if self._closing:
            return
        self._closing = True
        self._held.clear()
        if self._end == CLOSE:  # nobody is there to take it
            self._drop_backlog()
        self._send_backlog()

    def abort(self) -> None:
        """What was written and has not left is lost, and the other side sees a reset."""
        if not self._lost:
            self._closing = True
            self._drop_backlog()
            self._held.clear()
            self._link.send_end(self._number, RESET)
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
            try:
                self._protocol.data_received(data)
            except Exception as error:
                self._failed(error)
            return
        self._held.append(data)
        self._held_bytes += len(data)
        if self._held_bytes > WINDOW:
            raise LinkError("more than the window was sent")

    def granted(self, size: int) -> None:
        self._credit += size
        if self._credit > WINDOW:
            raise LinkError("more than the window was granted")
        if self._backlog:
            self._send_backlog()
        self.tell()

    def ended(self, kind: int) -> None:
        if kind == RESET:
            self.lost(ConnectionResetError("the other side reset the connection"))
        elif self._closing:
            if kind == CLOSE:  # what waits for credit here will not get any
                self.lost(None)
        else:
            self._end = kind
            if self._reading and not self._held:
                self._hear_end()

    def tell(self) -> None:
        """Tells the protocol whether it may write, when that has changed."""
        full = self._link.paused or self._backlog_bytes > (self._high // 4 if self._paused else self._high)
        if full == self._paused or self._lost:
            return
        self._paused = full
        try:
            if full:
                self._protocol.pause_writing()
            else:
                self._protocol.resume_writing()
        except Exception as error:
            self._failed(error)

    def link_lost(self, error: Exception | None) -> None:
        """What came before an orderly end is still the protocol's when it reads again, as from a socket."""
        if error is None and self._held and not (self._closing or self._backlog or self._paused):
            self._end = CLOSE
        else:
            self.lost(error)

    def lost(self, error: Exception | None) -> None:
        self._link.forget(self._number)
        if not self._lost:
            self._lost = self._closing = True
            self._held.clear()
            self._drop_backlog()
            try:
                self._protocol.connection_lost(error)
            except Exception as fault:
                self._report(fault)

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
            try:
                self._protocol.data_received(held[0] if len(held) == 1 else b"".join(held))
            except Exception as error:
                self._failed(error)
        if self._end and self._reading and not (self._held or self._closing):
            self._hear_end()

    def _hear_end(self) -> None:
        kind, self._end = self._end, DATA
        stays: bool | None = None
        try:
            stays = self._protocol.eof_received()
        except Exception as error:
            self._failed(error)
        if kind == CLOSE:
            self.lost(None)
        elif not stays:
            self.close()

    def _send_backlog(self) -> None:
        backlog = self._backlog
        while backlog and self._credit:
            data, sent = backlog[0], self._backlog_sent
            size = len(data) - sent
            if size > self._credit:
                size = self._credit
                self._backlog_sent += size
            else:
                del backlog[0]
                self._backlog_sent = 0
            self._backlog_bytes -= size
            self._credit -= size
            self._link.send(self._number, data[sent : sent + size])
        if backlog or self._lost:
            return
        if self._closing:
            self._link.send_end(self._number, CLOSE)
            self._leave()
        elif self._eof_sent:
            self._link.send_end(self._number, EOF)

    def _drop_backlog(self) -> None:
        self._backlog.clear()
        self._backlog_bytes = 0

    def _leave(self) -> None:
        """The protocol hears the end of what it has ended itself in a later turn, as on any transport."""
        self._lost = True
        self._link.forget(self._number)
        self._link.loop.call_soon(self._protocol.connection_lost, None)

    def _failed(self, error: Exception) -> None:
        """A fault of the protocol's ends this connection, as it would on one of its own."""
        self._report(error)
        if not self._lost:
            self._link.send_end(self._number, RESET)
            self.lost(error)

    def _report(self, error: Exception) -> None:
        self._link.loop.call_exception_handler(
            {
                "message": "a protocol on a link failed",
                "exception": error,
                "transport": self,
                "protocol": self._protocol,
            }
        )
