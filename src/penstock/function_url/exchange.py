"""One Function URL request: read it whole, turn it into an event, hand it to the router."""

from typing import TYPE_CHECKING, Final

from penstock.function_url.answer import UrlAnswer
from penstock.function_url.authorization import NOT_PUBLIC, authorize
from penstock.function_url.event import Caller, Tls, UrlIdentity, build_event
from penstock.function_url.refusals import PREFLIGHT, THROTTLED, TOO_LARGE, WEBSOCKET, Refusal
from penstock.model import ids
from penstock.model.errors import PlatformError
from penstock.model.invocation import Invocation
from penstock.model.limits import MAX_REQUEST_BYTES
from penstock.telemetry.access import AccessRecord
from penstock.wire.exchange import Discard
from penstock.wire.http_messages import Headers
from penstock.wire.http_server import HttpConnection
from penstock.wire.trace_header import trace_header

if TYPE_CHECKING:
    from penstock.function_url.door import FunctionUrl

# Methods whose requests hardly ever have a body: theirs is counted as it comes.
_BODILESS: Final = frozenset({b"GET", b"HEAD"})


class UrlExchange(Discard):
    """Reads the request; from then on the answer is `UrlAnswer`'s."""

    __slots__ = (
        "_answer",
        "_caller",
        "_connection",
        "_door",
        "_epoch",
        "_function",
        "_headers",
        "_identity",
        "_invocation",
        "_method",
        "_parts",
        "_size",
        "_source_ip",
        "_started",
        "_target",
    )

    def __init__(self, door: "FunctionUrl", connection: HttpConnection, identity: UrlIdentity) -> None:
        self._door = door
        self._connection = connection
        self._identity = identity
        self._method = connection.method
        self._target = connection.target
        self._headers = connection.headers
        self._source_ip = connection.peer
        self._parts: list[bytes] = []
        self._size = 0
        self._started = door.clock.monotonic()
        self._invocation: Invocation | None = None
        self._caller: Caller | None = None
        self._epoch = door.clock.epoch()
        self._function = door.function
        request_id = ids.request_id()
        self._answer = UrlAnswer(
            connection,
            self._record,
            streams=door.streams,
            clock=door.clock,
            request_id=request_id,
            trace_id=trace_header(connection.headers, self._epoch, request_id),
            cors=door.cors.actual(connection.headers) if door.cors else b"",
        )

    def answer_at_once(self) -> bool:
        """Whether the request's head was all there was to see: then its answer is out, and its body nobody's."""
        upgrade = self._connection.upgrade
        if upgrade and b"websocket" in upgrade.lower():
            self._answer.refuse(WEBSOCKET)
            return True
        cors = self._door.cors
        if cors and (lines := cors.preflight(self._method, self._headers)) is not None:
            self._answer.refuse(PREFLIGHT, extra=lines)
            return True
        if self._method not in _BODILESS and _declared_length(self._headers) > MAX_REQUEST_BYTES:
            self._too_large()  # a client that waits for `100 Continue` need not send it at all
            return True
        return False

    def body(self, chunk: bytes) -> None:
        self._size += len(chunk)
        if self._size > MAX_REQUEST_BYTES:
            self._too_large()
        else:
            self._parts.append(chunk)

    def _too_large(self) -> None:
        self._connection.keep_alive = False
        self._answer.refuse(TOO_LARGE)

    def end(self) -> None:
        door, answer = self._door, self._answer
        self._epoch, self._started = door.clock.epoch(), door.clock.monotonic()
        if door.closed:
            answer.refuse(NOT_PUBLIC)
            return
        if door.verifier and not self._authorized():
            return
        # The door may be pointed at another version before this request is over.
        function = self._function = door.function
        timeout = function.timeout_s
        self._invocation = Invocation(
            request_id=answer.request_id,
            function_arn=door.function_arn,
            event=self._build_event,
            sink=answer,
            deadline=self._started + timeout,
            deadline_ms=int((self._epoch + timeout) * 1000),
            timeout_s=timeout,
            trace_id=answer.trace_id,
        )
        if not door.router.route(self._invocation):
            answer.refuse(THROTTLED, door.router.note)

    def _authorized(self) -> bool:
        """A signature covers the body, so nothing can be said before it is complete."""
        verifier = self._door.verifier
        if verifier is None:
            return True
        found = authorize(
            verifier,
            method=self._method,
            target=self._target,
            headers=self._headers,
            body=b"".join(self._parts),
            now=self._epoch,
        )
        if isinstance(found, Refusal):
            self._answer.refuse(found)
            return False
        self._caller = found
        return True

    def _build_event(self) -> bytes:
        parts, self._parts = self._parts, []
        return build_event(
            self._identity,
            method=self._method.decode("latin-1"),
            target=self._target,
            headers=self._headers,
            body=b"".join(parts),
            source_ip=self._source_ip,
            request_id=self._answer.request_id,
            trace_id=self._answer.trace_id,
            epoch=self._epoch,
            tls=_tls_of(self._connection) if self._identity.scheme == "https" else None,
            caller=self._caller,
        )

    def lost(self) -> None:
        invocation = self._invocation
        if invocation is None:
            self._record(0, 0, "client left before its request was complete")
            return
        self._answer.client_left()
        if self._door.cancel_on_disconnect and invocation.cancel:
            invocation.cancel(PlatformError("Client.Disconnected", "the client left before its answer was complete"))

    def pause_writing(self) -> None:
        self._answer.pause()

    def resume_writing(self) -> None:
        self._answer.resume()

    def _record(self, status: int, sent: int, note: str) -> None:
        invocation, self._invocation = self._invocation, None  # no circle for the collector
        record = AccessRecord(
            function=self._function.logical_id,
            method=self._method.decode("latin-1"),
            path=self._target.decode("latin-1").partition("?")[0],
            status=status,
            duration=self._door.clock.monotonic() - self._started,
            sent=sent,
            environment_id=invocation.environment_id if invocation else "",
            request_id=self._answer.request_id,
            note=note,
        )
        self._door.ended(self, record)


def _declared_length(headers: Headers) -> int:
    """What the parser made sure is a number, if it is there."""
    for name, value in headers:
        if name == b"content-length":
            return int(value)
    return 0


def _tls_of(connection: HttpConnection) -> Tls | None:
    session = connection.transport.get_extra_info("ssl_object")
    version, cipher = session.version(), session.cipher()
    return Tls(version, cipher[0]) if version and cipher else None
