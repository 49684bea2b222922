"""The platform's end of a link, with a client that knows the rules and has no manners."""

import asyncio
from typing import Final, cast

from penstock.runtime_api.brief import BriefConnection
from penstock.wire import link
from penstock.wire.bodies import answer
from penstock.wire.exchange import Exchange
from penstock.wire.http_messages import response
from penstock.wire.http_server import HttpConnection
from penstock_adapter.link import SWITCHING
from penstock_adapter.link_transport import CREDIT, DATA, LARGE, OPEN, WINDOW
from penstock_adapter.memory_pipe import MemoryTransport, connect
from support.link_rig import frame, read_frames, turns
from support.runtime_rig import request

OFFER: Final = request("GET", "/penstock/link", {"connection": "upgrade", "upgrade": "penstock-link"})
ASK: Final = request("GET", "/page")
PAGE: Final = response(200, b"text/plain", b"p" * 4000)
MIB: Final = 1024 * 1024


class Client(asyncio.Protocol):
    def __init__(self) -> None:
        self.received = b""
        self.ended = False
        self.transport: MemoryTransport = cast("MemoryTransport", None)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("MemoryTransport", transport)

    def data_received(self, data: bytes) -> None:
        self.received += data

    def connection_lost(self, error: Exception | None) -> None:
        self.ended = True

    @property
    def server(self) -> MemoryTransport:
        """The other end of its connection."""
        return self.transport.peer

    def take(self) -> bytes:
        data, self.received = self.received, b""
        return data


class Door:
    def __init__(self) -> None:
        self.connections: set[HttpConnection] = set()

    def accept(self, kind: type[HttpConnection] = HttpConnection) -> HttpConnection:
        return kind(self._open, 65536, self.connections.add, self.connections.discard)

    def _open(self, connection: HttpConnection) -> Exchange:
        if connection.target == link.TARGET:
            return link.offer(connection, lambda: self.accept(BriefConnection))
        return answer(connection, PAGE)

    async def client(self) -> Client:
        """One whose connection is a link."""
        made = Client()
        connect(made, self.accept())
        made.transport.write(OFFER)
        await turns()
        assert made.take() == SWITCHING
        return made


async def test_requests_on_a_link_are_answered_in_one_write() -> None:
    client = await Door().client()
    client.transport.write(frame(1, OPEN) + frame(2, OPEN) + frame(1, DATA, ASK) + frame(2, DATA, ASK))
    await turns()
    assert read_frames(client.take()) == [(1, DATA, PAGE), (2, DATA, PAGE)]


async def test_connections_on_a_link_end_with_it_and_are_forgotten() -> None:
    door = Door()
    client = await door.client()
    client.transport.write(b"".join(frame(number, OPEN) for number in range(1, 1001)))
    await turns()
    assert len(door.connections) == 1001
    client.transport.close()
    await turns()
    assert door.connections == set()


async def test_a_broken_rule_ends_all_of_them_and_no_other_link() -> None:
    door = Door()
    bad, good = await door.client(), await door.client()
    good.transport.write(frame(1, OPEN))
    bad.transport.write(frame(1, OPEN) + frame(1, DATA, ASK[:10]) + frame(1, 9))
    await turns()
    assert bad.ended
    assert len(door.connections) == 2
    good.transport.write(frame(1, DATA, ASK))
    await turns()
    assert read_frames(good.take()) == [(1, DATA, PAGE)]


async def test_who_asks_on_and_on_and_takes_nothing_is_left_unread() -> None:
    """Whatever credit it gives: what it would get does not pile up."""
    door = Door()
    client = await door.client()
    client.transport.pause_reading()
    client.transport.write(b"".join(frame(number, OPEN) + frame(number, DATA, ASK) for number in range(1, 101)))
    await turns()
    asked = 100
    while client.server.is_reading():
        for number in range(1, 101):
            client.transport.write(frame(number, CREDIT, (len(PAGE)).to_bytes(4, "little")))
            client.transport.write(frame(number, DATA, ASK))
            asked += 1
        await turns()
        assert client.server.get_write_buffer_size() < 4 * MIB
    assert client.server.get_write_buffer_size() > MIB
    for number in range(1, 101):
        client.transport.write(frame(number, DATA, ASK))
        asked += 1
    await turns()
    client.transport.resume_reading()
    await turns(50)
    assert client.server.is_reading()
    assert b"".join(payload for _, kind, payload in read_frames(client.received) if kind == DATA) == PAGE * asked
    client.transport.close()
    await turns()
    assert door.connections == set()


async def test_who_gives_no_credit_is_left_unread_on_that_connection() -> None:
    door = Door()
    client = await door.client()
    client.transport.write(frame(1, OPEN) + frame(2, OPEN))
    sent = 0
    while not client.ended and sent < 4000:
        client.transport.write(frame(1, DATA, ASK * 10))
        sent += 10
        await turns()
        held = [one for one in door.connections if one.transport.get_write_buffer_size()]
        assert all(one.transport.get_write_buffer_size() < 2 * MIB for one in held)
    got = sum(len(payload) for _, kind, payload in read_frames(client.take()) if kind == DATA)
    assert got == WINDOW
    client.transport.write(frame(2, DATA, ASK))
    await turns()
    assert read_frames(client.take()) == [(2, DATA, PAGE)]
    client.transport.close()
    await turns()
    assert door.connections == set()


async def test_a_large_frame_is_a_request_like_any_other() -> None:
    door = Door()
    client = await door.client()
    body = b"b" * (3 * LARGE)
    client.transport.write(frame(1, OPEN) + frame(1, DATA, request("POST", "/page", {}, body)))
    await turns()
    assert read_frames(client.take()) == [(1, DATA, PAGE)]
