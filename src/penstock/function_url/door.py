"""A Function URL: a listening socket before one function."""

import asyncio
import socket
from collections.abc import Callable

from penstock.function_url.access import AccessRecord
from penstock.function_url.event import UrlIdentity
from penstock.function_url.exchange import UrlExchange
from penstock.model import ids
from penstock.model.clock import Clock
from penstock.model.function import Function, InvokeMode
from penstock.model.limits import MAX_URL_HEADER_BYTES
from penstock.router import Router
from penstock.wire.exchange import Exchange
from penstock.wire.http_server import HttpConnection
from penstock.wire.listener import BURST_HANDLES, Listener


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
        self._all_ended = asyncio.Event()
        self._draining: asyncio.Future[None] | None = None

    async def serve(self, sock: socket.socket) -> None:
        """Take requests from a bound socket."""
        await self._listener.start(sock, BURST_HANDLES)
        port = sock.getsockname()[1]
        self.identity = UrlIdentity(self.identity.url_id, self.identity.domain_name, port)

    def _open_exchange(self, connection: HttpConnection) -> Exchange:
        exchange = UrlExchange(self, connection)
        self._open.add(exchange)
        return exchange

    def ended(self, exchange: UrlExchange, record: AccessRecord) -> None:
        """An exchange is over."""
        self._open.discard(exchange)
        self._on_access(record)
        if self._draining and not self._open:
            self._all_ended.set()

    @property
    def open_requests(self) -> int:
        return len(self._open)

    async def drain(self, seconds: float) -> None:
        """Take no more requests and wait, at most `seconds`, until the open ones are over and their answers out."""
        if not self._open:
            self._all_ended.set()
        self._draining = asyncio.ensure_future(self._over())
        self._listener.stop_accepting()
        await asyncio.wait([self._draining], timeout=seconds)
        self._draining.cancel()

    async def _over(self) -> None:
        """A function goes on when its client has left: its end is waited for as well."""
        await self._all_ended.wait()
        await self._listener.drained()

    def stop_draining(self) -> None:
        """Wait no longer."""
        if self._draining:
            self._draining.cancel()

    async def close(self) -> None:
        """Break what is still open."""
        await self._listener.close()
