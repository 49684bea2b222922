"""A Runtime API without sockets, in virtual time, with workers driven by hand."""

from collections.abc import Mapping

from penstock.model.invocation import Invocation, Sink
from penstock.model.limits import MAX_RUNTIME_HEADER_BYTES
from penstock.runtime_api.api import RuntimeApi
from penstock.runtime_api.running import Outcome
from support.answers import Answer, read_answer
from support.clock import VirtualClock
from support.sink import RecordingSink
from support.transport import Peer

ARN = "arn:aws:lambda:us-east-1:123456789012:function:app:live"
INVOCATION = "/2018-06-01/runtime/invocation/"


def request(method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes | None = None) -> bytes:
    """A request's bytes. `body` None: no Content-Length."""
    fields = {"host": "127.0.0.1", **(headers or {})}
    if body is not None:
        fields["content-length"] = str(len(body))
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode("latin-1") + (body or b"")


def chunks(*pieces: bytes, trailers: Mapping[str, str] | None = None, end: bool = True) -> bytes:
    """A chunked body."""
    framed = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    tail = "".join(f"{name}: {value}\r\n" for name, value in (trailers or {}).items()).encode()
    return framed + (b"0\r\n" + tail + b"\r\n" if end else b"")


class Worker:
    """One connection of a runtime."""

    def __init__(self, api: RuntimeApi) -> None:
        self.peer = Peer(api.open_exchange, MAX_RUNTIME_HEADER_BYTES)

    def send(self, *pieces: bytes) -> "Worker":
        self.peer.send(*pieces)
        return self

    @property
    def answered(self) -> bool:
        return bool(self.peer.received)

    def answer(self) -> Answer:
        """The one answer that arrived since the last time."""
        found, rest = read_answer(self.peer.take())
        assert rest == b""
        assert found.complete
        return found

    def post(self, path: str, body: bytes = b"{}", headers: Mapping[str, str] | None = None) -> Answer:
        self.send(request("POST", path, headers, body))
        return self.answer()

    def respond(self, request_id: str, body: bytes = b"{}", headers: Mapping[str, str] | None = None) -> Answer:
        return self.post(f"{INVOCATION}{request_id}/response", body, headers)

    def error(self, request_id: str, body: bytes = b"{}", headers: Mapping[str, str] | None = None) -> Answer:
        return self.post(f"{INVOCATION}{request_id}/error", body, headers)

    def open_response(self, request_id: str, headers: Mapping[str, str] | None = None) -> "Worker":
        """Begin a streamed response."""
        fields = {
            "lambda-runtime-function-response-mode": "streaming",
            "transfer-encoding": "chunked",
            "content-type": "text/event-stream",
            **(headers or {}),
        }
        return self.send(request("POST", f"{INVOCATION}{request_id}/response", fields))


class RuntimeRig:
    """Records what the environment would be told, and invocations in the order they ended."""

    def __init__(self) -> None:
        self.clock = self.make_clock()
        self.first_polls = 0
        self.init_errors: list[tuple[str, bytes]] = []
        self.started: list[str] = []
        self.outcomes: list[tuple[str, Outcome]] = []
        self.api = RuntimeApi(
            self.clock,
            self,
            on_first_poll=self._first_poll,
            on_init_error=lambda error_type, body: self.init_errors.append((error_type, body)),
        )

    def make_clock(self) -> VirtualClock:
        return VirtualClock()

    def _first_poll(self) -> None:
        self.first_polls += 1

    def invocation_started(self, invocation: Invocation) -> None:
        self.started.append(invocation.request_id)

    def invocation_ended(self, invocation: Invocation, outcome: Outcome) -> None:
        self.outcomes.append((invocation.request_id, outcome))

    @property
    def statuses(self) -> list[tuple[str, str]]:
        return [(request_id, outcome.status) for request_id, outcome in self.outcomes]

    def worker(self) -> Worker:
        return Worker(self.api)

    def poll(self) -> Worker:
        """A worker waiting for an invocation."""
        return self.worker().send(request("GET", f"{INVOCATION}next"))

    def invocation(self, request_id: str = "r1", sink: Sink | None = None, timeout: int = 3) -> Invocation:
        return Invocation(
            request_id=request_id,
            function_arn=ARN,
            event=lambda: b'{"n":1}',
            sink=sink or RecordingSink(),
            deadline=self.clock.monotonic() + timeout,
            deadline_ms=int((self.clock.epoch() + timeout) * 1000),
            timeout_s=timeout,
        )

    def run(self, request_id: str = "r1", timeout: int = 3) -> tuple[Worker, RecordingSink]:
        """Dispatch an invocation to a fresh worker, which has read it."""
        worker, sink = self.poll(), RecordingSink()
        assert self.api.invoke(self.invocation(request_id, sink, timeout))
        assert worker.answer().status == 200
        return worker, sink

    @property
    def at_rest(self) -> bool:
        """Nothing runs and no timer waits."""
        return not self.api.running and not self.clock.waiting
