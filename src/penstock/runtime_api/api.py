"""The Runtime API of one execution environment.

A parked poll is a free slot; nothing else counts slots. `invoke` takes the oldest poll and answers it; the worker's
answer is written straight into the invocation's sink. Sources for every rule: runtimes-custom and the open emulator,
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
https://github.com/aws/aws-lambda-runtime-interface-emulator (internal/lambda-managed-instances)
"""

from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final, Protocol

from penstock.model.clock import Clock
from penstock.model.errors import FunctionError, InvocationError, PlatformError
from penstock.model.invocation import Invocation
from penstock.model.limits import MAX_ERROR_BODY_BYTES, MAX_IDLE_POLLS, MAX_TIMED_OUT_IDS
from penstock.runtime_api import error_body, error_cause, messages
from penstock.runtime_api.bandwidth import Bandwidth, Pacer
from penstock.runtime_api.brief import brief_event
from penstock.runtime_api.deadlines import Deadlines
from penstock.runtime_api.exchanges import BodyStart, Poll, ResponsePost
from penstock.runtime_api.running import Outcome, Running
from penstock.wire.bodies import CollectedBody, answer
from penstock.wire.exchange import Exchange
from penstock.wire.http_messages import METHOD_NOT_ALLOWED, NOT_FOUND
from penstock.wire.http_server import HttpConnection
from penstock.wire.prelude import CONTENT_TYPE as PRELUDE_TYPE

_Route = tuple[bytes, Callable[[HttpConnection], Exchange]]
"""The method a path takes, and what handles it."""

_BUFFERED: Final = b""
_STREAMING: Final = b"streaming"
_ATTEMPT: Final = b"lambda-runtime-invocation-id"


class InvocationObserver(Protocol):
    """What the environment wants to know of each invocation, for its log."""

    def invocation_started(self, invocation: Invocation) -> None: ...
    def invocation_ended(self, invocation: Invocation, outcome: Outcome) -> None: ...


