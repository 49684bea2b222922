"""Streams through a real door, router and Runtime API, on real sockets."""

import asyncio
import hashlib

import httpx
import pytest
import uvloop

from penstock.model.errors import FunctionError
from penstock.model.function import InvokeMode
from penstock.wire.prelude import CONTENT_TYPE as PRELUDE_TYPE
from penstock.wire.prelude import SEPARATOR
from support.streams import within
from support.url_rig import UrlRig, get, until

PRELUDE = b'{"statusCode":201,"headers":{"content-type":"text/event-stream"},"cookies":["a=1"]}' + SEPARATOR


async def test_runs_on_uvloop() -> None:
    assert isinstance(asyncio.get_running_loop(), uvloop.Loop)


async def test_each_chunk_is_with_the_client_before_the_next_is_sent() -> None:
    async with UrlRig() as rig:
        worker, client = await rig.worker(), await rig.client()
        client.send(get("/stream?n=1"))
        stream = worker.stream(await worker.next(), PRELUDE_TYPE).send(PRELUDE)
        head = await client.head()
        assert head.startswith(b"HTTP/1.1 201 Created\r\n")
        assert b"content-type: text/event-stream\r\n" in head
        for number in range(60):
            stream.send(b"chunk %d" % number)
            assert await client.chunk() == b"chunk %d" % number
        assert await stream.end() == 202
        assert await client.chunk() == b""
        assert worker.event["rawPath"] == "/stream"
        record = await rig.record()
        assert (record.status, record.note, record.environment_id) == (201, "", "env-0")


@pytest.mark.parametrize("cut", [1, 20, len(PRELUDE) - 8, len(PRELUDE) - 4, len(PRELUDE) - 1])
async def test_prelude_cut_by_the_runtime(cut: int) -> None:
    async with UrlRig() as rig:
        worker, client = await rig.worker(), await rig.client()
        client.send(get())
        stream = worker.stream(await worker.next(), PRELUDE_TYPE).send(PRELUDE[:cut])
        stream.send(PRELUDE[cut:] + b"body")
        assert (await client.head()).startswith(b"HTTP/1.1 201 ")
        assert await client.chunk() == b"body"
        assert await stream.end() == 202
        assert await client.chunk() == b""


async def test_httpx_reads_a_stream_as_it_comes() -> None:
    async with UrlRig() as rig, httpx.AsyncClient() as http:
        worker = await rig.worker()

        async def serve() -> int:
            stream = worker.stream(await worker.next(), PRELUDE_TYPE).send(PRELUDE)
            for number in range(3):
                stream.send(b"%d" % number)
                await seen.get()
            return await stream.end()

        seen: asyncio.Queue[bytes] = asyncio.Queue()
        serving = asyncio.create_task(serve())
        async with http.stream("GET", rig.url) as response:
            assert (response.status_code, response.cookies["a"]) == (201, "1")
            parts = []
            async for part in response.aiter_raw():
                parts.append(part)
                seen.put_nowait(part)
        assert parts == [b"0", b"1", b"2"]
        assert await within(serving) == 202


async def test_50_mb_arrive_as_they_were_sent() -> None:
    async with UrlRig() as rig:
        worker, client = await rig.worker(), await rig.client()
        client.send(get())
        stream = worker.stream(await worker.next())
        piece = hashlib.sha256(b"seed").digest() * 8192  # 256 KiB

        async def write() -> int:
            for number in range(200):
                stream.send(b"%08d" % number + piece)
                await stream.line.writer.drain()
            return await stream.end()

        writing = asyncio.create_task(write())
        await client.head()
        seen, size = hashlib.sha256(), 0
        while part := await client.chunk():
            seen.update(part)
            size += len(part)
        expected = hashlib.sha256()
        for number in range(200):
            expected.update(b"%08d" % number + piece)
        assert (size, seen.digest()) == (200 * (8 + len(piece)), expected.digest())
        assert await within(writing) == 202
        assert (await rig.record()).sent == size


async def test_client_that_does_not_read_stops_the_function_and_costs_little() -> None:
    async with UrlRig() as rig:
        worker, client = await rig.worker(), await rig.client(receive_buffer=4096)
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]
        client.send(get())
        stream = worker.stream(await worker.next())
        written = 0
        total = 64 * 1024 * 1024
        piece = b"x" * 65_536

        async def write() -> int:
            nonlocal written
            while written < total:
                stream.send(piece)
                await stream.line.writer.drain()
                written += len(piece)
            return await stream.end()

        writing = asyncio.create_task(write())
        [source] = rig.only.connections
        await until(lambda: not source.transport.is_reading())
        # Held in user space: the door's mark and at most what one read brought. The rest is in the kernel's buffers.
        held = rig.door_connection().transport.get_write_buffer_size()
        assert 0 < held < 1024 * 1024
        assert written < total // 2
        assert not writing.done()
        client.writer.transport.resume_reading()  # type: ignore[attr-defined]
        await client.head()
        assert len(await client.body()) == total
        assert await within(writing) == 202


