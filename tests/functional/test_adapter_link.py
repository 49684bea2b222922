"""All slots on one connection to a real environment's APIs; one for each slot, where the other side makes no link."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from penstock.runtime_api.bandwidth import Bandwidth
from penstock_adapter import link_client
from penstock_adapter.app_interface import as_asgi
from penstock_adapter.asgi_exchange import AsgiMode
from penstock_adapter.asgi_types import Receive, Send
from penstock_adapter.link import SWITCHING
from penstock_adapter.link_transport import OPEN, WINDOW
from penstock_adapter.options import read_options
from penstock_adapter.output import Output
from penstock_adapter.runtime_client import RuntimeClient
from support.adapter_runs import running_adapter
from support.apis_door import ApisDoor
from support.app_server import AppRequest, AppServer
from support.events import url_event
from support.link_rig import frame
from support.runtime_rig import INVOCATION, request
from support.runtime_server import RuntimeServer
from support.streams import within
from support.url_rig import until

SLOTS = 16
LINKED = {"PENSTOCK_POLLS_AHEAD": "1", "PENSTOCK_LINK": "1", "AWS_LAMBDA_MAX_CONCURRENCY": str(SLOTS)}
OFFER = request("GET", "/penstock/link", {"connection": "upgrade", "upgrade": "penstock-link"})
START = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]}
LARGE_BODY = b"".join(b"%07d " % number for number in range(4 * WINDOW // 8))


async def app(scope: Any, receive: Receive, send: Send) -> None:
    """`/large` is more than a window, `/stream` comes in turns of the loop, and all else is whole."""
    await send(dict(START))
    if scope["path"] == "/stream":
        for number in range(20):
            await send({"type": "http.response.body", "body": b"%d " % number, "more_body": True})
            await asyncio.sleep(0)
    elif scope["path"] == "/large":
        for at in range(0, len(LARGE_BODY), 50_000):
            await send({"type": "http.response.body", "body": LARGE_BODY[at : at + 50_000], "more_body": True})
    await send({"type": "http.response.body", "body": scope["path"].encode()})


async def web_app(asked: AppRequest) -> None:
    if asked.target == "/stream":
        await asked.start_chunks()
        for number in range(20):
            await asked.chunk(b"%d " % number)
        await asked.chunk(b"/stream")
        await asked.chunk(b"")
    else:
        await asked.respond((LARGE_BODY if asked.target == "/large" else b"") + asked.target.encode())


EXPECTED = {
    "/stream": b"".join(b"%d " % number for number in range(20)) + b"/stream",
    "/large": LARGE_BODY + b"/large",
    "/whole": b"/whole",
}


@asynccontextmanager
async def in_process(address: str, *, linked: bool = True) -> AsyncIterator[list[str]]:
    """What the adapter has logged."""
    lines: list[str] = []
    options = read_options(
        {"AWS_LAMBDA_RUNTIME_API": address, "AWS_LWA_INVOKE_MODE": "response_stream", **(LINKED if linked else {})}
    )
    output = Output(write=lines.append)
    mode = AsgiMode(as_asgi(app, SLOTS), options, output, None)
    client = RuntimeClient(
        options.runtime_api, SLOTS, mode.new_handler, output, lines.append, polls_ahead=True, linked=options.linked
    )
    client.start()
    try:
        yield lines
    finally:
        client.close()
        mode.close()
        await asyncio.sleep(0)


async def ask_all(door: ApisDoor, rounds: int = 3) -> None:
    """As many invocations at once as there are slots, of every kind, some times over."""
    for turn in range(rounds):
        paths = [("/stream", "/large", "/whole")[number % 3] for number in range(SLOTS)]
        sinks = [door.invoke(url_event(path=path), f"{turn}-{number}") for number, path in enumerate(paths)]
        for path, sink in zip(paths, sinks, strict=True):
            await within(sink.ended.wait())
            assert sink.error is None
            assert sink.body.partition(bytes(8))[2] == EXPECTED[path]
        await door.slots(SLOTS)


async def test_in_process_all_slots_share_one_connection() -> None:
    async with ApisDoor() as door, in_process(door.address) as lines:
        await door.slots(SLOTS)
        assert (len(door.sockets), len(door.connections)) == (1, 1 + SLOTS)
        await ask_all(door)
        assert (len(door.sockets), len(door.connections)) == (1, 1 + SLOTS)
        assert lines == []


async def test_in_proxy_mode_too() -> None:
    async with (
        ApisDoor() as door,
        AppServer(web_app) as web,
        running_adapter(door.address, web.port, **LINKED),
    ):
        await door.slots(SLOTS)
        assert len(door.links) == 1
        assert len(door.sockets) == 2, "the other one is the extension's"
        await ask_all(door)
        assert len(door.sockets) == 2


async def test_without_being_told_nobody_asks_for_a_link() -> None:
    async with ApisDoor() as door, in_process(door.address, linked=False):
        await door.slots(SLOTS)
        assert (len(door.links), len(door.sockets)) == (0, SLOTS)
        await ask_all(door, 1)


async def test_a_link_that_is_lost_is_made_anew() -> None:
    async with ApisDoor() as door, in_process(door.address) as lines:
        for turn in range(3):
            await door.slots(SLOTS)
            door.reset_links()
            await until(lambda: door.links == [])
            await door.slots(SLOTS)
            assert len(door.sockets) == 1
            sink = door.invoke(url_event(path="/whole"), f"after-{turn}")
            assert (await sink.result()).endswith("/whole")
        await door.slots(SLOTS)
        assert lines == []


async def test_a_platform_that_comes_back_is_linked_again() -> None:
    async with ApisDoor() as door, in_process(door.address):
        await door.slots(SLOTS)
        door.apis._listener._servers[0].close()  # nothing listens for a while
        door.reset_links()
        await until(lambda: door.connections == set())
        server = await asyncio.get_running_loop().create_server(door.apis._listener.accept, "127.0.0.1", door.port)
        await door.slots(SLOTS)
        assert len(door.links) == 1
        server.close()


async def test_an_answer_that_is_never_taken_costs_one_slot() -> None:
    """`--fault stall-worker`, whatever the form of the answer."""
    async with ApisDoor() as door, in_process(door.address):
        await door.slots(SLOTS)
        await ask_all(door, 1)
        door.apis.stall("stalled")
        stalled = door.invoke(url_event(path="/whole"), "stalled", timeout_s=1)
        assert (await stalled.failure()).error_type == "Sandbox.Timedout"
        for number in range(5):
            await door.slots(SLOTS - 1)
            assert (await door.invoke(url_event(path="/whole"), f"other-{number}").result()).endswith("/whole")
        assert door.apis.runtime.idle == SLOTS - 1


async def test_streams_are_paced_each_for_itself() -> None:
    """As `--bandwidth aws` does: what is beyond the burst comes at a rate, and holds up nobody else."""
    beyond = 0.5
    bandwidth = Bandwidth(burst=len(LARGE_BODY) // 2, rate=int(len(LARGE_BODY) // 2 / beyond))
    async with ApisDoor(bandwidth) as door, in_process(door.address):
        await door.slots(SLOTS)
        loop = asyncio.get_running_loop()
        began = loop.time()
        paced = [door.invoke(url_event(path="/large"), f"large-{number}") for number in range(3)]
        quick = door.invoke(url_event(path="/whole"), "quick")
        assert (await quick.result()).endswith("/whole")
        assert not any(sink.over for sink in paced)
        for sink in paced:
            await within(sink.ended.wait())
            assert sink.body.partition(bytes(8))[2] == EXPECTED["/large"]
        assert loop.time() - began > beyond * 0.6
        await door.slots(SLOTS)


# --- where no link is made ---


class NoLinks(RuntimeServer):
    """Answers an offer with `answer`, or hangs up, or says nothing at all."""

    def __init__(self, answer: bytes | None, *, hangs_up: bool = False) -> None:
        super().__init__()
        self.offers = 0
        self._answer = answer
        self._hangs_up = hangs_up

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"GET /penstock/link "):
            reader._buffer[:0] = head  # type: ignore[attr-defined]  # as if it had not been looked at
            await super().serve(reader, writer)
            return
        self.offers += 1
        if self._answer:
            writer.write(self._answer)
        if self._hangs_up:
            writer.close()
        with suppress(ConnectionError):
            await reader.read()


REFUSALS = {
    "hung up": NoLinks(None, hangs_up=True),
    "says nothing": NoLinks(None),
    "another protocol": NoLinks(SWITCHING.replace(b"penstock-link", b"h2c")),
    "an older answer": NoLinks(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"),
    "not HTTP": NoLinks(b"\xff\0" * 3),
    "half an answer, then hung up": NoLinks(SWITCHING[:40], hangs_up=True),
    "half an answer": NoLinks(SWITCHING[:40]),
}


@pytest.mark.parametrize("name", REFUSALS)
async def test_each_slot_has_a_connection_of_its_own_then(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_client, "OFFER_S", 0.2 if REFUSALS[name]._answer is None or "half" in name else 20.0)
    kind = REFUSALS[name]
    async with NoLinks(kind._answer, hangs_up=kind._hangs_up) as server, in_process(server.address) as lines:
        await until(lambda: server.polls_open == SLOTS)
        assert (server.offers, server.connections) == (1, 1 + SLOTS)
        post = await server.invoke(url_event(path="/whole"))
        assert (await post.complete()).endswith(b"/whole")
        await until(lambda: server.polls_open == SLOTS)
        assert lines == []


async def test_so_it_is_on_a_runtime_api_that_knows_no_links() -> None:
    async with RuntimeServer() as server, in_process(server.address) as lines:
        await until(lambda: server.polls_open == SLOTS)
        for number in range(3):
            post = await server.invoke(url_event(path="/whole"), f"request-{number}")
            assert (await post.complete()).endswith(b"/whole")
        assert server.connections == 1 + SLOTS
        assert lines == []


# --- what function code may try ---


async def hostile(door: ApisDoor) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A link of the function's own."""
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    writer.write(OFFER)
    assert await within(reader.readexactly(len(SWITCHING))) == SWITCHING
    return reader, writer


