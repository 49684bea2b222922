"""HTTPS at a listener: real sockets, real TLS."""

import asyncio
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

import httpx
import pytest

from penstock.cli.certificate import Certificate, load_certificate
from penstock.wire.exchange import Exchange
from penstock.wire.http_messages import LAST_CHUNK, chunk
from penstock.wire.http_server import HttpConnection
from penstock.wire.listener import Listener, bind
from penstock.wire.timeouts import Timeouts
from support.http_door import Recorded
from support.streams import within
from support.url_rig import Line, SteppedClock, get, post, until

NAME: Final = "abc.lambda-url.us-east-1.localhost"
TIMEOUTS: Final = Timeouts(head=10, request=20, idle=30, linger=0.3, handshake=0.3)
STREAM: Final = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return load_certificate(tmp_path_factory.mktemp("https"), ["localhost", "127.0.0.1", f"*.{NAME.partition('.')[2]}"])


class Door:
    """A listener whose exchanges the test answers; those for /now answer themselves."""

    def __init__(self, tls: ssl.SSLContext | None) -> None:
        self.clock = SteppedClock()
        self.exchanges: list[Recorded] = []
        self.listener = Listener(self._open, 64 * 1024, TIMEOUTS, self.clock)
        self._tls = tls
        self.sock = bind("127.0.0.1", 0)
        self.port: int = self.sock.getsockname()[1]

    def _open(self, connection: HttpConnection) -> Exchange:
        exchange = Recorded(connection)
        self.exchanges.append(exchange)
        if connection.target == b"/now":
            exchange.respond(b"now")
        return exchange

    async def __aenter__(self) -> Self:
        await self.listener.start(self.sock, 2, self._tls)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await within(self.listener.close())
        self.sock.close()

    async def exchange(self) -> Recorded:
        """The only one, when its request is complete."""
        await until(lambda: bool(self.exchanges and self.exchanges[-1].calls))
        return self.exchanges[-1]

    @property
    def connections(self) -> int:
        return len(self.listener._connections)

    async def client(self, certificate: Certificate) -> Line:
        trusting = ssl.create_default_context(cafile=str(certificate.ca))
        return Line(*await asyncio.open_connection("127.0.0.1", self.port, ssl=trusting, server_hostname=NAME))

    async def plain_client(self) -> Line:
        return Line(*await asyncio.open_connection("127.0.0.1", self.port))


