"""Clients of an environment's APIs that dawdle, flood or talk nonsense: nobody else notices, and nothing is left."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

import pytest

from penstock.model.limits import MAX_ERROR_BODY_BYTES, MAX_RUNTIME_HEADER_BYTES
from penstock.runtime_api.messages import PONG
from penstock.wire.http_server import MAX_UNTAKEN
from support.runtime_rig import INVOCATION, request
from support.streams import within
from support.url_rig import Line, UrlRig, Worker, get, until

CLIENTS: Final = 8
ROUNDS: Final = 40


@pytest.fixture
async def rig() -> AsyncIterator[UrlRig]:
    async with UrlRig(environments=2) as rig:
        yield rig


async def unfinished_head(line: Line) -> None:
    """Ever another header, and never the end."""
    line.send(b"POST /2018-06-01/runtime/init/error HTTP/1.1\r\n")
    for number in range(20):
        line.send(b"x-%d: y\r\n" % number)
        await asyncio.sleep(0)


async def unfinished_body(line: Line) -> None:
    line.send(request("POST", "/2018-06-01/runtime/init/error", {"content-length": "1000000"}) + b"x")
    for _ in range(20):
        line.send(b"x" * 100)
        await asyncio.sleep(0)


async def oversized_head(line: Line) -> None:
    line.send(b"GET /2018-06-01/ping HTTP/1.1\r\nhost: x\r\nx: " + b"y" * (MAX_RUNTIME_HEADER_BYTES + 1))
    assert b"431" in await line.rest()


async def oversized_body(line: Line) -> None:
    line.send(request("POST", "/2018-06-01/runtime/init/error", {}, b"x" * (3 * MAX_ERROR_BODY_BYTES)))
    assert (await line.answer()).status in (202, 403)


async def nonsense(line: Line) -> None:
    line.send(b"\0\1\2 nonsense\r\n\r\n" * 1000)
    assert b"400" in await line.rest()


async def answers_to_nobody(line: Line) -> None:
    for _ in range(20):
        line.send(request("POST", f"{INVOCATION}nobody/response", {}, b"x" * 1000))
        assert (await line.answer()).status == 400


async def never_reads(line: Line) -> None:
    """Asks again and again; the platform stops to listen, not to work."""
    line.writer.transport.pause_reading()  # type: ignore[attr-defined]
    for _ in range(200):
        line.send(request("GET", "/2018-06-01/ping"))
        await asyncio.sleep(0)


BAD: Final = [
    unfinished_head,
    unfinished_body,
    oversized_head,
    oversized_body,
    nonsense,
    answers_to_nobody,
    never_reads,
]


async def serve(rig: UrlRig, worker: Worker, rounds: int) -> None:
    """A caller and a worker that do as they should."""
    client = await rig.client()
    for number in range(rounds):
        client.send(get(f"/{number}"))
        request_id = await worker.next()
        assert await worker.respond(request_id) == 202
        worker.poll()
        assert (await client.answer()).status == 200


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("where", ["next door", "in the same environment"])
async def test_sound_traffic_goes_on(rig: UrlRig, bad: Callable[[Line], Awaitable[None]], where: str) -> None:
    troubled = rig.environments[0]
    served = 1 if where == "next door" else 0
    worker = await rig.worker(served)
    lines = [await rig._connect(troubled.address) for _ in range(CLIENTS)]
    await within(asyncio.gather(serve(rig, worker, ROUNDS), *(bad(line) for line in lines)))
    for line in lines:
        line.hang_up()
    kept = 1 - served  # the worker's own connection, where it is not next door
    await until(lambda: len(troubled.listener._connections) == kept)
    assert (troubled.in_flight, rig.environments[served].free_slots) == (0, 1)


async def test_answers_that_a_client_does_not_take_do_not_gather(rig: UrlRig) -> None:
    """Its requests stay in its own socket meanwhile, and all are answered once it reads."""
    asked, one = 100_000, len(PONG)
    troubled = rig.environments[0]
    line = await rig._connect(troubled.address, receive_buffer=4096)
    await until(lambda: bool(troubled.listener._connections))
    [connection] = troubled.listener._connections
    connection.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)
    line.writer.transport.pause_reading()  # type: ignore[attr-defined]
    line.send(request("GET", "/2018-06-01/ping") * asked)
    await until(lambda: connection._held)
    assert connection.transport.get_write_buffer_size() < 3 * MAX_UNTAKEN < asked * one
    line.writer.transport.resume_reading()  # type: ignore[attr-defined]
    for _ in range(asked // 1000):
        assert await within(line.reader.readexactly(1000 * one)) == PONG * 1000


async def test_a_worker_that_asked_for_more_while_it_waited_and_left_is_no_slot(rig: UrlRig) -> None:
    troubled = rig.environments[0]
    line = (await rig.worker(0)).line
    line.send(request("GET", "/2018-06-01/ping"))
    [connection] = troubled.listener._connections
    await until(lambda: connection._ignoring)
    line.hang_up()
    await until(lambda: troubled.free_slots == 0)
