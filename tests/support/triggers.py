"""Every kind of event as AWS documents it, what a web app must see of it, and what must become of the app's answer.

The same table is for every mode of the adapter: a `Mode` brings up an app in one of them, and what it gives is a
handler for the slots of `slots_of`. The events are those of
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html (both formats),
https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html,
https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html,
https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html, with-s3.html, with-sns.html and
https://docs.aws.amazon.com/lambda/latest/dg/with-eventbridge-scheduler.html
"""

from collections.abc import AsyncIterator, Callable, Mapping, MutableMapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias

from penstock_adapter.asgi_exchange import AsgiMode, Receive, Send
from penstock_adapter.endpoint import read_endpoint
from penstock_adapter.options import Options, read_options
from penstock_adapter.output import Output
from penstock_adapter.proxy import Proxy
from penstock_adapter.runtime_client import InvocationHandler, RuntimeClient
from penstock_adapter.runtime_slot import RuntimeSlot
from support.app_server import AppRequest, AppServer
from support.runtime_server import RuntimeServer

HandlerFactory: TypeAlias = Callable[[RuntimeSlot], InvocationHandler]
_EVENTS: Final = Path(__file__).with_name("trigger_events")


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as the app saw it; `target` is path and query as they came."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes

    def values(self, name: str) -> list[str]:
        return [value for known, value in self.headers if known == name]


@dataclass(frozen=True, slots=True)
class Reply:
    """What the app answers; a `content-length` is added."""

    body: bytes
    headers: Sequence[tuple[str, str]] = ()
    status: int = 200


TEXT_REPLY: Final = Reply(
    b"seen",
    (("content-type", "text/plain"), ("vary", "x"), ("vary", "y"), ("set-cookie", "a=1"), ("set-cookie", "b=2")),
    status=201,
)
JSON_REPLY: Final = Reply(b'{"batchItemFailures": []}', (("content-type", "application/json"),), status=500)


