"""In process, buffered: what each trigger gets, answers that grow too large, error statuses and compression."""

import asyncio
import gzip
import threading
from base64 import b64decode
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import brotli  # type: ignore[import-untyped]
import orjson
import pytest

from penstock_adapter.asgi_types import Receive, Send
from penstock_adapter.http_answer import MAX_BUFFERED_BYTES
from support.asgi_calls import Desk, invocation
from support.events import url_event
from support.streams import within

Told = list[tuple[str, Any]]
V1 = {"httpMethod": "GET", "path": "/", "headers": {}, "requestContext": {"httpMethod": "GET"}}
ALB = {"httpMethod": "GET", "path": "/", "headers": {}, "requestContext": {"elb": {}}}


async def cookies(scope: Any, receive: Receive, send: Send) -> None:
    headers = [(b"set-cookie", b"a=1"), (b"set-cookie", b"b=2"), (b"x-many", b"1"), (b"x-many", b"2")]
    await send({"type": "http.response.start", "status": 201, "headers": [*headers, (b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"he", "more_body": True})
    await send({"type": "http.response.body", "body": b"llo"})


async def told(app: object, event: bytes, **variables: str) -> Told:
    return await Desk(app, variables).told(event)


async def test_function_url_and_http_api() -> None:
    [(what, answer)] = await told(cookies, url_event())
    assert what == "response"
    assert answer == {
        "statusCode": 201,
        "headers": {"x-many": "1, 2", "content-type": "text/plain"},
        "multiValueHeaders": {},
        "body": "hello",
        "isBase64Encoded": False,
        "cookies": ["a=1", "b=2"],
    }


async def test_rest_api() -> None:
    [(_, answer)] = await told(cookies, orjson.dumps(V1))
    assert answer["multiValueHeaders"]["set-cookie"] == ["a=1", "b=2"]
    assert answer["multiValueHeaders"]["x-many"] == ["1", "2"]


async def test_load_balancer() -> None:
    [(_, answer)] = await told(cookies, orjson.dumps(ALB))
    assert answer["statusDescription"] == "201 Created"
    assert answer["multiValueHeaders"]["set-cookie"] == ["a=1", "b=2"]


async def test_an_event_that_is_not_http_is_posted_to_the_pass_through_path() -> None:
    async def app(scope: Any, receive: Receive, send: Send) -> None:
        got = {"path": scope["path"], "method": scope["method"], "event": orjson.loads((await receive())["body"])}
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": orjson.dumps(got)})

    event = {"Records": [{"eventSource": "aws:sqs"}]}
    expected = {"path": "/sqs", "method": "POST", "event": event}
    assert await told(app, orjson.dumps(event), AWS_LWA_PASS_THROUGH_PATH="sqs") == [("response", expected)]


async def test_an_error_status_is_a_function_error_in_both_modes() -> None:
    async def app(scope: Any, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 503})
        await send({"type": "http.response.body", "body": b"later"})

    for mode in ("buffered", "response_stream"):
        [(what, error)] = await told(app, url_event(), AWS_LWA_ERROR_STATUS_CODES="500-599", AWS_LWA_INVOKE_MODE=mode)
        assert what == "error"
        assert error == ("Function.ErrorStatusCode", '{"statusCode":503,"body":"later"}')


async def test_head_has_no_body() -> None:
    [(_, answer)] = await told(cookies, url_event(method="HEAD"))
    assert answer["body"] == ""


async def test_an_error_after_the_start_is_an_error() -> None:
    async def app(scope: Any, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"x", "more_body": True})
        raise LookupError("no such thing")

    assert await told(app, url_event()) == [("error", ("Function.AppError", "LookupError: no such thing"))]


async def test_an_answer_that_grows_too_large_is_stopped() -> None:
    sent = 0
    errors: list[OSError] = []

    async def app(scope: Any, receive: Receive, send: Send) -> None:
        nonlocal sent
        await send({"type": "http.response.start", "status": 200})
        try:
            while True:  # for ever, were it not stopped
                await send({"type": "http.response.body", "body": b"x" * 100_000, "more_body": True})
                sent += 100_000
        except OSError as error:
            errors.append(error)
            raise

    [(what, (kind, message))] = await told(app, url_event())
    assert (what, kind) == ("error", "Function.ResponseSizeTooLarge")
    assert f"exceeded maximum allowed payload size ({MAX_BUFFERED_BYTES} bytes)" in message
    assert sent < MAX_BUFFERED_BYTES + 200_000
    assert errors


class TestCompression:
    @staticmethod
    async def answered(app: object, accepts: str = "gzip") -> dict[str, Any]:
        event = url_event(headers={"accept-encoding": accepts})
        slot, exchange = Desk(app, {"AWS_LWA_ENABLE_COMPRESSION": "true"}).slot()
        exchange.invoke(invocation(event))
        await within(slot.answered.wait())  # a thread may still be at it when the app is done
        await within(slot.released.wait())
        [answer] = [told for what, told in slot.told if what == "response"]
        assert isinstance(answer, dict)
        return answer

    @staticmethod
    def sending(size: int) -> object:
        async def app(scope: Any, receive: Receive, send: Send) -> None:
            length = b"%d" % size
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]})
            await send({"type": "http.response.body", "body": b"x" * (size // 2), "more_body": True})
            await send({"type": "http.response.body", "body": b"y" * (size - size // 2)})

        return app

    @pytest.mark.parametrize("size", [1000, 3_000_000], ids=["at-once", "in-a-thread"])
    async def test_gzip(self, size: int) -> None:
        answer = await self.answered(self.sending(size))
        assert answer["headers"]["content-encoding"] == "gzip"
        assert "content-length" not in answer["headers"]
        assert gzip.decompress(b64decode(answer["body"])) == b"x" * (size // 2) + b"y" * (size - size // 2)

    @pytest.mark.parametrize("size", [1000, 3_000_000], ids=["at-once", "in-a-thread"])
    async def test_brotli(self, size: int) -> None:
        answer = await self.answered(self.sending(size), "gzip, br")
        assert answer["headers"]["content-encoding"] == "br"
        assert brotli.decompress(b64decode(answer["body"])) == b"x" * (size // 2) + b"y" * (size - size // 2)

    async def test_who_does_not_accept_it_gets_it_plain(self) -> None:
        answer = await self.answered(self.sending(1000), "identity")
        assert answer["headers"]["vary"] == "accept-encoding"
        assert not answer["isBase64Encoded"]

    async def test_abandoned_while_a_thread_compresses_posts_nothing(self) -> None:
        event = url_event(headers={"accept-encoding": "gzip"})

        async def app(scope: Any, receive: Receive, send: Send) -> None:
            await send({"type": "http.response.start", "status": 200})
            await send({"type": "http.response.body", "body": b"x" * 100_000})

        slot, exchange = Desk(app, {"AWS_LWA_ENABLE_COMPRESSION": "true"}).slot()
        held = threading.Event()
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(1))
        blocker = loop.run_in_executor(None, held.wait, 20)  # what compresses comes after it
        exchange.invoke(invocation(event))
        await within(slot.released.wait())
        exchange.abandon()
        held.set()
        await within(blocker)
        await loop.shutdown_default_executor()
        await asyncio.sleep(0)
        assert "response" not in [name for name, _ in slot.told]
