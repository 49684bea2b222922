"""SnapStart where the app polls in its own process: in-process mode, and uvicorn with PENSTOCK_UVICORN_HOOK=1."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from support.adapter_runs import running_adapter
from support.events import url_event
from support.snapstart_rig import AFTER, BEFORE, SNAP_START, SnapStartServer, told
from support.streams import within
from support.uvicorn_runs import SLOTS, Web, free_port, need_hook
from support.uvicorn_runs import running as running_uvicorn

APP = """
import os


def tell(line):
    os.write(2, f"{line}\\n".encode())


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        for _ in range(2):
            kind = (await receive())["type"]
            tell(kind)
            await send({"type": f"{kind}.complete"})
        return
    await receive()
    tell(f"{scope['method']} {scope['path']}")
    if scope["path"] == os.environ.get("RAISES"):
        raise LookupError("no pool")
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})
"""
VARIABLES = SNAP_START | BEFORE | AFTER


@asynccontextmanager
async def in_process(server: SnapStartServer, folder: Path, **variables: str) -> AsyncIterator[Web]:
    (folder / "main.py").write_text(APP)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "penstock_adapter.in_process"),
        env={
            "AWS_LAMBDA_RUNTIME_API": server.address,
            "LAMBDA_TASK_ROOT": str(folder),
            "_HANDLER": "main.app",
            "PATH": os.environ["PATH"],
            "PENSTOCK_WORKERS": "2",
            **VARIABLES,
            **variables,
        },
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    web = Web(process)
    try:
        yield web
    finally:
        if process.returncode is None:
            process.kill()
        await web.ended()


async def test_in_process_the_hooks_are_calls_of_the_app(tmp_path: Path) -> None:
    async with SnapStartServer() as server, in_process(server, tmp_path) as web:
        await within(server.snapshot_asked.wait())
        await web.wait_for("POST /snapstart/before")
        assert server.parked.empty()
        server.restore()
        post = await server.invoke(url_event(path="/real"))
        assert b'"body":"ok"' in await post.complete()
        await web.wait_for("GET /real")
        calls = ["POST /snapstart/before", "POST /snapstart/after", "GET /real"]
        assert web.lines == ["lifespan.startup", *calls]
        assert server.snapshots == 1
        assert b'"statusCode":403' in await (await server.invoke(url_event(path="/snapstart/after"))).complete()


@pytest.mark.parametrize("when", ["before", "after"])
async def test_in_process_a_hook_that_raises_is_reported_with_its_stack(tmp_path: Path, when: str) -> None:
    path = f"/snapstart/{when}"
    async with SnapStartServer() as server, in_process(server, tmp_path, RAISES=path) as web:
        if when == "after":
            server.restore()
        report = await within((server.restore_errors if when == "after" else server.runtime_errors).get())
        kind, message = told(report)
        assert kind == ("Runtime.AfterRestoreError" if when == "after" else "Runtime.BeforeSnapshotError")
        assert message == f"the SnapStart hook POST {path} failed: LookupError: no pool"
        assert b'raise LookupError(\\"no pool\\")' in report[1]
        assert await web.ended() == 1
        assert web.lines[-1] == "lifespan.shutdown"


async def test_in_process_stopped_while_the_snapshot_is_taken(tmp_path: Path) -> None:
    async with SnapStartServer() as server, in_process(server, tmp_path) as web:
        await within(server.snapshot_asked.wait())
        web.process.send_signal(signal.SIGTERM)
        assert await web.ended() == 0
        assert web.lines[-1] == "lifespan.shutdown"


@asynccontextmanager
async def uvicorn(folder: Path, **variables: str) -> AsyncIterator[tuple[SnapStartServer, Web]]:
    """With an extension that stands by."""
    port = free_port()
    async with (
        SnapStartServer() as server,
        running_adapter(server.address, port, **{**SLOTS, **VARIABLES, **variables}) as adapter,
        running_uvicorn(folder, port, app=APP, api=server.address, **{**VARIABLES, **variables}) as web,
    ):
        yield server, web
        assert adapter.lines == []


def calls(web: Web) -> list[str]:
    return [line for line in web.lines if line.startswith(("GET ", "POST "))]


@need_hook
async def test_uvicorn_is_called_in_its_process(tmp_path: Path) -> None:
    async with uvicorn(tmp_path) as (server, web):
        await within(server.snapshot_asked.wait())
        await web.wait_for("POST /snapstart/before")
        assert web.listens() == []
        server.restore()
        post = await server.invoke(url_event(path="/real"))
        assert (await post.complete()).endswith(b"ok")
        await web.wait_for("GET /real")
        assert calls(web) == ["GET /", "POST /snapstart/before", "POST /snapstart/after", "GET /", "GET /real"]
        assert server.snapshots == 1


@need_hook
@pytest.mark.parametrize("when", ["before", "after"])
async def test_uvicorn_ends_with_a_hook_that_fails(tmp_path: Path, when: str) -> None:
    async with uvicorn(tmp_path, RAISES=f"/snapstart/{when}") as (server, web):
        if when == "after":
            server.restore()
        kind, message = told(await within((server.restore_errors if when == "after" else server.runtime_errors).get()))
        assert kind == ("Runtime.AfterRestoreError" if when == "after" else "Runtime.BeforeSnapshotError")
        assert message == f"the SnapStart hook POST /snapstart/{when} answered 500: expected 200 to 299"
        assert await web.ended() == -signal.SIGTERM
        assert "lifespan.shutdown" in web.lines
