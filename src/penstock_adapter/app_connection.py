"""Connections to the user's app: HTTP/1.1 over loopback, kept alive between requests, one request at a time.

Callbacks only: what the app writes reaches the exchange within the same turn of the event loop.
"""

import asyncio
from typing import Protocol, cast

import httptools

from penstock_adapter.endpoint import Endpoint
from penstock_adapter.http_event import HttpRequest

# Responses of these have no body, whatever their headers say: RFC 9110, sections 15.3.5 and 15.4.5.
BODILESS = (204, 304)


class Exchange(Protocol):
    """The user of a connection: told of one response, piece by piece."""

    def connected(self, connection: "AppConnection") -> None:
        """A new connection, as asked for with `AppPool.connect`."""

    def connect_failed(self, error: OSError) -> None: ...

    def response_started(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        """Header names are in lower case."""

    def body_received(self, data: bytes) -> None: ...

    def response_ended(self) -> None:
        """The connection is the pool's again."""

    def response_failed(self, reason: str, *, stale: bool) -> None:
        """`stale`: a kept connection turned out dead before any byte of an answer."""

    def flush(self) -> None:
        """Nothing more came in with this read."""


def encode_request(request: HttpRequest, default_host: str) -> bytes:
    """The bytes of a request. `content-length` is that of the body, whatever the event said."""
    fields = request.fields
    lines = [f"{request.method} {request.target} HTTP/1.1\r\n".encode()]
    if b"host" not in fields:
        lines.append(f"host: {default_host}\r\n".encode())
    lines += [b"%b: %b\r\n" % (name, value) for name, values in fields.items() for value in values]
    lines.append(b"content-length: %d\r\n\r\n%b" % (len(request.body), request.body))
    return b"".join(lines)


class AppPool:
    """Idle connections, last used first. At most one a slot is ever in use, so nothing else bounds it."""

    def __init__(self, app: Endpoint, idle_limit_s: float) -> None:
        self._app = app
        self._idle_limit_s = idle_limit_s
        self._idle: list[AppConnection] = []
        self._open: set[AppConnection] = set()
        self._connecting: set[asyncio.Task[None]] = set()
        self._sweep: asyncio.TimerHandle | None = None

    def take(self, now: float) -> "AppConnection | None":
        """A connection idle for less than the limit, if there is one."""
        while self._idle:
            connection = self._idle.pop()
            if now - connection.idle_since < self._idle_limit_s:
                return connection
            connection.abort()
        return None

    def give(self, connection: "AppConnection") -> None:
        """Takes back a connection that is ready for another request."""
        loop = asyncio.get_running_loop()
        if self._idle_limit_s <= 0:
            connection.abort()
            return
        connection.idle_since = loop.time()
        self._idle.append(connection)
        if self._sweep is None:
            self._sweep = loop.call_later(self._idle_limit_s, self._close_idle)

    def connect(self, exchange: Exchange) -> None:
        """Opens a connection for `exchange`, which is told how it went."""
        task = asyncio.get_running_loop().create_task(self._connect(exchange))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    def close(self) -> None:
        if self._sweep is not None:
            self._sweep.cancel()
        for task in self._connecting:
            task.cancel()
        for connection in list(self._open):
            connection.abort()

    def opened(self, connection: "AppConnection") -> None:
        self._open.add(connection)

    def lost(self, connection: "AppConnection") -> None:
        self._open.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)

    async def _connect(self, exchange: Exchange) -> None:
        loop = asyncio.get_running_loop()
        try:
            _, connection = await loop.create_connection(lambda: AppConnection(self), self._app.host, self._app.port)
        except OSError as error:
            exchange.connect_failed(error)
        else:
            exchange.connected(connection)

    def _close_idle(self) -> None:
        """Closes what has been idle too long; runs only while something is idle."""
        loop = asyncio.get_running_loop()
        overdue = loop.time() - self._idle_limit_s
        while self._idle and self._idle[0].idle_since <= overdue:
            self._idle.pop(0).abort()
        wait = self._idle[0].idle_since - overdue if self._idle else None
        self._sweep = None if wait is None else loop.call_later(wait, self._close_idle)


