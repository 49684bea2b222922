"""A real Function URL door, router and Runtime APIs on loopback sockets, with runtimes played by the test.

async with UrlRig() as rig:
    worker = await rig.worker()
    client = await rig.client()
    client.send(get("/"))
    stream = await worker.stream(await worker.next())
"""

import asyncio
import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson

from penstock.function_url import AccessRecord, FunctionUrl, UrlHosts
from penstock.model.errors import InvocationError
from penstock.model.function import AuthType, FunctionUrlConfig, InvokeMode
from penstock.model.invocation import Invocation
from penstock.model.limits import MAX_RUNTIME_HEADER_BYTES
from penstock.router import Router
from penstock.runtime_api.api import RuntimeApi
from penstock.runtime_api.brief import BriefConnection
from penstock.runtime_api.running import Outcome
from penstock.wire import link
from penstock.wire.exchange import Exchange
from penstock.wire.http_server import HttpConnection
from penstock.wire.listener import Listener, bind
from support.answers import Answer, read_answer
from support.clock import VirtualClock
from support.functions import function
from support.runtime_rig import INVOCATION, chunks, request
from support.streams import within


async def until(check: Callable[[], bool]) -> None:
    """Return when `check` holds: for what the platform does by itself and tells nobody."""

    async def poll() -> None:
        while not check():  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.001)

    await within(poll())


class SteppedClock(VirtualClock):
    """Deadlines pass when the test says so; the rest happens in the running loop."""

    def call_soon(self, callback: Callable[[], object]) -> None:
        asyncio.get_running_loop().call_soon(callback)


class Line:
    """One client connection, raw."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, data: bytes) -> "Line":
        self.writer.write(data)
        return self

    async def head(self) -> bytes:
        return await within(self.reader.readuntil(b"\r\n\r\n"))

    async def chunk(self) -> bytes:
        """The next chunk of a chunked body; empty at its end."""
        size = int(await within(self.reader.readuntil(b"\r\n")), 16)
        return (await within(self.reader.readexactly(size + 2)))[:-2]

    async def body(self) -> bytes:
        """All chunks that are left."""
        parts = []
        while part := await self.chunk():
            parts.append(part)
        return b"".join(parts)

    async def answer(self, method: str = "GET") -> Answer:
        """A whole answer of declared length or chunked."""
        data = await self.head()
        answer, _ = read_answer(data, method)
        if answer.header("transfer-encoding") == "chunked":
            return replace(answer, body=await self.body(), complete=True)
        length = 0 if answer.complete else int(answer.header("content-length") or 0)
        return replace(answer, body=await within(self.reader.readexactly(length)), complete=True)

    async def rest(self) -> bytes:
        """Everything until the server ends the connection."""
        return await within(self.reader.read())

    def hang_up(self) -> None:
        self.writer.transport.abort()


class Stream:
    """A streamed response being posted."""

    def __init__(self, line: Line, head: bytes) -> None:
        self.line = line
        line.send(head)

    def send(self, data: bytes) -> "Stream":
        self.line.send(chunks(data, end=False))
        return self

    async def end(self, trailers: Mapping[str, str] | None = None) -> int:
        """The status of the post."""
        self.line.send(chunks(trailers=trailers))
        return (await self.line.answer()).status


class Worker:
    """One slot of a runtime: its own connection."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.event: dict[str, Any] = {}

    def poll(self) -> "Worker":
        self.line.send(request("GET", f"{INVOCATION}next"))
        return self

    async def next(self) -> str:
        """The request id of the invocation this waiting worker got."""
        answer = await self.line.answer()
        assert answer.status == 200
        self.event = orjson.loads(answer.body)
        return answer.header("lambda-runtime-aws-request-id") or ""

    def stream(self, request_id: str, content_type: str = "text/plain") -> Stream:
        fields = {
            "content-type": content_type,
            "transfer-encoding": "chunked",
            "lambda-runtime-function-response-mode": "streaming",
        }
        return Stream(self.line, request("POST", f"{INVOCATION}{request_id}/response", fields))

    async def respond(self, request_id: str, body: bytes = b'{"statusCode":200,"body":"ok"}') -> int:
        self.line.send(request("POST", f"{INVOCATION}{request_id}/response", {"content-type": "x"}, body))
        return (await self.line.answer()).status

    async def error(self, request_id: str, body: bytes = b"{}") -> int:
        self.line.send(request("POST", f"{INVOCATION}{request_id}/error", {}, body))
        return (await self.line.answer()).status


