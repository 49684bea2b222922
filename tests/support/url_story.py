"""One client before a Function URL, without sockets; the test is the function."""

from dataclasses import replace
from pathlib import Path

import orjson

from penstock.function_url import AccessRecord, FunctionUrl, UrlHosts
from penstock.model.errors import FunctionError, PlatformError
from penstock.model.function import AuthType, Cors, FunctionUrlConfig, InvokeMode
from penstock.model.invocation import Invocation
from penstock.router import Router
from penstock.wire.prelude import CONTENT_TYPE as PRELUDE_TYPE
from penstock.wire.prelude import SEPARATOR
from penstock.wire.sigv4 import Verifier
from support.answers import Answer, read_answer
from support.clock import VirtualClock
from support.functions import function
from support.transport import Peer

TIMEOUT = FunctionError("Sandbox.Timedout", "Task timed out after 3.00 seconds")
GET = b"GET /path?q=1 HTTP/1.1\r\nhost: x\r\n\r\n"


class FakeSource:
    def __init__(self) -> None:
        self.calls: list[str] = []

    def pause_reading(self) -> None:
        self.calls.append("pause")

    def resume_reading(self) -> None:
        self.calls.append("resume")

    @property
    def paused(self) -> bool:
        return self.calls[-1:] == ["pause"]


class FakeTarget:
    environment_id = "e" * 32
    in_flight = 0

    def __init__(self) -> None:
        self.free_slots = 1
        self.taken: list[Invocation] = []
        self.events: list[bytes] = []

    def invoke(self, invocation: Invocation) -> bool:
        invocation.environment_id = self.environment_id
        self.taken.append(invocation)
        self.events.append(invocation.event())
        return True


class Rig:
    """One client before a Function URL; the test is the function."""

    def __init__(
        self,
        mode: InvokeMode = InvokeMode.RESPONSE_STREAM,
        *,
        cors: Cors | None = None,
        verifier: Verifier | None = None,
        hosts: UrlHosts | None = None,
        cancel_on_disconnect: bool = False,
        alias: str = "live",
    ) -> None:
        self.clock = VirtualClock()
        self.records: list[AccessRecord] = []
        self.target = FakeTarget()
        router = Router()
        router.add(self.target)
        url = FunctionUrlConfig(AuthType.AWS_IAM if verifier else AuthType.NONE, mode, cors)
        self.door = FunctionUrl(
            replace(function(Path("/code")), url=url, alias=alias),
            router,
            self.clock,
            "eu-west-1",
            self.records.append,
            verifier=verifier,
            hosts=hosts,
            cancel_on_disconnect=cancel_on_disconnect,
        )
        self.peer = self.client()
        self.source = FakeSource()

    def client(self) -> Peer:
        """One more connection to this function's own port."""
        return Peer(self.door._accept, 1024 * 1024)

    def request(self, data: bytes = GET) -> "Rig":
        self.peer.send(data)
        return self

    @property
    def invocation(self) -> Invocation:
        return self.target.taken[-1]

    def begin(self, content_type: str = PRELUDE_TYPE, *, streaming: bool = True) -> "Rig":
        self.invocation.sink.begin(content_type, streaming=streaming, source=self.source)
        return self

    def write(self, *chunks: bytes) -> "Rig":
        for chunk in chunks:
            self.invocation.sink.write(chunk)
        return self

    def finish(self) -> "Rig":
        self.invocation.sink.finish()
        self.peer.settle()
        return self

    def fail(self, error: FunctionError | PlatformError = TIMEOUT) -> "Rig":
        self.invocation.sink.fail(error)
        self.peer.settle()
        return self

    def answer(self, method: str = "GET") -> Answer:
        found, rest = read_answer(self.peer.take(), method, closed=self.peer.sees_end)
        assert rest == b""
        return found

    @property
    def record(self) -> AccessRecord:
        [record] = self.records
        return record


def prelude(status: int = 200, **headers: str) -> bytes:
    return orjson.dumps({"statusCode": status, "headers": headers, "cookies": ["a=1"]}) + SEPARATOR
