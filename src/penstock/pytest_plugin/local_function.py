"""A function with a Function URL in this process: the platform's own doors and the adapter, joined in memory.

client ══> FunctionUrl -> Router -> RuntimeApi ══> RuntimeSlot -> AsgiMode -> app, where ══ is a `MemoryTransport`.
Only sockets, processes and packages are missing.
"""

import asyncio
import logging
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from penstock.function_url import AccessRecord, FunctionUrl
from penstock.function_url.event import UrlIdentity
from penstock.model import ids
from penstock.model.clock import Timer
from penstock.model.function import Architecture, AuthType, CapacityProvider, Function, FunctionUrlConfig, InvokeMode
from penstock.model.invocation import Invocation
from penstock.model.limits import MAX_URL_HEADER_BYTES, MIN_MEMORY_MIB
from penstock.pytest_plugin.client_stream import ClientStream
from penstock.pytest_plugin.invoke import EventSink, InvokeAnswer
from penstock.pytest_plugin.memory_environment import MemoryEnvironment
from penstock.router import Router
from penstock.wire.http_server import HttpConnection
from penstock_adapter.asgi_exchange import App, AsgiMode
from penstock_adapter.init_error import InitError
from penstock_adapter.lifespan import Lifespan
from penstock_adapter.memory_pipe import connect
from penstock_adapter.options import Options, read_options
from penstock_adapter.output import Output
from penstock_adapter.request_context import name_in_log_records

REGION: Final = "us-east-1"
_ACCOUNT: Final = "123456789012"
# The address a client seems to come from, as pytest's own machine has one.
_CLIENT: Final = ("127.0.0.1", 50_000)
# What the adapter gives it on Lambda, where the environment then ends.
_SHUTDOWN_S: Final = 2.0


class StartupFailedError(Exception):
    """The app did not start; the text is its own, mostly a traceback."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """`timeout` in whole seconds, as in a template. `environ` holds variables for the adapter to read."""

    invoke_mode: InvokeMode
    concurrency: int
    timeout: int
    environ: Mapping[str, str] = field(default_factory=dict)


class LocalFunction:
    """Lives on one event loop, where every method must be called."""

    def __init__(self, app: App, settings: Settings) -> None:
        self._app = app
        self._function = _function(settings)
        self._options = _options(self._function, settings)
        self._lifespan = Lifespan(app)
        self._connections: set[HttpConnection] = set()
        self._make_record = logging.getLogRecordFactory()
        label = ids.url_id(self._function.qualified_arn)
        self.host = f"{label}.lambda-url.{REGION}.on.aws"
        self.timeout = settings.timeout

    async def start(self) -> None:
        """Runs the app's lifespan startup, then connects the slots. Raises StartupFailedError."""
        self._clock = _LoopClock()
        self._router = Router()
        self._door = FunctionUrl(self._function, self._router, self._clock, REGION, _tell)
        self._door.identity = UrlIdentity(self.host.partition(".")[0], self.host, 443, "https")
        output = Output(self._options.log_level)
        for warning in self._options.warnings:
            output.warn(warning)
        name_in_log_records()
        try:
            await self._start_app()
        except BaseException:
            logging.setLogRecordFactory(self._make_record)
            raise
        self._mode = AsgiMode(self._app, self._options, output, self._lifespan.state)
        self._environment = MemoryEnvironment(self._mode, self._clock)
        await self._environment.start()
        self._router.add(self._environment)

    async def stop(self) -> None:
        """Lets what runs end, for a moment, and runs the app's lifespan shutdown."""
        self._router.remove(self._environment)
        await self._environment.stop()
        self._mode.close()
        for connection in list(self._connections):
            connection.transport.abort()
        while self._connections:  # noqa: ASYNC110 - within a few turns of the loop
            await asyncio.sleep(0)
        try:
            async with asyncio.timeout(_SHUTDOWN_S):
                failure = await self._lifespan.shutdown()
        except TimeoutError:
            failure = f"not done within {_SHUTDOWN_S} s"
        if failure is not None:
            sys.stdout.write(f"the app's lifespan shutdown failed: {failure}\n")
        logging.setLogRecordFactory(self._make_record)

    async def _start_app(self) -> None:
        try:
            async with asyncio.timeout(self.timeout):
                await self._lifespan.startup()
        except TimeoutError:
            raise StartupFailedError(f"no answer to lifespan.startup within {self.timeout} s") from None
        except InitError as error:
            raise StartupFailedError("".join([f"{error}\n", *error.stack]).rstrip()) from None

    def open_connection(self) -> ClientStream:
        """A new connection to the Function URL."""
        stream = ClientStream()
        connection = HttpConnection(
            self._door.open_exchange, MAX_URL_HEADER_BYTES, self._connections.add, self._connections.discard
        )
        connect(stream, connection, {"peername": _CLIENT, "sockname": (self.host, 443), "ssl_object": _Tls()})
        return stream

    async def invoke(self, event: bytes, client_context: str) -> InvokeAnswer:
        """A synchronous invocation, as the Invoke API makes one. `event` and `client_context` are JSON."""
        timeout = self._function.timeout_s
        epoch = self._clock.epoch()
        sink = EventSink(ids.request_id())
        invocation = Invocation(
            request_id=sink.request_id,
            function_arn=self._function.qualified_arn,
            event=lambda: event,
            sink=sink,
            deadline=self._clock.monotonic() + timeout,
            deadline_ms=int((epoch + timeout) * 1000),
            timeout_s=timeout,
            trace_id=f"Root={ids.trace_id(epoch)}",
            client_context=client_context,
        )
        return await sink.answer() if self._router.route(invocation) else sink.throttled()


