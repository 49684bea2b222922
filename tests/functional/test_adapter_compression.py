"""Proxy mode with AWS_LWA_ENABLE_COMPRESSION: what leaves as an answer."""

import asyncio
import gzip
import random
from base64 import b64decode

import brotli  # type: ignore[import-untyped]
import orjson
import pytest

from penstock_adapter import compression
from penstock_adapter.http_answer import MAX_BUFFERED_BYTES
from support.adapter_runs import running_adapter
from support.app_server import AppRequest, AppServer
from support.events import url_event
from support.runtime_server import RuntimeServer
from support.streams import within

ON = {"AWS_LWA_INVOKE_MODE": "buffered", "AWS_LWA_ENABLE_COMPRESSION": "true"}
GZIP = {"accept-encoding": "gzip"}
TEXT = "content-type: text/plain\r\n"
SENTENCE = b"Fifty-nine bytes of text that are to be compressed, so they"


async def answered(server: RuntimeServer, event: bytes, name: str = "request-1") -> dict[str, object]:
    post = await server.invoke(event, name)
    answer = orjson.loads(await post.complete())
    assert isinstance(answer, dict)
    return answer


def inflated(answer: dict[str, object]) -> bytes:
    assert answer["isBase64Encoded"] is True
    assert isinstance(answer["body"], str)
    return gzip.decompress(b64decode(answer["body"]))


async def test_text_is_compressed_lwa_33_57() -> None:
    async def app(request: AppRequest) -> None:
        await request.respond(SENTENCE, headers=TEXT + "accept-ranges: bytes\r\nvary: origin\r\n")

    async with RuntimeServer() as server, AppServer(app) as web, running_adapter(server.address, web.port, **ON):
        answer = await answered(server, url_event(headers=GZIP))
        assert inflated(answer) == SENTENCE
        assert answer["headers"] == {
            "content-type": "text/plain",
            "vary": "origin, accept-encoding",
            "content-encoding": "gzip",
        }


async def test_brotli_where_a_client_likes_both_alike_lwa_105() -> None:
    async def app(request: AppRequest) -> None:
        await request.respond(SENTENCE * 1000, headers=TEXT)

    async with RuntimeServer() as server, AppServer(app) as web, running_adapter(server.address, web.port, **ON):
        answer = await answered(server, url_event(headers={"accept-encoding": "gzip, deflate, br"}))
        assert answer["isBase64Encoded"] is True
        assert isinstance(answer["body"], str)
        assert brotli.decompress(b64decode(answer["body"])) == SENTENCE * 1000
        assert answer["headers"] == {"content-type": "text/plain", "vary": "accept-encoding", "content-encoding": "br"}


async def test_gzip_where_there_is_no_brotli(monkeypatch: pytest.MonkeyPatch) -> None:
    async def app(request: AppRequest) -> None:
        await request.respond(SENTENCE, headers=TEXT)

    monkeypatch.setattr(compression, "_brotli", lambda: None)
    async with RuntimeServer() as server, AppServer(app) as web, running_adapter(server.address, web.port, **ON):
        assert inflated(await answered(server, url_event(headers={"accept-encoding": "gzip, br"}))) == SENTENCE
        answer = await answered(server, url_event(headers={"accept-encoding": "br"}), "request-2")
        assert (answer["body"], answer["isBase64Encoded"]) == (SENTENCE.decode(), False)


@pytest.mark.parametrize(
    ("accept", "headers", "body"),
    [
        pytest.param({}, TEXT, SENTENCE, id="not-asked-for"),
        pytest.param({"accept-encoding": "br;q=0, deflate"}, TEXT, SENTENCE, id="neither"),
    ],
)
async def test_what_might_have_been_compressed_varies(accept: dict[str, str], headers: str, body: bytes) -> None:
    async def app(request: AppRequest) -> None:
        await request.respond(body, headers=headers)

    async with RuntimeServer() as server, AppServer(app) as web, running_adapter(server.address, web.port, **ON):
        answer = await answered(server, url_event(headers=accept))
        assert (answer["body"], answer["isBase64Encoded"]) == (body.decode(), False)
        assert answer["headers"] == {
            "content-type": "text/plain",
            "content-length": str(len(body)),
            "vary": "accept-encoding",
        }


