"""Proxy mode, buffered: one JSON answer, errors as errors, and connections that come and go."""

import asyncio

import orjson
import pytest

from support.adapter_runs import running_adapter
from support.app_server import AppRequest, AppServer
from support.events import url_event
from support.runtime_server import RuntimeServer
from support.streams import within

BUFFERED = {"AWS_LWA_INVOKE_MODE": "buffered"}


async def test_answer_is_one_json_object() -> None:
    async def app(request: AppRequest) -> None:
        await request.respond(b"hi", headers="content-type: text/plain\r\nset-cookie: a=1\r\nset-cookie: b=2\r\n")

    async with RuntimeServer() as server, AppServer(app) as web, running_adapter(server.address, web.port, **BUFFERED):
        post = await server.invoke(url_event())
        assert orjson.loads(await post.complete()) == {
            "statusCode": 200,
            "headers": {"content-type": "text/plain", "content-length": "2"},
            "multiValueHeaders": {},
            "body": "hi",
            "isBase64Encoded": False,
            "cookies": ["a=1", "b=2"],
        }
        assert "lambda-runtime-function-response-mode" not in post.headers
        assert post.kind == "response"


async def test_what_the_app_sees() -> None:
    async def app(request: AppRequest) -> None:
        await request.respond()

    async with RuntimeServer() as server, AppServer(app) as web, running_adapter(server.address, web.port, **BUFFERED):
        event = url_event(
            method="PUT", path="/a", query="x=1&y=2", headers={"foo": "bar"}, cookies=["c=1", "d=2"], body=b"\0body"
        )
        extra = {"Lambda-Runtime-Trace-Id": "Root=1-a", "Lambda-Runtime-Aws-Tenant-Id": "tenant-abc"}
        await (await server.invoke(event, headers=extra)).complete()
        (request,) = web.requests
        assert (request.method, request.target, request.body) == ("PUT", "/a?x=1&y=2", b"\0body")
        assert request.values("host") == ["abc.lambda-url.us-east-1.on.aws"]
        assert request.values("foo") == ["bar"]
        assert request.values("cookie") == ["c=1; d=2"]
        assert request.values("content-length") == ["5"]
        assert request.values("x-amzn-trace-id") == ["Root=1-a"]
        assert request.values("x-amz-tenant-id") == ["tenant-abc"]
        (context,) = request.values("x-amzn-lambda-context")
        assert orjson.loads(context)["request_id"] == "request-1"
        (http,) = request.values("x-amzn-request-context")
        assert orjson.loads(http)["http"]["method"] == "PUT"


async def test_event_that_is_not_http_passes_through() -> None:
    async def app(request: AppRequest) -> None:
        await request.respond(b'{"done": 1}', headers="content-type: application/json\r\n", status=500)

    async with RuntimeServer() as server, AppServer(app) as web, running_adapter(server.address, web.port, **BUFFERED):
        event = b'{"Records": [1,  2]}'
        post = await server.invoke(event)
        assert await post.complete() == b'{"done": 1}'
        (request,) = web.requests
        assert (request.method, request.target, request.body) == ("POST", "/events", event)
        assert request.values("host") == [f"127.0.0.1:{web.port}"]


async def test_app_down_is_an_error_and_then_recovers_lwa_90() -> None:
    async def app(request: AppRequest) -> None:
        await request.respond(b"back")

    async with RuntimeServer() as server, AppServer(app) as web, running_adapter(server.address, web.port, **BUFFERED):
        poll = await server.poll()
        await web.stop()
        poll.answer(url_event(), "down")
        post = await server.post("down")
        error = orjson.loads(await post.complete())
        assert post.kind == "error"
        assert post.headers["lambda-runtime-function-error-type"] == "Runtime.AppUnreachable"
        assert error["errorType"] == "Runtime.AppUnreachable"
        assert str(web.port) in error["errorMessage"]
        await web.start()
        post = await server.invoke(url_event(), "up")
        assert orjson.loads(await post.complete())["body"] == "back"


