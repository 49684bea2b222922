"""The same events to AWS's own Lambda Web Adapter and to ours: the app sees the same, and the same is answered.

No platform is between: both poll a scripted Runtime API. Where they differ on purpose, the test says how.
"""

import asyncio
import gzip
import os
from base64 import b64decode
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import brotli  # type: ignore[import-untyped]
import orjson
import pytest

from support.adapter_runs import running_adapter
from support.app_server import AppRequest, AppServer
from support.events import url_event
from support.runtime_server import RuntimeServer
from support.streams import within
from support.triggers import TRIGGERS, Reply, Trigger
from support.web_adapter import need_web_adapter

SENTENCE = b"Enough text that it is worth being compressed for whoever likes that"
DECOMPRESS = {"gzip": gzip.decompress, "br": brotli.decompress}
# Both put these on every request, with contents of their own; `host` is the event's or else the app's address.
_OWN = {"x-amzn-lambda-context", "x-amzn-request-context", "host", "content-length"}


@dataclass(frozen=True, slots=True)
class Told:
    """What one adapter made of an event: the request at the app, and what was posted."""

    method: str
    target: str
    headers: dict[str, list[str]]
    body: bytes
    kind: str
    answer: bytes

    @property
    def json(self) -> dict[str, object]:
        value = orjson.loads(self.answer)
        assert isinstance(value, dict)
        return value

    def context(self, name: str) -> object:
        (value,) = self.headers[name]
        return orjson.loads(value)

    @property
    def forwarded(self) -> dict[str, list[str]]:
        return {name: values for name, values in self.headers.items() if name not in _OWN}


@asynccontextmanager
async def theirs(runtime_api: str, app_port: int, **variables: str) -> AsyncIterator[None]:
    environ = {
        "AWS_LAMBDA_FUNCTION_NAME": "f",
        "AWS_LAMBDA_FUNCTION_VERSION": "1",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "2048",
        "AWS_LAMBDA_RUNTIME_API": runtime_api,
        "AWS_LWA_PORT": str(app_port),
        "AWS_LWA_READINESS_CHECK_PROTOCOL": "tcp",
        "PATH": os.defpath,
        **variables,
    }
    binary = need_web_adapter()
    process = await asyncio.create_subprocess_exec(binary, env=environ, stdout=asyncio.subprocess.DEVNULL)
    try:
        yield
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def told(ours: bool, event: bytes, reply: Reply, headers: Mapping[str, str], variables: dict[str, str]) -> Told:
    async def app(request: AppRequest) -> None:
        lines = "".join(f"{name}: {value}\r\n" for name, value in reply.headers)
        await request.respond(reply.body, status=reply.status, headers=lines)

    variables = {"AWS_LWA_INVOKE_MODE": "buffered", **variables}
    async with RuntimeServer() as server, AppServer(app) as web:
        adapter = running_adapter if ours else theirs
        async with adapter(server.address, web.port, **variables):
            post = await server.invoke(event, headers=headers)
            answer = await post.complete()
            (request,) = web.requests
    seen: dict[str, list[str]] = {}
    for name, value in request.headers:
        seen.setdefault(name, []).append(value)
    return Told(request.method, request.target, seen, request.body, post.kind, answer)


async def both(event: bytes, reply: Reply, *headers: tuple[str, str], **variables: str) -> tuple[Told, Told]:
    """Theirs, then ours. `headers` come with the event."""
    real = await within(told(False, event, reply, dict(headers), variables))
    return real, await within(told(True, event, reply, dict(headers), variables))


def sorted_query(target: str) -> tuple[str, list[str]]:
    """Theirs comes in any order, and a space in it as a plus."""
    path, _, query = target.partition("?")
    return path, sorted(query.replace("+", "%20").split("&"))


@pytest.mark.parametrize("trigger", TRIGGERS, ids=str)
async def test_the_app_sees_the_same(trigger: Trigger) -> None:
    real, our = await both(trigger.event, trigger.reply, ("Lambda-Runtime-Trace-Id", "Root=1-2-3"))
    assert our.method == real.method
    assert sorted_query(our.target) == sorted_query(real.target)
    if trigger.context is None:
        assert orjson.loads(our.body) == orjson.loads(real.body)  # theirs is written anew
    else:
        assert our.body == real.body
    expected = real.forwarded
    if trigger.name == "api_gateway_v1":
        assert expected["header2"] == ["value2"]  # theirs loses the first of two
        expected["header2"] = ["value1", "value2"]
    if trigger.name in ("api_gateway_v2", "function_url"):
        assert expected["cookie"] in (["cookie1;cookie2"], ["cookie1; cookie2"])
        expected["cookie"] = ["cookie1; cookie2"]
    assert our.forwarded == expected


@pytest.mark.parametrize("trigger", TRIGGERS, ids=str)
async def test_the_contexts_have_the_same_keys_and_values(trigger: Trigger) -> None:
    """Ours may have more: what theirs does not know is dropped there."""
    real, our = await both(trigger.event, trigger.reply, ("Lambda-Runtime-Aws-Tenant-Id", "tenant"))
    assert missing(real.context("x-amzn-request-context"), our.context("x-amzn-request-context")) == []
    context = real.context("x-amzn-lambda-context")
    assert isinstance(context, dict)
    context["env_config"].update(function_name="", memory=0, version="")  # ours was told nothing of the function
    assert missing(context, our.context("x-amzn-lambda-context")) == []


