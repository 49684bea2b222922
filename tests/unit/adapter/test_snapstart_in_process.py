"""A hook as a call of the ASGI app, and a request from outside that would be one."""

from typing import Any

import pytest

from penstock_adapter.asgi_post import post_empty
from penstock_adapter.asgi_scope import ScopeMaker
from penstock_adapter.asgi_types import Receive, Send
from penstock_adapter.snapstart import HookError
from support.asgi_calls import STREAMED, Desk
from support.events import url_event
from support.snapstart_rig import AFTER

SCOPES = ScopeMaker("/base", "127.0.0.1:8080", {"pool": 1})


def start(status: int) -> dict[str, object]:
    return {"type": "http.response.start", "status": status, "headers": []}


BODY: dict[str, object] = {"type": "http.response.body"}


async def test_the_app_sees_a_post_without_a_body() -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Receive, send: Send) -> None:
        seen.extend([scope, await receive()])
        await send(start(204))
        await send({"type": "http.response.body", "body": b"x", "more_body": True})
        await send(BODY)
        seen.append(await receive())

    assert await post_empty(app, SCOPES, "/hook") == 204
    scope, request, end = seen
    assert (scope["type"], scope["method"], scope["path"]) == ("http", "POST", "/base/hook")
    assert (scope["state"], scope["headers"]) == (
        {"pool": 1},
        [(b"host", b"127.0.0.1:8080"), (b"content-length", b"0")],
    )
    assert request == {"type": "http.request", "body": b"", "more_body": False}
    assert end == {"type": "http.disconnect"}


async def raises(scope: Any, receive: Receive, send: Send) -> None:
    raise LookupError("no pool")


async def silent(scope: Any, receive: Receive, send: Send) -> None:
    await receive()


async def half(scope: Any, receive: Receive, send: Send) -> None:
    await send(start(200))


async def twice(scope: Any, receive: Receive, send: Send) -> None:
    await send(start(200))
    await send(start(200))


async def too_much(scope: Any, receive: Receive, send: Send) -> None:
    await send(start(200))
    await send(BODY)
    await send(BODY)


async def no_status(scope: Any, receive: Receive, send: Send) -> None:
    await send(start(99))


@pytest.mark.parametrize(
    ("app", "said"),
    [
        (raises, "LookupError: no pool"),
        (silent, "ASGI callable returned without completing response."),
        (half, "ASGI callable returned without completing response."),
        (twice, "RuntimeError: Unexpected ASGI message 'http.response.start'"),
        (too_much, "RuntimeError: Unexpected ASGI message 'http.response.body'"),
        (no_status, "ValueError: ASGI status must be from 200 to 599"),
    ],
)
async def test_an_app_that_does_not_answer(app: Any, said: str) -> None:
    with pytest.raises(HookError) as caught:
        await post_empty(app, SCOPES, "/hook")
    assert str(caught.value).startswith(said)
    if app is raises:
        assert "no pool" in "".join(caught.value.stack)


@pytest.mark.parametrize("method", ["GET", "POST", "HEAD"])
@pytest.mark.parametrize("mode", [STREAMED, {}], ids=["streamed", "buffered"])
async def test_a_request_for_a_hook_is_forbidden(mode: dict[str, str], method: str) -> None:
    async def app(scope: Any, receive: Receive, send: Send) -> None:
        raise AssertionError("called")

    desk = Desk(app, {**mode, **AFTER, "AWS_LWA_ERROR_STATUS_CODES": "403"})
    told = await desk.told(url_event(method=method, path="/x/../SnapStart//%61fter;y"))
    assert told.pop(0) == ("warn", f"refused a request to a SnapStart hook: {method} /SnapStart//%61fter;y")
    if mode:
        head = {"content-type": "application/octet-stream"}
        assert told == [("begin", {"statusCode": 403, "headers": head, "cookies": []}), ("end", None)]
    else:
        ((kind, answer),) = told
        assert isinstance(answer, dict)
        assert (kind, answer["statusCode"], answer["headers"], answer["body"]) == ("response", 403, {}, "")
