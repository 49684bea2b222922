"""The web app that process tests run as a function: the standard library alone, so that it starts fast.

It is copied next to a `run.sh` and runs in an execution environment, on the function's own Python. With `GATE` set it
keeps one connection open to the test for as long as it lives, and asks there when a request has to wait.
"""

import asyncio
import errno
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

ENVIRONMENT = os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME", "")[-32:]


@dataclass(frozen=True)
class Request:
    query: str
    request_id: str
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def answer(self, text: str) -> None:
        """A body of known length."""
        body = text.encode()
        self.writer.write(f"HTTP/1.1 200 OK\r\n{self._headers()}content-length: {len(body)}\r\n\r\n".encode() + body)
        await self.writer.drain()

    async def begin(self) -> None:
        self.writer.write(f"HTTP/1.1 200 OK\r\n{self._headers()}transfer-encoding: chunked\r\n\r\n".encode())

    async def send(self, text: str) -> None:
        """One chunk; an empty one ends the body."""
        data = text.encode()
        self.writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        await self.writer.drain()

    def _headers(self) -> str:
        return f"content-type: text/plain\r\nx-environment: {ENVIRONMENT}\r\nconnection: close\r\n"


def greet(name: str) -> socket.socket:
    """Tell the test that we are here. What is read ends when the test lets go."""
    connection = socket.create_connection(("127.0.0.1", int(os.environ["GATE"])))
    connection.sendall(json.dumps({"name": name, "environment": ENVIRONMENT, "pid": os.getpid()}).encode() + b"\n")
    return connection


async def until_released(connection: socket.socket) -> None:
    reader, writer = await asyncio.open_connection(sock=connection)
    with suppress(ConnectionError):
        await reader.read()
    writer.close()


def attempt(folder: str) -> tuple[str, str]:
    try:
        Path(folder, "probe").write_text("")
    except OSError as error:
        return folder, errno.errorcode[error.errno or 0]
    return folder, "ok"


def environ(request: Request) -> str:
    return json.dumps(dict(os.environ))


def look(request: Request) -> str:
    """What the file system is like from here."""
    task = os.environ["LAMBDA_TASK_ROOT"]
    opt = Path(os.environ["AWS_LAMBDA_EXEC_WRAPPER"]).parent
    facts = {
        "cwd": os.getcwd(),
        "task": sorted(os.listdir(task)),
        "opt": sorted(os.listdir(opt)),
        "tmp": tempfile.gettempdir(),
    }
    return json.dumps(facts)


def write(request: Request) -> str:
    """Tries to write a file into each of the folders asked for."""
    return json.dumps(dict(map(attempt, request.query.split(","))))


def opened(request: Request) -> str:
    """The text of a file, or the name of the error."""
    try:
        return Path(request.query).read_text()
    except OSError as error:
        return type(error).__name__


def note(request: Request) -> str:
    """Adds a line to a file in the temporary folder; what it holds then."""
    file = Path(tempfile.gettempdir(), "note")
    with file.open("a") as out:
        out.write(f"{request.query}\n")
    return file.read_text()


def log(request: Request) -> str:
    sys.stdout.write(f"plain {request.query}\nnamed {request.query} {request.request_id}\n")
    sys.stdout.flush()
    sys.stderr.write(f"error {request.query} {request.request_id}\n")
    return "logged"


def leave(request: Request) -> str:
    sys.stdout.write("leaving now\n")
    sys.stdout.flush()
    os._exit(7)


def daemon(request: Request) -> str:
    """Leaves a process behind, in a session of its own, that holds a connection to the test."""
    connection = greet("daemon")
    subprocess.run(
        ["sh", "-c", "sleep 1000 & exit"], check=True, start_new_session=True, pass_fds=[connection.fileno()]
    )
    connection.close()
    return "left one behind"


async def wait(request: Request) -> None:
    await until_released(greet("wait"))
    await request.answer("waited")


async def stream(request: Request) -> None:
    connection = greet("stream")
    await request.begin()
    await request.send("begin\n")
    await until_released(connection)
    await request.send("end\n")
    await request.send("")


async def hold(request: Request) -> None:
    """A stream that goes on until its client is gone, which it tells."""
    beginning = greet("hold")
    await request.begin()
    await request.send("begin\n")
    await request.reader.read()
    greet("left").close()
    beginning.close()


TEXTS: dict[str, Callable[[Request], str]] = {
    "/environ": environ,
    "/look": look,
    "/write": write,
    "/open": opened,
    "/note": note,
    "/log": log,
    "/leave": leave,
    "/daemon": daemon,
}
SLOW: dict[str, Callable[[Request], Awaitable[None]]] = {"/wait": wait, "/stream": stream, "/hold": hold}


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            path, _, query = head[0].split(" ")[1].partition("?")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
            context = json.loads(headers.get("x-amzn-request-context", "{}")) or {}
            request = Request(query, context.get("requestId", ""), reader, writer)
            if path in SLOW:
                await SLOW[path](request)
            else:
                await request.answer(TEXTS[path](request) if path in TEXTS else "ok")
    finally:
        writer.close()


async def main() -> None:
    if "SLOW_START" in os.environ:
        await until_released(greet("start"))
    server = await asyncio.start_server(serve, "127.0.0.1", int(os.environ["PORT"]))
    await server.serve_forever()


if __name__ == "__main__":
    life = greet("life") if "GATE" in os.environ else None
    asyncio.run(main())