@pytest.mark.parametrize(
    "wire", [b"", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"], ids=["no-answer", "lwa-89"]
)
async def test_app_hangs_up(wire: bytes) -> None:
    async def app(request: AppRequest) -> None:
        await request.write(wire)
        request.hang_up()

    async with RuntimeServer() as server, AppServer(app) as web, running_adapter(server.address, web.port, **BUFFERED):
        post = await server.invoke(url_event())
        error = orjson.loads(await post.complete())
        assert post.kind == "error"
        assert error["errorType"] == "Runtime.AppDisconnected"
        assert "closed the connection" in error["errorMessage"]
        await server.poll()


async def test_answer_that_is_not_http() -> None:
    async def app(request: AppRequest) -> None:
        await request.write(b"what?\r\n\r\n")

    async with RuntimeServer() as server, AppServer(app) as web, running_adapter(server.address, web.port):
        post = await server.invoke(url_event())
        assert "not HTTP" in orjson.loads(await post.complete())["errorMessage"]


async def test_event_that_is_not_json() -> None:
    async def app(request: AppRequest) -> None:
        await request.respond()

    async with RuntimeServer() as server, AppServer(app) as web, running_adapter(server.address, web.port):
        post = await server.invoke(b"{nonsense")
        assert orjson.loads(await post.complete())["errorType"] == "Runtime.UnmarshalError"
        assert (await server.invoke(url_event(), "request-2")).kind == "response"


async def test_dead_kept_connection_is_sent_again_once() -> None:
    first = 2  # the readiness check was connection 1

    async def kept(request: AppRequest) -> None:
        """The first connection answers one request, then dies of the second without a word."""
        if request.connection == first and request.target == "/second":
            request.hang_up()
        else:
            await request.respond(request.target.encode())

    async with RuntimeServer() as server, AppServer(kept) as web, running_adapter(server.address, web.port, **BUFFERED):
        await (await server.invoke(url_event(path="/first"), "request-1")).complete()
        post = await server.invoke(url_event(path="/second"), "request-2")
        assert orjson.loads(await post.complete())["body"] == "/second"
        assert [request.target for request in web.requests] == ["/first", "/second", "/second"]


async def test_fresh_connection_that_dies_is_not_sent_again() -> None:
    async def app(request: AppRequest) -> None:
        request.hang_up()

    async with RuntimeServer() as server, AppServer(app) as web, running_adapter(server.address, web.port, **BUFFERED):
        await (await server.invoke(url_event())).complete()
        assert len(web.requests) == 1


async def test_connection_is_not_kept_past_its_limit_lwa_100() -> None:
    async def app(request: AppRequest) -> None:
        await request.respond()

    limit = {"AWS_LWA_POOL_IDLE_TIMEOUT_SECONDS": "0"}
    async with (
        RuntimeServer() as server,
        AppServer(app) as web,
        running_adapter(server.address, web.port, **BUFFERED, **limit),
    ):
        for number in range(2):
            await (await server.invoke(url_event(), f"request-{number}")).complete()
        first, second = web.requests
        assert first.connection != second.connection


async def test_connection_close_is_honoured() -> None:
    async def app(request: AppRequest) -> None:
        await request.respond(b"x", headers="connection: close\r\n")
        request.hang_up()

    async with RuntimeServer() as server, AppServer(app) as web, running_adapter(server.address, web.port, **BUFFERED):
        for number in range(3):
            post = await server.invoke(url_event(), f"request-{number}")
            assert orjson.loads(await post.complete())["statusCode"] == 200
        assert len(web.requests) == 3


@pytest.mark.parametrize("mode", ["buffered", "response_stream"])
async def test_listed_statuses_are_errors_lwa_38_47(mode: str) -> None:
    async def app(request: AppRequest) -> None:
        await request.respond(b"Bad Gateway" if request.target == "/502" else b"", status=int(request.target[1:]))

    variables = {"AWS_LWA_INVOKE_MODE": mode, "AWS_LWA_ERROR_STATUS_CODES": "500,502-504"}
    async with RuntimeServer() as server, AppServer(app) as web, running_adapter(server.address, web.port, **variables):
        post = await server.invoke(url_event(path="/502"), "request-1")
        error = orjson.loads(await post.complete())
        assert post.kind == "error"
        assert error["errorType"] == "Function.ErrorStatusCode"
        assert orjson.loads(error["errorMessage"]) == {"statusCode": 502, "body": "Bad Gateway"}
        assert (await server.invoke(url_event(path="/404"), "request-2")).kind == "response"


async def test_answer_over_six_megabytes_is_an_error() -> None:
    async def app(request: AppRequest) -> None:
        await request.respond(b"x" * (6 * 1024 * 1024 + 101), headers="content-type: text/plain\r\n")

    async with RuntimeServer() as server, AppServer(app) as web, running_adapter(server.address, web.port, **BUFFERED):
        post = await server.invoke(url_event())
        error = orjson.loads(await post.complete())
        assert post.kind == "error"
        assert error["errorType"] == "Function.ResponseSizeTooLarge"


async def test_six_megabytes_of_text_lwa_101() -> None:
    async def app(request: AppRequest) -> None:
        await request.respond(request.body, headers="content-type: text/plain\r\n")

    text = "x" * (6 * 1024 * 1024 - 1000)
    async with RuntimeServer() as server, AppServer(app) as web, running_adapter(server.address, web.port, **BUFFERED):
        post = await server.invoke(url_event(method="POST", body=text))
        assert orjson.loads(await post.complete())["body"] == text


async def test_parallel_requests_get_their_own_answers_lwa_50_51() -> None:
    everyone = asyncio.Barrier(8)

    async def app(request: AppRequest) -> None:
        await within(everyone.wait())
        await request.respond(request.target.encode() + request.body)

    slots = {"AWS_LAMBDA_MAX_CONCURRENCY": "8"}
    async with (
        RuntimeServer() as server,
        AppServer(app) as web,
        running_adapter(server.address, web.port, **BUFFERED, **slots),
    ):

        async def call(number: int) -> str:
            event = url_event(method="POST", path=f"/{number}", body=f"-{number}")
            answer = orjson.loads(await (await server.invoke(event, f"request-{number}")).complete())
            assert isinstance(answer["body"], str)
            return answer["body"]

        answers = await asyncio.gather(*(call(number) for number in range(8)))
        assert answers == [f"/{number}-{number}" for number in range(8)]
