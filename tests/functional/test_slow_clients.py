"""Clients of a public door that dawdle, flood or do not take what they asked for: all end, and nobody waits for them.

Real sockets; time passes when the test says so.
"""

import asyncio
import socket
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from itertools import repeat
from typing import Final

import pytest

from penstock.model.limits import MAX_URL_HEADER_BYTES
from penstock.wire.exchange import Exchange
from penstock.wire.http_server import MAX_UNTAKEN, HttpConnection
from penstock.wire.listener import Listener, bind
from penstock.wire.timeouts import Timeouts
from support.http_door import CHUNKED_HEAD, GET, POST, Recorded
from support.streams import within
from support.url_rig import Line, SteppedClock, get, until

TIMEOUTS: Final = Timeouts(head=10, request=20, idle=30, linger=5)


class Door:
    """A listener whose exchanges the test answers; those for /now answer themselves."""

    def __init__(self) -> None:
        self.clock = SteppedClock()
        self.exchanges: list[Recorded] = []
        self.listener = Listener(self._open, MAX_URL_HEADER_BYTES, TIMEOUTS, self.clock)
        self.sock = bind("127.0.0.1", 0)
        self._lines: list[Line] = []

    def _open(self, connection: HttpConnection) -> Exchange:
        exchange = Recorded(connection)
        if connection.target == b"/now":
            exchange.respond(b"now")
        else:
            self.exchanges.append(exchange)
        return exchange

    @property
    def connections(self) -> set[HttpConnection]:
        return self.listener._connections

    async def line(self, receive_buffer: int | None = None) -> Line:
        before = len(self.connections)
        made = socket.socket()
        if receive_buffer:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        made.setblocking(False)
        await asyncio.get_running_loop().sock_connect(made, self.sock.getsockname())
        line = Line(*await asyncio.open_connection(sock=made))
        self._lines.append(line)
        await until(lambda: len(self.connections) == before + 1)
        return line

    async def deaf_line(self) -> Line:
        """A client that reads nothing, on small buffers."""
        before = set(self.connections)
        line = await self.line(receive_buffer=4096)
        line.writer.transport.pause_reading()  # type: ignore[attr-defined]
        [connection] = self.connections - before
        connection.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)
        return line

    async def exchange(self, number: int = 0) -> Recorded:
        await until(lambda: len(self.exchanges) > number)
        return self.exchanges[number]

    async def gone(self) -> None:
        await until(lambda: not self.connections)

    async def close(self) -> None:
        for line in self._lines:
            line.hang_up()
        await within(self.listener.close())
        self.sock.close()


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    door = Door()
    await door.listener.start(door.sock)
    yield door
    await door.close()


async def trickle(door: Door, line: Line, data: Iterator[bytes], seconds: float) -> None:
    """A piece a second until the server says something."""
    [connection] = door.connections
    for _ in range(int(seconds)):
        unread = connection._unread
        line.send(next(data))
        await until(lambda before=unread: connection._unread != before)  # type: ignore[misc]
        door.clock.advance(1)


async def test_silence(door: Door) -> None:
    line = await door.line()
    door.clock.advance(TIMEOUTS.head + 2)
    assert await line.rest() == b""
    await door.gone()


async def test_one_byte_of_a_head_at_a_time(door: Door) -> None:
    line = await door.line()
    await trickle(door, line, (GET[at : at + 1] for at in range(len(GET))), TIMEOUTS.head + 2)
    assert (await line.rest()).startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert door.exchanges == []
    line.hang_up()
    await door.gone()


@pytest.mark.parametrize("head", [POST[:-5].replace(b": 5", b": 500"), CHUNKED_HEAD], ids=["length", "chunked"])
async def test_one_byte_of_a_body_at_a_time(door: Door, head: bytes) -> None:
    line = (await door.line()).send(head)
    exchange = await door.exchange()
    piece = b"1\r\nx\r\n" if head is CHUNKED_HEAD else b"x"
    for number in range(int(TIMEOUTS.request) + 2):
        line.send(piece)
        await until(lambda count=number: len(exchange.received) > count or bool(exchange.calls))  # type: ignore[misc]
        door.clock.advance(1)
    assert (await line.rest()).startswith(b"HTTP/1.1 408 ")
    assert exchange.calls == ["lost"]
    line.hang_up()
    await door.gone()


async def test_idle(door: Door) -> None:
    line = (await door.line()).send(get("/now"))
    assert (await line.answer()).status == 200
    door.clock.advance(TIMEOUTS.idle - 1)
    assert (await line.send(get("/now")).answer()).status == 200
    door.clock.advance(TIMEOUTS.idle + 2)
    assert await line.rest() == b""
    await door.gone()