class RuntimeApi:
    """State of one environment's Runtime API.

    `on_first_poll()` is called when the first `/next` arrives, which ends the runtime's part of init;
    `on_init_error(error_type, body)` on the first `/init/error`, which by itself ends nothing. Streamed responses come
    as fast as they can without a `bandwidth`.
    """

    def __init__(
        self,
        clock: Clock,
        observer: InvocationObserver,
        *,
        on_first_poll: Callable[[], None],
        on_init_error: Callable[[str, bytes], None],
        bandwidth: Bandwidth | None = None,
    ) -> None:
        self._clock = clock
        self._observer = observer
        self._on_first_poll = on_first_poll
        self._on_init_error = on_init_error
        self._bandwidth = bandwidth
        self._polled = False
        self._init_error = False
        self._idle: deque[Poll] = deque()
        self._running: dict[str, Running] = {}
        self._deadlines = Deadlines(clock, self._running, self._expire)
        self._timed_out: OrderedDict[str, None] = OrderedDict()
        self._routes: dict[bytes, _Route] = {
            messages.NEXT: (b"GET", self._park),
            messages.INIT_ERROR: (b"POST", self._post_init_error),
            messages.PING: (b"GET", lambda connection: answer(connection, messages.PONG)),
        }

    @property
    def idle(self) -> int:
        return len(self._idle)

    @property
    def running(self) -> dict[str, Running]:
        """In-flight invocations by request id. Not to be changed by the reader."""
        return self._running

    # --- the platform's side ---

    def invoke(self, invocation: Invocation) -> bool:
        """Reserve the worker that has waited longest; False when none waits or the id is running.

        The event is built and sent when what has come in already was looked at: in a burst, those who must be refused
        hear it before the work for the others begins.
        """
        if invocation.request_id in self._running:
            return False
        poll = self._take_poll()
        if poll is None:
            return False
        running = Running(invocation, self._clock, self._ended)
        self._running[invocation.request_id] = running
        invocation.cancel = lambda error: running.fail(error, messages.CANCELLED)
        self._clock.call_soon(lambda: self._send(running, poll))
        return True

    def _send(self, running: Running, poll: Poll) -> None:
        if running.ended:  # this very moment: the environment died, or somebody answered before being asked
            if poll.connection.answerable:
                poll.end()  # it waits on
            return
        invocation = running.invocation
        self._observer.invocation_started(invocation)
        waiting = poll if poll.connection.answerable else self._take_poll()
        if waiting is None:
            running.fail(PlatformError("Runtime.Unknown", "the worker hung up as the invocation came"))
            return
        running.started = True
        self._deadlines.add(running)
        event, attempt_id = invocation.event(), running.attempt_id
        brief = brief_event(invocation, attempt_id, event) if waiting.brief else None
        waiting.connection.respond(brief or messages.next_response(invocation, attempt_id, event))

    def _take_poll(self) -> Poll | None:
        while self._idle:
            poll = self._idle.popleft()
            if poll.take():
                return poll
        return None

    def abort(self, error: InvocationError) -> None:
        """Fail everything in flight, because the environment died or is shut down."""
        for running in list(self._running.values()):
            running.fail(error)

    def _expire(self, running: Running) -> None:
        """The deadline passed: the invocation fails; the worker goes on and its slot stays taken."""
        if not running.responding:
            self._timed_out[running.invocation.request_id] = None
            self._timed_out.move_to_end(running.invocation.request_id)
            if len(self._timed_out) > MAX_TIMED_OUT_IDS:
                self._timed_out.popitem(last=False)
        seconds = running.invocation.timeout_s
        running.fail(
            FunctionError("Sandbox.Timedout", f"Task timed out after {seconds:.2f} seconds"), messages.INVOKE_TIMEOUT
        )

    def _ended(self, running: Running, outcome: Outcome) -> None:
        del self._running[running.invocation.request_id]
        running.invocation.cancel = None  # no circle for the collector
        self._deadlines.removed()
        self._observer.invocation_ended(running.invocation, outcome)

    # --- the runtime's side ---

    def open_exchange(self, connection: HttpConnection) -> Exchange:
        """Route one request. The connection's target starts with the API's version."""
        target = connection.target
        method, handle = self._routes.get(target) or self._invocation_route(target)
        if connection.method != method:
            return answer(connection, METHOD_NOT_ALLOWED if method else NOT_FOUND)
        return handle(connection)

    def _invocation_route(self, target: bytes) -> _Route:
        """`/runtime/invocation/{id}/response` and `/error`; the id is one opaque segment."""
        if target.startswith(messages.INVOCATION):
            request_id, _, verb = target[len(messages.INVOCATION) :].decode("latin-1").partition("/")
            if verb == "response":
                return b"POST", lambda connection: self._post_response(connection, request_id)
            if verb == "error":
                return b"POST", lambda connection: self._post_error(connection, request_id)
        return b"", lambda connection: answer(connection, NOT_FOUND)

    def _park(self, connection: HttpConnection) -> Exchange:
        if messages.AHEAD_BRIEF in connection.headers:
            return self.open_brief_poll(connection)
        if len(self._idle) >= MAX_IDLE_POLLS:
            return answer(connection, messages.INTERNAL_ERROR)
        if messages.AHEAD in connection.headers:
            connection.hold_answers()
        return Poll(connection, self._parked, self._unpark)

    def open_brief_poll(self, connection: HttpConnection) -> Exchange:
        """A poll on a link, see `brief`."""
        if len(self._idle) >= MAX_IDLE_POLLS:
            return answer(connection, messages.INTERNAL_ERROR)
        connection.hold_answers()
        return Poll(connection, self._parked, self._unpark, brief=True)

    def _parked(self, poll: Poll) -> None:
        self._idle.append(poll)
        if not self._polled:
            self._polled = True
            self._on_first_poll()

    def _unpark(self, poll: Poll) -> None:
        """The worker hung up while it waited: its slot is gone before an invocation is spent on it."""
        self._idle.remove(poll)

    def _post_response(self, connection: HttpConnection, request_id: str) -> Exchange:
        headers = dict(connection.headers)
        running = self._find(request_id, headers.get(_ATTEMPT, b""))
        if isinstance(running, bytes):
            return answer(connection, running)
        if running.responding:
            return answer(connection, messages.INVALID_REQUEST_ID)
        mode = headers.get(b"lambda-runtime-function-response-mode", _BUFFERED)
        if mode not in (_BUFFERED, _STREAMING):
            running.fail(FunctionError("Runtime.InvalidResponseModeHeader"))
            return answer(connection, messages.INVALID_RESPONSE_MODE)
        content_type = headers.get(b"content-type", b"application/octet-stream").decode("latin-1")
        if mode != _STREAMING:
            return ResponsePost(connection, running, content_type, streaming=False)
        return self._stream(connection, running, content_type)

    def open_brief_response(self, connection: HttpConnection, request_id: bytes, attempt_id: bytes) -> Exchange:
        """A streamed answer on a link, see `brief`."""
        running = self._find(request_id.decode("latin-1"), attempt_id)
        if isinstance(running, bytes):
            return answer(connection, running)
        if running.responding:
            return answer(connection, messages.INVALID_REQUEST_ID)
        return self._stream(connection, running, PRELUDE_TYPE)

    def _stream(self, connection: HttpConnection, running: Running, content_type: str) -> Exchange:
        pacer = Pacer(connection, self._bandwidth, self._clock) if self._bandwidth else None
        return ResponsePost(connection, running, content_type, streaming=True, pacer=pacer)

    def _post_error(self, connection: HttpConnection, request_id: str) -> Exchange:
        headers = dict(connection.headers)
        running = self._find(request_id, headers.get(_ATTEMPT, b""))
        if isinstance(running, bytes):
            return answer(connection, running)
        return CollectedBody(
            connection,
            lambda body: self._fail(connection, running, headers, body),
            MAX_ERROR_BODY_BYTES,
            messages.TOO_LARGE,
        )

    def _find(self, request_id: str, echo: bytes) -> Running | bytes:
        """The invocation an answer belongs to, or the refusal. `echo` is the attempt's id, where the worker told it.

        An id that timed out gets 410 once, then 400 like any unknown id. A worker that echoes the id of an earlier
        attempt answers too late: 410, and the invocation that runs now is left alone.
        """
        running = self._running.get(request_id)
        if running is None:
            return self._too_late(request_id)
        return messages.INVOKE_TIMEOUT if echo and echo != running.attempt_id.encode() else running

    def _too_late(self, request_id: str) -> bytes:
        if request_id in self._timed_out:
            del self._timed_out[request_id]
            return messages.INVOKE_TIMEOUT
        return messages.INVALID_REQUEST_ID

    def _fail(self, connection: HttpConnection, running: Running, headers: dict[bytes, bytes], body: bytes) -> None:
        """The body is opaque and goes to the caller byte for byte. An error may overtake an open response."""
        if running.ended:  # while its body arrived
            connection.respond(self._too_late(running.invocation.request_id))
            return
        running.answering()
        running.cause = error_cause.normalise(headers.get(b"lambda-runtime-function-xray-error-cause", b""))
        known = messages.normalise_error_type(headers.get(b"lambda-runtime-function-error-type", b"").decode("latin-1"))
        running.fail(FunctionError(known, error_body.read(body, known).text, body))
        connection.respond(messages.ACCEPTED)

    def _post_init_error(self, connection: HttpConnection) -> Exchange:
        value = dict(connection.headers).get(b"lambda-runtime-function-error-type", b"").decode("latin-1")
        return BodyStart(lambda body: self._init_failed(connection, value, body), MAX_ERROR_BODY_BYTES)

    def _init_failed(self, connection: HttpConnection, error_type: str, body: bytes) -> None:
        if self._init_error:
            connection.respond(messages.INIT_ERROR_TWICE)
            return
        self._init_error = True
        self._on_init_error(messages.normalise_error_type(error_type), body)
        connection.respond(messages.ACCEPTED)
