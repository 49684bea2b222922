"""Each trigger's event reaches the app, and the app's answer the trigger, the same in every mode of the adapter."""

from base64 import b64encode

import orjson
import pytest

from support.runtime_server import RuntimeServer
from support.triggers import JSON_REPLY, MODES, TEXT_REPLY, TRIGGERS, Mode, Reply, Seen, Trigger, TriggerApp, slots_of

BUFFERED = {"AWS_LWA_INVOKE_MODE": "buffered"}
both_modes = pytest.mark.parametrize("mode", [pytest.param(mode, id=name) for name, mode in MODES.items()])
URL = next(trigger for trigger in TRIGGERS if trigger.name == "function_url")
QUEUE = next(trigger for trigger in TRIGGERS if trigger.name == "sqs")


async def told(mode: Mode, event: bytes, reply: Reply, **variables: str) -> tuple[Seen, str, bytes]:
    """What the app saw of one event; then the kind and the body of what was posted."""
    app = TriggerApp(reply)
    async with RuntimeServer() as server, mode(app, BUFFERED | variables) as new_handler, slots_of(server, new_handler):
        post = await server.invoke(event)
        body = await post.complete()
        await server.poll()
    (seen,) = app.seen
    return seen, post.kind, body


@both_modes
@pytest.mark.parametrize("trigger", TRIGGERS, ids=str)
async def test_trigger(mode: Mode, trigger: Trigger) -> None:
    seen, kind, answer = await told(mode, trigger.event, trigger.reply)
    expected = trigger.event if trigger.body is None else trigger.body
    assert (seen.method, seen.target, seen.body) == (trigger.method, trigger.target, expected)
    assert seen.values("content-length") == [str(len(expected))]
    for name, values in trigger.headers.items():
        assert seen.values(name) == values
    (context,) = (orjson.loads(value) for value in seen.values("x-amzn-request-context"))
    assert context is None if trigger.context is None else trigger.context <= context.keys()
    (invocation,) = (orjson.loads(value) for value in seen.values("x-amzn-lambda-context"))
    assert invocation["request_id"] == "request-1"
    assert (kind, orjson.loads(answer)) == ("response", trigger.answer)


@both_modes
@pytest.mark.parametrize("trigger", [trigger for trigger in TRIGGERS if trigger.context], ids=str)
async def test_bytes_go_back_as_base64(mode: Mode, trigger: Trigger) -> None:
    picture = bytes(range(256))
    _, _, body = await told(mode, trigger.event, Reply(picture, [("content-type", "image/png")]))
    answer = orjson.loads(body)
    assert (answer["body"], answer["isBase64Encoded"]) == (b64encode(picture).decode(), True)


@both_modes
async def test_listed_status_is_an_error_for_every_trigger(mode: Mode) -> None:
    for trigger in TRIGGERS:
        reply = Reply(b"no", status=503)
        _, kind, body = await told(mode, trigger.event, reply, AWS_LWA_ERROR_STATUS_CODES="503")
        error = orjson.loads(body)
        assert (kind, error["errorType"]) == ("error", "Function.ErrorStatusCode")
        assert orjson.loads(error["errorMessage"]) == {"statusCode": 503, "body": "no"}


@both_modes
@pytest.mark.parametrize(("path", "target"), [("/hook", "/hook"), ("hook", "/hook"), ("", "/"), ("/a b", "/a%20b")])
async def test_pass_through_path(mode: Mode, path: str, target: str) -> None:
    seen, _, _ = await told(mode, QUEUE.event, JSON_REPLY, AWS_LWA_PASS_THROUGH_PATH=path)
    assert seen.target == target


@both_modes
@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        pytest.param(Reply(b"", status=204), b"null", id="no-content"),
        pytest.param(Reply(b"fine", [("content-type", "text/plain")]), b"null", id="no-json"),
        pytest.param(Reply(b"[1,  2]", [("content-type", "application/json")]), b"[1,  2]", id="json-as-it-is"),
        pytest.param(Reply(b'{"a": 1}', [("content-type", "image/png")]), b"null", id="binary"),
    ],
)
async def test_answers_to_what_is_not_http(mode: Mode, reply: Reply, answer: bytes) -> None:
    _, kind, body = await told(mode, QUEUE.event, reply)
    assert (kind, body) == ("response", answer)


@both_modes
async def test_authorization_source_and_tenant(mode: Mode) -> None:
    seen, _, _ = await told(mode, URL.event, TEXT_REPLY, AWS_LWA_AUTHORIZATION_SOURCE="Header1")
    assert seen.values("authorization") == ["value1"]
    assert seen.values("header1") == []
    assert seen.values("x-amz-tenant-id") == []