@pytest.mark.parametrize(
    ("headers", "body", "method"),
    [
        pytest.param("content-type: image/png\r\n", SENTENCE, "GET", id="image"),
        pytest.param(TEXT + "content-encoding: gzip\r\n", gzip.compress(SENTENCE), "GET", id="lwa-35"),
        pytest.param(TEXT, b"short", "GET", id="short"),
        pytest.param(TEXT, b"", "HEAD", id="head"),
    ],
)
async def test_left_as_it_is(headers: str, body: bytes, method: str) -> None:
    async def app(request: AppRequest) -> None:
        await request.respond(body, headers=headers)

    async with RuntimeServer() as server, AppServer(app) as web, running_adapter(server.address, web.port, **ON):
        answer = await answered(server, url_event(headers=GZIP, method=method))
        shown = answer["body"]
        assert isinstance(shown, str)
        assert (b64decode(shown) if answer["isBase64Encoded"] else shown.encode()) == body
        assert isinstance(answer["headers"], dict)
        assert "vary" not in answer["headers"]
        assert answer["headers"]["content-length"] == str(len(body))


async def test_octets_are_compressed_as_well_lwa_34() -> None:
    async def app(request: AppRequest) -> None:
        await request.respond(SENTENCE, headers="content-type: application/octet-stream\r\n")

    async with RuntimeServer() as server, AppServer(app) as web, running_adapter(server.address, web.port, **ON):
        assert inflated(await answered(server, url_event(headers=GZIP))) == SENTENCE


async def test_unknown_length_and_not_a_byte() -> None:
    async def app(request: AppRequest) -> None:
        await request.start_chunks(TEXT)
        await request.chunk(b"")

    async with RuntimeServer() as server, AppServer(app) as web, running_adapter(server.address, web.port, **ON):
        assert inflated(await answered(server, url_event(headers=GZIP))) == b""


async def test_ten_megabytes_fit_once_compressed() -> None:
    """And the connections to the app and the Runtime API are used again."""
    text = orjson.dumps([{"number": number, "square": number * number} for number in range(300_000)])
    assert len(text) > MAX_BUFFERED_BYTES

    async def app(request: AppRequest) -> None:
        await request.start_chunks("content-type: application/json\r\n")
        for at in range(0, len(text), 100_000):
            await request.chunk(text[at : at + 100_000])
        await request.chunk(b"")

    async with RuntimeServer() as server, AppServer(app) as web, running_adapter(server.address, web.port, **ON):
        for name in ("request-1", "request-2"):
            assert inflated(await answered(server, url_event(headers=GZIP), name)) == text
        assert [request.connection for request in web.requests] == [2, 2]


async def test_too_large_even_so() -> None:
    noise = random.Random(1).randbytes(1 << 20)

    async def app(request: AppRequest) -> None:
        await request.start_chunks(TEXT)
        for _ in range(7):
            await request.chunk(noise)
        await request.chunk(b"")

    async with RuntimeServer() as server, AppServer(app) as web, running_adapter(server.address, web.port, **ON):
        answer = await answered(server, url_event(headers=GZIP))
        assert answer["errorType"] == "Function.ResponseSizeTooLarge"
        await server.poll()


async def test_app_dies_in_the_middle() -> None:
    async def app(request: AppRequest) -> None:
        await request.start_chunks(TEXT)
        await request.chunk(b"x" * 500_000)
        if request.target == "/dies":
            request.hang_up()
        else:
            await request.chunk(b"")

    async with RuntimeServer() as server, AppServer(app) as web, running_adapter(server.address, web.port, **ON):
        answer = await answered(server, url_event(path="/dies", headers=GZIP))
        assert answer["errorType"] == "Runtime.AppDisconnected"
        answer = await answered(server, url_event(headers=GZIP), "request-2")
        assert inflated(answer) == b"x" * 500_000


async def test_nobody_wants_it_any_more() -> None:
    """The Runtime API answers before the app has: the slot goes on with the next event."""
    begun = asyncio.Event()

    async def app(request: AppRequest) -> None:
        await request.start_chunks(TEXT)
        await request.chunk(b"x" * 500_000)
        if request.target == "/slow":
            begun.set()
            await request.gone()
            request.hang_up()
        else:
            await request.chunk(b"")

    async with RuntimeServer() as server, AppServer(app) as web, running_adapter(server.address, web.port, **ON):
        poll = await server.poll()
        poll.answer(url_event(path="/slow", headers=GZIP), "request-1")
        await within(begun.wait())
        poll.writer.write(b"HTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n")
        answer = await answered(server, url_event(headers=GZIP), "request-2")
        assert inflated(answer) == b"x" * 500_000


async def test_listed_status_is_an_error_and_not_compressed() -> None:
    async def app(request: AppRequest) -> None:
        await request.respond(SENTENCE, status=500, headers=TEXT)

    listed = {**ON, "AWS_LWA_ERROR_STATUS_CODES": "500"}
    async with RuntimeServer() as server, AppServer(app) as web, running_adapter(server.address, web.port, **listed):
        answer = await answered(server, url_event(headers=GZIP))
        assert isinstance(answer["errorMessage"], str)
        assert orjson.loads(answer["errorMessage"])["body"] == SENTENCE.decode()
