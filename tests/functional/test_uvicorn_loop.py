"""A real uvicorn, started as a `run.sh` starts it, whose event loop takes invocations in place of connections while our
extension stands by.
"""

import asyncio
import signal
from pathlib import Path

import orjson
import pytest

from support.events import url_event
from support.runtime_server import RuntimeServer
from support.url_rig import until
from support.uvicorn_runs import free_port, hooked, need_hook, running

pytestmark = need_hook


async def test_invocations_reach_the_app_without_a_port(tmp_path: Path) -> None:
    async with hooked(tmp_path) as (server, web):
        for number in range(3):
            event = url_event(method="POST", path="/x", body="body", headers={"x-forwarded-proto": "https"})
            post = await server.invoke(event, f"request-{number}")
            prelude, _, body = (await post.complete()).partition(bytes(8))
            head = orjson.loads(prelude)
            assert (head["statusCode"], head["cookies"]) == (200, ["a=1", "b=2"])
            assert body == b"POST https 127.0.0.1 4"
        assert web.listens() == []


async def test_buffered_answers_and_large_bodies(tmp_path: Path) -> None:
    async with hooked(tmp_path, AWS_LWA_INVOKE_MODE="buffered") as (server, _):
        post = await server.invoke(url_event(method="POST", body=bytes(3_000_000)))
        assert orjson.loads(await post.complete())["body"] == "POST http 127.0.0.1 3000000"


async def test_chunks_leave_as_they_are_sent_and_slots_share_the_loop(tmp_path: Path) -> None:
    async with hooked(tmp_path) as (server, web):
        first = await server.invoke(url_event(path="/stream"), "first")
        assert [await first.chunk() for _ in range(3)][1:] == [bytes(8), b"one"]
        second = await server.invoke(url_event(path="/x"), "second")
        assert (await second.complete()).endswith(b"GET http 127.0.0.1 0")
        web.go_on()
        assert await first.chunk() == b"two"
        assert await first.chunk() == b""


async def test_a_reader_that_pauses_stops_the_app_and_one_that_leaves_ends_it(tmp_path: Path) -> None:
    async with hooked(tmp_path) as (server, web):
        server.read_posts = False
        post = await server.invoke(url_event(path="/endless"))
        before = -1
        while before != len(web.lines):  # until it has stood still for a while
            before = len(web.lines)
            await asyncio.sleep(0.3)
        assert len(web.lines) < 300
        post.reading.set()
        await web.wait_for(f"sent {len(web.lines) + 50}")
        server.read_posts = True
        post.drop()
        await web.wait_for("http.disconnect")
        told = await server.invoke(url_event(path="/x"), "next")
        assert (await told.complete()).endswith(b"GET http 127.0.0.1 0")


async def test_failures_are_the_proxys(tmp_path: Path) -> None:
    async with hooked(tmp_path) as (server, web):
        post = await server.invoke(url_event(path="/raise"), "one")
        prelude, _, body = (await post.complete()).partition(bytes(8))
        assert (orjson.loads(prelude)["statusCode"], body) == (500, b"Internal Server Error")
        post = await server.invoke(url_event(path="/break"), "two")
        assert (await post.complete()).endswith(b"half")
        assert post.trailers["Lambda-Runtime-Function-Error-Type"] == "Runtime.StreamError"
        await web.wait_for("no other half")


async def test_sigterm_lets_an_answer_end(tmp_path: Path) -> None:
    async with hooked(tmp_path) as (server, web):
        post = await server.invoke(url_event(path="/stream"))
        assert [await post.chunk() for _ in range(3)][2] == b"one"
        web.process.send_signal(signal.SIGTERM)
        await web.wait_for("Waiting for connections to close")
        assert server.polls_open == 0
        web.go_on()
        assert await post.chunk() == b"two"
        assert await post.chunk() == b""
        assert await web.ended() == -signal.SIGTERM
        assert "lifespan.shutdown" in web.lines


async def test_sigterm_while_idle(tmp_path: Path) -> None:
    async with hooked(tmp_path) as (server, web):
        await (await server.invoke(url_event())).complete()
        await server.poll()
        web.process.send_signal(signal.SIGTERM)
        assert await web.ended() == -signal.SIGTERM
        assert "lifespan.shutdown" in web.lines


async def test_a_kept_connection_that_uvicorn_closes_is_replaced(tmp_path: Path) -> None:
    async with hooked(tmp_path, "--timeout-keep-alive", "0") as (server, _):
        for number in range(20):
            post = await server.invoke(url_event(), f"request-{number}")
            assert (await post.complete()).endswith(b"GET http 127.0.0.1 0")


async def test_h11_is_served_as_well(tmp_path: Path) -> None:
    async with hooked(tmp_path, "--http", "h11") as (server, web):
        for number in range(3):
            post = await server.invoke(url_event(method="POST", body="abc"), f"request-{number}")
            assert (await post.complete()).endswith(b"POST http 127.0.0.1 3")
        assert web.listens() == []


@pytest.mark.parametrize("more", [["--workers", "2"], ["--reload"], ["--port", "0"], []])
async def test_anything_else_listens_and_leaves_the_polls_to_the_proxy(tmp_path: Path, more: list[str]) -> None:
    """Without `more` it is the environment that is missing."""
    port = free_port()
    async with RuntimeServer() as server, running(tmp_path, port, more, api=server.address if more else "") as web:
        await web.wait_for("Application startup complete")
        await web.wait_for("Uvicorn running on")
        # A parent that binds the socket says so before, and a child that its app is up just before it listens there.
        await until(lambda: bool(web.listens()))
        assert len(set(web.listens())) == 1
        assert server.parked.empty()
