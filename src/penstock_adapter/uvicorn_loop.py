"""An event loop for uvicorn with which invocations reach it in its own process: no port and no proxy hop.

uvicorn takes its event loop from a function that its option `--loop`, and so the variable UVICORN_LOOP, may name (0.36
and later, https://www.uvicorn.org/settings/#implementation; what came before refuses to start). Ours keeps the protocol
that uvicorn wants to serve with, and joins it in memory to proxy mode's own exchanges, which then run in uvicorn's
process: `uvicorn --port $PORT main:app` stays as it is. Whatever else asks for a server gets a real one: several
workers, `--reload`, TLS, a socket, another port; and so does uvicorn itself where no extension stands by, or no longer.
"""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from penstock_adapter import hand_over
from penstock_adapter.app_connection import AppConnection, AppPool, Exchange
from penstock_adapter.app_post import post_empty
from penstock_adapter.endpoint import OptionError
from penstock_adapter.init_error import InitError, report_init_error
from penstock_adapter.memory_pipe import connect
from penstock_adapter.options import Options, ReadinessProtocol, read_options
from penstock_adapter.output import Output
from penstock_adapter.proxy import Proxy
from penstock_adapter.readiness import wait_until_ready
from penstock_adapter.runtime_client import RuntimeClient
from penstock_adapter.snapstart import pass_snapshot
from penstock_adapter.standby import Claim

if TYPE_CHECKING:
    from asyncio import SelectorEventLoop as _Loop
else:
    try:
        from uvloop import Loop as _Loop
    except ImportError:  # pragma: no cover - uvicorn without its extras
        from asyncio import SelectorEventLoop as _Loop

ProtocolFactory = Callable[[], asyncio.Protocol]
Listen = Callable[[], Awaitable[asyncio.AbstractServer]]

# The proxy's own address as uvicorn sees it: one whose X-Forwarded headers it trusts without being told to.
# https://www.uvicorn.org/settings/#http
_PROXY: Final = ("127.0.0.1", 0)
# The status of each last answer is waited for so long; the shutdown as a whole has 2 s (`assumed`).
_DRAIN_S: Final = 1.0


def new_event_loop() -> asyncio.AbstractEventLoop:
    """uvloop's where it is installed. Outside of an execution environment it is one like any other."""
    return InvocationLoop(os.environ)


class InvocationLoop(_Loop):
    """A server for the app's port, `PORT` or `AWS_LWA_PORT`, is fed with invocations."""

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
        listen = partial(super().create_server, protocol_factory, host, port, **how)
        options = self._options_for(port, **how)
        connection = hand_over.connect(self._environ["AWS_LAMBDA_RUNTIME_API"]) if options else None
        if options is None or connection is None:
            return await listen()
        return InvocationServer(options, protocol_factory, Claim(connection), listen)

    def _options_for(self, port: int | None, sock: object = None, ssl: object = None, **_: object) -> Options | None:
        """None where the server must be a real one."""
        if port is None or sock is not None or ssl is not None:
            return None
        try:
            options = read_options(self._environ)
        except OptionError:
            return None  # no environment, or one whose extension says what is wrong
        # A check on another port asks somebody else than uvicorn.
        ours = options.uvicorn_hook and port == options.app.port == options.readiness.port
        return options if ours else None


class InvocationServer(asyncio.AbstractServer):
    """What `create_server` returns. Once the app is healthy it asks for the right to poll: then it polls until `close`
    and has no socket. Otherwise it listens like any other.
    """

    def __init__(self, options: Options, protocol_factory: ProtocolFactory, claim: Claim, listen: Listen) -> None:
        self._loop = asyncio.get_running_loop()
        self._options = options
        self._output = Output(options.log_level, as_json=options.log_as_json)
        self._claim = claim
        self._listen = listen
        self._pool = _MemoryPool(options, protocol_factory)
        self._new_pool = partial(_MemoryPool, options, protocol_factory)
        self._client: RuntimeClient | None = None
        self._listening: asyncio.AbstractServer | None = None
        self._drained = asyncio.Event()
        self._serving = True
        self._beginning = self._loop.create_task(self._begin())

    @property
    def sockets(self) -> tuple[Any, ...]:  # as the servers of both loops have it, which differ
        return tuple(getattr(self._listening, "sockets", ()))

    def close(self) -> None:
        """Polls no more; what is in hand is answered."""
        if not self._serving:
            return
        self._serving = False
        self._beginning.cancel()
        if self._listening is not None:
            self._listening.close()
        if self._client is not None:
            self._client.drain(self._drained.set)
        else:
            self._drained.set()

    async def wait_closed(self) -> None:
        """Returns when the last answer is taken, or will not be. To be called after `close`."""
        await asyncio.wait({self._beginning})
        if self._listening is not None:
            await self._listening.wait_closed()
        try:
            async with asyncio.timeout(_DRAIN_S):
                await self._drained.wait()
        except TimeoutError:
            self._output.warn("the end of this environment came before the end of every answer")
        if self._client is not None:
            self._client.close()
        self._pool.close()
        self._claim.close()

    async def start_serving(self) -> None:
        """It serves already."""

    async def serve_forever(self) -> None:
        await self._drained.wait()

    def is_serving(self) -> bool:
        return self._serving

    def get_loop(self) -> asyncio.AbstractEventLoop:
        return self._loop

    async def _begin(self) -> None:
        try:
            await self._until_healthy()
            if not await self._claim.ask():
                self._listening = await self._listen()
            elif not self._options.snap_start or await self._pass_snapshot():
                self._poll()
        except Exception as error:  # a port that is taken, or a fault of ours: nobody else would serve or say so
            self._gone(f"{type(error).__name__}: {error}")

    async def _until_healthy(self) -> None:
        """The proxy's own check. That the app takes too long, or is waited for no longer, is the extension's to say."""
        await self._check(Output(write=lambda _: None), None)

    async def _check(self, output: Output, timeout_s: float | None) -> None:
        check = self._options.readiness
        if check.protocol is ReadinessProtocol.HTTP:
            await wait_until_ready(
                self._options.app.host, replace(check, timeout_s=timeout_s), output, self._pool.streams
            )

    async def _pass_snapshot(self) -> bool:
        """Whether this is a restored environment with a working app; if not, uvicorn is told to end."""
        options = self._options
        ready = partial(self._check, self._output, options.readiness.timeout_s)
        try:
            await pass_snapshot(options, lambda path: post_empty(self._new_pool(), options.app, path), ready)
        except InitError as error:
            await asyncio.to_thread(report_init_error, error, options.runtime_api, self._output)
            signal.raise_signal(signal.SIGTERM)
            return False
        return True

    def _poll(self) -> None:
        options = self._options
        proxy = Proxy(options)
        proxy.pool = self._pool
        self._client = RuntimeClient(
            options.runtime_api,
            options.concurrency,
            proxy.new_handler,
            self._output,
            self._gone,
            polls_ahead=options.polls_ahead,
            linked=options.linked,
        )
        self._output.info(f"invocations reach uvicorn in its process: nothing listens on port {options.app.port}")
        proxy.app_is_ready()
        self._client.start()

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
        self._join(connection)
        exchange.connected(connection)

    async def streams(self, host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection of `readiness`."""
        reader = asyncio.StreamReader()
        writers: list[asyncio.StreamWriter] = []
        self._join(asyncio.StreamReaderProtocol(reader, lambda _, writer: writers.append(writer)))
        return reader, writers[0]

    def _join(self, client: asyncio.Protocol) -> None:
        connect(client, self._protocol_factory(), self._server)