async def test_a_link_of_the_functions_own_harms_no_other() -> None:
    async with ApisDoor() as door, in_process(door.address):
        await door.slots(SLOTS)
        for data in (b"\xff" * 1000, frame(1, OPEN) + frame(1, 0, b""), frame(9, 0, b"x"), OFFER):
            reader, writer = await hostile(door)
            writer.write(data)
            with suppress(ConnectionError):
                assert await within(reader.read()) == b""
            writer.close()
        await ask_all(door, 1)
        await until(lambda: len(door.sockets) == 1)


async def test_there_is_no_link_on_a_link() -> None:
    async with ApisDoor() as door:
        reader, writer = await hostile(door)
        writer.write(frame(1, OPEN) + frame(1, 0, OFFER))
        answer = await within(reader.readuntil(b"404 page not found\n"))
        assert answer[9:].startswith(b"HTTP/1.1 404 ")
        writer.write(frame(1, 0, request("GET", "/2018-06-01/ping")))
        assert (await within(reader.readuntil(b"pong")))[9:].startswith(b"HTTP/1.1 200 ")
        writer.close()


@pytest.mark.parametrize(
    "offer",
    [
        request("GET", "/penstock/link"),
        request("GET", "/penstock/link", {"connection": "upgrade", "upgrade": "websocket"}),
        request("POST", "/penstock/link", {"connection": "upgrade", "upgrade": "penstock-link"}, b""),
        request("GET", "/penstock/linked", {"connection": "upgrade", "upgrade": "penstock-link"}),
    ],
)
async def test_anything_else_is_no_offer(offer: bytes) -> None:
    async with ApisDoor() as door:
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
        writer.write(offer)
        assert (await within(reader.readuntil(b"404 page not found\n"))).startswith(b"HTTP/1.1 404 ")
        writer.close()


async def test_a_runtime_that_uses_plain_requests_on_its_link_is_served() -> None:
    """The long form is welcome on a link."""
    async with ApisDoor() as door:
        reader, writer = await hostile(door)
        writer.write(frame(1, OPEN) + frame(1, 0, request("GET", f"{INVOCATION}next")))
        await door.slots(1)
        sink = door.invoke(b"{}")
        assert b"lambda-runtime-aws-request-id: request-1\r\n" in await within(reader.readuntil(b"\r\n\r\n{}"))
        writer.write(frame(1, 0, request("POST", f"{INVOCATION}request-1/response", {}, b"fine")))
        assert await sink.result() == "fine"
        assert b"HTTP/1.1 202 " in await within(reader.readuntil(b'"OK"}\n'))
        writer.close()
