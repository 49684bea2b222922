"""Through a SnapStart snapshot: the order of what is asked and called, and what becomes of a hook that fails."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from penstock_adapter import snapstart
from penstock_adapter.init_error import InitError
from penstock_adapter.options import read_options
from support.adapter_runs import AdapterRun, running_adapter
from support.app_server import AppRequest, AppServer
from support.events import url_event
from support.runtime_server import RuntimeServer
from support.snapstart_rig import AFTER, BEFORE, SNAP_START, SnapStartServer, told
from support.streams import StreamServer, within

HOOKS = BEFORE | AFTER
HTTP = {"AWS_LWA_READINESS_CHECK_PROTOCOL": "http", "AWS_LWA_READINESS_CHECK_PATH": "/ready"}


async def ok(request: AppRequest) -> None:
    await request.respond(b"ok")


@asynccontextmanager
async def restoring(web: AppServer, **variables: str) -> AsyncIterator[tuple[SnapStartServer, AdapterRun]]:
    async with (
        SnapStartServer() as server,
        running_adapter(server.address, web.port, **{**SNAP_START, **HTTP, **variables}) as run,
    ):
        yield server, run


def seen(web: AppServer) -> list[str]:
    return [f"{request.method} {request.target}" for request in web.requests]


async def test_the_order_of_things() -> None:
    async with AppServer(ok) as web, restoring(web, **HOOKS) as (server, run):
        await within(server.snapshot_asked.wait())
        assert seen(web) == ["GET /ready", "POST /snapstart/before"]
        assert server.parked.empty()
        server.restore()
        post = await server.invoke(url_event(path="/real"))
        assert (await post.complete()).endswith(b"ok")
        after = ["POST /snapstart/after", "GET /ready", "GET /real"]
        assert seen(web) == ["GET /ready", "POST /snapstart/before", *after]
        assert server.snapshots == 1
        assert (run.lines, server.runtime_errors.empty(), server.restore_errors.empty()) == ([], True, True)


async def test_a_hook_is_an_empty_post_on_a_connection_of_its_own() -> None:
    async with AppServer(ok) as web, restoring(web, **HOOKS) as (server, _):
        server.restore()
        for number in range(2):
            await (await server.invoke(url_event(), f"request-{number}")).complete()
        _, before, after, _, one, two = web.requests
        for hook in (before, after):
            assert hook.headers == [("host", f"127.0.0.1:{web.port}"), ("content-length", "0")]
            assert hook.body == b""
        assert len({before.connection, after.connection, one.connection}) == 3
        assert one.connection == two.connection  # kept from the restore on


@pytest.mark.parametrize(
    ("hooks", "called"), [({}, []), (BEFORE, ["POST /snapstart/before"]), (AFTER, ["POST /snapstart/after"])]
)
async def test_each_hook_is_one_of_choice(hooks: dict[str, str], called: list[str]) -> None:
    async with AppServer(ok) as web, restoring(web, **hooks) as (server, _):
        server.restore()
        await server.poll()
        assert [line for line in seen(web) if "snapstart" in line] == called
        assert seen(web).count("GET /ready") == 2


async def test_without_snap_start_nothing_is_called_or_asked() -> None:
    variables = HOOKS | {"AWS_LAMBDA_INITIALIZATION_TYPE": "lambda-managed-instances"}
    async with AppServer(ok) as web, restoring(web, **variables) as (server, run):
        await server.poll()
        assert (seen(web), server.snapshots, run.lines) == (["GET /ready"], 0, [])


async def test_no_snapshot_is_asked_for_before_the_app_is_ready() -> None:
    ready = asyncio.Event()
    asked = asyncio.Event()

    async def app(request: AppRequest) -> None:
        asked.set()
        await request.respond(status=200 if ready.is_set() else 500)

    async with AppServer(app) as web, restoring(web, **HOOKS, AWS_LWA_ASYNC_INIT="true") as (server, _):
        await within(asked.wait())
        assert server.snapshots == 0
        ready.set()
        await within(server.snapshot_asked.wait())
        assert seen(web)[-1] == "POST /snapstart/before"


async def test_an_app_that_is_ready_only_after_its_hook() -> None:
    restored = asyncio.Event()

    async def app(request: AppRequest) -> None:
        if request.target == "/snapstart/after":
            restored.set()
        await request.respond(status=200 if restored.is_set() or not server.snapshot_asked.is_set() else 503)

    async with AppServer(app) as web, restoring(web, **AFTER) as (server, _):
        await within(server.snapshot_asked.wait())
        server.restore()
        await server.poll()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n", "answered 500: expected 200 to 299"),
        (b"HTTP/1.1 307 Go\r\nlocation: /\r\ncontent-length: 0\r\n\r\n", "answered 307: expected 200 to 299"),
        (b"", "failed: the app closed the connection before it answered"),
        (b"nonsense\r\n\r\n", "failed: the app's answer is not HTTP/1.1"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx", "failed: the app closed the connection in the middle"),
    ],
    ids=["500", "redirect", "hung-up", "not-http", "cut"],
)
@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_hook_that_fails_is_reported_and_exit_1(when: str, answer: bytes, said: str) -> None:
    async def app(request: AppRequest) -> None:
        if request.target == f"/snapstart/{when}":
            await request.write(answer)
            request.hang_up()
        else:
            await request.respond()

    async with AppServer(app) as web, restoring(web, **HOOKS) as (server, run):
        if when == "after":
            server.restore()
        assert await within(asyncio.shield(run.exit)) == 1
        kind, message = told((server.restore_errors if when == "after" else server.runtime_errors).get_nowait())
        assert kind == ("Runtime.AfterRestoreError" if when == "after" else "Runtime.BeforeSnapshotError")
        assert message.startswith(f"the SnapStart hook POST /snapstart/{when} {said}")
        assert run.lines == [f"ERROR {kind}: {message}\n"]
        assert server.snapshots == (when == "after")
        assert server.parked.empty()


async def test_a_hook_that_takes_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    async def app(request: AppRequest) -> None:
        await (request.gone() if request.target == "/snapstart/before" else request.respond())

    monkeypatch.setattr(snapstart, "HOOK_LIMIT_S", 0.05)
    async with AppServer(app) as web, restoring(web, **HOOKS) as (server, run):
        assert await within(asyncio.shield(run.exit)) == 1
        _, message = told(server.runtime_errors.get_nowait())
        assert message == "the SnapStart hook POST /snapstart/before took more than 0.05 seconds"


async def test_an_app_that_does_not_become_ready_again() -> None:
    async def app(request: AppRequest) -> None:
        await request.respond(status=503 if server.snapshot_asked.is_set() else 200)

    async with (
        AppServer(app) as web,
        restoring(web, AWS_LWA_READINESS_CHECK_TIMEOUT_SECONDS="0.1") as (server, run),
    ):
        await within(server.snapshot_asked.wait())
        server.restore()
        assert await within(asyncio.shield(run.exit)) == 1
        kind, message = told(server.restore_errors.get_nowait())
        assert (kind, message) == ("Runtime.AfterRestoreError", "the restored app was not ready within 0.1 seconds")


async def test_an_app_that_never_becomes_ready_has_no_hook_called() -> None:
    async def app(request: AppRequest) -> None:
        await request.respond(status=500)

    limit = {"AWS_LWA_READINESS_CHECK_TIMEOUT_SECONDS": "0.05"}
    async with AppServer(app) as web, restoring(web, **HOOKS, **limit) as (server, run):
        assert await within(asyncio.shield(run.exit)) == 1
        assert set(seen(web)) == {"GET /ready"}
        assert server.snapshots == 0


async def test_a_runtime_api_without_snapshots() -> None:
    async with (
        RuntimeServer() as server,
        AppServer(ok) as web,
        running_adapter(server.address, web.port, **SNAP_START) as run,
    ):
        assert await within(asyncio.shield(run.exit)) == 1
        kind, message = told(server.runtime_errors.get_nowait())
        assert kind == "Runtime.LambdaRuntimeClientError"
        assert message == "the Runtime API answered restore/next with 'HTTP/1.1 404 Whatever'"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"", "the Runtime API at 127.0.0.1:PORT hung up on restore/next"),
        (b"HTTP/1.1 200 OK\r\n", "the Runtime API at 127.0.0.1:PORT hung up on restore/next"),
        (b"nonsense\r\n\r\n", "the Runtime API answered restore/next with 'nonsense'"),
        (b"x" * 100_000, "the Runtime API answered restore/next with a head without end"),
        (None, "the Runtime API at 127.0.0.1:PORT failed at restore/next: "),
    ],
    ids=["hung-up", "cut", "not-http", "endless", "nobody"],
)
async def test_a_runtime_api_that_gives_no_answer(answer: bytes | None, said: str) -> None:
    class Api(StreamServer):
        async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer or b"")
            await writer.drain()

    async def nothing(path: str = "") -> int:
        raise AssertionError(path)

    async with Api() as api:
        if answer is None:
            await api.stop()
        options = read_options({"AWS_LAMBDA_RUNTIME_API": api.address})
        with pytest.raises(InitError) as caught:
            await within(snapstart.pass_snapshot(options, nothing, ready))
        assert str(caught.value).startswith(said.replace("PORT", str(api.port)))
        assert (caught.value.error_type, caught.value.reported_to) == ("Runtime.LambdaRuntimeClientError", "init/error")


async def ready() -> None:
    raise AssertionError("asked")


async def test_stopped_while_the_snapshot_is_taken() -> None:
    async with AppServer(ok) as web, restoring(web, **HOOKS) as (server, run):
        await within(server.snapshot_asked.wait())
        run.adapter.stop()
        assert await within(asyncio.shield(run.exit)) == 0
        assert run.lines == []


@pytest.mark.parametrize("mode", ["response_stream", "buffered"])
async def test_a_request_for_a_hook_is_forbidden_with_or_without_a_snapshot(mode: str) -> None:
    async with (
        RuntimeServer() as server,
        AppServer(ok) as web,
        running_adapter(server.address, web.port, **HOOKS, AWS_LWA_INVOKE_MODE=mode) as run,
    ):
        for number, path in enumerate(["/snapstart/before", "/Snapstart/%61fter/"]):
            post = await server.invoke(url_event(method="POST", path=path), f"hook-{number}")
            assert b'"statusCode":403' in await post.complete()
            assert run.lines.pop() == (
                f"WARN RequestId: hook-{number} refused a request to a SnapStart hook: POST {path}\n"
            )
        assert b'"statusCode":200' in await (await server.invoke(url_event(path="/snapstart"), "other")).complete()
        assert seen(web) == ["GET /snapstart"]
        assert run.lines == []
