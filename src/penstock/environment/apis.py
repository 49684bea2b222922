"""The APIs of one environment behind one address: whoever talks to it is known by where it talks to."""

import socket
from collections.abc import Callable
from functools import partial

from penstock.extensions_api import messages as extension_messages
from penstock.extensions_api.api import ExtensionsApi
from penstock.model.clock import Clock
from penstock.model.function import Function
from penstock.model.limits import MAX_RUNTIME_HEADER_BYTES
from penstock.runtime_api import messages as runtime_messages
from penstock.runtime_api.api import InvocationObserver, RuntimeApi
from penstock.runtime_api.bandwidth import Bandwidth
from penstock.runtime_api.brief import BriefConnection
from penstock.telemetry_api import messages as telemetry_messages
from penstock.telemetry_api.api import TelemetryApi
from penstock.telemetry_api.destinations import OpenSocket
from penstock.wire import link
from penstock.wire.bodies import answer
from penstock.wire.exchange import Discard, Exchange
from penstock.wire.http_messages import NOT_FOUND
from penstock.wire.http_server import HttpConnection
from penstock.wire.listener import Listener


class EnvironmentApis:
    """`on_change()`: something that init may wait for happened. `on_error(error_type, body)`: the runtime or an
    extension reported an init or exit error; the first one names the cause of what follows. `open_socket` makes a
    socket in the environment's network, to reach those who subscribed to telemetry. `bandwidth` bounds streams.
    """

    def __init__(
        self,
        function: Function,
        account_id: str,
        clock: Clock,
        observer: InvocationObserver,
        on_change: Callable[[], None],
        on_error: Callable[[str, bytes], None],
        open_socket: OpenSocket,
        bandwidth: Bandwidth | None = None,
    ) -> None:
        self.polled = False
        self._on_change = on_change
        self._stalled: tuple[bytes, ...] = ()
        self.runtime = RuntimeApi(
            clock, observer, on_first_poll=self._first_poll, on_init_error=on_error, bandwidth=bandwidth
        )
        identity = {
            "functionName": function.name,
            "functionVersion": function.version,
            "handler": function.handler,
        }
        self.extensions = ExtensionsApi(
            identity, account_id, on_change=on_change, on_error=lambda _, error_type: on_error(error_type, b"")
        )
        self.telemetry = TelemetryApi(clock, identify=self._identify, open_socket=open_socket)
        self._listener = Listener(self._open_exchange, MAX_RUNTIME_HEADER_BYTES)

    def _first_poll(self) -> None:
        self.polled = True
        self.extensions.close_registration()
        self._on_change()

    async def serve(self, sock: socket.socket) -> None:
        await self._listener.start(sock)

    async def close(self) -> None:
        """Parked polls see the connection end, and subscribers hear nothing more."""
        await self._listener.close()
        await self.telemetry.close()

    def stall(self, request_id: str) -> None:
        """Take no answer to this request: its worker waits for ever to be rid of it."""
        self._stalled += (b"%b%b/" % (runtime_messages.INVOCATION, request_id.encode()),)

    def _identify(self, headers: dict[bytes, bytes]) -> str | bytes:
        found = self.extensions.identify(headers)
        return found if isinstance(found, bytes) else found.name

    def _accept_linked(self) -> HttpConnection:
        return self._listener.accept(partial(BriefConnection, door=self))

    def open_brief_response(self, connection: HttpConnection, request_id: bytes, attempt_id: bytes) -> Exchange:
        if self._stalled and b"%b%b/" % (runtime_messages.INVOCATION, request_id) in self._stalled:
            return Discard()
        return self.runtime.open_brief_response(connection, request_id, attempt_id)

    def open_brief_poll(self, connection: HttpConnection) -> Exchange:
        return self.runtime.open_brief_poll(connection)

    def _open_exchange(self, connection: HttpConnection) -> Exchange:
        if self._stalled and connection.target.startswith(self._stalled):
            return Discard()
        if connection.target.startswith(runtime_messages.PREFIX):
            return self.runtime.open_exchange(connection)
        if connection.target.startswith(extension_messages.PREFIX):
            return self.extensions.open_exchange(connection)
        if connection.target.startswith(telemetry_messages.PREFIX):
            return self.telemetry.open_exchange(connection)
        if connection.target == link.TARGET and not isinstance(connection, BriefConnection):  # no link on a link
            return link.offer(connection, self._accept_linked)
        return answer(connection, NOT_FOUND)
