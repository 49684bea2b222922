"""The fixture `lambda_app`, asked as a user's tests would ask it."""

import asyncio
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast
from urllib.parse import quote, urlencode

import httpx
import pytest
from fastapi import FastAPI, Request
from flask import Flask
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.model.function import InvokeMode
from penstock.pytest_plugin.lambda_app import LambdaApps
from penstock.pytest_plugin.local_function import StartupFailedError
from penstock_adapter.handler import HandlerError
from penstock_adapter.request_context import request_id

Message = dict[str, Any]


class Site:
    """An ASGI app that does what the path says and notes what it saw."""

    def __init__(self) -> None:
        self.lifespan: list[str] = []
        self.scopes: list[Message] = []
        self.released = threading.Event()
        self.sent = 0

    async def __call__(self, scope: Message, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        self.scopes.append(scope)
        await getattr(self, f"on_{scope['path'].strip('/').partition('/')[0]}")(scope, receive, send)

    async def _live(self, receive: Any, send: Any) -> None:
        for _ in range(2):
            kind = (await receive())["type"]
            self.lifespan.append(kind)
            await send({"type": f"{kind}.complete"})

    async def on_echo(self, scope: Message, receive: Any, send: Any) -> None:
        body = b""
        while (message := await receive())["more_body"]:
            body += message["body"]
        await answer(send, body + message["body"])

    async def on_events(self, scope: Message, receive: Any, send: Any) -> None:
        event = (await receive())["body"]
        await answer(send, json.dumps({"event": json.loads(event), "id": request_id.get()}).encode())

    async def on_headers(self, scope: Message, receive: Any, send: Any) -> None:
        extra = [(b"set-cookie", b"a=1; Secure"), (b"set-cookie", b"b=2"), (b"x-two", b"1"), (b"x-two", b"2")]
        await answer(send, b"{}", status=201, headers=extra)

    async def on_stream(self, scope: Message, receive: Any, send: Any) -> None:
        """Its second chunk waits until the test has read the first."""
        await begin(send)
        await send({"type": "http.response.body", "body": b"one", "more_body": True})
        while not self.released.is_set():  # noqa: ASYNC110 - another thread sets it
            await asyncio.sleep(0.001)
        await send({"type": "http.response.body", "body": b"two"})

    async def on_endless(self, scope: Message, receive: Any, send: Any) -> None:
        await begin(send)
        while True:
            await send({"type": "http.response.body", "body": bytes(16 * 1024), "more_body": True})
            self.sent += 1
            await asyncio.sleep(0)

    async def on_wait(self, scope: Message, receive: Any, send: Any) -> None:
        while not self.released.is_set():  # noqa: ASYNC110 - another thread sets it
            await asyncio.sleep(0.001)
        await answer(send, b"waited")

    async def on_broken(self, scope: Message, receive: Any, send: Any) -> None:
        await begin(send)
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        await asyncio.sleep(0)
        raise LookupError("no other half")

    async def on_raise(self, scope: Message, receive: Any, send: Any) -> None:
        raise LookupError("nothing at all")

    async def on_never(self, scope: Message, receive: Any, send: Any) -> None:
        await asyncio.Event().wait()

    async def on_stuck(self, scope: Message, receive: Any, send: Any) -> None:
        self.released.wait(10)  # what must not be done


async def begin(send: Any, status: int = 200, headers: list[tuple[bytes, bytes]] | None = None) -> None:
    fields = [(b"content-type", b"application/json"), *(headers or [])]
    await send({"type": "http.response.start", "status": status, "headers": fields})


async def answer(send: Any, body: bytes, status: int = 200, headers: list[tuple[bytes, bytes]] | None = None) -> None:
    await begin(send, status, headers)
    await send({"type": "http.response.body", "body": body})


@pytest.fixture
def site() -> Site:
    return Site()


MODES = pytest.mark.parametrize("mode", ["RESPONSE_STREAM", "BUFFERED"])


@MODES
def test_a_request_is_an_invocation(lambda_app: LambdaApps, site: Site, mode: str) -> None:
    client = lambda_app(site, invoke_mode=mode)
    response = client.post("/echo/a%20b?x=1&x=2", content=b'{"a": 1}', headers={"content-type": "application/json"})
    (scope,) = site.scopes
    event = scope["aws.event"]
    assert (response.status_code, response.json()) == (200, {"a": 1})
    assert (scope["path"], scope["query_string"], scope["scheme"]) == ("/echo/a b", b"x=1&x=2", "https")
    assert event["requestContext"]["domainName"] == response.url.host
    assert event["requestContext"]["http"]["method"] == "POST"
    assert event["body"] == '{"a": 1}'
    assert event["headers"]["x-forwarded-proto"] == "https"
    assert scope["aws.context"].aws_request_id == response.headers["x-amzn-requestid"]


@MODES
def test_status_headers_and_cookies_come_back(lambda_app: LambdaApps, site: Site, mode: str) -> None:
    client = lambda_app(site, invoke_mode=mode)
    response = client.get("/headers")
    assert response.status_code == 201
    assert response.headers["x-two"] == "1, 2"
    assert dict(client.cookies) == {"a": "1", "b": "2"}
    client.get("/headers")
    assert site.scopes[1]["aws.event"]["cookies"] == ["a=1", "b=2"]


def test_chunks_arrive_as_they_are_written(lambda_app: LambdaApps, site: Site) -> None:
    with lambda_app(site).stream("GET", "/stream") as response:
        chunks = response.iter_raw()
        assert next(chunks) == b"one"
        site.released.set()
        assert list(chunks) == [b"two"]


def test_a_buffered_function_answers_at_once(lambda_app: LambdaApps, site: Site) -> None:
    site.released.set()
    response = lambda_app(site, invoke_mode="BUFFERED").get("/stream")
    assert (response.headers["content-length"], response.text) == ("6", "onetwo")


def test_a_client_that_does_not_read_stops_the_app(lambda_app: LambdaApps, site: Site) -> None:
    client = lambda_app(site, timeout=2)
    with client.stream("GET", "/endless"):
        before = -1
        while before != site.sent:  # until it has stood still for a moment
            before = site.sent
            client.get("/headers")
            time.sleep(0.02)
        assert 1 <= site.sent < 100


def test_several_requests_are_open_at_once(lambda_app: LambdaApps, site: Site) -> None:
    client = lambda_app(site, concurrency=8)
    with ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(client.get, "/wait") for _ in range(7)]
        while len(site.scopes) < 7:
            time.sleep(0.001)
        assert client.get("/headers").status_code == 201
        site.released.set()
        assert {future.result().text for future in waiting} == {"waited"}


