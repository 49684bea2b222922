"""The AWS-compatible port over a real socket with scripted services behind it, and boto3 in front."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, cast

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from penstock.aws_api.door import AwsDoor
from penstock.aws_api.guard import guarded
from penstock.aws_api.service import Call, Dispatcher, Operation
from penstock.model.limits import MIB
from penstock.wire.listener import Listener, bind
from penstock.wire.sigv4 import Key, Verifier
from support.clock import VirtualClock
from support.streams import within

KEY: Final = Key(access_key_id="AKIAEXAMPLE", secret_access_key="secret/of+the", account_id="123456789012", user="me")
# No retries: they would hide an answer that invites them.
CONFIG: Final = Config(connect_timeout=20, read_timeout=20, retries={"total_max_attempts": 1})
# One, because it keeps the service models it has read.
SESSION: Final = boto3.session.Session()


@dataclass
class ScriptedService:
    """Does what each operation's function does, and remembers its calls."""

    name: str
    operations: Mapping[str, Operation]
    calls: list[Call] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.operations = {name: self._noted(each) for name, each in self.operations.items()}

    def _noted(self, operation: Operation) -> Operation:
        def noted(call: Call) -> Any:
            self.calls.append(call)
            return operation(call)

        return noted

    async def start(self) -> None: ...
    async def close(self) -> None: ...

    @property
    def last(self) -> Call:
        return self.calls[-1]


@dataclass(frozen=True)
class Refused:
    """A ClientError, read."""

    status: int
    code: str
    message: str
    request_id: str


@dataclass
class Port:
    """`faults` are the lines the door told."""

    host: str
    door: AwsDoor
    listener: Listener
    dispatcher: Dispatcher
    clock: VirtualClock
    faults: list[str]

    def serve(self, service: str, **operations: Operation) -> ScriptedService:
        made = ScriptedService(service, operations)
        self.dispatcher.add(made)
        return made

    async def run(
        self, service: str, use: Callable[[Any], Any], *, secret: str = KEY.secret_access_key, **config: Any
    ) -> Any:
        """What `use` makes of a client, in a thread of its own. Operations are methods made at run time: not typed."""
        keys = {"aws_access_key_id": KEY.access_key_id, "aws_secret_access_key": secret}
        make = cast("Callable[..., Any]", SESSION.client)
        merged = CONFIG.merge(Config(**config))
        client = make(service, endpoint_url=f"http://{self.host}", region_name="eu-west-1", config=merged, **keys)
        try:
            return await within(asyncio.to_thread(use, client))
        finally:
            client.close()

    async def refused(
        self, service: str, use: Callable[[Any], Any], *, secret: str = KEY.secret_access_key, **config: Any
    ) -> Refused:
        with pytest.raises(ClientError) as caught:
            await self.run(service, use, secret=secret, **config)
        error, metadata = caught.value.response["Error"], caught.value.response["ResponseMetadata"]
        return Refused(
            metadata["HTTPStatusCode"], error["Code"], error.get("Message", ""), metadata.get("RequestId", "")
        )

    async def raw(self, request: bytes) -> bytes:
        """The whole answer to what is sent as it is, until the server closes."""
        host, _, port = self.host.partition(":")
        reader, writer = await within(asyncio.open_connection(host, int(port)))
        try:
            writer.write(request)
            return await within(reader.read())
        finally:
            writer.close()
            await writer.wait_closed()


@asynccontextmanager
async def open_port(folder: Path, *, signed: bool = False, **settings: Any) -> AsyncIterator[Port]:
    """With a region and an account of its own: neither is the client's."""
    verifier = Verifier({KEY.access_key_id: KEY}, service=None, region=None) if signed else None
    dispatcher, faults = Dispatcher(), list[str]()
    clock = VirtualClock(time.time())  # signatures are made by the wall clock
    door = AwsDoor(
        dispatcher,
        clock,
        "us-east-1",
        "123456789012",
        cache=folder / "cache",
        verifier=verifier,
        on_fault=faults.append,
        **settings,
    )
    sock = bind("127.0.0.1", 0)
    listener = await Listener(guarded(door.open_exchange, "127.0.0.1"), MIB).start(sock)
    port = Port(f"127.0.0.1:{sock.getsockname()[1]}", door, listener, dispatcher, clock, faults)
    try:
        yield port
    finally:
        await within(listener.close())
        await within(door.close())
        sock.close()