class AppConnection(asyncio.Protocol):
    """One connection: `send` a request, and its exchange hears of the response."""

    def __init__(self, pool: AppPool) -> None:
        self.idle_since = 0.0
        self._pool = pool
        self._transport: asyncio.Transport | None = None
        self._exchange: Exchange | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._used = False
        self._begin(head=False)

    def send(self, exchange: Exchange, request: bytes, *, head: bool) -> None:
        """Writes `request` whole. `head`: its response has no body whatever its headers say."""
        self._begin(head=head)
        self._exchange = exchange
        if self._transport is None:  # lost between the connect and this call
            self._fail("the app closed the connection before it answered")
        else:
            self._transport.write(request)

    def pause(self) -> None:
        if self._transport is not None:
            self._transport.pause_reading()

    def resume(self) -> None:
        if self._transport is not None:
            self._transport.resume_reading()

    def abort(self) -> None:
        """Closes at once; nobody is told."""
        self._exchange = None
        if self._transport is not None:
            self._transport.abort()

    def _begin(self, *, head: bool) -> None:
        self._head = head
        self._headers: list[tuple[bytes, bytes]] = []
        self._silent = True  # not one byte of an answer yet
        self._started = False
        self._complete = False
        self._until_close = False
        self._keep = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but name
        self._pool.opened(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        self._pool.lost(self)
        exchange = self._exchange
        if exchange is None:
            return
        if self._started and self._until_close and error is None:
            self._exchange = None
            exchange.response_ended()
            exchange.flush()
            return
        when = "in the middle of its answer" if self._started else "before it answered"
        self._fail(f"the app closed the connection {when}{f' ({error})' if error else ''}")

    def data_received(self, data: bytes) -> None:
        exchange = self._exchange
        if exchange is None:  # bytes that nobody asked for: whatever they are, the connection is out of step
            self.abort()
            return
        self._silent = False
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._fail("the app answered with an upgrade, which Lambda cannot carry")
            return
        except httptools.HttpParserError as error:
            if not self._complete:
                self._fail(f"the app's answer is not HTTP/1.1: {error.__context__ or error}")
                return
            self._keep = False
        if self._complete:
            self._release()
            exchange.response_ended()
        exchange.flush()

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if self._complete or status == 101 or self._exchange is None:
            self._keep = False
            return
        if status < 200:
            return
        self._started = True
        fields = dict(self._headers)
        connection = fields.get(b"connection", b"").lower()
        bodiless = self._head or status in BODILESS
        self._until_close = not (bodiless or b"content-length" in fields or b"transfer-encoding" in fields)
        http11 = self._parser.get_http_version() == "1.1"
        self._keep = b"close" not in connection and (http11 or b"keep-alive" in connection)
        self._exchange.response_started(status, self._headers)
        self._complete = self._head

    def on_body(self, body: bytes) -> None:
        if not self._complete and self._exchange is not None:
            self._exchange.body_received(body)

    def on_message_complete(self) -> None:
        if self._started:
            self._complete = True
        self._headers = []

    def _release(self) -> None:
        """The response is complete: back to the pool if the connection may carry another."""
        self._exchange = None
        transport = self._transport
        if self._head:
            self._parser = httptools.HttpResponseParser(self)  # the old one still waits for a body
        if not self._keep or self._until_close or transport is None or transport.get_write_buffer_size():
            self.abort()
            return
        self._used = True
        transport.resume_reading()
        self._pool.give(self)

    def _fail(self, reason: str) -> None:
        exchange = self._exchange
        stale = self._used and self._silent
        self.abort()
        if exchange is not None:
            exchange.response_failed(reason, stale=stale)
            exchange.flush()
