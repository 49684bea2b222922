"""A Function URL: a listening socket before one function."""

import socket
import ssl
from collections.abc import Callable

from penstock.function_url.cors import CorsRules
from penstock.function_url.event import UrlIdentity
from penstock.function_url.exchange import UrlExchange
from penstock.function_url.hosts import UrlHosts
from penstock.model import ids
from penstock.model.clock import Clock
from penstock.model.function import AuthType, Function, FunctionUrlConfig, InvokeMode
from penstock.model.limits import MAX_URL_HEADER_BYTES
from penstock.router import Router
from penstock.telemetry.access import AccessRecord
from penstock.wire.exchange import DISCARD, Exchange
from penstock.wire.http_server import HttpConnection
from penstock.wire.listener import BURST_HANDLES, Listener
from penstock.wire.open_requests import OpenRequests
from penstock.wire.sigv4 import Verifier
from penstock.wire.timeouts import Timeouts


class FunctionUrl:
    """Serves `function` at one address. `on_access` is told of every request when its answer is over.

    `verifier` checks signatures, and must be given when the function's AuthType is AWS_IAM (else ValueError). With
    `hosts` this URL can be reached by its host on every port that asks them, and this port serves every URL in them.
    `cancel_on_disconnect`: a client that leaves ends its invocation; on AWS, and without it, the function goes on.
    """

    def __init__(
        self,
        function: Function,
        router: Router,
        clock: Clock,
        region: str,
        on_access: Callable[[AccessRecord], None],
        *,
        verifier: Verifier | None = None,
        hosts: UrlHosts | None = None,
        cancel_on_disconnect: bool = False,
        timeouts: Timeouts | None = None,
    ) -> None:
        self._verifier = verifier
        self.point_at(function, router)
        self.clock = clock
        self.cancel_on_disconnect = cancel_on_disconnect
        url_id = ids.url_id(function.qualified_arn)
        self.identity = UrlIdentity(url_id, f"{url_id}.lambda-url.{region}.localhost", 0)
        self._on_access = on_access
        self._open: OpenRequests[UrlExchange] = OpenRequests()
        self._hosts = hosts
        if hosts:
            hosts.add(url_id, self)
        self._listener = Listener(self._accept, MAX_URL_HEADER_BYTES, timeouts, clock)

    def point_at(self, function: Function, router: Router) -> None:
        """Serve this version of the function, with its settings, from the next request on; open ones go on."""
        config = function.url or FunctionUrlConfig(AuthType.NONE)
        if config.auth_type is AuthType.AWS_IAM and self._verifier is None:
            raise ValueError("AuthType AWS_IAM needs a verifier")
        self.function = function
        self.function_arn = function.qualified_arn
        self.router = router
        self.streams = config.invoke_mode is InvokeMode.RESPONSE_STREAM
        self.verifier = self._verifier if config.auth_type is AuthType.AWS_IAM else None
        self.closed = config.auth_type is AuthType.NONE and not config.public
        self.cors = CorsRules(config.cors) if config.cors else None

    async def serve(self, sock: socket.socket, tls: ssl.SSLContext | None = None) -> None:
        """Take requests from a bound socket; with `tls` over HTTPS alone."""
        await self._listener.start(sock, BURST_HANDLES, tls)
        self.identity = self._seen_at(sock.getsockname()[1], encrypted=tls is not None)

    def _seen_at(self, port: int, *, encrypted: bool) -> UrlIdentity:
        identity = self.identity
        return UrlIdentity(identity.url_id, identity.domain_name, port, "https" if encrypted else "http")

    def _accept(self, connection: HttpConnection) -> Exchange:
        """A request at this function's own port, which may name another Function URL by its host."""
        named = self._hosts.find(connection) if self._hosts else None
        if named is None or named is self:
            return self._begin(connection, self.identity)
        return named.open_exchange(connection)

    def open_exchange(self, connection: HttpConnection) -> Exchange:
        """A request at another port, whose host names this Function URL."""
        transport = connection.transport
        address = transport.get_extra_info("sockname")
        port = address[1] if isinstance(address, tuple) else self.identity.port
        encrypted = transport.get_extra_info("ssl_object") is not None
        return self._begin(connection, self._seen_at(port, encrypted=encrypted))

    def _begin(self, connection: HttpConnection, identity: UrlIdentity) -> Exchange:
        exchange = UrlExchange(self, connection, identity)
        self._open.now.add(exchange)
        return DISCARD if exchange.answer_at_once() else exchange

    def ended(self, exchange: UrlExchange, record: AccessRecord) -> None:
        """An exchange is over."""
        self._open.ended(exchange)
        self._on_access(record)

    @property
    def open_requests(self) -> int:
        return len(self._open.now)

    async def drain(self, seconds: float) -> None:
        """Take no more requests and wait, at most `seconds`, until the open ones are over and their answers out."""
        await self._open.drain(self._listener, seconds)

    def stop_draining(self) -> None:
        """Wait no longer."""
        self._open.stop_draining()

    async def close(self) -> None:
        """Break what is still open."""
        await self._listener.close()