def missing(real: object, our: object, at: str = "") -> list[str]:
    """Where `our` lacks something of `real` that is not null."""
    if isinstance(real, dict) and isinstance(our, dict):
        return [line for key, value in real.items() for line in missing(value, our.get(key), f"{at}.{key}")]
    return [] if real in (None, our) or (real == {} and our is None) else [f"{at}: {real!r} is {our!r}"]


@pytest.mark.parametrize("trigger", TRIGGERS, ids=str)
@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "image/png", "image/svg+xml", "application/problem+json; charset=utf-8", "Text/HTML"],
)
async def test_the_answer_is_the_same(trigger: Trigger, content_type: str) -> None:
    reply = Reply(b'{"a":1}', [("content-type", content_type), ("set-cookie", "a=1"), ("set-cookie", "b=2")], 202)
    real, our = await both(trigger.event, reply)
    assert our.kind == real.kind == "response"
    assert orjson.loads(our.answer) == orjson.loads(real.answer)


@pytest.mark.parametrize(
    "accept",
    [
        "",
        "gzip",
        "x-gzip",
        "deflate, gzip",
        "gzip;q=0.5, identity",
        "gzip;q=0",
        "identity",
        "*",
        "gzip;q=2",
        "gzip;q=1.0",
        "br",
        "gzip, deflate, br",
        "br;q=0.9, gzip",
        "br;q=0.5, identity",
    ],
)
async def test_compression_by_what_the_client_takes(accept: str) -> None:
    event = url_event(headers={"accept-encoding": accept} if accept else {})
    reply = Reply(SENTENCE, [("content-type", "text/plain"), ("accept-ranges", "bytes")])
    await assert_compressed_alike(event, reply)


@pytest.mark.parametrize(
    "headers",
    [
        [("content-type", "image/png")],
        [("content-type", "image/svg+xml")],
        [("content-type", "image/svg+xml; charset=utf-8")],
        [("content-type", "application/grpc")],
        [("content-type", "text/event-stream")],
        [("content-type", "application/octet-stream")],
        [("content-type", "text/plain"), ("content-encoding", "identity")],
        [("content-type", "text/plain"), ("content-range", "bytes 0-1/2")],
        [("content-type", "text/plain"), ("vary", "Accept-Encoding")],
        [],
    ],
    ids=str,
)
async def test_compression_by_what_the_app_answers(headers: list[tuple[str, str]]) -> None:
    await assert_compressed_alike(url_event(headers={"accept-encoding": "gzip"}), Reply(SENTENCE, headers))


@pytest.mark.parametrize("length", [0, 31, 32])
async def test_compression_by_length(length: int) -> None:
    reply = Reply(b"x" * length, [("content-type", "text/plain")])
    await assert_compressed_alike(url_event(headers={"accept-encoding": "gzip"}), reply)


async def assert_compressed_alike(event: bytes, reply: Reply) -> None:
    """All but the compressed bytes themselves, which no two compressors have in common."""
    answers = [one.json for one in await both(event, reply, AWS_LWA_ENABLE_COMPRESSION="true")]
    for answer in answers:
        headers, body = answer["headers"], answer["body"]
        assert isinstance(headers, dict)
        assert isinstance(body, str)
        decompress = DECOMPRESS.get(str(headers.get("content-encoding")))
        if decompress:
            answer["body"] = decompress(b64decode(body))
    assert answers[1] == answers[0]


@pytest.mark.parametrize(
    ("variables", "event"),
    [
        ({"AWS_LWA_REMOVE_BASE_PATH": "/my"}, "function_url"),
        ({"AWS_LWA_REMOVE_BASE_PATH": "/my/path"}, "api_gateway_v1"),
        ({"AWS_LWA_REMOVE_BASE_PATH": "/other"}, "api_gateway_v2"),
        ({"AWS_LWA_AUTHORIZATION_SOURCE": "header1"}, "function_url"),
        ({"AWS_LWA_PASS_THROUGH_PATH": "/hook"}, "sqs"),
        ({"AWS_LWA_REMOVE_BASE_PATH": "/events"}, "sqs"),
    ],
    ids=str,
)
async def test_rules(variables: dict[str, str], event: str) -> None:
    (trigger,) = (one for one in TRIGGERS if one.name == event)
    real, our = await both(trigger.event, trigger.reply, **variables)
    assert sorted_query(our.target) == sorted_query(real.target)
    assert our.headers.get("authorization") == real.headers.get("authorization")
    assert our.headers.get("header1") == real.headers.get("header1")


async def test_listed_status() -> None:
    real, our = await both(url_event(), Reply(b"no", status=503), AWS_LWA_ERROR_STATUS_CODES="503")
    assert our.kind == real.kind == "error"
    message = our.json["errorMessage"]
    assert isinstance(message, str)
    assert message == '{"statusCode":503,"body":"no"}'
    assert "503" in str(real.json["errorMessage"])