async def test_a_function_that_takes_its_time(door: Door) -> None:
    line = (await door.line()).send(get("/"))
    exchange = await door.exchange()
    await until(lambda: exchange.calls == ["end"])
    door.clock.advance(10_000)
    exchange.respond()
    assert (await line.answer()).body == b"ok"


@pytest.mark.parametrize("last", [True, False], ids=["last answer", "kept alive"])
async def test_answer_that_is_never_read(door: Door, last: bool) -> None:
    (await door.deaf_line()).send(GET.replace(b"X-One: 1", b"connection: close") if last else GET)
    exchange = await door.exchange()
    await until(lambda: exchange.calls == ["end"])
    exchange.respond(b"x" * 6_000_000)
    door.clock.advance(TIMEOUTS.linger - 1)
    assert len(door.connections) == 1
    door.clock.advance(2 * TIMEOUTS.linger)
    await door.gone()


async def test_last_answer_that_is_read_slowly_arrives_whole(door: Door) -> None:
    line = (await door.deaf_line()).send(GET.replace(b"X-One: 1", b"connection: close"))
    exchange = await door.exchange()
    await until(lambda: exchange.calls == ["end"])
    [connection] = door.connections
    exchange.respond(b"x" * 6_000_000)
    line.writer.transport.resume_reading()  # type: ignore[attr-defined]
    await line.head()
    read = 0
    while read < 6_000_000:
        unsent = connection.transport.get_write_buffer_size()
        read += len(await within(line.reader.readexactly(500_000)))
        await until(lambda left=unsent: connection.transport.get_write_buffer_size() < left or not left)  # type: ignore[misc]
        door.clock.advance(TIMEOUTS.linger + 1)
    assert read == 6_000_000


async def test_peer_that_never_closes_after_our_close(door: Door) -> None:
    line = (await door.line()).send(b"nonsense\r\n\r\n")
    assert b"400" in await line.rest()
    assert len(door.connections) == 1
    door.clock.advance(TIMEOUTS.linger + 2)
    await door.gone()


async def test_slow_body_of_a_client_that_is_not_read(door: Door) -> None:
    """It pipelines, and takes no answers: nothing is read of it until it does, which it never does."""
    line = (await door.deaf_line()).send(GET)
    exchange = await door.exchange()
    await until(lambda: exchange.calls == ["end"])
    [connection] = door.connections
    exchange.respond(b"x" * (MAX_UNTAKEN + 500_000))
    assert connection._held
    connection.data_received(POST[:-2])  # what the read under way still held
    line.send(b"h" * 100)
    door.clock.advance(TIMEOUTS.request + 2)
    assert (await door.exchange(1)).calls == ["lost"]
    door.clock.advance(TIMEOUTS.linger + 2)
    await door.gone()


async def test_hundreds_of_them_do_not_keep_others_waiting(door: Door) -> None:
    lines = [(await door.line()).send(GET[: number % 30]) for number in range(200)]
    healthy = await door.line()
    for _ in range(int(TIMEOUTS.head) + 2):
        assert (await healthy.send(get("/now")).answer()).status == 200
        door.clock.advance(1)
    for line in lines:
        said = await line.rest()
        assert said == b"" or said.startswith(b"HTTP/1.1 408 ")
        line.hang_up()
    await until(lambda: len(door.connections) == 1)


FLOODS: Final = {
    "target": (b"GET /", b"a" * 1000),
    "header": (GET[:-2] + b"x: ", b"a" * 1000),
    "name": (GET[:-2], b"a" * 1000),
    "tiny headers": (GET[:-2], b"a:\r\n" * 250),
    "trailer": (CHUNKED_HEAD + b"0\r\nx: ", b"a" * 1000),
    "tiny trailers": (CHUNKED_HEAD + b"0\r\n", b"a:\r\n" * 250),
    "extension": (CHUNKED_HEAD + b"1;", b"a" * 1000),
}


@pytest.mark.parametrize("flood", FLOODS)
async def test_flood(door: Door, flood: str) -> None:
    """Without end until it is refused; meanwhile it costs little more than the budget."""
    head, piece = FLOODS[flood]
    line = (await door.line()).send(head)
    tracemalloc.start()
    try:
        for _ in repeat(None, 20_000):
            line.send(piece)
            await line.writer.drain()
            if line.reader._buffer:  # type: ignore[attr-defined]
                break
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (await line.head()).startswith(b"HTTP/1.1 431 ")
    assert peak < 20 * MAX_URL_HEADER_BYTES
    assert all(exchange.calls == ["lost"] for exchange in door.exchanges)
    line.hang_up()
    await door.gone()
