"""An asynchronous event while the queue has it, and what is told of it."""

from dataclasses import dataclass, field
from typing import Final

from penstock.invoke_api.directory import Invocable
from penstock.invoke_api.event_record import Response
from penstock.invoke_api.retry import Condition
from penstock.model.clock import Timer
from penstock.model.errors import InvocationError
from penstock.model.function import Function
from penstock.model.invocation import Invocation

# What an event takes beside its payload, roughly.
_EVENT_BYTES: Final = 1024


@dataclass(frozen=True, slots=True)
class EventAttempt:
    """One attempt is over. `function` is the logical id; `number` counts the attempts that the function took;
    `duration` in seconds, 0 when throttled; `age` in seconds since the event was accepted (the metric AsyncEventAge, at
    the attempt's begin); `error` None on success; `retry_in` in seconds, None when it was the last.
    """

    function: str
    request_id: str
    environment_id: str
    number: int
    duration: float
    age: float
    error: InvocationError | None
    retry_in: float | None


@dataclass(frozen=True, slots=True)
class DiscardedEvent:
    """An event that no attempt could handle (the metric AsyncEventsDropped). `attempts` are those that the function
    took; `kept_in` are the ARNs its records went to, or the plain name of a destination file; empty: it is gone.
    """

    function: str
    request_id: str
    condition: Condition
    attempts: int
    kept_in: tuple[str, ...]


@dataclass(slots=True, eq=False)
class QueuedEvent:
    """`accepted` in monotonic seconds; `chain` counts the functions that led here through Lambda destinations.

    `attempts` are those that the function took, `refusals` those in a row that it did not.
    """

    invocable: Invocable
    payload: bytes = field(repr=False)
    client_context: str = field(repr=False)
    trace_id: str
    request_id: str
    accepted: float
    chain: int = 0
    attempts: int = 0
    refusals: int = 0
    response: Response | None = field(default=None, repr=False)
    """Of the last attempt."""
    invocation: Invocation | None = field(default=None, repr=False)
    """While an attempt runs."""
    timer: Timer | None = None
    """While it waits for its next attempt."""

    @property
    def function(self) -> Function:
        return self.invocable.function

    @property
    def size(self) -> int:
        return len(self.payload) + len(self.client_context) + _EVENT_BYTES

    def body(self) -> bytes:
        return self.payload
