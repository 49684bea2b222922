"""A real uvicorn, started as a `run.sh` starts it, whose event loop takes invocations in place of connections."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import orjson
import psutil
import pytest
import uvicorn

from support.events import url_event
from support.runtime_server import RuntimeServer
from support.streams import within

pytestmark = pytest.mark.skipif(
    tuple(map(int, uvicorn.__version__.split(".")[:2])) < (0, 36), reason="this uvicorn takes no loop by name"
)

HOOK = "penstock_adapter.uvicorn_loop:new_event_loop"
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
    folder: Path, port: int, command: Sequence[str] = (), *, api: str = "", mode: str = "response_stream"
) -> AsyncIterator[Web]:
    """uvicorn with the variables of an execution environment that has two slots."""
    (folder / "main.py").write_text(APP)
    environ = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(sys.path),
        "PORT": str(port),
        "UVICORN_LOOP": HOOK,
        "AWS_LAMBDA_MAX_CONCURRENCY": "2",
        "AWS_LWA_INVOKE_MODE": mode,
        **({"AWS_LAMBDA_RUNTIME_API": api} if api else {}),
    }
    process = await asyncio.create_subprocess_exec(
        *(command or (sys.executable, "-m", "uvicorn", "--port", str(port), "main:app")),
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


def free_port() -> int:
    import socket

    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


async def test_invocations_reach_the_app_without_a_port(tmp_path: Path) -> None:
    async with RuntimeServer() as server, running(tmp_path, free_port(), api=server.address) as web:
        for number in range(3):
            event = url_event(method="POST", path="/x", body="body", headers={"x-forwarded-proto": "https"})
            post = await server.invoke(event, f"request-{number}")
            prelude, _, body = (await post.complete()).partition(bytes(8))
            head = orjson.loads(prelude)
            assert (head["statusCode"], head["cookies"]) == (200, ["a=1", "b=2"])
            assert body == b"POST https 127.0.0.1 4"
        assert web.listens() == []


async def test_buffered_answers_and_large_bodies(tmp_path: Path) -> None:
    async with RuntimeServer() as server, running(tmp_path, free_port(), api=server.address, mode="buffered"):
        post = await server.invoke(url_event(method="POST", body=bytes(3_000_000)))
        assert orjson.loads(await post.complete())["body"] == "POST http 127.0.0.1 3000000"


async def test_chunks_leave_as_they_are_sent_and_slots_share_the_loop(tmp_path: Path) -> None:
    async with RuntimeServer() as server, running(tmp_path, free_port(), api=server.address) as web:
        first = await server.invoke(url_event(path="/stream"), "first")
        assert [await first.chunk() for _ in range(3)][1:] == [bytes(8), b"one"]
        second = await server.invoke(url_event(path="/x"), "second")
        assert (await second.complete()).endswith(b"GET http 127.0.0.1 0")
        web.go_on()
        assert await first.chunk() == b"two"
        assert await first.chunk() == b""


async def test_a_reader_that_pauses_stops_the_app_and_one_that_leaves_ends_it(tmp_path: Path) -> None:
    async with RuntimeServer() as server, running(tmp_path, free_port(), api=server.address) as web:
        server.read_posts = False
        post = await server.invoke(url_event(path="/endless"))
        before = -1
        while before != len(web.lines):  # until it has stood still for a while
            before = len(web.lines)
            await asyncio.sleep(0.3)
        assert len(web.lines) < 300
        post.reading.set()
        await web.wait_for(f"sent {len(web.lines) + 50}")
        server.read_posts = True
        post.drop()
        await web.wait_for("http.disconnect")
        told = await server.invoke(url_event(path="/x"), "next")
        assert (await told.complete()).endswith(b"GET http 127.0.0.1 0")


async def test_failures_are_the_proxys(tmp_path: Path) -> None:
    async with RuntimeServer() as server, running(tmp_path, free_port(), api=server.address) as web:
        post = await server.invoke(url_event(path="/raise"), "one")
        prelude, _, body = (await post.complete()).partition(bytes(8))
        assert (orjson.loads(prelude)["statusCode"], body) == (500, b"Internal Server Error")
        post = await server.invoke(url_event(path="/break"), "two")
        assert (await post.complete()).endswith(b"half")
        assert post.trailers["Lambda-Runtime-Function-Error-Type"] == "Runtime.StreamError"
        await web.wait_for("no other half")


async def test_sigterm_lets_an_answer_end(tmp_path: Path) -> None:
    async with RuntimeServer() as server, running(tmp_path, free_port(), api=server.address) as web:
        post = await server.invoke(url_event(path="/stream"))
        assert [await post.chunk() for _ in range(3)][2] == b"one"
        web.process.send_signal(signal.SIGTERM)
        await web.wait_for("Waiting for connections to close")
        assert server.polls_open == 0
        web.go_on()
        assert await post.chunk() == b"two"
        assert await post.chunk() == b""
        assert await web.ended() == -signal.SIGTERM
        assert "lifespan.shutdown" in web.lines


async def test_sigterm_while_idle(tmp_path: Path) -> None:
    async with RuntimeServer() as server, running(tmp_path, free_port(), api=server.address) as web:
        await (await server.invoke(url_event())).complete()
        await server.poll()
        web.process.send_signal(signal.SIGTERM)
        assert await web.ended() == -signal.SIGTERM
        assert "lifespan.shutdown" in web.lines


async def test_a_kept_connection_that_uvicorn_closes_is_replaced(tmp_path: Path) -> None:
    port = free_port()
    command = (sys.executable, "-m", "uvicorn", "--port", str(port), "--timeout-keep-alive", "0", "main:app")
    async with RuntimeServer() as server, running(tmp_path, port, command, api=server.address):
        for number in range(20):
            post = await server.invoke(url_event(), f"request-{number}")
            assert (await post.complete()).endswith(b"GET http 127.0.0.1 0")


async def test_h11_is_served_as_well(tmp_path: Path) -> None:
    port = free_port()
    command = (sys.executable, "-m", "uvicorn", "--port", str(port), "--http", "h11", "main:app")
    async with RuntimeServer() as server, running(tmp_path, port, command, api=server.address) as web:
        for number in range(3):
            post = await server.invoke(url_event(method="POST", body="abc"), f"request-{number}")
            assert (await post.complete()).endswith(b"POST http 127.0.0.1 3")
        assert web.listens() == []


@pytest.mark.parametrize("more", [["--workers", "2"], ["--reload"], ["--factory", "--port", "0"], []])
async def test_anything_else_listens_and_leaves_the_polls_to_the_proxy(tmp_path: Path, more: list[str]) -> None:
    """Without `more` it is the environment that is missing."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "--port", str(port), *more, "main:app"]
    if "--factory" in more:
        command.remove("--factory")
    async with (
        RuntimeServer() as server,
        running(tmp_path, port, command, api=server.address if more else "") as web,
    ):
        await web.wait_for("Application startup complete")
        await web.wait_for("Uvicorn running on")
        assert len(set(web.listens())) == 1
        assert server.parked.empty()
