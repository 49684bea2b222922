"""The Invoke API, a router and Runtime APIs on loopback sockets: boto3 calls, and the test is the runtime.

async with InvokeRig(tmp_path) as rig:
    worker = await rig.worker()
    calling = rig.invoke(FunctionName="app")
    await worker.respond(await worker.next(), b"{}")
    invoked = await within(calling)
"""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, ParamSpec, Self, TypeVar, Unpack

import boto3
from botocore.config import Config

from penstock.environment.invocation_log import EnvironmentLog
from penstock.environment.output import open_output
from penstock.invoke_api import InvokeApi
from penstock.model.invocation import Invocation
from penstock.model.limits import MAX_URL_HEADER_BYTES
from penstock.router import Router
from penstock.runtime_api.running import Outcome
from penstock.telemetry.access import AccessRecord
from penstock.telemetry.log_writer import LogWriter
from penstock.wire.bodies import answer
from penstock.wire.http_messages import NOT_FOUND
from penstock.wire.http_server import HttpConnection
from penstock.wire.listener import Listener, bind
from penstock.wire.sigv4 import Verifier
from support.functions import function
from support.invoke_story import ACCOUNT, REGION, Events, OneFunction
from support.streams import within
from support.url_rig import Environment, Line, SteppedClock, Worker, until

if TYPE_CHECKING:
    from types_boto3_lambda.client import LambdaClient
    from types_boto3_lambda.literals import LogTypeType
    from types_boto3_lambda.type_defs import (
        InvocationRequestTypeDef,
        InvocationResponseTypeDef,
    )
    from types_boto3_lambda.type_defs import InvokeWithResponseStreamResponseEventTypeDef as StreamEvent

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Invoked:
    answer: "InvocationResponseTypeDef"
    payload: bytes


class LoggedEnvironment(Environment):
    """Keeps a log as a real one does; `say` is its process writing on stdout, through a pipe."""

    def __init__(self, number: int, clock: SteppedClock, folder: Path, rig: "InvokeRig") -> None:
        super().__init__(f"env-{number}", clock)
        self._writer = LogWriter(folder / f"{self.environment_id}.jsonl", clock)
        made = function(Path("/code"))
        self._log = EnvironmentLog(self._writer, made, clock, self.environment_id, "stream", tails=rig.api.log_tails)
        self._stdout = -1

    async def start(self) -> None:
        await self.listener.start(self.sock)
        self._stdout, self._reader = await open_output(lambda line: self._log.line("function", line, self.api))

    def say(self, text: str) -> None:
        os.write(self._stdout, text.encode() + b"\n")

    def invocation_started(self, invocation: Invocation) -> None:
        self._log.invocation_started(invocation)

    def invocation_ended(self, invocation: Invocation, outcome: Outcome) -> None:
        super().invocation_ended(invocation, outcome)
        self._log.invocation_ended(invocation, outcome)

    async def close(self) -> None:
        os.close(self._stdout)
        await within(self._reader.closed)
        await within(self.listener.close())
        self._writer.close()
        self.sock.close()


class InvokeRig:
    """With a `verifier`, `epoch` must be the time at which boto3 signs."""

    def __init__(
        self,
        folder: Path,
        environments: int = 1,
        *,
        cancel_on_disconnect: bool = False,
        verifier: Verifier | None = None,
        epoch: float = 1_700_000_000.0,
    ) -> None:
        self.clock = SteppedClock(epoch)
        self.records: list[AccessRecord] = []
        self.router = Router()
        self.events = Events()
        self.api = InvokeApi(
            OneFunction(self.router),
            self.clock,
            REGION,
            ACCOUNT,
            self.records.append,
            other=lambda connection: answer(connection, NOT_FOUND),
            verifier=verifier,
            events=self.events,
            cancel_on_disconnect=cancel_on_disconnect,
        )
        self.environments = [LoggedEnvironment(number, self.clock, folder, self) for number in range(environments)]
        self.listener = Listener(self.api.open_exchange, MAX_URL_HEADER_BYTES)
        self.sock = bind("127.0.0.1", 0)
        self.address: tuple[str, int] = self.sock.getsockname()
        self._lines: list[Line] = []
        self.client: LambdaClient = boto3.client(
            "lambda",
            endpoint_url=f"http://127.0.0.1:{self.address[1]}",
            region_name=REGION,
            aws_access_key_id="AKIDEXAMPLE",
            aws_secret_access_key="secret",
            config=Config(retries={"total_max_attempts": 1}, read_timeout=20, proxies={}),
        )

    async def __aenter__(self) -> Self:
        for environment in self.environments:
            await environment.start()
            self.router.add(environment)
        await self.listener.start(self.sock)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for line in self._lines:
            line.hang_up()
        await within(self.listener.close())
        for environment in self.environments:
            await environment.close()
        self.sock.close()
        self.client.close()

    @property
    def only(self) -> LoggedEnvironment:
        [environment] = self.environments
        return environment

    # --- callers ---

    def call(self, method: Callable[P, T], *args: P.args, **parameters: P.kwargs) -> Awaitable[T]:
        """Call the blocking client in a thread of its own."""
        return asyncio.ensure_future(asyncio.to_thread(method, *args, **parameters))

    def invoke(self, **parameters: "Unpack[InvocationRequestTypeDef]") -> Awaitable[Invoked]:
        """Invoke, and read the payload."""

        def call() -> Invoked:
            found = self.client.invoke(**parameters)
            return Invoked(found, found["Payload"].read())

        return self.call(call)

    async def stream(self, log_type: "LogTypeType" = "None") -> AsyncIterator["StreamEvent"]:
        """The events of InvokeWithResponseStream, each as soon as boto3 has it."""
        loop = asyncio.get_running_loop()
        queue: asyncio.Queue[StreamEvent | None] = asyncio.Queue()

        def read() -> None:
            try:
                found = self.client.invoke_with_response_stream(FunctionName="app", LogType=log_type)
                for event in found["EventStream"]:
                    loop.call_soon_threadsafe(queue.put_nowait, event)
            finally:
                loop.call_soon_threadsafe(queue.put_nowait, None)

        reading = asyncio.ensure_future(asyncio.to_thread(read))
        while (event := await within(queue.get())) is not None:
            yield event
        await reading

    async def line(self, receive_buffer: int | None = None) -> Line:
        """A raw client."""
        return await self._connect(self.address, receive_buffer)

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

    # --- the runtime ---

    async def worker(self, environment: int = 0) -> Worker:
        """A connected runtime, waiting for an invocation."""
        target = self.environments[environment]
        before = target.free_slots
        worker = Worker(await self._connect(target.address)).poll()
        await until(lambda: target.free_slots == before + 1)
        return worker

    # --- the door ---

    @property
    def connections(self) -> set[HttpConnection]:
        """Those of clients that are open."""
        return self.listener._connections

    async def over(self) -> AccessRecord:
        """The last record, once no request is open."""
        await until(lambda: not self.api.open_requests)
        return self.records[-1]