class _LoopClock:
    """A `Clock` over the running loop."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self._loop = loop
        self.epoch = time.time
        self.monotonic = time.monotonic
        self.call_soon: Callable[[Callable[[], object]], object] = loop.call_soon

    def call_later(self, delay: float, callback: Callable[[], object]) -> Timer:
        return self._loop.call_later(delay, callback)


class _Tls:
    """What a connection to a Function URL is encrypted with on AWS; here nothing is. As `ssl.SSLObject` tells it."""

    def version(self) -> str:
        return "TLSv1.3"

    def cipher(self) -> tuple[str, str, int]:
        return "TLS_AES_128_GCM_SHA256", "TLSv1.3", 128


def _tell(record: AccessRecord) -> None:
    """Why a request failed, for pytest to show with a test that failed."""
    if record.note:
        sys.stdout.write(f"{record.status or '---'} {record.method} {record.path} ({record.note})\n")


def _function(settings: Settings) -> Function:
    arn = f"arn:aws:lambda:{REGION}:{_ACCOUNT}:function:app"
    provider = CapacityProvider(
        logical_id="Capacity",
        name="capacity",
        arn=f"arn:aws:lambda:{REGION}:{_ACCOUNT}:capacity-provider:capacity",
        architecture=Architecture.X86_64,
        subnet_ids=(),
        security_group_ids=(),
        max_vcpu_count=2,
        scaling_mode="Auto",
    )
    return Function(
        logical_id="App",
        name="app",
        arn=arn,
        version="1",
        alias="live",
        handler="main.app",
        runtime="python3.13",
        architecture=Architecture.X86_64,
        memory_mib=MIN_MEMORY_MIB,
        timeout_s=settings.timeout,
        ephemeral_storage_mib=512,
        code=Path(),
        capacity_provider=provider,
        memory_gib_per_vcpu=2.0,
        max_concurrency=settings.concurrency,
        min_environments=1,
        max_environments=1,
        url=FunctionUrlConfig(AuthType.NONE, settings.invoke_mode),
    )


def _options(function: Function, settings: Settings) -> Options:
    """What the adapter would read on Lambda. Nobody listens at the Runtime API's address: it is for a header.

    Raises OptionError for a variable that cannot be used.
    """
    return read_options(
        {
            "AWS_LWA_INVOKE_MODE": settings.invoke_mode.value.lower(),
            "AWS_LAMBDA_FUNCTION_NAME": function.name,
            "AWS_LAMBDA_FUNCTION_VERSION": function.version,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mib),
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": "local",
            "PENSTOCK_POLLS_AHEAD": "1",
            **settings.environ,
            "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001",
            "AWS_LAMBDA_MAX_CONCURRENCY": str(function.max_concurrency),
        }
    )
