"""Small and large requests in turn on one slot: what the brief form leaves out, the long one has to say."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from penstock.pytest_plugin.lambda_app import LambdaApps

Message = dict[str, Any]
# Small enough for a brief event, just so, beyond it, beyond what comes in one piece, and beyond a window.
SIZES = (0, 1, 5_000, 9_000, 16_000, 65_536, 300_000)


async def echo(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    if scope["type"] != "http":
        raise RuntimeError("no lifespan")
    body = (await receive())["body"]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


@pytest.mark.parametrize("then", SIZES)
@pytest.mark.parametrize("first", SIZES)
def test_each_comes_back(lambda_app: LambdaApps, first: int, then: int) -> None:
    client = lambda_app(echo, concurrency=1)
    body = bytes(range(256)) * 1200
    for size in (first, then, first):
        answer = client.post("/", content=body[:size])
        assert (answer.status_code, answer.content) == (200, body[:size])
