"""One invocation while a worker has it: who answers first wins, and the sink hears exactly one end."""

from collections.abc import Callable
from typing import NamedTuple, Protocol

from penstock.model import ids
from penstock.model.clock import Clock
from penstock.model.errors import FunctionError, InvocationError
from penstock.model.invocation import Invocation
from penstock.runtime_api import messages
from penstock.telemetry.records import Status


class Outcome(NamedTuple):
    """How an invocation ended. Durations in seconds, from dispatch, counted as `platform.report` does.

    `error` is None on success. `response_latency` runs until the worker began to answer (None: it never did),
    `response_duration` from there to the end of the relay (None: nothing was relayed). `cause` is what the runtime
    told of its error for a trace, as JSON.
    """

    error: InvocationError | None
    duration: float
    response_latency: float | None
    response_duration: float | None
    cause: bytes | None = None

    @property
    def status(self) -> Status:
        """`success`, `timeout`, `error` (the function's fault) or `failure` (not the function's)."""
        if self.error is None:
            return "success"
        if self.error.error_type == "Sandbox.Timedout":
            return "timeout"
        return "error" if isinstance(self.error, FunctionError) else "failure"


class Response(Protocol):
    """An open `/response` request."""

    def superseded(self, answer: bytes) -> None:
        """The invocation ended another way; `answer` goes to the worker and what it still sends is dropped."""


class Running:
    """`on_end(running, outcome)` is called once, after the sink was told."""

    __slots__ = (
        "_answered_at",
        "_clock",
        "_on_end",
        "_response",
        "_started",
        "attempt_id",
        "cause",
        "ended",
        "invocation",
        "started",
    )

    def __init__(
        self,
        invocation: Invocation,
        clock: Clock,
        on_end: Callable[["Running", Outcome], None],
    ) -> None:
        self.invocation = invocation
        self.attempt_id = ids.request_id()
        self.ended = False
        self.started = False
        """A worker has it."""
        self.cause: bytes | None = None
        self._clock = clock
        self._on_end = on_end
        self._started = clock.monotonic()
        self._answered_at: float | None = None
        self._response: Response | None = None

    @property
    def responding(self) -> bool:
        """A `/response` was accepted; there is never a second."""
        return self._response is not None

    def answering(self) -> None:
        """The worker's first byte of an answer, or of an error, arrived."""
        if self._answered_at is None:
            self._answered_at = self._clock.monotonic()

    def respond(self, response: Response) -> None:
        self._response = response
        self.answering()

    def finish(self) -> None:
        """The response is complete and was relayed."""
        self.invocation.sink.finish()
        self._end(None)

    def fail(self, error: InvocationError, answer: bytes = messages.INTERNAL_ERROR) -> None:
        """End the invocation as failed, whoever found out. `answer` is for an open `/response`, if there is one."""
        if self.ended:
            return
        if self._response:
            self._response.superseded(answer)
        self.invocation.sink.fail(error)
        self._end(error)

    def _end(self, error: InvocationError | None) -> None:
        self.ended = True
        now = self._clock.monotonic()
        began = self._answered_at
        response, self._response = self._response, None  # no circle for the collector
        self._on_end(
            self,
            Outcome(
                error,
                now - self._started,
                None if began is None else began - self._started,
                None if began is None or response is None else now - began,
                self.cause,
            ),
        )
