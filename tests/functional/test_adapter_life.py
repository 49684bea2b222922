"""The adapter's life: registration, readiness, slots, a Runtime API that goes away, and the end."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import orjson
import pytest

from penstock_adapter import readiness, runtime_client
from support.adapter_runs import running_adapter
from support.app_server import AppRequest, AppServer
from support.events import url_event
from support.runtime_server import RuntimeServer
from support.streams import within

HTTP = {"AWS_LWA_READINESS_CHECK_PROTOCOL": "http"}


async def ok(request: AppRequest) -> None:
    await request.respond(b"ok")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def test_registers_as_lambda_adapter_and_waits() -> None:
    async with RuntimeServer() as server, AppServer(ok) as web, running_adapter(server.address, web.port):
        await within(server.event_next_asked.wait())
        ((headers, body),) = server.registrations
        assert headers["lambda-extension-name"] == "lambda-adapter"
        assert body == b'{ "events": [] }'


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"",
        b"nonsense\r\n\r\n",
    ],
    ids=["refused", "no-identifier", "hung-up", "not-http"],
)
async def test_refused_registration_is_exit_1_lwa_77(reply: bytes) -> None:
    async with RuntimeServer() as server, AppServer(ok) as web:
        server.register_reply = reply
        async with running_adapter(server.address, web.port) as run:
            if not reply:
                await within(server.registered.wait())
                await server.stop()
            assert await within(asyncio.shield(run.exit)) == 1
            (line,) = [line for line in run.lines if line.startswith("ERROR ")]
            assert "the Extensions API" in line


async def test_answered_event_next_changes_nothing_lwa_78() -> None:
    async with RuntimeServer() as server, AppServer(ok) as web, running_adapter(server.address, web.port) as run:
        server.release_event_next.set()
        await within(server.event_next_asked.wait())
        for number in range(2):
            assert (await server.invoke(url_event(), f"request-{number}")).kind == "response"
        assert not run.exit.done()


async def test_lost_event_next_is_exit_1() -> None:
    async with RuntimeServer() as server, AppServer(ok) as web, running_adapter(server.address, web.port) as run:
        await within(server.event_next_asked.wait())
        await server.stop()
        assert await within(asyncio.shield(run.exit)) == 1


async def test_polls_once_the_app_listens_lwa_79() -> None:
    port = free_port()
    async with RuntimeServer() as server, running_adapter(server.address, port, **HTTP):
        await within(server.event_next_asked.wait())
        assert server.parked.empty()
        async with AppServer(ok, port) as web:
            post = await server.invoke(url_event(path="/real"))
            await post.complete()
            assert [request.target for request in web.requests] == ["/", "/real"]


async def test_unhealthy_app_is_asked_again_and_reported_lwa_80(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = asyncio.Semaphore(0)
    healthy = False

    async def app(request: AppRequest) -> None:
        asked.release()
        await request.respond(status=200 if healthy else 500)

    monkeypatch.setattr(readiness, "PROGRESS_EVERY_S", 0.03)
    async with (
        RuntimeServer() as server,
        AppServer(app) as web,
        running_adapter(server.address, web.port, **HTTP) as run,
    ):
        for _ in range(8):
            await within(asked.acquire())
        assert server.parked.empty()
        assert any("app is not ready after 30ms" in line for line in run.lines)
        healthy = True
        await server.poll()


async def test_app_that_accepts_and_never_answers_does_not_block(monkeypatch: pytest.MonkeyPatch) -> None:
    async def app(request: AppRequest) -> None:
        if len(web.requests) < 3:
            await request.gone()
        else:
            await request.respond()

    monkeypatch.setattr(readiness, "FIRST_PATIENCE_S", 0.02)
    async with RuntimeServer() as server, AppServer(app) as web, running_adapter(server.address, web.port, **HTTP):
        await server.poll()
        assert len(web.requests) == 3


async def test_healthy_statuses_and_path_lwa_4_82() -> None:
    async def app(request: AppRequest) -> None:
        await request.respond(status=403)

    options = {"AWS_LWA_READINESS_CHECK_PATH": "/health?x=1", "AWS_LWA_READINESS_CHECK_HEALTHY_STATUS": "403"} | HTTP
    async with RuntimeServer() as server, AppServer(app) as web, running_adapter(server.address, web.port, **options):
        await server.poll()
        assert web.requests[0].target == "/health?x=1"


async def test_readiness_that_takes_too_long_is_exit_1() -> None:
    limit = {"AWS_LWA_READINESS_CHECK_TIMEOUT_SECONDS": "0.05"}
    async with RuntimeServer() as server, running_adapter(server.address, free_port(), **limit) as run:
        assert await within(asyncio.shield(run.exit)) == 1
        assert any("not ready within 0.05 seconds" in line for line in run.lines)


async def test_async_init_polls_early_and_the_event_waits_lwa_81(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("penstock_adapter.adapter.ASYNC_INIT_S", 0.05)
    port = free_port()
    options = {"AWS_LWA_ASYNC_INIT": "true", "AWS_LAMBDA_MAX_CONCURRENCY": "2"}
    async with RuntimeServer() as server, running_adapter(server.address, port, **options):
        for number in range(2):
            (await server.poll()).answer(url_event(), f"request-{number}")
        async with AppServer(ok, port):
            for number in range(2):
                post = await server.post(f"request-{number}")
                assert post.kind == "response"
                await post.complete()


async def test_sixty_four_polls_lwa_91() -> None:
    slots = {"AWS_LAMBDA_MAX_CONCURRENCY": "64"}
    async with RuntimeServer() as server, AppServer(ok) as web, running_adapter(server.address, web.port, **slots):
        polls = [await server.poll() for _ in range(64)]
        assert server.polls_open == 64
        for number, poll in enumerate(polls):
            poll.answer(url_event(), f"request-{number}")
        for number in range(64):
            assert (await (await server.post(f"request-{number}")).complete()).endswith(b"ok")


@pytest.mark.parametrize("mode", ["buffered", "response_stream"])
async def test_a_slot_keeps_its_connection(mode: str) -> None:
    variables = {"AWS_LWA_INVOKE_MODE": mode}
    async with RuntimeServer() as server, AppServer(ok) as web, running_adapter(server.address, web.port, **variables):
        for number, event in enumerate((url_event(), b"{nonsense", url_event(method="HEAD"), url_event())):
            await (await server.invoke(event, f"request-{number}")).complete()
        await server.poll()
        assert server.connections == 3  # register, event/next, and the one slot
        assert web.connections == 2  # the readiness check, and the one request at a time


async def test_lost_poll_is_polled_again() -> None:
    async with RuntimeServer() as server, AppServer(ok) as web, running_adapter(server.address, web.port):
        for _ in range(2):
            (await server.poll()).drop()
        assert (await server.invoke(url_event())).kind == "response"


@pytest.mark.parametrize(
    "reply", [b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 204 No\r\n\r\n", b"nonsense\r\n\r\n"]
)
async def test_refused_poll_is_polled_again(reply: bytes) -> None:
    async with RuntimeServer() as server, AppServer(ok) as web, running_adapter(server.address, web.port):
        (await server.poll()).answer_raw(reply)
        assert (await server.invoke(url_event())).kind == "response"


async def test_event_with_connection_close_is_answered_on_another() -> None:
    async with RuntimeServer() as server, AppServer(ok) as web, running_adapter(server.address, web.port):
        for number, event in enumerate((url_event(), b"{nonsense", url_event())):
            (await server.poll()).answer(event, f"request-{number}", {"Connection": "close"})
            post = await server.post(f"request-{number}")
            await post.complete()
            assert post.kind == ("error" if number == 1 else "response")


async def test_refused_response_is_logged_and_the_slot_polls_on() -> None:
    async with RuntimeServer() as server, AppServer(ok) as web, running_adapter(server.address, web.port) as run:
        server.post_status = 413
        await (await server.invoke(url_event())).complete()
        await server.poll()
        assert any("413" in line and "request-1" in line for line in run.lines)


async def test_invocation_id_is_echoed() -> None:
    async with RuntimeServer() as server, AppServer(ok) as web, running_adapter(server.address, web.port):
        post = await server.invoke(url_event(), headers={"Lambda-Runtime-Invocation-Id": "attempt-7"})
        assert post.headers["lambda-runtime-invocation-id"] == "attempt-7"


async def test_runtime_api_gone_for_good_is_exit_1(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime_client, "GONE_AFTER_S", 0.2)
    gone = free_port()
    proxy = {"AWS_LWA_LAMBDA_RUNTIME_API_PROXY": f"http://127.0.0.1:{gone}"}
    async with (
        RuntimeServer() as server,
        AppServer(ok) as web,
        running_adapter(server.address, web.port, **proxy) as run,
    ):
        assert await within(asyncio.shield(run.exit)) == 1
        assert sum("cannot reach the Runtime API" in line for line in run.lines) == 1
        assert any("is gone" in line for line in run.lines)


async def test_proxied_runtime_api_has_its_base_path() -> None:
    async with RuntimeServer() as platform, RuntimeServer() as proxy, AppServer(ok) as web:
        variable = {"AWS_LWA_LAMBDA_RUNTIME_API_PROXY": proxy.address}
        async with running_adapter(platform.address, web.port, **variable):
            assert (await proxy.invoke(url_event())).kind == "response"
            assert len(platform.registrations) == 1
            assert proxy.registrations == []


async def test_stop_ends_idle_polls_and_lets_work_finish() -> None:
    begun, finish = asyncio.Event(), asyncio.Event()

    async def app(request: AppRequest) -> None:
        await request.start_chunks()
        begun.set()
        await within(finish.wait())
        await request.chunk(b"last words")
        await request.chunk(b"")

    slots = {"AWS_LAMBDA_MAX_CONCURRENCY": "3"}
    async with (
        RuntimeServer() as server,
        AppServer(app) as web,
        running_adapter(server.address, web.port, **slots) as run,
    ):
        post = await server.invoke(url_event())
        await within(begun.wait())
        polls = [await server.poll() for _ in range(2)]
        run.adapter.stop()
        for poll in polls:
            await within(asyncio.wait({poll.reply}))
        assert not run.exit.done()
        finish.set()
        assert (await post.complete()).endswith(b"last words")
        assert await within(asyncio.shield(run.exit)) == 0


@asynccontextmanager
async def adapter_process(**variables: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-m", "penstock_adapter", env=variables, stdout=asyncio.subprocess.PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_as_a_process() -> None:
    async with RuntimeServer() as server, AppServer(ok) as web:
        variables = {
            "AWS_LAMBDA_RUNTIME_API": server.address,
            "AWS_LWA_PORT": str(web.port),
            "AWS_LWA_INVOKE_MODE": "response_stream",
            "AWS_LAMBDA_MAX_CONCURRENCY": "16",
            "AWS_LWA_ASYNC_INIT": "yes",
            "AWS_LAMBDA_LOG_FORMAT": "JSON",
        }
        async with adapter_process(**variables) as process:
            for number in range(20):
                post = await server.invoke(url_event(), f"request-{number}")
                assert (await post.complete()).endswith(b"ok")
            process.send_signal(signal.SIGTERM)
            out, _ = await within(process.communicate())
            assert process.returncode == 0
            (line,) = out.splitlines()
            warning = orjson.loads(line)
            assert warning["level"] == "WARN"
            assert "AWS_LWA_ASYNC_INIT='yes'" in warning["message"]


@pytest.mark.parametrize(
    ("variables", "line"),
    [
        ({}, b"AWS_LAMBDA_RUNTIME_API"),
        ({"AWS_LAMBDA_RUNTIME_API": "127.0.0.1:1"}, b"cannot reach the Extensions API at 127.0.0.1:1"),
        ({"AWS_LAMBDA_RUNTIME_API": "{server}", "AWS_LWA_PORT": "http"}, b"AWS_LWA_PORT='http' is not a port"),
    ],
    ids=["unset", "nobody-listens", "bad-option"],
)
async def test_process_that_cannot_start_says_one_line(variables: dict[str, str], line: bytes) -> None:
    async with RuntimeServer() as server:
        variables = {name: value.format(server=server.address) for name, value in variables.items()}
        async with adapter_process(**variables, PATH=os.defpath) as process:
            out, _ = await within(process.communicate())
            assert process.returncode == 1
            assert out.count(b"\n") == 1
            assert line in out


async def test_variables_that_cannot_be_used_are_lines_and_the_platform_is_told() -> None:
    async with RuntimeServer() as server:
        variables = {
            "AWS_LAMBDA_RUNTIME_API": server.address,
            "PENSTOCK_STRICT": "1",
            "AWS_LWA_ASYNC_INIT": "TRUE",
            "AWS_LWA_INVOKE_MODE": "stream",
        }
        async with adapter_process(**variables) as process:
            out, _ = await within(process.communicate())
        assert process.returncode == 1
        mode, flag = out.decode().splitlines()
        assert mode == "ERROR AWS_LWA_INVOKE_MODE='stream' counts as buffered: expected buffered or response_stream"
        assert flag == "ERROR AWS_LWA_ASYNC_INIT='TRUE' counts as false: expected exactly true or false"
        ((headers, body),) = server.init_errors
        assert headers["lambda-extension-function-error-type"] == "Extension.ConfigInvalid"
        assert headers["lambda-extension-identifier"] == "7c1c2c6e-0d0f-4b0e-8a1b-111111111111"
        error = orjson.loads(body)
        assert error["errorType"] == "Extension.ConfigInvalid"
        assert "AWS_LWA_INVOKE_MODE='stream'" in error["errorMessage"]


async def test_variables_that_cannot_be_used_when_nobody_can_be_told() -> None:
    async with RuntimeServer() as server:
        server.register_reply = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"
        async with adapter_process(AWS_LAMBDA_RUNTIME_API=server.address, AWS_LWA_PORT="x") as process:
            out, _ = await within(process.communicate())
        assert (process.returncode, out.count(b"\n"), server.init_errors) == (1, 1, [])
