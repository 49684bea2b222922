"""One Function URL request: read it whole, turn it into an event, hand it to the router."""

from typing import TYPE_CHECKING, Final

from penstock.function_url.access import AccessRecord
from penstock.function_url.answer import UrlAnswer
from penstock.function_url.event import build_event
from penstock.model import ids
from penstock.model.invocation import Invocation
from penstock.model.limits import MAX_REQUEST_BYTES
from penstock.wire.exchange import Discard
from penstock.wire.http_server import HttpConnection

if TYPE_CHECKING:
    from penstock.function_url.door import FunctionUrl

# TooManyRequestsException as the Lambda API words it (botocore's model); the URL's own body is unpublished (assumed).
_THROTTLED: Final = b'{"Reason":"ConcurrentInvocationLimitExceeded","Type":"User","message":"Rate Exceeded."}'
_THROTTLED_TYPE: Final = b"x-amzn-errortype: TooManyRequestsException\r\n"
_TOO_LARGE: Final = b'{"message":"Request Entity Too Large"}'  # assumed


class UrlExchange(Discard):
    """Reads the request; from then on the answer is `UrlAnswer`'s."""

    __slots__ = (
        "_answer",
        "_connection",
        "_door",
        "_epoch",
        "_headers",
        "_invocation",
        "_method",
        "_parts",
        "_size",
        "_source_ip",
        "_started",
        "_target",
    )

    def __init__(self, door: "FunctionUrl", connection: HttpConnection) -> None:
        self._door = door
        self._connection = connection
        self._method = connection.method
        self._target = connection.target
        self._headers = connection.headers
        self._source_ip = _peer_of(connection)
        self._parts: list[bytes] = []
        self._size = 0
        self._started = door.clock.monotonic()
        self._invocation: Invocation | None = None
        self._epoch = door.clock.epoch()
        trace_id = _trace_of(connection) or f"Root={ids.trace_id(self._epoch)}"
        self._answer = UrlAnswer(
            connection,
            self._record,
            streams=door.streams,
            clock=door.clock,
            request_id=ids.request_id(),
            trace_id=trace_id,
        )

    def body(self, chunk: bytes) -> None:
        self._size += len(chunk)
        if self._size > MAX_REQUEST_BYTES:
            self._connection.keep_alive = False
            self._answer.refuse(413, _TOO_LARGE, "request over 6 MB")
        else:
            self._parts.append(chunk)

    def end(self) -> None:
        door, answer = self._door, self._answer
        self._epoch, self._started = door.clock.epoch(), door.clock.monotonic()
        timeout = door.function.timeout_s
        self._invocation = Invocation(
            request_id=answer.request_id,
            function_arn=door.function.qualified_arn,
            event=self._build_event,
            sink=answer,
            deadline=self._started + timeout,
            deadline_ms=int((self._epoch + timeout) * 1000),
            timeout_s=timeout,
            trace_id=answer.trace_id,
        )
        if not door.router.route(self._invocation):
            answer.refuse(429, _THROTTLED, "every environment is busy", _THROTTLED_TYPE)

    def _build_event(self) -> bytes:
        parts, self._parts = self._parts, []
        return build_event(
            self._door.identity,
            method=self._method.decode("latin-1"),
            target=self._target,
            headers=self._headers,
            body=b"".join(parts),
            source_ip=self._source_ip,
            request_id=self._answer.request_id,
            trace_id=self._answer.trace_id,
            epoch=self._epoch,
        )

    def lost(self) -> None:
        if self._invocation is None:
            self._record(0, 0, "client left before its request was complete")
        else:
            self._answer.client_left()

    def pause_writing(self) -> None:
        self._answer.pause()

    def resume_writing(self) -> None:
        self._answer.resume()

    def _record(self, status: int, sent: int, note: str) -> None:
        record = AccessRecord(
            function=self._door.function.logical_id,
            method=self._method.decode("latin-1"),
            path=self._target.decode("latin-1").partition("?")[0],
            status=status,
            duration=self._door.clock.monotonic() - self._started,
            sent=sent,
            environment_id=self._invocation.environment_id if self._invocation else "",
            request_id=self._answer.request_id,
            note=note,
        )
        self._door.ended(self, record)


def _trace_of(connection: HttpConnection) -> str:
    for name, value in connection.headers:
        if name == b"x-amzn-trace-id":
            return value.decode("latin-1")
    return ""


def _peer_of(connection: HttpConnection) -> str:
    peer = connection.transport.get_extra_info("peername")
    return str(peer[0]) if isinstance(peer, tuple) else "127.0.0.1"
