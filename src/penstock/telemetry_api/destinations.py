"""Where a subscriber listens: inside the environment's own network, over HTTP or TCP."""

import asyncio
import base64
import hashlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias
from urllib.parse import quote, urlsplit

import httptools

from penstock.telemetry_api.subscription_error import InvalidSubscription

if TYPE_CHECKING:
    from penstock.telemetry_api.subscription import HttpTarget, TcpTarget

OpenSocket: TypeAlias = Callable[[], Awaitable[socket.socket]]
"""Makes an unconnected TCP socket in the environment's network. Raises OSError."""

# The names by which an extension calls its own environment; both mean its loopback.
# https://docs.aws.amazon.com/lambda/latest/dg/telemetry-api.html#telemetry-api-destination
_HOSTS: Final = ("sandbox.localdomain", "sandbox")
_LOOPBACK: Final = "127.0.0.1"
_READ_BYTES: Final = 64 * 1024


class DeliveryError(Exception):
    """A batch did not arrive; one line says why."""


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds a subscriber may take to accept a connection, and to take one batch. Both assumed."""

    connect: float = 2.0
    send: float = 10.0


class Destination(Protocol):
    async def open(self) -> None:
        """What must work before there is a subscription. Raises DeliveryError."""

    async def send(self, events: Sequence[bytes]) -> None:
        """Deliver one batch, once. Raises DeliveryError; the batch is lost then."""

    def close(self) -> None: ...


class HttpDestination:
    """Each batch is a POST of a JSON array, on a connection of its own."""

    def __init__(self, target: "HttpTarget", open_socket: OpenSocket, patience: Patience) -> None:
        """Raises InvalidSubscription when the URI does not lead into the environment."""
        try:
            parts = urlsplit(target.uri)
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise InvalidSubscription(f"Invalid destination: could not parse destination.URI: {error}") from None
        if host not in _HOSTS:
            raise InvalidSubscription(f"Invalid destination: destination.URI host must be {_HOSTS[0]}")
        # The emulator drops path and query; AWS's documentation shows extensions that use them.
        path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
        self._target = path + (f"?{quote(parts.query, safe='/%?:@!$&()*+,;=~-._')}" if parts.query else "")
        self._host = host if port is None else f"{host}:{port}"
        self._port = 80 if port is None else port
        self._open_socket = open_socket
        self._patience = patience

    async def open(self) -> None:
        """Nothing: an HTTP subscriber may begin to listen later."""

    async def send(self, events: Sequence[bytes]) -> None:
        body = b"[%b]" % b",".join(events)
        async with _limit(self._patience.send, "sending"):
            with await _connect(self._open_socket, self._port, self._patience.connect) as sock:
                await asyncio.get_running_loop().sock_sendall(sock, self.head(body) + body)
                status = await _read_status(sock)
        if status >= 400:
            raise DeliveryError(f"the subscriber answered {status}")

    def head(self, body: bytes) -> bytes:
        """What goes before the body of a batch."""
        sequence_id = base64.b64encode(hashlib.sha256(body).digest()).decode()
        return (
            f"POST {self._target} HTTP/1.1\r\nHost: {self._host}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\nSequence-Id: {sequence_id}\r\nConnection: close\r\n\r\n"
        ).encode("ascii")

    def close(self) -> None:
        """Nothing stays open between batches."""


class TcpDestination:
    """One JSON object a line, on one connection; when that broke, the next batch tries to connect again."""

    def __init__(self, target: "TcpTarget", open_socket: OpenSocket, patience: Patience) -> None:
        self._port = target.port
        self._open_socket = open_socket
        self._patience = patience
        self._sock: socket.socket | None = None

    async def open(self) -> None:
        self._sock = await _connect(self._open_socket, self._port, self._patience.connect)

    async def send(self, events: Sequence[bytes]) -> None:
        if self._sock is None:
            await self.open()
        sock = self._sock
        assert sock is not None
        try:
            async with _limit(self._patience.send, "sending"):
                await asyncio.get_running_loop().sock_sendall(sock, b"\n".join((*events, b"")))
        except BaseException:
            self.close()  # a line may have been cut: nothing may follow it
            raise

    def close(self) -> None:
        if self._sock is not None:
            self._sock.close()
            self._sock = None


def make_destination(target: "HttpTarget | TcpTarget", open_socket: OpenSocket, patience: Patience) -> Destination:
    """Raises InvalidSubscription."""
    if target.protocol == "HTTP":
        return HttpDestination(target, open_socket, patience)
    return TcpDestination(target, open_socket, patience)


@asynccontextmanager
async def _limit(seconds: float, what: str) -> AsyncIterator[None]:
    """Raises DeliveryError, naming `what` was tried, when it fails or takes longer."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise DeliveryError(f"{what}: the subscriber took longer than {seconds:g} s") from None
    except OSError as error:
        raise DeliveryError(f"{what}: {error.strerror or error}") from None


async def _connect(open_socket: OpenSocket, port: int, seconds: float) -> socket.socket:
    async with _limit(seconds, f"connecting to {_LOOPBACK}:{port}"):
        sock = await open_socket()
        try:
            sock.setblocking(False)
            await asyncio.get_running_loop().sock_connect(sock, (_LOOPBACK, port))
        except BaseException:
            sock.close()
            raise
    return sock


async def _read_status(sock: socket.socket) -> int:
    """The status of the one answer, read to its end. Raises OSError when it is no HTTP, or breaks off."""
    answer = _Answer()
    while not answer.complete:
        data = await asyncio.get_running_loop().sock_recv(sock, _READ_BYTES)
        if not data:
            break
        answer.feed(data)
    if not answer.status:
        raise ConnectionError("the subscriber hung up without an answer")
    return answer.status


class _Answer:
    """Callbacks of the parser: the last status, and whether all of the answer is there."""

    def __init__(self) -> None:
        self.status = 0
        self.complete = False
        self._parser = httptools.HttpResponseParser(self)

    def feed(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            raise ConnectionError("the subscriber's answer is not HTTP") from None

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        self.status = status if status >= 200 else 0  # 1xx: the answer is still to come

    def on_message_complete(self) -> None:
        self.complete = self.status != 0
