"""The Runtime API of one execution environment.

A parked poll is a free slot; nothing else counts slots. `invoke` takes the oldest poll and answers it; the worker's
answer is written straight into the invocation's sink. Sources for every rule: runtimes-custom and the open emulator,
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
https://github.com/aws/aws-lambda-runtime-interface-emulator (internal/lambda-managed-instances)
"""

from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final, Protocol
from uuid import uuid4

from penstock.model.clock import Clock
from penstock.model.errors import FunctionError, InvocationError
from penstock.model.invocation import Invocation
from penstock.model.limits import MAX_ERROR_BODY_BYTES, MAX_IDLE_POLLS, MAX_TIMED_OUT_IDS
from penstock.runtime_api import messages
from penstock.runtime_api.exchanges import ErrorPost, InitErrorPost, Poll, ResponsePost
from penstock.runtime_api.running import Outcome, Running
from penstock.wire.http_server import DISCARD, Exchange, HttpConnection

_BUFFERED: Final = b""
_STREAMING: Final = b"streaming"


class InvocationObserver(Protocol):
    """What the environment wants to know of each invocation, for its log."""

    def invocation_started(self, invocation: Invocation) -> None: ...
    def invocation_ended(self, invocation: Invocation, outcome: Outcome) -> None: ...


class RuntimeApi:
    """State of one environment's Runtime API.

    `on_first_poll()` is called when the first `/next` arrives, which ends the runtime's part of init;
    `on_init_error(error_type, body)` on the first `/init/error`, which by itself ends nothing.
    """

    def __init__(
        self,
        clock: Clock,
        observer: InvocationObserver,
        *,
        on_first_poll: Callable[[], None],
        on_init_error: Callable[[str, bytes], None],
    ) -> None:
        self._clock = clock
        self._observer = observer
        self._on_first_poll = on_first_poll
        self._on_init_error = on_init_error
        self._polled = False
        self._init_error = False
        self._idle: deque[Poll] = deque()
        self._running: dict[str, Running] = {}
        self._timed_out: OrderedDict[str, None] = OrderedDict()

    @property
    def idle(self) -> int:
        return len(self._idle)

    @property
    def running(self) -> dict[str, Running]:
        """In-flight invocations by request id. Not to be changed by the reader."""
        return self._running

    # --- the platform's side ---

    def invoke(self, invocation: Invocation) -> bool:
        """Hand `invocation` to the worker that has waited longest; False when none waits or the id is running."""
        if not self._idle or invocation.request_id in self._running:
            return False
        poll = self._idle.popleft()
        attempt_id = str(uuid4())
        running = Running(invocation, attempt_id, self._clock, self._ended)
        self._running[invocation.request_id] = running
        self._observer.invocation_started(invocation)
        running.start(lambda: self._expire(running))
        poll.connection.respond(messages.next_response(invocation, attempt_id))
        return True

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
        self._observer.invocation_ended(running.invocation, outcome)

    # --- the runtime's side ---

    def open_exchange(self, connection: HttpConnection) -> Exchange:
        """Route one request. The connection's target starts with the API's version."""
        target = connection.target
        if target == messages.NEXT:
            return self._park(connection) if connection.method == b"GET" else _not_allowed(connection)
        if target.startswith(messages.INVOCATION):
            request_id, _, verb = target[len(messages.INVOCATION) :].partition(b"/")
            if verb in (b"response", b"error"):
                if connection.method != b"POST":
                    return _not_allowed(connection)
                return self._post(connection, request_id.decode("latin-1"), is_error=verb == b"error")
        if target == messages.INIT_ERROR:
            return self._post_init_error(connection) if connection.method == b"POST" else _not_allowed(connection)
        if target == messages.PING:
            return _answer(connection, messages.PONG) if connection.method == b"GET" else _not_allowed(connection)
        return _answer(connection, messages.NOT_FOUND)

    def _park(self, connection: HttpConnection) -> Exchange:
        if len(self._idle) >= MAX_IDLE_POLLS:
            return _answer(connection, messages.INTERNAL_ERROR)
        return Poll(connection, self._parked, self._unpark)

    def _parked(self, poll: Poll) -> None:
        self._idle.append(poll)
        if not self._polled:
            self._polled = True
            self._on_first_poll()

    def _unpark(self, poll: Poll) -> None:
        """The worker hung up while it waited: its slot is gone before an invocation is spent on it."""
        self._idle.remove(poll)

    def _post(self, connection: HttpConnection, request_id: str, *, is_error: bool) -> Exchange:
        running = self._running.get(request_id)
        headers = dict(connection.headers)
        echo = headers.get(b"lambda-runtime-invocation-id")
        if running is None:
            return self._refuse_post(connection, request_id)
        if echo and echo != running.attempt_id.encode():
            return _answer(connection, messages.INVOKE_TIMEOUT)
        if is_error:
            error_type = headers.get(b"lambda-runtime-function-error-type", b"").decode("latin-1")
            return ErrorPost(connection, running, messages.normalise_error_type(error_type), MAX_ERROR_BODY_BYTES)
        if running.responding:
            return _answer(connection, messages.INVALID_REQUEST_ID)
        mode = headers.get(b"lambda-runtime-function-response-mode", _BUFFERED)
        if mode not in (_BUFFERED, _STREAMING):
            running.fail(FunctionError("Runtime.InvalidResponseModeHeader"))
            return _answer(connection, messages.INVALID_RESPONSE_MODE)
        content_type = headers.get(b"content-type", b"application/octet-stream").decode("latin-1")
        return ResponsePost(connection, running, content_type, streaming=mode == _STREAMING)

    def _refuse_post(self, connection: HttpConnection, request_id: str) -> Exchange:
        """410 once for an id that timed out, then, as for any unknown id, 400."""
        if request_id in self._timed_out:
            del self._timed_out[request_id]
            return _answer(connection, messages.INVOKE_TIMEOUT)
        return _answer(connection, messages.INVALID_REQUEST_ID)

    def _post_init_error(self, connection: HttpConnection) -> Exchange:
        if self._init_error:
            return _answer(connection, messages.INIT_ERROR_TWICE)
        self._init_error = True
        value = dict(connection.headers).get(b"lambda-runtime-function-error-type", b"").decode("latin-1")
        error_type = messages.normalise_error_type(value)
        return InitErrorPost(connection, lambda body: self._on_init_error(error_type, body), MAX_ERROR_BODY_BYTES)


def _answer(connection: HttpConnection, response: bytes) -> Exchange:
    connection.respond(response)
    return DISCARD


def _not_allowed(connection: HttpConnection) -> Exchange:
    return _answer(connection, messages.METHOD_NOT_ALLOWED)
