"""`UVICORN_LOOP=penstock_adapter.uvicorn_loop:new_event_loop`: uvicorn as it is, with no port and no proxy hop.

uvicorn takes its event loop from a function that its option `--loop`, and so this variable, may name (0.36 and later,
https://www.uvicorn.org/settings/#implementation; what came before refuses to start). Ours keeps the protocol that
uvicorn wants to serve with, and joins it in memory to proxy mode's own exchanges, which then run in uvicorn's process:
`uvicorn --port $PORT main:app` stays as it is. Whatever else asks for a server gets a real one: several workers,
`--reload`, TLS, a socket, another port.
"""

import asyncio
import os
import signal
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from penstock_adapter.app_connection import AppConnection, AppPool, Exchange
from penstock_adapter.endpoint import OptionError
from penstock_adapter.memory_pipe import connect
from penstock_adapter.options import Options, read_options
from penstock_adapter.output import Output
from penstock_adapter.proxy import Proxy
from penstock_adapter.runtime_client import RuntimeClient

if TYPE_CHECKING:
    from asyncio import SelectorEventLoop as _Loop
else:
    try:
        from uvloop import Loop as _Loop
    except ImportError:  # pragma: no cover - uvicorn without its extras
        from asyncio import SelectorEventLoop as _Loop

ProtocolFactory = Callable[[], asyncio.Protocol]

# The proxy's own address as uvicorn sees it: one whose X-Forwarded headers it trusts without being told to.
# https://www.uvicorn.org/settings/#http
_PROXY: Final = ("127.0.0.1", 0)
# The status of each last answer is waited for so long; the shutdown as a whole has 2 s (`assumed`).
_DRAIN_S: Final = 1.0


def new_event_loop() -> asyncio.AbstractEventLoop:
    """uvloop's where it is installed. Outside of an execution environment it is one like any other."""
    return InvocationLoop(os.environ)


class InvocationLoop(_Loop):
    """The first server for the app's port, `PORT` or `AWS_LWA_PORT`, is fed with invocations."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        super().__init__()
        self._environ = environ

    async def create_server(  # type: ignore[override]  # the standard library has one overload for each way to listen
        self,
        protocol_factory: ProtocolFactory,
        host: str | None = None,
        port: int | None = None,
        **how: Any,  # as the caller's, and handed on
    ) -> asyncio.AbstractServer:
        options = self._options_for(port, **how)
        if options is None:
            server: asyncio.AbstractServer = await super().create_server(protocol_factory, host, port, **how)
            return server
        return InvocationServer(options, protocol_factory)

    def _options_for(self, port: int | None, sock: object = None, ssl: object = None, **_: object) -> Options | None:
        """None where the server must be a real one."""
        if port is None or sock is not None or ssl is not None or not self._environ.get("AWS_LAMBDA_RUNTIME_API"):
            return None
        try:
            options = read_options(self._environ)
        except OptionError:
            return None  # the adapter beside us says so
        return options if port == options.app.port else None


class InvocationServer(asyncio.AbstractServer):
    """What `create_server` returns: polls from the beginning until `close`, and has no socket."""

    sockets: tuple[()] = ()

    def __init__(self, options: Options, protocol_factory: ProtocolFactory) -> None:
        self._loop = asyncio.get_running_loop()
        self._output = Output(options.log_level, as_json=options.log_as_json)
        proxy = Proxy(options)
        self._pool = proxy.pool = _MemoryPool(options, protocol_factory)
        self._drained = asyncio.Event()
        self._serving = True
        self._client = RuntimeClient(
            options.runtime_api,
            options.concurrency,
            proxy.new_handler,
            self._output,
            self._gone,
            polls_ahead=options.polls_ahead,
            linked=options.linked,
        )
        for warning in options.warnings:
            self._output.warn(warning)
        proxy.app_is_ready()  # uvicorn asks for a server once the app's lifespan has started
        self._client.start()

    def close(self) -> None:
        """Polls no more; what is in hand is answered."""
        if self._serving:
            self._serving = False
            self._client.drain(self._drained.set)

    async def wait_closed(self) -> None:
        """Returns when the last answer is taken, or will not be."""
        try:
            async with asyncio.timeout(_DRAIN_S):
                await self._drained.wait()
        except TimeoutError:
            self._output.warn("the end of this environment came before the end of every answer")
        self._client.close()
        self._pool.close()

    async def start_serving(self) -> None:
        """It serves already."""

    async def serve_forever(self) -> None:
        await self._drained.wait()

    def is_serving(self) -> bool:
        return self._serving

    def get_loop(self) -> asyncio.AbstractEventLoop:
        return self._loop

    def _gone(self, reason: str) -> None:
        self._output.error(reason)
        signal.raise_signal(signal.SIGTERM)  # the way uvicorn is told to end


class _MemoryPool(AppPool):
    """Its connections lead to protocols of uvicorn's in this process."""

    def __init__(self, options: Options, protocol_factory: ProtocolFactory) -> None:
        super().__init__(options.app, options.pool_idle_s)
        self._protocol_factory = protocol_factory
        self._server = {"peername": _PROXY, "sockname": (options.app.host, options.app.port)}

    def connect(self, exchange: Exchange) -> None:
        connection = AppConnection(self)
        connect(connection, self._protocol_factory(), self._server)
        exchange.connected(connection)
