"""The server side of HTTP/1.1, shared by every hot door.

A connection parses requests with httptools and hands each to an `Exchange` made by the door. Everything
happens inside transport callbacks: no task, no queue, no copy of the headers. One exchange is open at a time.
A client that pipelines gets its first answer and a closed connection: RFC 9112 section 9.3.2 lets a server
leave pipelined requests unanswered, and clients must be ready to send them again.
"""

import asyncio
from collections.abc import Callable
from typing import Final, cast

import httptools

from penstock.wire.acknowledge import acknowledge
from penstock.wire.exchange import DISCARD, Exchange
from penstock.wire.gather import Outbox, handle_read
from penstock.wire.http_messages import CLOSE_HEAD_END, CONTINUE, Headers, plain_response

# Bytes waiting in user space before a writer is told to pause; the mark asyncio and uvicorn use.
HIGH_WATER: Final = 64 * 1024

# Answers waiting for a peer that asks on and on and reads none of them, before its requests are left unread (assumed).
MAX_UNTAKEN: Final = 1024 * 1024

# What a peer may still send of a request that was answered already, so that it comes to read the answer (assumed).
MAX_DISCARDED: Final = 64 * 1024 * 1024

BAD_REQUEST: Final = plain_response(400, b"Bad Request")
HEADERS_TOO_LARGE: Final = plain_response(431, b"Request Header Fields Too Large")


