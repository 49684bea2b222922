"""Proxy mode, streamed: what the app writes reaches the Runtime API as it is written, and backpressure comes back."""

import asyncio
from base64 import b64decode

import orjson

from support.adapter_runs import running_adapter
from support.app_server import AppRequest, AppServer
from support.events import url_event
from support.runtime_server import RuntimeServer
from support.streams import within

NULS = b"\0" * 8


async def test_wire_is_exact_lwa_84() -> None:
    async def app(request: AppRequest) -> None:
        await request.start_chunks("content-type: text/plain\r\n")
        await request.chunk(b"hello")
        await request.chunk(b"")

    async with RuntimeServer() as server, AppServer(app) as web, running_adapter(server.address, web.port):
        post = await server.invoke(url_event())
        await post.complete()
        prelude = b'{"statusCode":200,"headers":{"content-type":"text/plain"},"cookies":[]}'
        assert bytes(post.wire) == (
            b"POST /2018-06-01/runtime/invocation/request-1/response HTTP/1.1\r\n"
            b"host: " + server.address.encode() + b"\r\n"
            b"lambda-runtime-function-response-mode: streaming\r\n"
            b"content-type: application/vnd.awslambda.http-integration-response\r\n"
            b"transfer-encoding: chunked\r\n"
            b"trailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body\r\n\r\n"
            b"%x\r\n%b\r\n8\r\n%b\r\n5\r\nhello\r\n0\r\n\r\n" % (len(prelude), prelude, NULS)
        )


async def test_headers_leave_before_the_first_body_byte() -> None:
    seen = asyncio.Event()

    async def app(request: AppRequest) -> None:
        await request.start_chunks()
        await within(seen.wait())
        await request.chunk(b"")

    async with RuntimeServer() as server, AppServer(app) as web, running_adapter(server.address, web.port):
        post = await server.invoke(url_event())
        assert orjson.loads(await post.chunk())["statusCode"] == 200
        assert await post.chunk() == NULS
        seen.set()
        await post.complete()


async def test_each_write_arrives_before_the_next_is_made_lwa_85() -> None:
    arrived: asyncio.Queue[None] = asyncio.Queue()
    pieces = [b"piece %d" % number for number in range(20)]

    async def app(request: AppRequest) -> None:
        await request.start_chunks()
        for piece in pieces:
            await request.chunk(piece)
            await within(arrived.get())
        await request.chunk(b"")

    async with RuntimeServer() as server, AppServer(app) as web, running_adapter(server.address, web.port):
        post = await server.invoke(url_event())
        await post.chunk()
        await post.chunk()
        for piece in pieces:
            assert await post.chunk() == piece
            arrived.put_nowait(None)
        assert await post.chunk() == b""
        assert post.trailers == {}


async def test_chunks_written_at_once_stay_chunks() -> None:
    async def app(request: AppRequest) -> None:
        await request.write(
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n2\r\nbb\r\n3\r\nccc\r\n0\r\n\r\n"
        )

    async with RuntimeServer() as server, AppServer(app) as web, running_adapter(server.address, web.port):
        post = await server.invoke(url_event())
        await post.chunk()
        for chunk in (NULS, b"a", b"bb", b"ccc", b""):
            assert await post.chunk() == chunk


async def test_slow_reader_blocks_the_app_lwa_86() -> None:
    written = 0
    stuck = asyncio.Event()
    total = 48 * 1024 * 1024
    piece = b"x" * 65536

    async def app(request: AppRequest) -> None:
        nonlocal written
        await request.start_chunks()
        while written < total:
            written += len(piece)
            request.writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            try:
                async with asyncio.timeout(0.5):
                    await request.writer.drain()
            except TimeoutError:
                stuck.set()
                await request.writer.drain()
        await request.chunk(b"")

    async with RuntimeServer() as server, AppServer(app) as web, running_adapter(server.address, web.port):
        server.read_posts = False
        post = await server.invoke(url_event())
        await within(stuck.wait())
        # Socket buffers, the test server's own reader and the adapter's two high-water marks: far below the whole.
        assert written < total / 2
        post.reading.set()
        body = await post.complete()
        assert len(body.partition(NULS)[2]) == total


async def test_app_dies_in_the_middle_and_trailers_say_so_lwa_87() -> None:
    async def app(request: AppRequest) -> None:
        await request.start_chunks()
        await request.chunk(b"half")
        request.hang_up()

    async with RuntimeServer() as server, AppServer(app) as web, running_adapter(server.address, web.port) as run:
        post = await server.invoke(url_event())
        body = await post.complete()
        assert body.endswith(NULS + b"half")
        assert post.headers["trailer"] == "Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body"
        assert post.trailers["Lambda-Runtime-Function-Error-Type"] == "Runtime.StreamError"
        error = orjson.loads(b64decode(post.trailers["Lambda-Runtime-Function-Error-Body"]))
        assert error["errorType"] == "Runtime.StreamError"
        assert f"127.0.0.1:{web.port}" in error["errorMessage"]
        await server.poll()
        assert any("Runtime.StreamError" in line and "request-1" in line for line in run.lines)