async def test_client_that_leaves_does_not_stop_the_function_and_its_slot_comes_back() -> None:
    async with UrlRig() as rig:
        worker, client = await rig.worker(), await rig.client()
        client.send(get())
        stream = worker.stream(await worker.next()).send(b"one")
        await client.head()
        client.hang_up()
        await until(lambda: not rig.door_connections)
        for _ in range(10):
            stream.send(b"x" * 100_000)
        assert await stream.end() == 202
        record = await rig.record()
        assert (record.status, record.note) == (200, "client left")
        assert rig.only.ended == ["success"]
        worker.poll()
        await until(lambda: rig.only.free_slots == 1)
        assert rig.door.open_requests == 0


@pytest.mark.parametrize("when", ["before", "mid-stream"])
async def test_deadline(when: str) -> None:
    async with UrlRig() as rig:
        worker, client = await rig.worker(), await rig.client()
        client.send(get())
        request_id = await worker.next()
        if when == "mid-stream":
            stream = worker.stream(request_id).send(b"part")
            await client.head()
            assert await client.chunk() == b"part"
            rig.clock.advance(3)
            assert await client.rest() == b""  # no last chunk
            assert (await stream.line.answer()).status == 410
        else:
            rig.clock.advance(3)
            answer = await client.answer()
            assert (answer.status, answer.body) == (502, b"Internal Server Error")
            assert await worker.respond(request_id) == 410
            assert await worker.respond(request_id) == 400
        assert rig.only.ended == ["timeout"]
        assert "Task timed out after 3.00 seconds" in (await rig.record()).note


async def test_death_in_the_middle_of_a_stream_is_seen_by_the_client() -> None:
    async with UrlRig() as rig, httpx.AsyncClient() as http:
        worker = await rig.worker()

        async def serve() -> None:
            worker.stream(await worker.next()).send(b"part")

        serving = asyncio.create_task(serve())
        async with http.stream("GET", rig.url) as response:
            parts = response.aiter_raw()
            assert await anext(parts) == b"part"
            rig.only.die(FunctionError("Runtime.ExitError", "runtime exited: signal 9"))
            with pytest.raises(httpx.RemoteProtocolError, match="incomplete chunked read"):
                await anext(parts)
        await within(serving)
        assert (await rig.record()).note == "Runtime.ExitError: runtime exited: signal 9"


async def test_worker_that_hangs_up_in_the_middle_of_a_stream() -> None:
    async with UrlRig() as rig:
        worker, client = await rig.worker(), await rig.client()
        client.send(get())
        worker.stream(await worker.next()).send(b"part")
        await client.head()
        assert await client.chunk() == b"part"
        worker.line.hang_up()
        assert await client.rest() == b""
        assert (await rig.record()).note == "Runtime.TruncatedResponse"


async def test_error_in_trailers_cuts_the_stream() -> None:
    async with UrlRig() as rig:
        worker, client = await rig.worker(), await rig.client()
        client.send(get())
        stream = worker.stream(await worker.next()).send(b"part")
        assert await stream.end({"lambda-runtime-function-error-type": "Function.Broken"}) == 202
        assert (await client.rest()).endswith(b"4\r\npart\r\n")
        assert (await rig.record()).note == "Function.Broken"


async def test_204_frees_its_connection_before_the_function_ends() -> None:
    """httpx reuses the connection as soon as the head is there."""
    async with UrlRig() as rig, httpx.AsyncClient(limits=httpx.Limits(max_connections=1)) as http:
        worker, other = await rig.worker(), await rig.worker()

        async def serve() -> None:
            stream = worker.stream(await worker.next(), PRELUDE_TYPE).send(b'{"statusCode":204}' + SEPARATOR)
            await other.respond(await other.next())
            assert await stream.end() == 202

        serving = asyncio.create_task(serve())
        assert (await http.get(rig.url)).status_code == 204
        assert (await http.get(rig.url)).text == "ok"
        await within(serving)
        assert [record.status for record in rig.records] == [200, 204]


async def test_buffered_url_collects_a_stream() -> None:
    async with UrlRig(InvokeMode.BUFFERED) as rig:
        worker, client = await rig.worker(), await rig.client()
        client.send(get())
        stream = worker.stream(await worker.next(), PRELUDE_TYPE).send(PRELUDE).send(b"one").send(b"two")
        assert await stream.end() == 202
        answer = await client.answer()
        assert (answer.status, answer.body, answer.header("content-length")) == (201, b"onetwo", "6")
