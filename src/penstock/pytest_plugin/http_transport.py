"""httpx transports to a `LocalFunction`: a real HTTP/1.1 client, httpcore's, on connections in memory.

https://www.python-httpx.org/advanced/transports/#custom-transports
https://www.encode.io/httpcore/network-backends/
"""

import ssl
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from contextlib import contextmanager
from typing import Final

import httpcore
import httpx

from penstock.pytest_plugin.client_stream import ClientStream
from penstock.pytest_plugin.local_function import LocalFunction
from penstock.pytest_plugin.loop_thread import LoopThread

# A loop that is blocked cannot keep its own time: how much later the waiting thread gives up.
_GRACE_S: Final = 1.0
# httpx's exceptions are httpcore's by the same names: https://www.python-httpx.org/exceptions/
_ERRORS: Final = (
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.UnsupportedProtocol,
)


@contextmanager
def _reading() -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:
        raise httpcore.ReadTimeout(str(error)) from error
    except (OSError, RuntimeError) as error:
        raise httpcore.ReadError(str(error)) from error


@contextmanager
def _writing() -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:
        raise httpcore.WriteTimeout(str(error)) from error
    except (OSError, RuntimeError) as error:
        raise httpcore.WriteError(str(error)) from error


@contextmanager
def _as_httpx() -> Iterator[None]:
    try:
        yield
    except _ERRORS as error:
        known: type[httpx.RequestError] = getattr(httpx, type(error).__name__, httpx.TransportError)
        raise known(str(error)) from error


class _AsyncStream(httpcore.AsyncNetworkStream):
    def __init__(self, stream: ClientStream) -> None:
        self._stream = stream

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - as httpcore has it
        with _reading():
            return await self._stream.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        with _writing():
            await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        self._stream.close()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> httpcore.AsyncNetworkStream:
        return self  # the function is told that it is encrypted; there is nobody to hide it from

    def get_extra_info(self, info: str) -> object:
        return self._stream.readable if info == "is_readable" else None


class _AsyncBackend(httpcore.AsyncNetworkBackend):
    def __init__(self, function: LocalFunction) -> None:
        self._function = function

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        return _AsyncStream(self._function.open_connection())


class _Stream(httpcore.NetworkStream):
    def __init__(self, stream: ClientStream, thread: LoopThread) -> None:
        self._stream = stream
        self._thread = thread

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        with _reading():
            return self._thread.call(self._stream.read(max_bytes, timeout), _later(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        if buffer:  # there is an empty one at the end of each request
            with _writing():
                self._thread.call(self._stream.write(buffer, timeout), _later(timeout))

    def close(self) -> None:
        self._thread.soon(self._stream.close)

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return self

    def get_extra_info(self, info: str) -> object:
        return self._stream.readable if info == "is_readable" else None


class _Backend(httpcore.NetworkBackend):
    def __init__(self, function: LocalFunction, thread: LoopThread) -> None:
        self._function = function
        self._thread = thread

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        try:
            return _Stream(self._thread.call(self._connect(), _later(timeout)), self._thread)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(str(error)) from error
        except RuntimeError as error:
            raise httpcore.ConnectError(str(error)) from error

    async def _connect(self) -> ClientStream:
        return self._function.open_connection()


def _later(timeout: float | None) -> float | None:
    return None if timeout is None else timeout + _GRACE_S


class LambdaTransport(httpx.BaseTransport):
    """For `httpx.Client(transport=...)`. Every host is the function. Threads may share it."""

    def __init__(self, function: LocalFunction, thread: LoopThread) -> None:
        self._pool = httpcore.ConnectionPool(
            ssl_context=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
            max_connections=None,
            network_backend=_Backend(function, thread),
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        with _as_httpx():
            response = self._pool.handle_request(_core_request(request, request.stream))
        return httpx.Response(
            response.status,
            headers=response.headers,
            stream=_Body(response),
            extensions=response.extensions,
        )

    def close(self) -> None:
        with _as_httpx():
            self._pool.close()


class AsyncLambdaTransport(httpx.AsyncBaseTransport):
    """For `httpx.AsyncClient(transport=...)`, on the loop of the function."""

    def __init__(self, function: LocalFunction) -> None:
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
            max_connections=None,
            network_backend=_AsyncBackend(function),
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        with _as_httpx():
            response = await self._pool.handle_async_request(_core_request(request, request.stream))
        return httpx.Response(
            response.status,
            headers=response.headers,
            stream=_AsyncBody(response),
            extensions=response.extensions,
        )

    async def aclose(self) -> None:
        with _as_httpx():
            await self._pool.aclose()


class _Body(httpx.SyncByteStream):
    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        with _as_httpx():
            yield from self._response.iter_stream()

    def close(self) -> None:
        with _as_httpx():
            self._response.close()


class _AsyncBody(httpx.AsyncByteStream):
    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _as_httpx():
            async for part in self._response.aiter_stream():
                yield part

    async def aclose(self) -> None:
        with _as_httpx():
            await self._response.aclose()


def _core_request(request: httpx.Request, body: object) -> httpcore.Request:
    url = request.url
    assert isinstance(body, Iterable | AsyncIterable)
    return httpcore.Request(
        method=request.method,
        url=httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
        headers=request.headers.raw,
        content=body,
        extensions=request.extensions,
    )