@pytest.fixture
async def door(certificate: Certificate, caplog: pytest.LogCaptureFixture) -> AsyncIterator[Door]:
    """Nothing that a client does may be logged, nor end in a task that failed unheard."""
    complaints: list[Mapping[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    async with Door(certificate.context) as door:
        yield door
    assert complaints == []
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_httpx_verifies_and_is_answered(door: Door, certificate: Certificate) -> None:
    """Of the names, httpx resolves this one everywhere."""
    trusting = ssl.create_default_context(cafile=str(certificate.ca))
    async with httpx.AsyncClient(verify=trusting) as client:
        for _ in range(2):
            answer = await client.get(f"https://127.0.0.1:{door.port}/now", extensions={"sni_hostname": NAME})
            assert (answer.status_code, answer.text) == (200, "now")
    assert door.exchanges[0].connection is door.exchanges[1].connection


async def test_stream_arrives_chunk_by_chunk(door: Door, certificate: Certificate) -> None:
    line = (await door.client(certificate)).send(get("/"))
    connection = (await door.exchange()).connection
    connection.write(STREAM)
    assert b"200 OK" in await line.head()
    for number in range(5):
        connection.write(chunk(b"%d" % number))
        assert await line.chunk() == b"%d" % number
    connection.write(LAST_CHUNK)
    connection.finish()
    assert await line.chunk() == b""
    assert (await line.send(get("/now")).answer()).body == b"now"
    line.hang_up()


async def test_large_body_in_both_directions(door: Door, certificate: Certificate) -> None:
    body = bytes(range(256)) * 4096 * 5
    line = (await door.client(certificate)).send(post(body))
    exchange = await door.exchange()
    assert exchange.received == body
    exchange.respond(body)
    assert (await line.answer()).body == body
    line.hang_up()


async def test_backpressure_reaches_the_exchange_and_ends(door: Door, certificate: Certificate) -> None:
    line = (await door.client(certificate)).send(get("/"))
    line.writer.transport.pause_reading()  # type: ignore[attr-defined]
    exchange = await door.exchange()
    exchange.connection.write(STREAM)
    sent = 0
    while "pause" not in exchange.calls:
        exchange.connection.write(chunk(b"x" * 65_536))
        sent += 65_536
        assert sent < 64 * 1024 * 1024
        await asyncio.sleep(0)
    exchange.connection.write(LAST_CHUNK)
    line.writer.transport.resume_reading()  # type: ignore[attr-defined]
    assert b"200" in await line.head()
    assert len(await line.body()) == sent
    await until(lambda: exchange.calls[-1] == "resume")
    exchange.connection.finish()
    line.hang_up()


async def test_last_answer_ends_the_connection_properly(door: Door, certificate: Certificate) -> None:
    """A body that ends with the connection is told from one that was cut: by a close_notify."""
    line = (await door.client(certificate)).send(b"GET / HTTP/1.0\r\n\r\n")
    connection = (await door.exchange()).connection
    connection.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nall")
    connection.finish()
    assert (await line.rest()).endswith(b"\r\n\r\nall")
    line.writer.close()
    await until(lambda: door.connections == 0)


async def test_client_that_leaves_is_noticed(door: Door, certificate: Certificate) -> None:
    line = (await door.client(certificate)).send(get("/"))
    exchange = await door.exchange()
    line.hang_up()
    await until(lambda: exchange.calls == ["end", "lost"])
    await until(lambda: door.connections == 0)


async def test_client_that_says_goodbye_and_stays(door: Door, certificate: Certificate) -> None:
    """Half a close: its close_notify came, its socket is open."""
    tls = await RawTls.connect(door, certificate)
    await tls.send(get("/"))
    exchange = await door.exchange()
    await tls.goodbye()
    await until(lambda: exchange.calls == ["end", "lost"])
    await until(lambda: door.connections == 0)
    tls.close()


async def test_client_that_says_goodbye_and_takes_nothing_more(door: Door, certificate: Certificate) -> None:
    """Its stream is not written into the void."""
    tls = await RawTls.connect(door, certificate)
    await tls.send(get("/"))
    exchange = await door.exchange()
    while "pause" not in exchange.calls:
        exchange.connection.write(chunk(b"x" * 65_536))
        await asyncio.sleep(0)
    await tls.goodbye()
    while exchange.calls[-1] != "lost":
        exchange.connection.write(chunk(b"x"))
        await asyncio.sleep(0)
    await until(lambda: door.connections == 0)
    tls.close()


async def test_client_that_closes_its_socket_half_without_goodbye(door: Door, certificate: Certificate) -> None:
    tls = await RawTls.connect(door, certificate)
    await tls.send(get("/"))
    exchange = await door.exchange()
    tls.sock.shutdown(socket.SHUT_WR)
    await until(lambda: exchange.calls == ["end", "lost"])
    await until(lambda: door.connections == 0)
    tls.close()


async def test_client_that_never_closes_after_our_close(door: Door, certificate: Certificate) -> None:
    """The event loop waits for its goodbye as long as TIMEOUTS.linger."""
    tls = await RawTls.connect(door, certificate)
    await tls.send(b"GET / HTTP/1.0\r\n\r\n")
    (await door.exchange()).respond()
    await until(lambda: door.connections == 0)
    tls.close()


async def test_client_that_never_takes_the_last_answer(door: Door, certificate: Certificate) -> None:
    tls = await RawTls.connect(door, certificate)
    await tls.send(b"GET / HTTP/1.0\r\n\r\n")
    (await door.exchange()).respond(b"x" * 20_000_000)
    assert door.connections == 1
    door.clock.advance(3)
    await until(lambda: door.connections == 0)
    tls.close()


async def test_refused_client_that_stays_is_let_go(door: Door, certificate: Certificate) -> None:
    line = (await door.client(certificate)).send(b"nonsense\r\n\r\n")
    assert b"400" in await line.head()
    assert door.connections == 1
    door.clock.advance(3)
    await until(lambda: door.connections == 0)
    line.hang_up()


async def test_slow_head_gets_408(door: Door, certificate: Certificate) -> None:
    line = (await door.client(certificate)).send(get("/")[:10])
    await until(lambda: any(not connection.idle for connection in door.listener._connections))
    door.clock.advance(TIMEOUTS.head + 2)
    assert b"408" in await line.head()
    line.hang_up()


async def test_plain_http_on_the_tls_port(door: Door) -> None:
    line = (await door.plain_client()).send(get("/now"))
    await hears_the_end(line)
    assert (door.exchanges, door.connections) == ([], 0)


@pytest.mark.parametrize("sent", [b"", b"\x16\x03\x01\x02\x00\x01"], ids=["silence", "half a hello"])
async def test_handshake_that_is_never_completed(door: Door, sent: bytes) -> None:
    line = (await door.plain_client()).send(sent)
    await hears_the_end(line)
    assert door.connections == 0


@pytest.mark.parametrize("after", [0, 1, 100])
async def test_client_that_leaves_during_the_handshake(door: Door, certificate: Certificate, after: int) -> None:
    line = (await door.plain_client()).send(hello()[:after])
    line.hang_up()
    healthy = (await door.client(certificate)).send(get("/now"))
    assert (await healthy.answer()).status == 200
    healthy.hang_up()
    await until(lambda: door.connections == 0)


async def test_client_that_does_not_trust_us(door: Door) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        await asyncio.open_connection("127.0.0.1", door.port, ssl=ssl.create_default_context(), server_hostname=NAME)
    assert door.exchanges == []


async def test_garbage_after_the_handshake(door: Door, certificate: Certificate) -> None:
    tls = await RawTls.connect(door, certificate)
    await asyncio.get_running_loop().sock_sendall(tls.sock, b"this is no record" * 10)
    await until(lambda: door.connections == 0)
    tls.close()


async def test_stopping_while_clients_shake_hands(door: Door) -> None:
    lines = [(await door.plain_client()).send(hello()[:50]) for _ in range(5)]
    await within(door.listener.close())
    for line in lines:
        await hears_the_end(line)


async def test_tls_on_a_plain_port() -> None:
    async with Door(None) as door:
        line = (await door.plain_client()).send(hello())
        assert b"400 Bad Request" in await line.head()
        line.hang_up()
        assert door.exchanges == []


async def hears_the_end(line: Line) -> None:
    """The server ends the connection, by a reset or not, having said nothing of HTTP."""
    with suppress(ConnectionError):
        assert b"HTTP" not in await line.rest()
    line.hang_up()


def hello() -> bytes:
    """The first flight of a client."""
    out = ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), out, server_hostname=NAME)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return out.read()


class RawTls:
    """A client whose TLS and whose socket are apart, to misuse each."""

    def __init__(self, sock: socket.socket, certificate: Certificate) -> None:
        self.sock = sock
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        trusting = ssl.create_default_context(cafile=str(certificate.ca))
        self._tls = trusting.wrap_bio(self._in, self._out, server_hostname=NAME)

    @classmethod
    async def connect(cls, door: Door, certificate: Certificate) -> Self:
        sock = socket.socket()
        sock.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(sock, ("127.0.0.1", door.port))
        made = cls(sock, certificate)
        while True:
            try:
                made._tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                await made._flush()
                made._in.write(await within(loop.sock_recv(sock, 65_536)))
        await made._flush()
        await until(lambda: door.connections == 1)
        return made

    async def _flush(self) -> None:
        await asyncio.get_running_loop().sock_sendall(self.sock, self._out.read())

    async def send(self, data: bytes) -> None:
        self._tls.write(data)
        await self._flush()

    async def goodbye(self) -> None:
        with pytest.raises(ssl.SSLWantReadError):
            self._tls.unwrap()
        await self._flush()

    def close(self) -> None:
        self.sock.close()