def test_more_than_its_slots_are_refused(lambda_app: LambdaApps, site: Site) -> None:
    client = lambda_app(site, concurrency=1)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(client.get, "/wait")
        while not site.scopes:
            time.sleep(0.001)
        assert client.get("/headers").status_code == 429
        assert client.invoke({}).status_code == 429
        site.released.set()
        assert waiting.result().status_code == 200


@pytest.mark.parametrize("mode", ["BUFFERED"])
def test_an_event_that_is_no_request(lambda_app: LambdaApps, site: Site, mode: str) -> None:
    client = lambda_app(site, invoke_mode=mode)
    result = client.invoke({"Records": [{"body": "ä"}]}, client_context={"custom": {"a": "1"}})
    assert (result.status_code, result.function_error) == (200, "")
    assert result.json() == {"event": {"Records": [{"body": "ä"}]}, "id": result.request_id}
    assert site.scopes[0]["aws.context"].client_context.custom == {"a": "1"}
    assert client.invoke(b'{"raw": true}').json() != result.json()


def test_a_stream_that_is_invoked_holds_its_prelude(lambda_app: LambdaApps, site: Site) -> None:
    payload = lambda_app(site).invoke({"a": 1}).payload
    prelude, _, body = payload.partition(bytes(8))
    assert json.loads(prelude)["statusCode"] == 200
    assert json.loads(body)["event"] == {"a": 1}


def test_an_event_that_fails(lambda_app: LambdaApps, site: Site) -> None:
    client = lambda_app(site, timeout=1, environ={"AWS_LWA_PASS_THROUGH_PATH": "/never"})
    result = client.invoke({})
    assert (result.status_code, result.function_error) == (200, "Unhandled")
    error = cast("dict[str, str]", result.json())
    assert error["errorType"] == "Sandbox.Timedout"
    assert "Task timed out after 1.00 seconds" in error["errorMessage"]


