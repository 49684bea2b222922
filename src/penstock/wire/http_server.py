"""The server side of HTTP/1.1, shared by every hot door: one accepted connection, and the answers on it."""

import asyncio
from collections.abc import Callable
from typing import Final, cast

from penstock.wire.acknowledge import acknowledge
from penstock.wire.exchange import DISCARD, Exchange
from penstock.wire.gather import Outbox, handle_read
from penstock.wire.http_messages import CLOSE_HEAD_END, CONTINUE, chunk
from penstock.wire.request_head import REQUEST_TIMEOUT
from penstock.wire.request_reader import RequestReader
from penstock.wire.timeouts import Deadlines

# Bytes waiting in user space before a writer is told to pause; the mark asyncio and uvicorn use.
HIGH_WATER: Final = 64 * 1024

# Answers waiting for a peer that asks on and on and reads none of them, before its requests are left unread (assumed).
MAX_UNTAKEN: Final = 1024 * 1024

# From so many bytes on, copying them once more costs more than one more piece in a write (measured: bench/bulk.py).
LARGE: Final = 16 * 1024

_NO_DEADLINES: Final = Deadlines(None)


class HttpConnection(RequestReader):
    """One accepted connection.

    `open_exchange(connection)` is called when a request's headers are complete and returns its exchange, or answers
    at once and returns `DISCARD`. At that moment the connection describes the request, see `RequestReader`.
    `writing_paused` is true while the peer reads more slowly than we write, whichever exchange wrote.
    """

    __slots__ = ("_held", "_lost", "_made", "_open_exchange", "_outbox", "_peer", "_unsent", "writing_paused")

    _outbox: Outbox

    def __init__(
        self,
        open_exchange: Callable[["HttpConnection"], Exchange],
        max_header_bytes: int,
        made: Callable[["HttpConnection"], None],
        lost: Callable[["HttpConnection"], None],
        deadlines: Deadlines = _NO_DEADLINES,
    ) -> None:
        super().__init__(max_header_bytes, deadlines)
        self._open_exchange = open_exchange
        self._made = made
        self._lost = lost
        self._held = False  # no request is read until the peer has taken its answers
        self._unsent = 0  # bytes the peer had not taken when it was last looked at
        self._peer = ""
        self.writing_paused = False

    @property
    def peer(self) -> str:
        """The client's address, without its port. Asked of the kernel once."""
        if not self._peer:
            name = self.transport.get_extra_info("peername")
            self._peer = str(name[0]) if isinstance(name, tuple) else "127.0.0.1"
        return self._peer

    # --- transport ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.transport.set_write_buffer_limits(high=HIGH_WATER)
        self._outbox = Outbox(self.transport)
        self._made(self)

    def connection_lost(self, exc: Exception | None) -> None:
        if not (self._answered and self._received):
            self._end_exchange().lost()
        self._lost(self)

    def data_received(self, data: bytes) -> None:
        handle_read(self._read, data)
        if not self._received:
            acknowledge(self.transport)

    def eof_received(self) -> None:
        """Close at the first half: no client of ours shuts down one direction and waits for an answer."""
        if self._answered:
            self._linger()  # and may still take the rest of it
        else:
            self.transport.abort()

    def pause_writing(self) -> None:
        self.writing_paused = True
        if self.idle:
            self._linger()
        self._exchange.pause_writing()

    def resume_writing(self) -> None:
        self.writing_paused = False
        if self.idle and not self._ignoring:
            self.due = self._deadlines.idle
        self._exchange.resume_writing()
        if self._held:
            self._held = False
            self.resume_reading()

    # --- requests ---

    def _open(self) -> None:
        self._exchange = self._open_exchange(self)
        if self._expects and not (self._answered or self.http_1_0):
            self._outbox.write(CONTINUE)  # the door wants the body

    def _refuse(self, response: bytes) -> None:
        if self._ignoring:
            return
        exchange = self._end_exchange()
        if self._answered == self._received:  # else our answer was given already
            self._outbox.write(response)
        self._answered = True
        self._close()
        exchange.lost()

    # --- ends ---

    def time_out(self) -> None:
        """The present phase has lasted too long."""
        if self._ignoring or self.transport.is_closing() or (self._received and self.writing_paused):
            self._give_up()
        elif self._received:
            self._hang_up()  # no byte of a request came: nobody waits for an answer
        else:
            self._refuse(REQUEST_TIMEOUT)

    def _give_up(self) -> None:
        """A peer that still takes what was written, however slowly, is let go on."""
        if 0 < self.transport.get_write_buffer_size() < self._unsent:
            self._linger()
        else:
            self.transport.abort()

    def _linger(self) -> None:
        """From now on the peer has to take what was written, and to close."""
        self._unsent = self.transport.get_write_buffer_size()
        self.due = self._deadlines.linger

    def _hang_up(self) -> None:
        self._outbox.flush()
        if not self.transport.is_closing():
            self.transport.close()
        self._linger()

    def _close(self) -> None:
        """Close after what was written. When more may be coming in, it is taken and thrown away until the peer closes:
        a socket closed on unread bytes resets the connection, and the answer with it (RFC 9112 section 9.6).
        """
        self._outbox.flush()
        if self.transport.is_closing():
            return
        if self._received and not self._ignoring:
            self._ignoring = True
            self._hang_up()
            return
        self._ignoring = self._received = True
        self._unread = 0
        if self.transport.can_write_eof():  # not over TLS
            self.transport.write_eof()
        self.transport.resume_reading()
        self._linger()

    def _end_exchange(self) -> Exchange:
        exchange, self._exchange = self._exchange, DISCARD
        return exchange

    def hand_over(self, protocol: asyncio.Protocol, response: bytes) -> None:
        """The peer hears `response`, and from then on `protocol` has the connection. This one stands for it until it is
        lost, which `protocol` has to tell.
        """
        self._outbox.write(response)
        self._outbox.flush()
        self.transport.set_protocol(protocol)
        protocol.connection_made(self.transport)

    @property
    def idle(self) -> bool:
        """No request is open: the connection may be closed without anybody losing an answer."""
        return self._answered and self._received

    def retire(self) -> None:
        """Close after the answer under way, or now when there is none."""
        self.keep_alive = False
        if self.idle or not (self._answered or self._in_body):
            self._hang_up()
        elif self._answered:
            self._close()

    # --- answers ---

    @property
    def answerable(self) -> bool:
        """A request waits for its answer, and the peer is there as far as can be known."""
        return not (self._answered or self.transport.is_closing())

    def respond(self, response: bytes) -> None:
        """Send one complete response in one write. The bytes hold everything up to and including the body, which is
        left out when only the head was asked for.
        """
        if self.method == b"HEAD":
            response = response[: response.index(b"\r\n\r\n") + 4]
        self._outbox.write(response)
        self.finish()

    def write(self, data: bytes) -> None:
        """Send part of a response: a head, or chunks already framed."""
        self._outbox.write(data)

    def hold_answers(self) -> None:
        """What was answered to earlier requests of this read need not leave before the next answer does."""
        self._outbox.hold()

    def write_chunk(self, data: bytes) -> None:
        """Send one chunk of a chunked body; `data` must not be empty."""
        if len(data) < LARGE:
            self._outbox.write(chunk(data))
        else:
            self._outbox.write_large(b"%x\r\n" % len(data), data, b"\r\n")

    def finish(self) -> None:
        """The answer is complete: the connection is ready for the next request, or closes."""
        self._answered = True
        self._exchange = DISCARD
        if self._ignoring or not self.keep_alive:
            self._close()
            return
        if self._received:
            self.due = self._deadlines.idle
        if self.writing_paused:
            self._wait_for_reader()

    def _wait_for_reader(self) -> None:
        """The answer is over but not taken."""
        if self._received:
            self._linger()
        if self.transport.get_write_buffer_size() > MAX_UNTAKEN:
            self._held = True
            self.transport.pause_reading()

    def cut(self, *, framed: bool) -> None:
        """End the connection in the middle of an answer, so that the peer can tell.

        A framed body (chunked, or of a declared length) is visibly short: what was written still arrives. A body that
        ends with the connection would look whole, so that connection is reset.
        """
        self.keep_alive = False
        if not framed:
            self.transport.abort()
        self.finish()

    @property
    def end_of_head(self) -> bytes:
        """The end of a response head: says `Connection: close` when this is the last answer."""
        return b"\r\n" if self.keep_alive and not self._ignoring else CLOSE_HEAD_END

    def pause_reading(self) -> None:
        if not self._ignoring:
            self.transport.pause_reading()

    def resume_reading(self) -> None:
        if not (self._held or self._ignoring):
            self.transport.resume_reading()
