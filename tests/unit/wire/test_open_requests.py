"""Waiting for a door's open requests, its listener, and what else there is."""

import asyncio

from penstock.wire.exchange import DISCARD
from penstock.wire.listener import Listener, bind
from penstock.wire.open_requests import OpenRequests
from support.streams import within
from support.url_rig import until


class Door:
    """A listener whose requests are opened and ended by hand."""

    def __init__(self) -> None:
        self.requests: OpenRequests[str] = OpenRequests()
        self.listener = Listener(lambda _: DISCARD, 1000)

    def drain(self, seconds: float = 20, *others: asyncio.Future[None]) -> "asyncio.Task[None]":
        return asyncio.ensure_future(self.requests.drain(self.listener, seconds, *others))


async def test_nothing_open_is_over_at_once() -> None:
    await within(Door().drain())


async def test_the_last_one_ends_it() -> None:
    door = Door()
    door.requests.now.update("ab")
    draining = door.drain()
    await asyncio.sleep(0)
    door.requests.ended("a")
    door.requests.ended("a")
    door.requests.ended("never open")
    for _ in range(5):
        await asyncio.sleep(0)
    assert not draining.done()
    door.requests.ended("b")
    await within(draining)


async def test_one_that_ended_before_does_not_count_for_those_after_it() -> None:
    door = Door()
    door.requests.now.add("a")
    door.requests.ended("a")
    door.requests.now.add("b")
    draining = door.drain()
    for _ in range(5):
        await asyncio.sleep(0)
    assert not draining.done()
    door.requests.ended("b")
    await within(draining)


async def test_the_listeners_connections_are_waited_for() -> None:
    door = Door()
    sock = bind("127.0.0.1", 0)
    await door.listener.start(sock)
    _, writer = await asyncio.open_connection(*sock.getsockname())
    writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")  # a request under way keeps its connection
    await until(lambda: any(one.method for one in door.listener._connections))
    draining = door.drain()
    for _ in range(5):
        await asyncio.sleep(0)
    assert not draining.done()
    writer.close()
    await writer.wait_closed()
    await within(draining)
    await within(door.listener.close())


async def test_others_are_waited_for() -> None:
    door = Door()
    other: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    draining = door.drain(20, other)
    for _ in range(5):
        await asyncio.sleep(0)
    assert not draining.done()
    other.set_result(None)
    await within(draining)


async def test_is_bounded_and_can_be_cut_short() -> None:
    door = Door()
    door.requests.now.add("a")
    await within(door.drain(0.01))
    assert door.requests.now == {"a"}
    draining = door.drain()
    await asyncio.sleep(0)
    door.requests.stop_draining()
    await within(draining)
    assert door.requests.now == {"a"}
