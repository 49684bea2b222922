"""uvicorn as a process with the variables of an execution environment, and our extension beside it."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import psutil
import pytest
import uvicorn

from support.adapter_runs import AdapterRun, running_adapter
from support.runtime_server import RuntimeServer
from support.streams import within

need_hook = pytest.mark.skipif(
    tuple(map(int, uvicorn.__version__.split(".")[:2])) < (0, 36), reason="this uvicorn takes no loop by name"
)

HOOK = "penstock_adapter.uvicorn_loop:new_event_loop"
SLOTS = {"PENSTOCK_UVICORN_HOOK": "1", "AWS_LAMBDA_MAX_CONCURRENCY": "2", "AWS_LWA_INVOKE_MODE": "response_stream"}
APP = """
import asyncio, os, sys


def tell(line):
    os.write(2, f"{line}\\n".encode())


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        for _ in range(2):
            kind = (await receive())["type"]
            tell(kind)
            await send({"type": f"{kind}.complete"})
        return
    do = scope["path"].strip("/")
    if do == "raise":
        raise LookupError("no pump")
    headers = [(b"content-type", b"text/plain"), (b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    if do == "stream":
        await send({"type": "http.response.body", "body": b"one", "more_body": True})
        await receive()
        await asyncio.to_thread(sys.stdin.readline)
        await send({"type": "http.response.body", "body": b"two"})
    elif do == "endless":
        sent = 0
        await receive()
        gone = asyncio.ensure_future(receive())
        while not gone.done():
            await send({"type": "http.response.body", "body": bytes(65536), "more_body": True})
            await asyncio.sleep(0)
            sent += 1
            tell(f"sent {sent}")
        tell(gone.result()["type"])
    elif do == "break":
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        await asyncio.sleep(0)
        raise LookupError("no other half")
    else:
        body = b""
        while (message := await receive())["more_body"]:
            body += message["body"]
        told = f"{scope['method']} {scope['scheme']} {scope['client'][0]} {len(body + message['body'])}"
        await send({"type": "http.response.body", "body": told.encode()})
"""


class Web:
    """A uvicorn process. `lines` is what it has said so far."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[str] = []
        self._news = asyncio.Condition()
        self._reading = asyncio.get_running_loop().create_task(self._read())

    async def wait_for(self, text: str) -> None:
        async with self._news:
            await within(self._news.wait_for(lambda: any(text in line for line in self.lines)))

    def go_on(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n")

    async def ended(self) -> int:
        code = await within(self.process.wait())
        await within(self._reading)
        assert self.process.stdin is not None
        self.process.stdin.close()
        with suppress(ConnectionError):
            await self.process.stdin.wait_closed()
        return code

    def listens(self) -> list[int]:
        """Ports that it, or a process of it, listens at."""
        top = psutil.Process(self.process.pid)
        found = [one for each in [top, *top.children(recursive=True)] for one in each.net_connections("tcp")]
        return [one.laddr.port for one in found if one.status == psutil.CONN_LISTEN]

    async def _read(self) -> None:
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            async with self._news:
                self.lines.append(line.decode().rstrip())
                self._news.notify_all()


@asynccontextmanager
async def running(
    folder: Path,
    port: int,
    more: Sequence[str] = (),
    *,
    api: str = "",
    app: str = APP,
    **variables: str,
) -> AsyncIterator[Web]:
    """uvicorn with `more` options and the variables of an execution environment that has two slots."""
    (folder / "main.py").write_text(app)
    environ = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(sys.path),
        "PORT": str(port),
        "UVICORN_LOOP": HOOK,
        **SLOTS,
        **({"AWS_LAMBDA_RUNTIME_API": api} if api else {}),
        **variables,
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "uvicorn", "--port", str(port), *more, "main:app"),
        cwd=folder,
        env=environ,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    web = Web(process)
    try:
        yield web
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await web.ended()


@asynccontextmanager
async def standing_by(port: int, **variables: str) -> AsyncIterator[tuple[RuntimeServer, AdapterRun]]:
    """The Runtime API, and an extension that stands by and would send what it polls to `port`."""
    async with RuntimeServer() as server, running_adapter(server.address, port, **{**SLOTS, **variables}) as adapter:
        yield server, adapter


@asynccontextmanager
async def hooked(folder: Path, *more: str, **variables: str) -> AsyncIterator[tuple[RuntimeServer, Web]]:
    """uvicorn with `more` options, from whose beginning to end the extension just stands by."""
    port = free_port()
    async with (
        standing_by(port, **variables) as (server, adapter),
        running(folder, port, more, api=server.address, **variables) as web,
    ):
        yield server, web
        assert adapter.lines == []


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port
