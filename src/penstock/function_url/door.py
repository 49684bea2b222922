"""A Function URL: a listening socket before one function."""

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import Final

from penstock.function_url.access import AccessRecord
from penstock.function_url.event import UrlIdentity
from penstock.function_url.exchange import UrlExchange
from penstock.model import ids
from penstock.model.clock import Clock
from penstock.model.function import Function, InvokeMode
from penstock.model.limits import MAX_URL_HEADER_BYTES
from penstock.router import Router
from penstock.wire.http_messages import response
from penstock.wire.http_server import Exchange, HttpConnection, answer
from penstock.wire.listener import Listener

_CLOSING: Final = response(503, b"application/json", b'{"message":"Service Unavailable"}', b"connection: close\r\n")


class FunctionUrl:
    """Serves `function` at one address. `on_access` is told of every request when its answer is over."""

    def __init__(
        self, function: Function, router: Router, clock: Clock, region: str, on_access: Callable[[AccessRecord], None]
    ) -> None:
        self.function = function
        self.router = router
        self.clock = clock
        self.streams = function.url is not None and function.url.invoke_mode is InvokeMode.RESPONSE_STREAM
        url_id = ids.url_id(function.qualified_arn)
        self.identity = UrlIdentity(url_id, f"{url_id}.lambda-url.{region}.localhost", 0)
        self._on_access = on_access
        self._open: set[UrlExchange] = set()
        self._listener = Listener(self._open_exchange, MAX_URL_HEADER_BYTES)
        self._drained: asyncio.Event | None = None

    async def serve(self, sock: socket.socket) -> None:
        """Take requests from a bound socket."""
        await self._listener.start(sock)
        port = sock.getsockname()[1]
        self.identity = UrlIdentity(self.identity.url_id, self.identity.domain_name, port)

    def _open_exchange(self, connection: HttpConnection) -> Exchange:
        if self._drained:
            connection.keep_alive = False
            return answer(connection, _CLOSING)
        exchange = UrlExchange(self, connection)
        self._open.add(exchange)
        return exchange

    def ended(self, exchange: UrlExchange, record: AccessRecord) -> None:
        """An exchange is over."""
        self._open.discard(exchange)
        self._on_access(record)
        if self._drained and not self._open:
            self._drained.set()

    @property
    def open_requests(self) -> int:
        return len(self._open)

    async def drain(self, seconds: float) -> None:
        """Take no more requests and wait, at most `seconds`, until the open ones are over."""
        self._drained = asyncio.Event()
        self._listener.stop_accepting()
        if self._open:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._drained.wait(), seconds)

    def stop_draining(self) -> None:
        """Wait no longer."""
        if self._drained:
            self._drained.set()

    async def close(self) -> None:
        """Break what is still open."""
        await self._listener.close()
