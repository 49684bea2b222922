"""The lifespan of an app: startup, its failures, state, shutdown."""

import asyncio
from typing import Any

import pytest

from penstock_adapter.asgi_types import Receive, Send
from penstock_adapter.lifespan import Lifespan, StartupError
from support.streams import within


async def test_startup_state_and_shutdown() -> None:
    heard: list[str] = []

    async def app(scope: Any, receive: Receive, send: Send) -> None:
        assert scope["type"] == "lifespan"
        heard.append((await receive())["type"])
        scope["state"]["pool"] = "p"
        await send({"type": "lifespan.startup.complete"})
        heard.append((await receive())["type"])
        await send({"type": "lifespan.shutdown.complete"})

    lifespan = Lifespan(app)
    assert await within(lifespan.startup())
    assert lifespan.state == {"pool": "p"}
    assert heard == ["lifespan.startup"]
    assert await within(lifespan.shutdown()) is None
    assert heard == ["lifespan.startup", "lifespan.shutdown"]


async def test_a_failed_startup_tells_its_traceback() -> None:
    said = "Traceback (most recent call last):\n  File x\nConnectionError: no database\n"

    async def app(scope: Any, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": said})

    with pytest.raises(StartupError) as caught:
        await within(Lifespan(app).startup())
    assert str(caught.value) == "ConnectionError: no database"
    assert caught.value.error_type == "Function.StartupFailed"
    assert "".join(caught.value.stack) == said.strip()


@pytest.mark.parametrize("message", [{}, {"message": ""}])
async def test_a_failed_startup_may_say_nothing(message: dict[str, str]) -> None:
    async def app(scope: Any, receive: Receive, send: Send) -> None:
        await send({"type": "lifespan.startup.failed", **message})

    with pytest.raises(StartupError, match="without a message"):
        await within(Lifespan(app).startup())


async def test_an_app_that_exits_cannot_start() -> None:
    async def app(scope: Any, receive: Receive, send: Send) -> None:
        raise SystemExit(3)

    with pytest.raises(StartupError, match=r"the app ended the process: SystemExit\(3\)"):
        await within(Lifespan(app).startup())


async def test_an_app_that_knows_no_lifespan_is_fine() -> None:
    lines: list[str] = []

    async def app(scope: Any, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"

    lifespan = Lifespan(app, lines.append)
    assert not await within(lifespan.startup())
    assert await within(lifespan.shutdown()) is None
    assert lines == []


async def test_one_that_answers_it_as_a_request_is_fine() -> None:
    async def app(scope: Any, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200})

    assert not await within(Lifespan(app).startup())


async def test_one_that_returns_is_fine() -> None:
    async def app(scope: Any, receive: Receive, send: Send) -> None:
        return None

    assert not await within(Lifespan(app).startup())


async def test_an_error_after_the_lifespan_has_begun_is_told() -> None:
    lines: list[str] = []

    async def app(scope: Any, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        raise LookupError("at the end")

    lifespan = Lifespan(app, lines.append)
    await within(lifespan.startup())
    await within(lifespan.shutdown())
    assert "LookupError: at the end" in lines[0]


async def test_a_failed_shutdown_says_why() -> None:
    async def app(scope: Any, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.failed", "message": "disk full"})

    lifespan = Lifespan(app)
    await within(lifespan.startup())
    assert await within(lifespan.shutdown()) == "disk full"


async def test_requests_may_come_while_the_lifespan_waits() -> None:
    async def app(scope: Any, receive: Receive, send: Send) -> None:
        await receive()
        await asyncio.sleep(0)
        await send({"type": "lifespan.startup.complete"})
        await receive()

    lifespan = Lifespan(app)
    assert await within(lifespan.startup())
    assert await within(lifespan.shutdown()) is None