def test_an_exception_is_a_500_with_its_traceback_on_stdout(
    lambda_app: LambdaApps, site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    response = lambda_app(site).get("/raise")
    assert (response.status_code, response.text) == (500, "Internal Server Error")
    assert "LookupError: nothing at all" in capsys.readouterr().out


def test_an_exception_in_a_stream_cuts_it(lambda_app: LambdaApps, site: Site) -> None:
    with lambda_app(site).stream("GET", "/broken") as response:
        chunks = response.iter_raw()
        assert next(chunks) == b"half"
        with pytest.raises(httpx.RemoteProtocolError):
            next(chunks)


def test_an_app_that_never_answers_times_out_as_on_lambda(
    lambda_app: LambdaApps, site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    client = lambda_app(site, timeout=1)
    assert client.get("/never").status_code == 502
    assert "Task timed out after 1.00 seconds" in capsys.readouterr().out
    assert client.get("/headers").status_code == 201


def test_an_app_that_blocks_its_loop_does_not_block_the_test(lambda_app: LambdaApps, site: Site) -> None:
    client = lambda_app(site)
    with pytest.raises(httpx.ReadTimeout, match="does something block it"):
        client.get("/stuck", timeout=0.1)
    site.released.set()


def test_whatever_host_is_named_is_the_function(lambda_app: LambdaApps, site: Site) -> None:
    client = lambda_app(site)
    with httpx.Client(transport=client.new_transport(), base_url="http://example.com") as other:
        assert other.get("/headers").status_code == 201
    assert site.scopes[0]["aws.event"]["headers"]["host"] == "example.com"
    assert client.get("/headers").status_code == 201


def test_variables_are_the_adapters(lambda_app: LambdaApps, site: Site) -> None:
    environ = {"AWS_LWA_ERROR_STATUS_CODES": "201"}
    assert lambda_app(site, environ=environ).get("/headers").status_code == 502


def test_lifespan_runs_once(site: Site) -> None:
    apps = LambdaApps()
    client = apps(site)
    client.get("/headers")
    client.get("/headers")
    assert site.lifespan == ["lifespan.startup"]
    apps.close()
    assert site.lifespan == ["lifespan.startup", "lifespan.shutdown"]
    with pytest.raises(RuntimeError):
        client.get("/headers")
    transport = client.new_transport()
    with (
        httpx.Client(transport=transport, base_url="https://x") as late,
        pytest.raises(httpx.ConnectError, match="over"),
    ):
        late.get("/headers")
    with pytest.raises(RuntimeError, match="over"):
        client.invoke({})


def test_two_apps_in_one_test(lambda_app: LambdaApps) -> None:
    first, second = Site(), Site()
    one, two = lambda_app(first), lambda_app(second)
    assert [one.get("/headers").status_code, two.get("/headers").status_code] == [201, 201]
    assert (len(first.scopes), len(second.scopes)) == (1, 1)


def test_a_lifespan_that_fails(lambda_app: LambdaApps) -> None:
    async def app(scope: Message, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no database"})

    with pytest.raises(StartupFailedError, match="no database"):
        lambda_app(app)


def test_a_lifespan_that_never_ends(lambda_app: LambdaApps) -> None:
    async def app(scope: Message, receive: Any, send: Any) -> None:
        await asyncio.Event().wait()

    with pytest.raises(StartupFailedError, match=r"lifespan\.startup within 1 s"):
        lambda_app(app, timeout=1)


def test_an_app_by_name(lambda_app: LambdaApps, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    (tmp_path / "named_site.py").write_text(
        "async def app(scope, receive, send):\n"
        "    assert scope['type'] == 'http'\n"
        "    await send({'type': 'http.response.start', 'status': 204})\n"
        "    await send({'type': 'http.response.body'})\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert lambda_app("named_site.app").get("/").status_code == 204
    with pytest.raises(HandlerError, match="'other' missing on module 'named_site'"):
        lambda_app("named_site.other")
    with pytest.raises(HandlerError, match="is no app"):
        lambda_app("named_site.__name__")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"invoke_mode": "STREAM"}, "invoke_mode='STREAM' is not BUFFERED or RESPONSE_STREAM"),
        ({"concurrency": 0}, "concurrency=0 is not a whole number from 1 to 1600"),
        ({"timeout": 1.5}, "timeout=1.5 is not a whole number from 1 to 900"),
        ({"environ": {"AWS_LWA_PORT": "x"}}, "AWS_LWA_PORT='x' is not a port"),
    ],
)
def test_bad_input_is_one_line(lambda_app: LambdaApps, site: Site, given: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told) as caught:
        lambda_app(site, **given)
    assert "\n" not in str(caught.value)
    assert site.lifespan == []


# --- tests with async ---


async def test_async_requests_on_the_loop_of_the_test(lambda_app: LambdaApps, site: Site) -> None:
    async with lambda_app.async_client(site) as client:
        first = asyncio.create_task(client.get("/wait"))
        await asyncio.sleep(0)
        responses = await asyncio.gather(*(client.post("/echo", content=str(number)) for number in range(10)))
        assert [response.text for response in responses] == [str(number) for number in range(10)]
        assert not first.done()
        site.released.set()
        assert (await first).text == "waited"
    assert site.lifespan == ["lifespan.startup", "lifespan.shutdown"]


async def test_async_chunks_arrive_as_they_are_written(lambda_app: LambdaApps, site: Site) -> None:
    async with lambda_app.async_client(site) as client, client.stream("GET", "/stream") as response:
        chunks = response.aiter_raw()
        assert await anext(chunks) == b"one"
        site.released.set()
        assert [chunk async for chunk in chunks] == [b"two"]


async def test_async_invoke_and_failures(lambda_app: LambdaApps, site: Site) -> None:
    async with lambda_app.async_client(site, invoke_mode="BUFFERED") as client:
        assert (await client.invoke([1])).status_code == 200
        assert (await client.get("/raise")).status_code == 500
        with pytest.raises(httpx.ReadTimeout):
            await client.get("/never", timeout=0.05)
        assert (await client.get("/headers")).status_code == 201
        async with httpx.AsyncClient(transport=client.new_transport(), base_url="https://x") as other:
            assert (await other.get("/headers")).status_code == 201


async def test_async_large_bodies_both_ways(lambda_app: LambdaApps, site: Site) -> None:
    body = bytes(range(256)) * 4096
    async with lambda_app.async_client(site) as client:
        assert (await client.post("/echo", content=body)).content == body
        assert (await client.post("/echo", content=body * 7)).status_code == 413


# --- real frameworks, and requests of any kind ---


def test_fastapi_and_flask(lambda_app: LambdaApps) -> None:
    fast, flask = FastAPI(), Flask(__name__)

    @fast.get("/items/{number}")
    def item(number: int, request: Request) -> dict[str, str]:
        return {"number": str(number), "base": str(request.base_url)}

    @flask.get("/items/<int:number>")
    def flask_item(number: int) -> dict[str, str]:
        return {"number": str(number)}

    client = lambda_app(fast)
    assert client.get("/items/3").json() == {"number": "3", "base": f"{client.base_url}/"}
    assert client.get("/items/x").status_code == 422
    assert lambda_app(flask, invoke_mode="BUFFERED").get("/items/3").json() == {"number": "3"}


@settings(max_examples=60, deadline=None)
@given(
    body=st.binary(max_size=300),
    kind=st.sampled_from(["text/plain", "application/octet-stream", "application/json; charset=utf-8"]),
    segment=st.text(min_size=1, max_size=20),
    query=st.dictionaries(st.text(min_size=1, max_size=8), st.text(max_size=8), max_size=3),
    mode=st.sampled_from(list(InvokeMode)),
)
def test_any_request_comes_through_whole(
    body: bytes, kind: str, segment: str, query: dict[str, str], mode: str
) -> None:
    async def story() -> None:
        site = Site()
        async with LambdaApps().async_client(site, invoke_mode=mode, concurrency=1) as client:
            path = quote(segment.encode("utf-8", "replace").decode().replace("/", "").strip("."), safe="")
            clean = {key.encode("utf-8", "replace"): value.encode("utf-8", "replace") for key, value in query.items()}
            target = f"/echo/x{path}?{urlencode(clean)}"
            response = await client.post(target, content=body, headers={"content-type": kind})
            assert (response.status_code, response.content) == (200, body)
            assert site.scopes[0]["raw_path"] + b"?" + site.scopes[0]["query_string"] == target.encode()

    asyncio.run(story())
