"""One client before the Invoke API, without sockets; the test is the function."""

from collections.abc import Mapping
from pathlib import Path

from botocore.eventstream import EventStreamBuffer

from penstock.invoke_api import Invocable, InvokeApi
from penstock.invoke_api.directory import EventInvoker
from penstock.model.errors import InvocationError
from penstock.model.invocation import Invocation
from penstock.router import Router
from penstock.telemetry.access import AccessRecord
from penstock.wire.bodies import answer
from penstock.wire.exchange import Exchange
from penstock.wire.http_messages import NOT_FOUND
from penstock.wire.http_server import HttpConnection
from penstock.wire.sigv4 import Verifier
from support.answers import Answer, read_answer
from support.clock import VirtualClock
from support.functions import function
from support.runtime_rig import request
from support.transport import Peer
from support.url_story import FakeSource, FakeTarget

REGION = "us-east-1"
ACCOUNT = "123456789012"
ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:app"
INVOKE = "/2015-03-31/functions/app/invocations"
STREAM = "/2021-11-15/functions/app/response-streaming-invocations"


class OneFunction:
    """A `Directory` of the function `app`, with version 1 and the alias `live`."""

    def __init__(self, router: Router) -> None:
        self.found = Invocable(function(Path("/code")), router, "1")

    def find(self, name: str, qualifier: str | None) -> Invocable | None:
        known = name == "app" and qualifier in (None, "1", "live", "$LATEST.PUBLISHED")
        return self.found if known else None


class Events:
    """An `EventInvoker` with room for `room`."""

    def __init__(self, room: int = 10) -> None:
        self.room = room
        self.accepted: list[tuple[bytes, str, str, str]] = []

    def accept(self, invocable: Invocable, payload: bytes, client_context: str, trace_id: str, request_id: str) -> bool:
        if len(self.accepted) == self.room:
            return False
        self.accepted.append((payload, client_context, trace_id, request_id))
        return True


class Story:
    def __init__(
        self,
        clock: VirtualClock | None = None,
        *,
        events: EventInvoker | None = None,
        verifier: Verifier | None = None,
    ) -> None:
        self.clock = clock or VirtualClock()
        self.records: list[AccessRecord] = []
        self.target = FakeTarget()
        self.source = FakeSource()
        router = Router()
        router.add(self.target)
        self.api = InvokeApi(
            OneFunction(router),
            self.clock,
            REGION,
            ACCOUNT,
            self.records.append,
            other=self._other,
            events=events,
            verifier=verifier,
        )
        self.others: list[bytes] = []
        self.peer = Peer(self.api.open_exchange)

    def _other(self, connection: HttpConnection) -> Exchange:
        self.others.append(connection.target)
        return answer(connection, NOT_FOUND)

    # --- the client ---

    def call(self, path: str = INVOKE, body: bytes = b"{}", headers: Mapping[str, str] | None = None) -> "Story":
        self.peer.send(request("POST", path, headers, body))
        return self

    def answer(self) -> Answer:
        """The one complete answer that arrived since the last time."""
        found, rest = read_answer(self.peer.take())
        assert rest == b""
        assert found.complete
        return found

    def events(self) -> list[tuple[str, bytes]]:
        """Type and payload of the events of a complete answer."""
        found = self.answer()
        assert found.status == 200
        assert found.header("content-type") == "application/vnd.amazon.eventstream"
        return read_events(found.body)

    # --- the function ---

    @property
    def invocation(self) -> Invocation:
        return self.target.taken[-1]

    def begin(self, content_type: str = "application/json", *, streaming: bool = False) -> "Story":
        self.invocation.sink.begin(content_type, streaming=streaming, source=self.source)
        return self

    def write(self, *chunks: bytes) -> "Story":
        for chunk in chunks:
            self.invocation.sink.write(chunk)
        return self

    def finish(self) -> "Story":
        self.invocation.sink.finish()
        return self

    def fail(self, error: InvocationError) -> "Story":
        self.invocation.sink.fail(error)
        return self

    @property
    def record(self) -> AccessRecord:
        return self.records[-1]


def read_events(data: bytes) -> list[tuple[str, bytes]]:
    """As botocore decodes them, which checks every sum."""
    buffer = EventStreamBuffer()
    buffer.add_data(data)
    found = []
    for event in buffer:
        headers = event.to_response_dict()["headers"]
        assert headers[":message-type"] == "event"
        found.append((headers[":event-type"], event.payload))
    return found
