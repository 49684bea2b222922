"""The rhythm of readiness, async init and idle connections at full length, on a clock that jumps."""

import asyncio
import socket
from collections.abc import Callable, Coroutine
from functools import wraps

import pytest

from penstock_adapter.options import Readiness, ReadinessProtocol, read_options
from penstock_adapter.output import Output
from penstock_adapter.readiness import wait_until_ready
from support.adapter_runs import running_adapter
from support.app_server import AppRequest, AppServer
from support.events import url_event
from support.hasty_loop import run_hastily
from support.runtime_server import RuntimeServer

Story = Callable[..., Coroutine[object, object, None]]


def hastily(story: Story) -> Callable[..., None]:
    @wraps(story)
    def run(**arguments: object) -> None:
        run_hastily(story(**arguments))

    return run


def now() -> float:
    return asyncio.get_running_loop().time()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def check(port: int, **variables: str) -> Readiness:
    names = {f"AWS_LWA_READINESS_CHECK_{name.upper()}": value for name, value in variables.items()}
    return read_options({"AWS_LAMBDA_RUNTIME_API": "127.0.0.1:1", "AWS_LWA_PORT": str(port), **names}).readiness


async def is_ready(readiness: Readiness, seconds: float = 0.5) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await wait_until_ready("127.0.0.1", readiness, Output(write=lambda _: None))
    except TimeoutError:
        return False
    return True


def answering(status: int) -> AppServer:
    async def app(request: AppRequest) -> None:
        await request.respond(status=status)

    return AppServer(app)


@pytest.mark.parametrize(
    ("status", "variables", "ready"),
    [
        pytest.param(200, {"path": "/healthcheck"}, True, id="lwa-2-26"),
        pytest.param(404, {}, True, id="404"),
        pytest.param(500, {}, False, id="lwa-3"),
        pytest.param(403, {"healthy_status": "200-399"}, False, id="lwa-4"),
        pytest.param(302, {}, True, id="no-redirect-is-followed"),
        pytest.param(200, {"healthy_status": ""}, False, id="lwa-82"),
        pytest.param(500, {"protocol": "tcp"}, True, id="lwa-5"),
    ],
)
@hastily
async def test_status(status: int, variables: dict[str, str], ready: bool) -> None:
    async with answering(status) as web:
        assert await is_ready(check(web.port, **variables)) is ready
        assert {request.target for request in web.requests} <= {variables.get("path", "/")}


@hastily
async def test_nobody_listens_lwa_6() -> None:
    assert not await is_ready(check(free_port(), protocol="tcp"))


@hastily
async def test_what_answers_is_no_web_server() -> None:
    async def app(request: AppRequest) -> None:
        await request.write(b"SSH-2.0-OpenSSH\r\n")

    async with AppServer(app) as web:
        assert not await is_ready(check(web.port))


@hastily
async def test_ready_within_ten_milliseconds_of_the_apps_first_second_lwa_79() -> None:
    port = free_port()
    waiting = asyncio.get_running_loop().create_task(is_ready(check(port), 5))
    await asyncio.sleep(1)
    async with AppServer(lambda request: request.respond(), port):
        listening = now()
        assert await waiting
        assert now() - listening < 0.011  # and what is lost to rounding


@hastily
async def test_an_app_that_is_not_up_is_told_every_two_seconds_lwa_19_20_80() -> None:
    told: list[tuple[float, str]] = []
    port = free_port()
    readiness = Readiness(ReadinessProtocol.HTTP, port, "/", frozenset({200}), timeout_s=6.5)
    output = Output(write=lambda line: told.append((now(), line)))
    with pytest.raises(TimeoutError):
        await wait_until_ready("127.0.0.1", readiness, output)
    assert [line for _, line in told] == [
        f"INFO app is not ready after {seconds}000ms url=http://127.0.0.1:{port}/\n" for seconds in (2, 4, 6)
    ]
    assert [when for when, _ in told] == pytest.approx([2, 4, 6], abs=0.02)


@hastily
async def test_async_init_polls_after_9_8_seconds_and_the_event_waits_lwa_81() -> None:
    port = free_port()
    async with RuntimeServer() as server, running_adapter(server.address, port, AWS_LWA_ASYNC_INIT="true"):
        begun = now()
        (await asyncio.wait_for(server.parked.get(), 15)).answer(url_event(), "request-1")
        assert now() - begun == pytest.approx(9.8, abs=0.02)
        await asyncio.sleep(begun + 12 - now())
        async with AppServer(lambda request: request.respond(), port):
            post = await server.post("request-1")
            await post.complete()
            assert post.kind == "response"
            assert now() - begun == pytest.approx(12, abs=0.05)


@hastily
async def test_async_init_and_an_app_that_is_up_at_once_lwa_48() -> None:
    async with RuntimeServer() as server, answering(200) as web:
        begun = now()
        async with running_adapter(server.address, web.port, AWS_LWA_ASYNC_INIT="true"):
            assert (await server.invoke(url_event())).kind == "response"
            assert now() - begun < 0.1


@pytest.mark.parametrize(("idle_s", "same"), [(3.9, True), (4.1, False)])
@hastily
async def test_an_idle_connection_is_used_for_four_seconds_lwa_100(idle_s: float, same: bool) -> None:
    async with answering(200) as web, RuntimeServer() as server, running_adapter(server.address, web.port):
        await (await server.invoke(url_event(), "request-1")).complete()
        poll = await server.poll()
        await asyncio.sleep(idle_s)
        poll.answer(url_event(), "request-2")
        assert (await server.post("request-2")).kind == "response"
        first, second = (request.connection for request in web.requests)
        assert (first == second) is same
