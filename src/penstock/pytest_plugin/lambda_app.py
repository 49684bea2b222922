"""What the fixture `lambda_app` hands to a test."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import ExitStack, asynccontextmanager
from typing import Final

import httpx
import orjson

from penstock.model.function import InvokeMode
from penstock.model.limits import DEFAULT_CONCURRENCY_PER_VCPU, MAX_CONCURRENCY, MAX_INVOKE_TIMEOUT_S
from penstock.pytest_plugin.http_transport import AsyncLambdaTransport, LambdaTransport
from penstock.pytest_plugin.invoke import InvokeAnswer
from penstock.pytest_plugin.local_function import LocalFunction, Settings
from penstock.pytest_plugin.loop_thread import LoopThread
from penstock_adapter.app_interface import as_asgi
from penstock_adapter.endpoint import OptionError
from penstock_adapter.handler import load_handler

CONCURRENCY: Final = DEFAULT_CONCURRENCY_PER_VCPU["python"]
TIMEOUT_S: Final = 30
# The function's own timeout ends an invocation first; this one ends the wait for a loop that is blocked.
_PATIENCE_S: Final = 5.0
# Lifespan shutdown, and what is still running (assumed).
_STOP_S: Final = 15.0


class LambdaClient(httpx.Client):
    """An `httpx.Client` whose server is the function: each request is an invocation."""

    def __init__(self, function: LocalFunction, thread: LoopThread) -> None:
        super().__init__(
            transport=LambdaTransport(function, thread),
            base_url=f"https://{function.host}",
            timeout=function.timeout + _PATIENCE_S,
        )
        self._function = function
        self._thread = thread

    def new_transport(self) -> httpx.BaseTransport:
        """To the same function, for another `httpx.Client`."""
        return LambdaTransport(self._function, self._thread)

    def invoke(self, event: object, *, client_context: Mapping[str, object] | None = None) -> InvokeAnswer:
        """An invocation with `event`, a value that JSON can hold, or bytes of JSON, instead of a request."""
        work = self._function.invoke(_json(event), _client_context(client_context))
        return self._thread.call(work, self._function.timeout + _PATIENCE_S)


class AsyncLambdaClient(httpx.AsyncClient):
    """As `LambdaClient`, on the test's own event loop."""

    def __init__(self, function: LocalFunction) -> None:
        super().__init__(
            transport=AsyncLambdaTransport(function),
            base_url=f"https://{function.host}",
            timeout=function.timeout + _PATIENCE_S,
        )
        self._function = function

    def new_transport(self) -> httpx.AsyncBaseTransport:
        """To the same function, for another `httpx.AsyncClient`."""
        return AsyncLambdaTransport(self._function)

    async def invoke(self, event: object, *, client_context: Mapping[str, object] | None = None) -> InvokeAnswer:
        """As `LambdaClient.invoke`."""
        return await self._function.invoke(_json(event), _client_context(client_context))


class LambdaApps:
    """`lambda_app(app)` is a client for tests without `async`, `lambda_app.async_client(app)` one for tests with it.

    `app` is an ASGI or WSGI app, or a text such as `main.app` as a template's Handler says it. `invoke_mode` is
    RESPONSE_STREAM or BUFFERED, `concurrency` the invocations at a time before others get 429, `timeout` the
    function's, in whole seconds. `environ` holds variables for the adapter, as AWS_LWA_REMOVE_BASE_PATH.
    All raise ValueError for what a template could not say, HandlerError for an app that cannot be loaded, and
    StartupFailedError for one whose lifespan fails.
    """

    def __init__(self) -> None:
        self._ends = ExitStack()

    def __call__(
        self,
        app: object,
        *,
        invoke_mode: str = InvokeMode.RESPONSE_STREAM,
        concurrency: int = CONCURRENCY,
        timeout: int = TIMEOUT_S,
        environ: Mapping[str, str] | None = None,
    ) -> LambdaClient:
        """Runs until the end of the test."""
        function = _function(app, invoke_mode, concurrency, timeout, environ)
        thread = LoopThread()
        self._ends.callback(thread.close)
        thread.call(function.start(), timeout + _PATIENCE_S)
        self._ends.callback(lambda: thread.call(function.stop(), _STOP_S))
        client = LambdaClient(function, thread)
        self._ends.callback(client.close)
        return client

    @asynccontextmanager
    async def async_client(
        self,
        app: object,
        *,
        invoke_mode: str = InvokeMode.RESPONSE_STREAM,
        concurrency: int = CONCURRENCY,
        timeout: int = TIMEOUT_S,  # noqa: ASYNC109 - the function's, not the call's
        environ: Mapping[str, str] | None = None,
    ) -> AsyncIterator[AsyncLambdaClient]:
        """Runs on the running event loop until the block ends."""
        function = _function(app, invoke_mode, concurrency, timeout, environ)
        await function.start()
        try:
            async with AsyncLambdaClient(function) as client:
                yield client
        finally:
            async with asyncio.timeout(_STOP_S):
                await function.stop()

    def close(self) -> None:
        """Ends every app, the last one first."""
        self._ends.close()


def _function(
    app: object, invoke_mode: str, concurrency: int, timeout: int, environ: Mapping[str, str] | None
) -> LocalFunction:
    if invoke_mode not in list(InvokeMode):
        raise ValueError(f"invoke_mode={invoke_mode!r} is not {_either(InvokeMode)}")
    _check("concurrency", concurrency, MAX_CONCURRENCY)
    _check("timeout", timeout, MAX_INVOKE_TIMEOUT_S)
    settings = Settings(
        invoke_mode=InvokeMode(invoke_mode), concurrency=concurrency, timeout=timeout, environ=environ or {}
    )
    loaded = as_asgi(load_handler(app) if isinstance(app, str) else app, concurrency)
    try:
        return LocalFunction(loaded, settings)
    except OptionError as error:
        raise ValueError(str(error)) from None


def _check(name: str, value: int, most: int) -> None:
    if type(value) is not int or not 1 <= value <= most:
        raise ValueError(f"{name}={value!r} is not a whole number from 1 to {most}")


def _either(allowed: Iterable[str]) -> str:
    return " or ".join(allowed)


def _json(event: object) -> bytes:
    return event if isinstance(event, bytes) else orjson.dumps(event)


def _client_context(value: Mapping[str, object] | None) -> str:
    return "" if value is None else orjson.dumps(dict(value)).decode()
