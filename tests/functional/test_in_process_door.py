"""In-process mode behind a real Function URL, router and Runtime API: streams, backpressure, timeouts, many at once."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from penstock_adapter.asgi_types import Receive, Send
from penstock_adapter.request_context import request_id
from support.asgi_rig import AppRig
from support.streams import within
from support.url_rig import get, post, until


def start(status: int = 200, *headers: tuple[bytes, bytes]) -> dict[str, object]:
    return {"type": "http.response.start", "status": status, "headers": [(b"content-type", b"text/plain"), *headers]}


def body(data: bytes = b"", *, more: bool = False) -> dict[str, object]:
    return {"type": "http.response.body", "body": data, "more_body": more}


async def echo(scope: Any, receive: Receive, send: Send) -> None:
    if scope["type"] == "http":
        await send(start())
        await send(body((await receive())["body"]))


async def test_each_piece_arrives_before_the_next_is_made() -> None:
    arrived: asyncio.Queue[None] = asyncio.Queue()

    async def app(scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        await send(start())
        for number in range(20):
            await send(body(b"piece %d" % number, more=True))
            await arrived.get()
        await send(body())

    async with AppRig(app) as rig:
        line = (await rig.url.client()).send(get("/"))
        await line.head()
        for number in range(20):
            assert await line.chunk() == b"piece %d" % number
            arrived.put_nowait(None)
        assert await line.chunk() == b""


async def test_what_was_sent_with_the_head_arrives_in_order() -> None:
    async def app(scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await send(start())
            for number in range(3000):
                await send(body(b"%d " % number, more=True))
            await send(body())

    async with AppRig(app) as rig:
        answer = await rig.http.get("/")
        assert answer.content == b"".join(b"%d " % number for number in range(3000))


async def test_a_large_upload_comes_whole() -> None:
    data = bytes(range(256)) * 16384
    async with AppRig(echo) as rig:
        line = (await rig.url.client()).send(post(data))
        answer = await line.answer("POST")
        assert answer.body == data


async def test_a_client_that_reads_slowly_holds_the_app_up() -> None:
    sent = 0
    piece = b"x" * 65536
    total = 64 * 1024 * 1024

    async def app(scope: Any, receive: Receive, send: Send) -> None:
        nonlocal sent
        if scope["type"] != "http":
            return
        await send(start())
        while sent < total:
            await send(body(piece, more=True))
            sent += len(piece)
        await send(body())

    async with AppRig(app) as rig:
        line = (await rig.url.client(receive_buffer=65536)).send(get("/"))
        await line.head()
        stuck = -1
        while stuck != sent:  # no progress in a hundred turns: everything between is full
            stuck = sent
            for _ in range(100):
                await asyncio.sleep(0.001)
        assert 0 < sent < total / 2
        assert len(await within(line.body())) == total


async def test_a_client_that_does_not_read_holds_up_its_own_stream_alone() -> None:
    """All streams share one link."""
    sent: dict[str, int] = {}
    total = 32 * 1024 * 1024

    async def app(scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        await send(start())
        path = scope["path"]
        sent[path] = 0
        while sent[path] < total:
            await send(body(b"x" * 65536, more=True))
            sent[path] += 65536
        await send(body())

    async with AppRig(app) as rig:
        stuck = (await rig.url.client(receive_buffer=65536)).send(get("/stuck"))
        await stuck.head()
        for number in range(3):
            quick = (await rig.url.client()).send(get(f"/quick-{number}"))
            await quick.head()
            assert len(await within(quick.body())) == total
        assert 0 < sent["/stuck"] < total / 2
        assert len(await within(stuck.body())) == total
        assert rig.log == ""


async def test_an_invocation_that_times_out_disconnects_the_app() -> None:
    heard: list[str] = []

    async def app(scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != "/":
            return
        await receive()
        await send(start())
        await send(body(b"some", more=True))
        heard.append((await receive())["type"])
        try:
            await send(body(b"more", more=True))
        except OSError:
            heard.append("OSError")

    async with AppRig(app) as rig:
        line = (await rig.url.client()).send(get("/"))
        await line.head()
        rig.url.clock.advance(3600)
        await until(lambda: heard == ["http.disconnect", "OSError"])
        await rig.all_free()
        assert (await rig.http.get("/again")).status_code == 500  # it returned without starting


async def test_background_work_keeps_the_slot_and_the_answer_leaves() -> None:
    done = asyncio.Event()
    finished: list[str] = []

    async def app(scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        mine = request_id.get()
        await send(start())
        await send(body(b"ok"))
        await done.wait()
        assert request_id.get() == mine
        finished.append(mine)

    async with AppRig(app, slots=1) as rig:
        assert (await rig.http.get("/")).text == "ok"
        assert rig.url.only.free_slots == 0
        assert (await rig.http.get("/")).status_code == 429
        done.set()
        await rig.all_free()
        assert len(finished) == 1
        assert (await rig.http.get("/")).text == "ok"


async def test_64_at_once_are_not_mixed() -> None:
    async def app(scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        name = scope["query_string"]
        await send(start(200, (b"x-name", name)))
        for _ in range(5):
            await send(body(name + b";", more=True))
            await asyncio.sleep(0)
        await send(body((await receive())["body"]))

    async with AppRig(app, slots=64) as rig:

        async def ask(number: int) -> None:
            answer = await rig.http.post(f"/?n{number}", content=f"body{number}")
            assert answer.headers["x-name"] == f"n{number}"
            assert answer.text == f"n{number};" * 5 + f"body{number}"

        for _ in range(3):
            await asyncio.gather(*(ask(number) for number in range(60)))


@pytest.mark.parametrize("streaming", [True, False])
async def test_heads_statuses_cookies_and_headers(streaming: bool) -> None:
    async def app(scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        status = int(scope["path"][1:])
        await send(
            start(status, (b"set-cookie", b"a=1"), (b"set-cookie", b"b=2"), (b"X-Many", b"1"), (b"x-many", b"2"))
        )
        await send(body(b"four"))

    async with AppRig(app, streaming=streaming) as rig:
        answer = await rig.http.get("/201")
        assert (answer.status_code, answer.text) == (201, "four")
        assert answer.headers.get_list("set-cookie") == ["a=1", "b=2"]
        assert [part.strip() for part in answer.headers["x-many"].split(",")] == ["1", "2"]
        for method, status in (("HEAD", 200), ("GET", 204), ("GET", 304)):
            answer = await rig.http.request(method, f"/{status}")
            assert (answer.status_code, answer.content) == (status, b"")
        assert (await rig.http.get("/200")).text == "four"


async def test_errors_before_and_after_the_start() -> None:
    async def app(scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if scope["path"] == "/after":
            await send(start())
            await send(body(b"some", more=True))
            await asyncio.sleep(0)
        raise LookupError("no such thing")

    async with AppRig(app) as rig:
        answer = await rig.http.get("/before")
        assert (answer.status_code, answer.text) == (500, "Internal Server Error")
        line = (await rig.url.client()).send(get("/after"))
        await line.head()
        assert await line.chunk() == b"some"
        assert b"0\r\n\r\n" not in await line.rest()  # cut short, so that the client knows
        assert rig.log.count("LookupError: no such thing\n\n") == 2
        await rig.all_free()


async def test_a_wsgi_app_whose_client_is_gone_ends_and_frees_its_slot() -> None:
    """Its thread must not wait for ever on an answer that nobody takes."""
    ended: list[int] = []
    go_on = threading.Event()

    def app(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [("content-type", "text/plain")])
        yield b"first"
        go_on.wait(20)
        for number in range(100):
            yield b"piece %d" % number
        ended.append(1)

    async with AppRig(app, slots=1) as rig:
        line = (await rig.url.client()).send(get("/"))
        await line.head()
        assert await line.chunk() == b"first"
        rig.url.clock.advance(3600)
        await until(lambda: "the invocation timed out" in rig.log)
        go_on.set()
        await rig.all_free()
        assert ended == [1]
