"""The client of `penstock check` against servers that answer in every way, and the callers it makes."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from penstock.check.connection import BrokenError, Connection
from penstock.check.load import Address, Budget, Load
from penstock.check.target import TokenPlace, make_targets
from penstock.check.tokens import Tokens
from penstock.cli.clock import LoopClock

TOKENS = Tokens("0badcafe")
THROTTLED = b"HTTP/1.1 429 \r\nx-amzn-errortype: TooManyRequestsException\r\ncontent-length: 0\r\n\r\n"
Answering = Callable[[str, asyncio.StreamWriter], Awaitable[None]]


class Site:
    """A server whose every answer is written by `answering(path, writer)`."""

    def __init__(self, answering: Answering) -> None:
        self._answering = answering
        self.connections = 0
        self.paths: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                path = head.split()[1].decode()
                self.paths.append(path)
                await self._answering(path, writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def serving(answering: Answering) -> AsyncIterator[tuple[Site, Address]]:
    site = Site(answering)
    server = await asyncio.start_server(site.serve, "127.0.0.1", 0)
    try:
        yield site, Address(*server.sockets[0].getsockname()[:2])
    finally:
        server.close()
        await server.wait_closed()


def fixed(answer: bytes) -> Answering:
    async def write(_: str, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        if b"connection: close" in answer:
            writer.close()

    return write


@asynccontextmanager
async def connected(answering: Answering) -> AsyncIterator[tuple[Site, Connection]]:
    async with serving(answering) as (site, address):
        connection = Connection(address.host, address.port)
        try:
            yield site, connection
        finally:
            connection.close()


GET = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nX-A: b\r\ncontent-length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nX-A: b\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX-A: b\r\nconnection: close\r\ncontent-length: 5\r\n\r\nhello",
    ],
)
async def test_whole_answers(answer: bytes) -> None:
    async with connected(fixed(answer)) as (site, connection):
        for _ in range(3):
            reply = await connection.ask(GET, "GET", 5.0)
            assert (reply.status, reply.body, reply.size) == (200, b"hello", 5)
            assert (b"x-a", b"b") in reply.headers
        assert site.connections == (3 if b"close" in answer else 1)


async def test_answers_without_a_body() -> None:
    async with connected(fixed(b"HTTP/1.1 204 \r\n\r\n")) as (_, connection):
        assert (await connection.ask(GET, "GET", 5.0)).body == b""
    async with connected(fixed(b"HTTP/1.1 200 \r\ncontent-length: 9\r\n\r\n")) as (_, connection):
        for _ in range(2):
            assert (await connection.ask(b"HEAD / HTTP/1.1\r\n\r\n", "HEAD", 5.0)).status == 200


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"HTTP/1.1 200 \r\ncontent-length: 9\r\nconnection: close\r\n\r\nhel", "the answer broke off after 3 bytes"),
        (b"nonsense\r\n\r\n", "not HTTP"),
    ],
)
async def test_broken_answers(answer: bytes, told: str) -> None:
    async with connected(fixed(answer)) as (_, connection):
        with pytest.raises(BrokenError, match=told):
            await connection.ask(GET, "GET", 5.0)


async def test_no_answer_at_all() -> None:
    async def hang_up(_: str, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with connected(hang_up) as (_, connection):
        with pytest.raises(BrokenError, match="the connection was closed"):
            await connection.ask(GET, "GET", 5.0)


async def test_an_answer_that_does_not_come_in_time() -> None:
    async with connected(fixed(b"")) as (site, connection):
        with pytest.raises(BrokenError, match=r"no answer within 0\.05 s"):
            await connection.ask(GET, "GET", 0.05)
        with pytest.raises(BrokenError):
            await connection.ask(GET, "GET", 0.05)
        assert site.connections == 2


async def test_nobody_serves() -> None:
    async with serving(fixed(b"")) as (_, address):
        pass
    with pytest.raises(BrokenError):
        await Connection(address.host, address.port).ask(GET, "GET", 5.0)


# --- callers ---


def load(address: Address, *paths: str) -> Load:
    targets = make_targets(method=None, paths=paths, headers=(), body=None, places=[TokenPlace.QUERY])
    return Load(address, targets, TOKENS, LoopClock(asyncio.get_running_loop()), 5.0)


async def echo(path: str, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 \r\ncontent-length: %d\r\n\r\n%b" % (len(path), path.encode()))


def lives() -> bool:
    return True


async def test_so_many_at_once_and_so_many_in_all() -> None:
    running = most = 0

    async def slowly(path: str, writer: asyncio.StreamWriter) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.02)
        running -= 1
        await echo(path, writer)

    async with serving(slowly) as (site, address):
        answers, seconds = await load(address, "/a", "/b").run(4, Budget(20, 20, 0.0), lives)
    assert most == 4
    assert len(answers) == len(site.paths) == 20
    assert {answer.target for answer in answers} == {0, 1}
    assert all(answer.echoed and not answer.foreign for answer in answers)
    assert len(set(site.paths)) == 20
    assert seconds >= 0.1


async def test_time_ends_a_level_after_the_fewest() -> None:
    async with serving(echo) as (_, address):
        loading = load(address, "/")
        began = time.monotonic()
        answers, _ = await loading.run(2, Budget(4, None, 0.2), lives)
        assert 0.2 <= time.monotonic() - began < 5
        assert len(answers) > 4
        assert len((await loading.run(1, Budget(3, None, 0.0), lives))[0]) == 3
        assert loading.sent == len(answers) + 3


async def test_a_slot_that_is_not_free_yet_is_asked_again() -> None:
    refused = 0

    async def busy(path: str, writer: asyncio.StreamWriter) -> None:
        nonlocal refused
        refused += 1
        if refused < 5:
            writer.write(THROTTLED)
        else:
            await echo(path, writer)

    async with serving(busy) as (site, address):
        (answer,), _ = await load(address, "/").run(1, Budget(1, 1, 0.0), lives)
    assert answer.status == 200
    assert len(set(site.paths)) == 1


async def test_what_breaks_is_an_answer_too() -> None:
    async with serving(fixed(b"nonsense\r\n\r\n")) as (_, address):
        answers, _ = await load(address, "/").run(1, Budget(2, 2, 0.0), lives)
    assert [(answer.status, answer.error[:8]) for answer in answers] == [(0, "not HTTP")] * 2


async def test_it_ends_when_it_is_told_to() -> None:
    async with serving(echo) as (_, address):
        loading = load(address, "/")
        answers, _ = await loading.run(1, Budget(1000, None, 60.0), lambda: loading.sent < 3)
    assert len(answers) == 3