class HttpConnection(asyncio.Protocol):
    """One accepted connection.

    `open_exchange(connection)` is called when a request's headers are complete and returns its exchange, or answers
    at once and returns `DISCARD`. At that moment `method`, `target`, `headers` (names in lower case), `keep_alive` and
    `http_1_0` describe the request; they stay as they are until the exchange is over. `writing_paused` is true while
    the peer reads more slowly than we write, whichever exchange wrote.
    """

    __slots__ = (
        "_answered",
        "_exchange",
        "_header_bytes",
        "_held",
        "_ignoring",
        "_in_body",
        "_lost",
        "_made",
        "_max_header_bytes",
        "_open_exchange",
        "_outbox",
        "_parser",
        "_received",
        "_unread",
        "headers",
        "http_1_0",
        "keep_alive",
        "method",
        "target",
        "trailers",
        "transport",
        "writing_paused",
    )

    transport: asyncio.Transport
    _outbox: Outbox

    def __init__(
        self,
        open_exchange: Callable[["HttpConnection"], Exchange],
        max_header_bytes: int,
        made: Callable[["HttpConnection"], None],
        lost: Callable[["HttpConnection"], None],
    ) -> None:
        self._open_exchange = open_exchange
        self._made = made
        self._lost = lost
        self._max_header_bytes = max_header_bytes
        self._parser = httptools.HttpRequestParser(self)
        self._exchange: Exchange = DISCARD
        self._received = True  # the current request is complete
        self._answered = True  # and so is our answer to it
        self._ignoring = False  # what else arrives is not for us: close after this answer
        self._in_body = False  # the current request's head was handed to an exchange
        self._held = False  # no request is read until the peer has taken its answers
        self._header_bytes = 0
        self._unread = 0  # bytes since the parser last completed a head or gave a piece of a body
        self.method = self.target = b""
        self.headers: Headers = []
        self.trailers: Headers = []
        self.keep_alive = True
        self.http_1_0 = self.writing_paused = False

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

    def _read(self, data: bytes) -> None:
        self._unread += len(data)
        if self._ignoring:
            if self._unread > MAX_DISCARDED:
                self.transport.abort()
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as offer:
            if not self._ignoring:
                self._decline_upgrade(data[offer.args[0] :])
        except httptools.HttpParserCallbackError as error:
            # A fault of ours, not of the peer's: the event loop reports it and drops the connection.
            raise error.__context__ or error from None
        except httptools.HttpParserError:
            self._misread()
        # The parser keeps an unfinished header to itself, however long it grows.
        if self._unread > self._max_header_bytes and not self._ignoring:
            self._refuse(HEADERS_TOO_LARGE)

    def _misread(self) -> None:
        if self._received and not self._answered:
            self._ignore_rest()  # the request before it was sound and gets its answer
        else:
            self._refuse(BAD_REQUEST)

    def _decline_upgrade(self, rest: bytes) -> None:
        """An upgrade offered is an upgrade declined (RFC 9110 section 7.8).

        The parser stops at an offer and skips the body, so the request is read again without it.
        """
        lines = [b"%b: %b\r\n" % header for header in self.headers if header[0] != b"upgrade"]
        version = self._parser.get_http_version().encode()
        head = b"%b %b HTTP/%b\r\n%b\r\n" % (self._parser.get_method(), self.target, version, b"".join(lines))
        self._parser = httptools.HttpRequestParser(self)
        self._received = self._answered = True
        self._unread = 0
        self._read(head + rest)

    def eof_received(self) -> None:
        """Close at the first half: no client of ours shuts down one direction and waits for an answer."""

    def pause_writing(self) -> None:
        self.writing_paused = True
        self._exchange.pause_writing()

    def resume_writing(self) -> None:
        self.writing_paused = False
        self._exchange.resume_writing()
        if self._held:
            self._held = False
            self.resume_reading()

    # --- parser ---

    def on_message_begin(self) -> None:
        if self._ignoring:
            return
        if not self._answered:
            self._ignore_rest()
            return
        self._received = self._answered = self._in_body = False
        self._header_bytes = 0
        self.target = b""
        self.headers = []
        if self.trailers:
            self.trailers = []

    def on_url(self, url: bytes) -> None:
        if not self._ignoring:
            self.target += url
            self._count(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._ignoring:
            return
        self._count(len(name) + len(value) + 4)
        (self.trailers if self._in_body else self.headers).append((name.lower(), value))

    def on_headers_complete(self) -> None:
        if self._ignoring:
            return
        self._unread = 0
        parser = self._parser
        self.method = parser.get_method()
        if parser.should_upgrade():
            if self.method == b"CONNECT":
                self._refuse(BAD_REQUEST)
            return
        self._in_body = True
        self.http_1_0 = parser.get_http_version() != "1.1"
        # A 1.0 client reuses a connection only when told so in every answer: none of ours does.
        self.keep_alive = not self.http_1_0 and parser.should_keep_alive()
        self._exchange = self._open_exchange(self)
        if not self._answered and (b"expect", b"100-continue") in self.headers and not self.http_1_0:
            self._outbox.write(CONTINUE)  # the door wants the body of a client that waits for leave to send it

    def on_body(self, body: bytes) -> None:
        if not self._ignoring:
            self._unread = 0
            self._exchange.body(body)

    def on_message_complete(self) -> None:
        if self._ignoring or not self._in_body:
            return
        self._unread = 0
        self._received = True
        self._exchange.end()

    def _count(self, size: int) -> None:
        self._header_bytes += size
        if self._header_bytes > self._max_header_bytes:
            self._refuse(HEADERS_TOO_LARGE)

    def _ignore_rest(self) -> None:
        """What follows the request under way is thrown away, but read: or nobody would hear the peer hang up."""
        self._ignoring = True
        self._unread = 0
        self.transport.resume_reading()

    def _refuse(self, response: bytes) -> None:
        """Answer what cannot be understood, then close: the bytes that follow have no known meaning."""
        if self._ignoring:
            return
        exchange = self._end_exchange()
        if self._answered == self._received:  # else our answer was given already
            self._outbox.write(response)
        self._answered = True
        self._close()
        exchange.lost()

    def _close(self) -> None:
        """Close after what was written. When more may be coming in, it is taken and thrown away until the peer closes:
        a socket closed on unread bytes resets the connection, and the answer with it (RFC 9112 section 9.6).
        """
        self._outbox.flush()
        if self.transport.is_closing():
            return
        if self._received and not self._ignoring:
            self._ignoring = True
            self.transport.close()
            return
        self._ignoring = self._received = True
        self._unread = 0
        if self.transport.can_write_eof():  # not over TLS
            self.transport.write_eof()
        self.transport.resume_reading()

    def _end_exchange(self) -> Exchange:
        exchange, self._exchange = self._exchange, DISCARD
        return exchange

    # --- answers ---

    @property
    def idle(self) -> bool:
        """No request is open: the connection may be closed without anybody losing an answer."""
        return self._answered and self._received

    @property
    def answerable(self) -> bool:
        """A request waits for its answer, and the peer is there as far as can be known."""
        return not (self._answered or self.transport.is_closing())

    def retire(self) -> None:
        """Close after the answer under way, or now when there is none."""
        self.keep_alive = False
        if self.idle or not (self._answered or self._in_body):
            self._outbox.flush()
            self.transport.close()
        elif self._answered:
            self._close()

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

    def finish(self) -> None:
        """The answer is complete: the connection is ready for the next request, or closes."""
        self._answered = True
        self._exchange = DISCARD
        if self._ignoring or not self.keep_alive:
            self._close()
        elif self.writing_paused and self.transport.get_write_buffer_size() > MAX_UNTAKEN:
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
