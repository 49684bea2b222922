"""The scope, as uvicorn behind the proxy mode makes it, and what AWS says of the invocation beside it."""

import time
from typing import Any

import orjson
import pytest

from penstock_adapter.asgi_scope import ScopeMaker
from penstock_adapter.asgi_types import Receive, Send
from penstock_adapter.http_event import read_event
from penstock_adapter.lambda_context import Client, ClientContext, CognitoIdentity, LambdaContext
from penstock_adapter.options import EventRules, FunctionFacts
from support.asgi_calls import Desk, invocation
from support.events import url_event

FACTS = FunctionFacts("f", 2048, "3", "stream", "group")


def scope(event: bytes, base_path: str = "", state: dict[str, object] | None = None) -> dict[str, Any]:
    request = read_event(invocation(event), EventRules(base_path=base_path), {})
    return ScopeMaker(base_path, "127.0.0.1:8080", state).scope(request)


def test_a_plain_request() -> None:
    event = url_event(
        method="post",
        path="/a%20b/ü",
        query="x=%20&y=é",
        headers={"X-Many": "1", "x-forwarded-proto": "https", "x-forwarded-for": "192.0.2.7"},
        cookies=["a=1", "b=2"],
        body="body",
    )
    made = scope(event, state={"a": 1})
    headers = made.pop("headers")
    assert made == {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "server": ("abc.lambda-url.us-east-1.on.aws", 443),
        "client": ("192.0.2.7", 0),
        "scheme": "https",
        "method": "POST",
        "root_path": "",
        "path": "/a b/ü",
        "raw_path": b"/a%20b/%C3%BC",
        "query_string": b"x=%20&y=%C3%A9",
        "state": {"a": 1},
    }
    assert (b"x-many", b"1") in headers
    assert (b"cookie", b"a=1; b=2") in headers
    assert headers[-1] == (b"content-length", b"4")


def test_state_is_a_copy_for_each_request_and_absent_without_a_lifespan() -> None:
    state: dict[str, object] = {"pool": object()}
    first = scope(url_event(), state=state)
    first["state"]["mine"] = 1
    assert state.keys() == {"pool"}
    assert "state" not in scope(url_event())


@pytest.mark.parametrize(
    ("forwarded", "client"),
    [
        pytest.param("198.51.100.1, 192.0.2.7", ("192.0.2.7", 0), id="the-platforms-word"),
        pytest.param("192.0.2.7, 127.0.0.1", ("192.0.2.7", 0), id="behind-the-proxy"),
        pytest.param("192.0.2.7:443", ("192.0.2.7", 443), id="with-port"),
        pytest.param("2001:db8::1", ("2001:db8::1", 0), id="v6"),
        pytest.param("[2001:db8::1]:99", ("2001:db8::1", 99), id="v6-with-port"),
        pytest.param("[2001:db8::1]:x", ("2001:db8::1", 0), id="bad-port"),
        pytest.param("", ("127.0.0.1", 0), id="empty"),
        pytest.param(None, ("127.0.0.1", 0), id="none"),
    ],
)
def test_client(forwarded: str | None, client: tuple[str, int]) -> None:
    headers = {} if forwarded is None else {"x-forwarded-for": forwarded}
    assert scope(url_event(headers=headers))["client"] == client


@pytest.mark.parametrize(
    ("said", "scheme"), [("https", "https"), ("http", "http"), ("gopher", "http"), (" https ", "https")]
)
def test_scheme(said: str, scheme: str) -> None:
    assert scope(url_event(headers={"x-forwarded-proto": said}))["scheme"] == scheme


@pytest.mark.parametrize(
    ("host", "server"),
    [("h:81", ("h", 81)), ("h", ("h", 80)), ("[::1]:81", ("::1", 81)), ("[::1]", ("::1", 80)), ("h:x", ("h", 80))],
)
def test_server(host: str, server: tuple[str, int]) -> None:
    assert scope(url_event(headers={"host": host}))["server"] == server


def test_an_event_that_is_not_http_comes_as_in_proxy_mode() -> None:
    made = scope(b'{"Records": []}')
    headers = dict(made["headers"])
    assert (made["method"], made["path"]) == ("POST", "/events")
    assert made["server"] == ("127.0.0.1", 8080)
    assert headers[b"host"] == b"127.0.0.1:8080"
    assert headers[b"content-length"] == b"15"


def test_the_base_path_becomes_the_root_path() -> None:
    made = scope(url_event(path="/é/items"), base_path="/é")
    assert (made["root_path"], made["path"], made["raw_path"]) == ("/é", "/é/items", b"/%C3%A9/items")


async def test_event_and_context_are_in_the_scope() -> None:
    seen: dict[str, Any] = {}

    async def app(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        seen.update(scope)

    event = url_event(path="/x")
    await Desk(app, {"AWS_LAMBDA_FUNCTION_NAME": "f", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512"}).told(event)
    assert seen["aws.event"] == orjson.loads(event)
    context = seen["aws.context"]
    assert (context.aws_request_id, context.function_name, context.memory_limit_in_mb) == ("request-1", "f", "512")


class TestContext:
    def test_attributes_of_awss_context(self) -> None:
        deadline = str(int(time.time() * 1000) + 60_000)
        context = LambdaContext(
            invocation(b"{}", "r1", deadline_ms=deadline, invoked_function_arn="arn:f", aws_tenant_id="t1"), FACTS
        )
        assert context.aws_request_id == "r1"
        assert context.invoked_function_arn == "arn:f"
        assert context.tenant_id == "t1"
        assert (context.function_name, context.function_version) == ("f", "3")
        assert context.memory_limit_in_mb == "2048"
        assert (context.log_group_name, context.log_stream_name) == ("group", "stream")
        assert 50_000 < context.get_remaining_time_in_millis() <= 60_000
        assert context.identity == CognitoIdentity()
        assert context.client_context is None

    def test_what_was_not_said_is_none(self) -> None:
        context = LambdaContext(invocation(b"{}"), FunctionFacts())
        assert (context.tenant_id, context.log_group_name, context.log_stream_name) == (None, None, None)
        assert context.get_remaining_time_in_millis() == 0

    def test_client_context_and_identity(self) -> None:
        client = {"client": {"app_title": "t"}, "custom": {"a": "b"}, "env": {"locale": "x"}}
        identity = {"cognitoIdentityId": "i", "cognitoIdentityPoolId": "p"}
        told = {"client_context": orjson.dumps(client).decode(), "cognito_identity": orjson.dumps(identity).decode()}
        context = LambdaContext(invocation(b"{}", **told), FACTS)
        assert context.client_context == ClientContext({"a": "b"}, {"locale": "x"}, Client(app_title="t"))
        assert context.identity == CognitoIdentity("i", "p")

    @pytest.mark.parametrize("text", ["{", "[1]", "null", '{"client": 5}'])
    def test_odd_client_contexts_fail_nothing(self, text: str) -> None:
        context = LambdaContext(invocation(b"{}", client_context=text, cognito_identity=text), FACTS)
        assert context.client_context is None or context.client_context.client == Client()
        assert context.identity == CognitoIdentity()

    def test_repr_tells_no_secrets(self) -> None:
        assert repr(LambdaContext(invocation(b"{}", client_context='{"custom": "s3cret"}'), FACTS)) == (
            "LambdaContext(aws_request_id='request-1')"
        )