async def test_short_content_length_is_a_failure() -> None:
    async def app(request: AppRequest) -> None:
        await request.write(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf")
        request.hang_up()

    async with RuntimeServer() as server, AppServer(app) as web, running_adapter(server.address, web.port):
        post = await server.invoke(url_event())
        await post.complete()
        assert post.trailers["Lambda-Runtime-Function-Error-Type"] == "Runtime.StreamError"


async def test_body_until_close_is_whole() -> None:
    async def app(request: AppRequest) -> None:
        await request.write(b"HTTP/1.1 200 OK\r\n\r\nto the end")
        request.hang_up()

    async with RuntimeServer() as server, AppServer(app) as web, running_adapter(server.address, web.port):
        post = await server.invoke(url_event())
        assert (await post.complete()).endswith(NULS + b"to the end")
        assert post.trailers == {}


async def test_runtime_drops_in_the_middle_and_the_app_is_told_lwa_88() -> None:
    told = asyncio.Event()

    async def app(request: AppRequest) -> None:
        await request.start_chunks()
        await request.chunk(b"begun")
        await request.gone()
        told.set()

    async with RuntimeServer() as server, AppServer(app) as web, running_adapter(server.address, web.port):
        post = await server.invoke(url_event())
        await post.chunk()
        post.drop()
        await within(told.wait())
        await server.poll()


async def test_answer_in_the_middle_ends_the_stream() -> None:
    told = asyncio.Event()

    async def app(request: AppRequest) -> None:
        await request.start_chunks()
        await request.chunk(b"begun")
        await request.gone()
        told.set()

    async with RuntimeServer() as server, AppServer(app) as web, running_adapter(server.address, web.port) as run:
        post = await server.invoke(url_event())
        await post.chunk()
        post.answer_now(410, b'{"errorType":"InvokeTimeout"}')
        await within(told.wait())
        await server.poll()
        assert any("timed out" in line for line in run.lines)


async def test_no_content_completes_lwa_102() -> None:
    async def app(request: AppRequest) -> None:
        if request.target == "/204":
            await request.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        else:
            await request.write(b"HTTP/1.1 302 Found\r\nlocation: /x\r\ncontent-length: 0\r\n\r\n")

    async with RuntimeServer() as server, AppServer(app) as web, running_adapter(server.address, web.port):
        for number, status in enumerate((204, 302, 204), start=1):
            post = await server.invoke(url_event(path=f"/{status}"), f"request-{number}")
            prelude, _, body = (await post.complete()).partition(NULS)
            assert orjson.loads(prelude)["statusCode"] == status
            assert body == b""
        assert len({request.connection for request in web.requests}) == 1


async def test_head_has_no_body_whatever_its_length_says() -> None:
    async def app(request: AppRequest) -> None:
        await request.write(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n")

    async with RuntimeServer() as server, AppServer(app) as web, running_adapter(server.address, web.port):
        for number in range(3):
            post = await server.invoke(url_event(method="HEAD"), f"request-{number}")
            prelude, _, body = (await post.complete()).partition(NULS)
            assert orjson.loads(prelude)["headers"]["content-length"] == "5"
            assert body == b""
        assert len({request.connection for request in web.requests}) == 1


async def test_interim_response_is_not_the_answer() -> None:
    async def app(request: AppRequest) -> None:
        await request.write(b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n")
        await request.respond(b"real")

    async with RuntimeServer() as server, AppServer(app) as web, running_adapter(server.address, web.port):
        post = await server.invoke(url_event())
        prelude, _, body = (await post.complete()).partition(NULS)
        assert orjson.loads(prelude) == {
            "statusCode": 200,
            "headers": {"content-length": "4", "content-type": "application/octet-stream"},
            "cookies": [],
        }
        assert body == b"real"


async def test_large_bodies_both_ways_lwa_101() -> None:
    async def app(request: AppRequest) -> None:
        await request.respond(request.body[::-1])

    sent = bytes(range(256)) * (4 * 1024 * 4)
    async with RuntimeServer() as server, AppServer(app) as web, running_adapter(server.address, web.port):
        post = await server.invoke(url_event(method="POST", body=sent))
        assert (await post.complete()).partition(NULS)[2] == sent[::-1]


async def test_trickled_response_is_the_same() -> None:
    """Every split of a response's bytes gives the same stream."""

    async def app(request: AppRequest) -> None:
        wire = b"HTTP/1.1 201 Created\r\nset-cookie: a=1\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
        for place in range(len(wire)):
            request.writer.write(wire[place : place + 1])
            await asyncio.sleep(0)

    async with RuntimeServer() as server, AppServer(app) as web, running_adapter(server.address, web.port):
        for number in range(3):
            post = await server.invoke(url_event(), f"request-{number}")
            prelude, _, body = (await post.complete()).partition(NULS)
            assert orjson.loads(prelude)["cookies"] == ["a=1"]
            assert body == b"abc"
