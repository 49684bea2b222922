"""The reading half of a connection: bytes become requests.

Everything happens inside transport callbacks: no task, no queue, no copy of the headers. One request is open at a
time. A client that pipelines gets its first answer and a closed connection: RFC 9112 section 9.3.2 lets a server
leave pipelined requests unanswered, and clients must be ready to send them again.
"""

import asyncio
from abc import abstractmethod
from itertools import chain
from typing import TYPE_CHECKING, Final

import httptools

from penstock.wire import request_head
from penstock.wire.exchange import DISCARD, Exchange
from penstock.wire.request_head import BAD_REQUEST, HEADERS_TOO_LARGE, MAX_HEADERS, WATCHED
from penstock.wire.timeouts import NEVER, Deadlines

if TYPE_CHECKING:
    from penstock.wire.http_messages import Headers

# A request that comes again and again in the same bytes, such as a poll, is parsed once. Only short ones are (assumed).
MAX_REMEMBERED: Final = 2048

# What a peer may still send of a request that was answered already, so that it comes to read the answer (assumed).
MAX_DISCARDED: Final = 64 * 1024 * 1024


class RequestReader(asyncio.Protocol):
    """Parses requests and hands each to an exchange.

    `method`, `target` (in origin-form, or `*`), `headers` (names in lower case), `upgrade` (what was offered, or
    nothing), `keep_alive` and `http_1_0` describe the request since its headers were complete; they stay as they are
    until the exchange is over. `due` is the tick at which the present phase has lasted too long.
    """

    __slots__ = (
        "_answered",
        "_coding",
        "_deadlines",
        "_exchange",
        "_expects",
        "_fields",
        "_host",
        "_hosts",
        "_ignoring",
        "_in_body",
        "_max_header_bytes",
        "_noted",
        "_parser",
        "_received",
        "_remembered",
        "_remembered_head",
        "_unread",
        "due",
        "headers",
        "http_1_0",
        "keep_alive",
        "method",
        "target",
        "trailers",
        "transport",
        "upgrade",
    )

    transport: asyncio.Transport

    def __init__(self, max_header_bytes: int, deadlines: Deadlines) -> None:
        self._max_header_bytes = max_header_bytes
        self._deadlines = deadlines
        self._parser = httptools.HttpRequestParser(self)
        self._exchange: Exchange = DISCARD
        self._received = True  # the current request is complete
        self._answered = True  # and so is our answer to it
        self._ignoring = False  # what else arrives is not for us: close after this answer
        self._in_body = False  # the current request's head was handed to an exchange
        self._expects = False  # the client waits for leave to send the body
        self._hosts = 0
        self._unread = 0  # bytes since the parser last completed a head or gave a piece of a body
        self._noted = False  # the head under way holds one of the next three
        self._remembered = b""  # the bytes of a request without a body that came in a read of its own
        self._remembered_head: tuple[bytes, bytes, Headers] = (b"", b"", [])
        self._coding = b""
        self._host = b""  # the last one that was found to be sound
        self.method = self.target = self.upgrade = b""
        self.headers: Headers = []
        self.trailers: Headers = []
        self._fields = self.headers  # those of the two that arrive now
        self.keep_alive = True
        self.http_1_0 = False
        self.due = deadlines.head

    @abstractmethod
    def _open(self) -> None:
        """The request's headers are complete: give it an exchange."""

    @abstractmethod
    def _refuse(self, response: bytes) -> None:
        """Answer what cannot be understood, then close: the bytes that follow have no known meaning."""

    # --- bytes ---

    def _read(self, data: bytes) -> None:
        if self._remembered and data.endswith(self._remembered):
            self._read_remembered(data)
            return
        begins = self._between_requests
        self._parse(data)
        if begins and self._received and len(data) <= MAX_REMEMBERED and _is_one_head(data):
            self._remember(data)

    @property
    def _between_requests(self) -> bool:
        """Nothing of a request was read, and nobody waits for an answer."""
        return self._received and self._answered and not self._unread and not self._ignoring

    def _remember(self, data: bytes) -> None:
        """The whole of a request that was just read; the same bytes mean the same again."""
        if not (self._noted or self._ignoring or self.http_1_0) and self.keep_alive:
            self._remembered = data
            self._remembered_head = (self.method, self.target, self.headers)

    def _read_remembered(self, data: bytes) -> None:
        """What is before the remembered request is read first. Inside a body the bytes are just bytes."""
        if len(data) > len(self._remembered):
            self._parse(data[: -len(self._remembered)])
        if not self._between_requests:
            self._parse(self._remembered)
            return
        self._begin_known(*self._remembered_head)
        self.on_message_complete()

    def _begin_known(self, method: bytes, target: bytes, headers: "Headers") -> None:
        """A request whose head is known without parsing. Its body may follow, and then its end."""
        self.method, self.target, self.headers = method, target, headers
        self._begin()
        self._open()

    def _begin(self) -> None:
        """A request has begun of which all is known but its body."""
        self._received = self._answered = False
        self._in_body = self.keep_alive = True
        self.http_1_0 = False
        if self._noted:
            self._noted = self._expects = False
            self._coding = self.upgrade = b""
        if self.trailers:
            self.trailers = []
        self.due = self._deadlines.request

    def _parse(self, data: bytes) -> None:
        self._unread += len(data)
        if self._ignoring:
            if self._unread > MAX_DISCARDED:
                self.transport.abort()
            return
        try:
            try:
                self._parser.feed_data(data)
            except httptools.HttpParserUpgrade as offer:
                self._decline_upgrades(memoryview(data)[offer.args[0] :])
        except httptools.HttpParserCallbackError as error:
            # A fault of ours, not of the peer's: the event loop reports it and drops the connection.
            raise error.__context__ or error from None
        except httptools.HttpParserError:
            self._misread()
        # The parser keeps an unfinished header to itself, however long it grows.
        if self._unread and (self._unread > self._max_header_bytes or len(self._fields) > MAX_HEADERS):
            self._refuse(HEADERS_TOO_LARGE)

    def _misread(self) -> None:
        if self._received and not self._answered:
            self._ignore_rest()  # the request before it was sound and gets its answer
        else:
            self._refuse(BAD_REQUEST)

    def _decline_upgrades(self, rest: memoryview) -> None:
        """An upgrade offered is an upgrade declined (RFC 9110 section 7.8). `rest` is what follows the head.

        The parser stops at an offer and skips the body, so the request is read again without it.
        """
        while not self._ignoring:
            offered, head = self.upgrade, self._head_without_offer()
            self._parser = httptools.HttpRequestParser(self)
            self._received = self._answered = True
            self._parser.feed_data(head[:1])  # here the request begins, and forgets what was offered before
            self.upgrade, self._noted = offered, True
            try:
                self._parser.feed_data(head[1:])
                self._unread += len(rest)
                if rest:
                    self._parser.feed_data(rest)
                return
            except httptools.HttpParserUpgrade as offer:
                rest = rest[offer.args[0] :]

    def _head_without_offer(self) -> bytes:
        lines = [b"%b: %b\r\n" % header for header in self.headers if header[0] != b"upgrade"]
        version = self._parser.get_http_version().encode()
        return b"%b %b HTTP/%b\r\n%b\r\n" % (self.method, self.target, version, b"".join(lines))

    def _ignore_rest(self) -> None:
        """What follows the request under way is thrown away, but read: or nobody would hear the peer hang up."""
        self._ignoring = True
        self._unread = 0
        self.transport.resume_reading()

    # --- parser ---

    def on_message_begin(self) -> None:
        if self._ignoring:
            return
        if not self._answered:
            self._ignore_rest()
            return
        self._received = self._answered = self._in_body = False
        self._hosts = 0
        if self._noted:
            self._noted = self._expects = False
            self._coding = self.upgrade = b""
        self.target = b""
        self.headers = self._fields = []
        if self.trailers:
            self.trailers = []
        self.due = self._deadlines.head

    def on_url(self, url: bytes) -> None:
        if not self._ignoring:
            self.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._ignoring:
            return
        name, value = name.lower(), value.rstrip()  # RFC 9112 section 5.1: blanks after a value are no part of it
        if name in WATCHED:
            self._look_at(name, value)
        self._fields.append((name, value))

    def _look_at(self, name: bytes, value: bytes) -> None:
        """Note what decides how the request is read."""
        if self._in_body:
            return  # a trailer decides nothing (RFC 9110 section 6.5.1)
        if name == b"host":
            self._hosts += 1
            if value != self._host:
                self._check_host(value)
            return
        self._noted = True
        if name == b"expect":
            self._expects = value.lower() == b"100-continue"
        elif name == b"upgrade":
            self.upgrade = value
        else:
            self._coding = b"%b,%b" % (self._coding, value) if self._coding else value

    def _check_host(self, host: bytes) -> None:
        if request_head.is_host(host):
            self._host = host
        else:
            self._refuse(BAD_REQUEST)

    def _too_large(self) -> bool:
        return len(self.headers) + len(self.trailers) > MAX_HEADERS or self._size() > self._max_header_bytes

    def _size(self) -> int:
        """What counts of head and trailers for the budget."""
        fields = chain(self.headers, self.trailers)
        return len(self.target) + sum(len(name) + len(value) + 4 for name, value in fields)

    def on_headers_complete(self) -> None:
        if self._ignoring:
            return
        # At least the head's, but for what came in one read with the request before it.
        size, self._unread = self._unread, 0
        parser = self._parser
        self.method = parser.get_method()
        version = parser.get_http_version()
        if self._hosts != 1 or self._coding or version != "1.1" or not self.target.startswith(b"/"):
            self._check_head(version)
        if (size > self._max_header_bytes or len(self.headers) > MAX_HEADERS) and self._too_large():
            self._refuse(HEADERS_TOO_LARGE)
        if self._ignoring or parser.should_upgrade():
            return
        self._in_body = True
        self._fields = self.trailers
        self.http_1_0 = version != "1.1"
        # A 1.0 client reuses a connection only when told so in every answer: none of ours does.
        self.keep_alive = not self.http_1_0 and parser.should_keep_alive()
        self.due = self._deadlines.request
        self._open()

    def _check_head(self, version: str) -> None:
        target = self.target
        refused = request_head.refusal(self.method, version, target, self._hosts, self._coding)
        if refused:
            self._refuse(refused)
        elif not target.startswith((b"/", b"*")):
            self._to_origin_form()

    def _to_origin_form(self) -> None:
        """The host in the target counts, not the one in the header."""
        host, self.target = request_head.origin_form(self.target)
        if host and request_head.is_host(host):
            self.headers = [(name, host if name == b"host" else value) for name, value in self.headers]
        else:
            self._refuse(BAD_REQUEST)

    def on_body(self, body: bytes) -> None:
        if not self._ignoring:
            self._unread = 0
            self._exchange.body(body)

    def on_message_complete(self) -> None:
        if self._ignoring or not self._in_body:
            return
        if self.trailers and self._too_large():
            self._refuse(HEADERS_TOO_LARGE)
            return
        self._unread = 0
        self._received = True
        self.due = self._deadlines.idle if self._answered else NEVER
        self._exchange.end()


def _is_one_head(data: bytes) -> bool:
    """Whether sound requests in `data` are one, without a body: an empty line stands at its end and nowhere else."""
    return data.endswith(b"\r\n\r\n") and data.count(b"\r\n\r\n") == 1 and not data.endswith(b"\r\n\r\n\r\n")