class Environment:
    """A `Target` whose runtime is the test."""

    def __init__(self, environment_id: str, clock: SteppedClock) -> None:
        self.environment_id = environment_id
        self.api = RuntimeApi(clock, self, on_first_poll=lambda: None, on_init_error=lambda *_: None)
        self.connections: list[HttpConnection] = []
        self.ended: list[str] = []
        self.sock = bind("127.0.0.1", 0)
        self.address: tuple[str, int] = self.sock.getsockname()
        self.listener = Listener(self._open_exchange, MAX_RUNTIME_HEADER_BYTES)

    def _open_exchange(self, connection: HttpConnection) -> Exchange:
        if connection not in self.connections:
            self.connections.append(connection)
        if connection.target == link.TARGET:
            return link.offer(connection, lambda: self.listener.accept(BriefConnection))
        return self.api.open_exchange(connection)

    @property
    def free_slots(self) -> int:
        return self.api.idle

    @property
    def in_flight(self) -> int:
        return len(self.api.running)

    def invoke(self, invocation: Invocation) -> bool:
        taken = self.api.invoke(invocation)
        if taken:
            invocation.environment_id = self.environment_id
        return taken

    def invocation_started(self, invocation: Invocation) -> None:
        pass

    def invocation_ended(self, invocation: Invocation, outcome: Outcome) -> None:
        self.ended.append(outcome.status)

    def die(self, error: InvocationError) -> None:
        self.api.abort(error)


class UrlRig:
    """`tls` makes the door HTTPS; with `hosts` it is one of several."""

    def __init__(
        self,
        mode: InvokeMode = InvokeMode.RESPONSE_STREAM,
        environments: int = 1,
        *,
        alias: str = "live",
        hosts: UrlHosts | None = None,
        cancel_on_disconnect: bool = False,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.clock = SteppedClock()
        self.records: list[AccessRecord] = []
        self.router = Router()
        self.environments = [Environment(f"env-{number}", self.clock) for number in range(environments)]
        url = FunctionUrlConfig(AuthType.NONE, mode)
        made = replace(function(Path("/code")), url=url, alias=alias)
        self.door = FunctionUrl(
            made,
            self.router,
            self.clock,
            "eu-west-1",
            self.records.append,
            hosts=hosts,
            cancel_on_disconnect=cancel_on_disconnect,
        )
        self._tls = tls
        self.sock = bind("127.0.0.1", 0)
        self.address: tuple[str, int] = self.sock.getsockname()
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.address[1]}"
        self._lines: list[Line] = []

    async def __aenter__(self) -> Self:
        for environment in self.environments:
            await environment.listener.start(environment.sock)
            self.router.add(environment)
        await self.door.serve(self.sock, self._tls)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for line in self._lines:
            line.hang_up()
        await within(self.door.close())
        for environment in self.environments:
            await within(environment.listener.close())
        for sock in (self.sock, *(environment.sock for environment in self.environments)):
            sock.close()

    async def _connect(self, to: tuple[str, int], receive_buffer: int | None = None) -> Line:
        made = socket.socket()
        if receive_buffer:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        made.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(made, to)
        except OSError:
            made.close()
            raise
        line = Line(*await asyncio.open_connection(sock=made))
        self._lines.append(line)
        return line

    async def client(self, receive_buffer: int | None = None) -> Line:
        return await self._connect(self.address, receive_buffer)

    async def worker(self, environment: int = 0) -> Worker:
        """A connected runtime, waiting for an invocation."""
        target = self.environments[environment]
        before = target.free_slots
        worker = Worker(await self._connect(target.address)).poll()
        await until(lambda: target.free_slots == before + 1)
        return worker

    async def workers(self, count: int) -> list[list[Worker]]:
        """`count` waiting workers for each environment."""
        made = [[Worker(await self._connect(one.address)).poll() for _ in range(count)] for one in self.environments]
        await until(lambda: all(one.free_slots == count for one in self.environments))
        return made

    @property
    def door_connections(self) -> set[HttpConnection]:
        """The connections of clients that the door has open."""
        return self.door._listener._connections

    def door_connection(self) -> HttpConnection:
        [connection] = self.door_connections
        return connection

    @property
    def only(self) -> Environment:
        [environment] = self.environments
        return environment

    async def record(self) -> AccessRecord:
        """The line of the only request, when it is over."""
        await until(lambda: bool(self.records))
        [record] = self.records
        return record


def get(path: str = "/", **headers: str) -> bytes:
    return request("GET", path, headers)


def post(body: bytes, path: str = "/") -> bytes:
    return request("POST", path, {"content-type": "application/octet-stream"}, body)
