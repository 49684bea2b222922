"""A listening socket and the connections it accepted."""

import asyncio
import socket
import ssl
from collections.abc import Callable
from typing import Final, Self

from penstock.model.clock import Clock, Timer
from penstock.wire.exchange import Exchange
from penstock.wire.http_server import HttpConnection
from penstock.wire.timeouts import TICK_S, Deadlines, Timeouts

# libuv takes one waiting connection per turn of the loop and handle. A burst of new clients would wait for as many
# turns, each with its share of other work, so a public door listens through several handles on the one socket.
# https://github.com/libuv/libuv/pull/3696
BURST_HANDLES: Final = 8


class Listener:
    """Accepts HTTP connections; every request goes to `open_exchange`.

    Without `timeouts` a client may take as long as it likes, as inside an environment, where polls wait for ever. With
    them, one timer a second looks after all connections, as long as there are any.
    """

    def __init__(
        self,
        open_exchange: Callable[[HttpConnection], Exchange],
        max_header_bytes: int,
        timeouts: Timeouts | None = None,
        clock: Clock | None = None,
    ) -> None:
        if timeouts and not clock:
            raise ValueError("timeouts need a clock")
        self._open_exchange = open_exchange
        self._max_header_bytes = max_header_bytes
        self._timeouts = timeouts
        self._clock = clock if timeouts else None
        self._deadlines = Deadlines(timeouts)
        self._timer: Timer | None = None
        self._connections: set[HttpConnection] = set()
        self._servers: list[asyncio.Server] = []
        self._stopped = False
        self._empty = asyncio.Event()

    async def start(self, sock: socket.socket, handles: int = 1, tls: ssl.SSLContext | None = None) -> Self:
        """Serve on a socket that is bound already; it belongs to the listener from now on.

        `handles` is how many new connections one turn of the event loop may take. `tls` makes it HTTPS.
        """
        loop = asyncio.get_running_loop()
        tls_timeouts = self._timeouts if tls else None
        for one in (sock, *(sock.dup() for _ in range(handles - 1))):
            server = await loop.create_server(
                self.accept,
                sock=one,
                # As many waiting connects as the kernel lets us: a burst must reach the door to be answered with 429.
                backlog=socket.SOMAXCONN,
                ssl=tls,
                ssl_handshake_timeout=tls_timeouts.handshake if tls_timeouts else None,
                ssl_shutdown_timeout=tls_timeouts.linger if tls_timeouts else None,
            )
            self._servers.append(server)
        return self

    def accept(self, kind: Callable[..., HttpConnection] = HttpConnection) -> HttpConnection:
        """The protocol of a new connection."""
        return kind(self._open_exchange, self._max_header_bytes, self._made, self._lost, self._deadlines)

    def _made(self, connection: HttpConnection) -> None:
        self._connections.add(connection)
        if self._stopped:  # it was on its way when the listening ended
            connection.transport.abort()
        if self._clock and not self._timer:
            self._timer = self._clock.call_later(TICK_S, self._tick)

    def _lost(self, connection: HttpConnection) -> None:
        self._connections.discard(connection)
        self._tell_empty()

    def _tick(self) -> None:
        """End what has lasted too long."""
        self._timer = None
        self._deadlines.tick()
        now = self._deadlines.now
        for connection in [one for one in self._connections if one.due <= now]:
            connection.time_out()
        if self._clock and self._connections:
            self._timer = self._clock.call_later(TICK_S, self._tick)

    def _tell_empty(self) -> None:
        if self._stopped and not self._connections:
            self._empty.set()
            if self._timer:
                self._timer.cancel()
                self._timer = None

    def stop_accepting(self) -> None:
        """Accept no more connections; each one there is closes after the answer under way."""
        self._stopped = True
        for server in self._servers:
            server.close()
        for connection in list(self._connections):
            connection.retire()
        self._tell_empty()

    async def drained(self) -> None:
        """Return when, after `stop_accepting`, every connection is gone and its last answer with it."""
        await self._empty.wait()

    async def close(self) -> None:
        """Break what is still open, and return when every connection is gone."""
        self.stop_accepting()
        for connection in list(self._connections):
            connection.transport.abort()
        await self._empty.wait()


def bind(host: str, port: int) -> socket.socket:
    """A bound TCP socket; `port` 0 picks a free one. Raises OSError when the address cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
    except OSError:
        sock.close()
        raise
    return sock