@dataclass
class TriggerApp:
    """An app that gives one reply to everything and remembers what it saw."""

    reply: Reply
    seen: list[Seen] = field(default_factory=list)

    async def asgi(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        message = await receive()
        query = scope["query_string"].decode()
        target = scope["raw_path"].decode() + (f"?{query}" if query else "")
        headers = [(name.decode(), value.decode()) for name, value in scope["headers"]]
        self.seen.append(Seen(scope["method"], target, headers, message["body"]))
        shown = [*self.reply.headers, ("content-length", str(len(self.reply.body)))]
        raw = [(name.encode(), value.encode()) for name, value in shown]
        await send({"type": "http.response.start", "status": self.reply.status, "headers": raw})
        await send({"type": "http.response.body", "body": self.reply.body})

    async def http(self, request: AppRequest) -> None:
        self.seen.append(Seen(request.method, request.target, request.headers, request.body))
        lines = "".join(f"{name}: {value}\r\n" for name, value in self.reply.headers)
        await request.respond(self.reply.body, status=self.reply.status, headers=lines)


Mode: TypeAlias = Callable[[TriggerApp, Mapping[str, str]], AbstractAsyncContextManager[HandlerFactory]]


def _options(variables: Mapping[str, str]) -> Options:
    return read_options({"AWS_LAMBDA_RUNTIME_API": "127.0.0.1:1", **variables})


@asynccontextmanager
async def proxy_mode(app: TriggerApp, variables: Mapping[str, str]) -> AsyncIterator[HandlerFactory]:
    """The app behind a port."""
    async with AppServer(app.http) as web:
        proxy = Proxy(_options({**variables, "AWS_LWA_PORT": str(web.port)}))
        proxy.app_is_ready()
        try:
            yield proxy.new_handler
        finally:
            proxy.pool.close()


@asynccontextmanager
async def in_process_mode(app: TriggerApp, variables: Mapping[str, str]) -> AsyncIterator[HandlerFactory]:
    """The app called in this process."""
    yield AsgiMode(app.asgi, _options(variables), Output(write=lambda _: None), None).new_handler


MODES: Final[Mapping[str, Mode]] = {"proxy": proxy_mode, "in-process": in_process_mode}


@asynccontextmanager
async def slots_of(server: RuntimeServer, new_handler: HandlerFactory) -> AsyncIterator[None]:
    """One slot at work on the events of `server`."""
    gone: list[str] = []
    api = read_endpoint("AWS_LAMBDA_RUNTIME_API", server.address)
    client = RuntimeClient(api, 1, new_handler, Output(write=lambda _: None), gone.append)
    client.start()
    try:
        yield
    finally:
        client.close()
    assert gone == []


@dataclass(frozen=True, slots=True)
class Trigger:
    """One of the events: what the app sees of it (`headers` beside those of every request, `context` the keys that the
    request context has, None for an event that is not HTTP), and the answer that TEXT_REPLY or JSON_REPLY becomes.
    """

    name: str
    method: str
    target: str
    body: bytes | None
    headers: Mapping[str, list[str]]
    context: frozenset[str] | None
    reply: Reply
    answer: object

    @property
    def event(self) -> bytes:
        return (_EVENTS / f"{self.name}.json").read_bytes()

    def __str__(self) -> str:
        return self.name


_SHOWN: Final = {"content-type": "text/plain", "vary": "x, y", "content-length": "4"}
_LISTED: Final = {
    "content-type": ["text/plain"],
    "vary": ["x", "y"],
    "content-length": ["4"],
    "set-cookie": ["a=1", "b=2"],
}
_BODY: Final = {"body": "seen", "isBase64Encoded": False}
_FORMAT_1: Final = {"statusCode": 201, "headers": {}, "multiValueHeaders": _LISTED, **_BODY}
_FORMAT_2: Final = {"statusCode": 201, "headers": _SHOWN, "multiValueHeaders": {}, **_BODY, "cookies": ["a=1", "b=2"]}
_BALANCER: Final = {
    "statusCode": 201,
    "statusDescription": "201 Created",
    "headers": {**_SHOWN, "set-cookie": "a=1"},
    "multiValueHeaders": _LISTED,
    **_BODY,
}
_TWO_VALUES: Final = "/my/path?parameter1=value1&parameter1=value2&parameter2=value"


def _format_2(name: str, body: bytes, *context: str) -> Trigger:
    headers = {"cookie": ["cookie1; cookie2"], "header1": ["value1"], "header2": ["value1,value2"]}
    keys = frozenset({"accountId", "apiId", "http", "domainName", "timeEpoch", "authorizer", *context})
    return Trigger(name, "POST", _TWO_VALUES, body, headers, keys, TEXT_REPLY, _FORMAT_2)


def _not_http(name: str) -> Trigger:
    headers = {"content-type": ["application/json"]}
    return Trigger(name, "POST", "/events", None, headers, None, JSON_REPLY, {"batchItemFailures": []})


TRIGGERS: Final[Sequence[Trigger]] = (
    Trigger(
        "api_gateway_v1",
        "GET",
        _TWO_VALUES,
        b"Hello from Lambda!",
        {"header1": ["value1"], "header2": ["value1", "value2"]},
        frozenset({"accountId", "apiId", "httpMethod", "identity", "stage", "requestTimeEpoch", "authorizer"}),
        TEXT_REPLY,
        _FORMAT_1,
    ),
    _format_2("api_gateway_v2", b"Hello from Lambda", "authentication"),
    _format_2("function_url", b"Hello from client!"),
    Trigger(
        "alb",
        "GET",
        "/",
        b"request_body",
        {
            "cookie": ["cookies"],
            "host": ["lambda-846800462-us-east-2.elb.amazonaws.com"],
            "x-forwarded-for": ["72.21.198.66"],
            "x-amzn-trace-id": ["Root=1-5bdb40ca-556d8b0c50dc66f0511bf520"],
        },
        frozenset({"elb"}),
        TEXT_REPLY,
        _BALANCER,
    ),
    Trigger(
        "alb_multi_value",
        "POST",
        "/?myKey=val1&myKey=val2&q=hello%20world",
        b"\x00\x01\x02\x03\x04\xff",
        {"cookie": ["name1=value1", "name2=value2"], "x-forwarded-proto": ["https"]},
        frozenset({"elb"}),
        TEXT_REPLY,
        _BALANCER,
    ),
    _not_http("sqs"),
    _not_http("s3"),
    _not_http("sns"),
    _not_http("schedule"),
)
