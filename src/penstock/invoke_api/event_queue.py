"""Asynchronous invocations (`Event`): a queue that tries each event until it is handled or given up.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-async.html

No task per event: an event waits in a deque or in a timer, and goes on in the callbacks of its sink.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from penstock.invoke_api import retry
from penstock.invoke_api.destinations import Destinations
from penstock.invoke_api.directory import Directory, Invocable
from penstock.invoke_api.event_answer import EventAnswer
from penstock.invoke_api.event_delivery import EventDelivery
from penstock.invoke_api.event_record import MAX_RESPONSE_PAYLOAD, Response, failure
from penstock.invoke_api.queued_event import DiscardedEvent, EventAttempt, QueuedEvent
from penstock.invoke_api.retry import Condition, Retry, RetrySettings
from penstock.model import ids
from penstock.model.clock import Clock, Timer
from penstock.model.errors import FunctionError, InvocationError, ThrottleError
from penstock.model.invocation import Invocation
from penstock.model.limits import MIB

_THROTTLED: Final = ThrottleError()


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """All but `retry` is assumed: Lambda publishes neither the size of its queue nor the pace at which it is read.

    `max_events` and `max_bytes`: of all functions together, from being accepted until the last attempt is over.
    `max_in_flight`: invocations of one function at a time. `after_refusal` and `after_answer`: seconds until the events
    of a function are looked at again, when it was throttled and when one of its workers is about to poll.
    """

    retry: RetrySettings = field(default_factory=RetrySettings)
    max_events: int = 10_000
    max_bytes: int = 128 * MIB
    max_in_flight: int = 64
    after_refusal: float = 0.1
    after_answer: float = 0.005


@dataclass(slots=True, eq=False)
class _Lane:
    """The events of one function version that are due, and when they are looked at again."""

    due: deque[QueuedEvent] = field(default_factory=deque)
    in_flight: int = 0
    reading: bool = False
    timer: Timer | None = None
    read_at: float = 0.0
    """When `timer` fires."""


class EventQueue:
    """Implements the door's `EventInvoker`. Events are tried in the order they came, as far as nobody is throttled.

    A destination that `directory` knows as a function is invoked, others are files. `on_attempt` and `on_discard` are
    called from the event loop.
    """

    def __init__(
        self,
        clock: Clock,
        destinations: Destinations,
        directory: Directory,
        *,
        on_attempt: Callable[[EventAttempt], None],
        on_discard: Callable[[DiscardedEvent], None],
        settings: QueueSettings | None = None,
    ) -> None:
        self._clock = clock
        self._delivery = EventDelivery(clock, destinations, directory, self._accept_record)
        self._on_attempt = on_attempt
        self._on_discard = on_discard
        self._settings = settings or QueueSettings()
        self._events: dict[QueuedEvent, None] = {}
        self._bytes = 0
        self._lanes: dict[str, _Lane] = {}
        self._in_flight = 0
        self._stopped = False
        self._idle = asyncio.Event()

    def __len__(self) -> int:
        """Events accepted and not over."""
        return len(self._events)

    def accept(self, invocable: Invocable, payload: bytes, client_context: str, trace_id: str, request_id: str) -> bool:
        """Take an event; False without room for it, or when stopped. `client_context` is JSON text or empty."""
        return self._accept(
            QueuedEvent(invocable, payload, client_context, trace_id, request_id, self._clock.monotonic())
        )

    def stop(self) -> None:
        """Accept and try nothing more; what runs may end."""
        self._stopped = True
        if not self._in_flight:
            self._idle.set()

    async def drain(self, seconds: float) -> None:
        """Stop, and wait, at most `seconds`, until what runs is over."""
        self.stop()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._idle.wait()

    def close(self) -> tuple[DiscardedEvent, ...]:
        """Stop, and write a record of every event that is not over. These are not told to `on_discard`."""
        self.stop()
        for lane in self._lanes.values():
            if lane.timer:
                lane.timer.cancel()
        return tuple(self._give_up(event, Condition.PLATFORM_STOPPED) for event in tuple(self._events))

    # --- an event comes in, or comes back ---

    def _accept_record(self, invocable: Invocable, record: bytes, origin: QueuedEvent) -> bool:
        """A function is the destination of another."""
        now, chain = self._clock.monotonic(), origin.chain + 1
        return self._accept(QueuedEvent(invocable, record, "", origin.trace_id, ids.request_id(), now, chain))

    def _accept(self, event: QueuedEvent) -> bool:
        settings = self._settings
        full = len(self._events) >= settings.max_events or self._bytes + event.size > settings.max_bytes
        if full or self._stopped:
            return False
        self._events[event] = None
        self._bytes += event.size
        self._enqueue(event)
        return True

    def _enqueue(self, event: QueuedEvent) -> None:
        event.timer = None
        lane = self._lanes.setdefault(event.function.qualified_arn, _Lane())
        lane.due.append(event)
        if lane.timer is None:
            self._read(lane)

    def _read_later(self, lane: _Lane, delay: float) -> None:
        at = self._clock.monotonic() + delay
        if lane.timer:
            if lane.read_at <= at:
                return
            lane.timer.cancel()
        lane.read_at, lane.timer = at, self._clock.call_later(delay, partial(self._read_again, lane))

    def _read_again(self, lane: _Lane) -> None:
        lane.timer = None
        self._read(lane)

    def _read(self, lane: _Lane) -> None:
        """Begin attempts until nothing is due, enough run, or nobody takes one."""
        if lane.reading:  # called by an attempt that ended at once
            return
        lane.reading = True
        try:
            while lane.due and lane.in_flight < self._settings.max_in_flight and not self._stopped:
                if not self._try(lane, lane.due.popleft()):
                    self._read_later(lane, self._settings.after_refusal)
                    break
        finally:
            lane.reading = False

    def _try(self, lane: _Lane, event: QueuedEvent) -> bool:
        """False when nobody takes the event now."""
        if not retry.expired(event.function.event_invoke, event.accepted, self._clock.monotonic()):
            return self._attempt(lane, event)
        self._on_discard(self._give_up(event, Condition.EVENT_AGE_EXCEEDED))
        return True

    # --- an attempt ---

    def _attempt(self, lane: _Lane, event: QueuedEvent) -> bool:
        """Hand the event to an environment, with the same request id every time."""
        function, now = event.function, self._clock.monotonic()
        kept = MAX_RESPONSE_PAYLOAD if function.event_invoke.on_success else 0
        event.invocation = Invocation(
            request_id=event.request_id,
            function_arn=function.qualified_arn,
            event=event.body,
            sink=EventAnswer(kept, partial(self._answered, lane, event)),
            deadline=now + function.timeout_s,
            deadline_ms=int((self._clock.epoch() + function.timeout_s) * 1000),
            timeout_s=function.timeout_s,
            trace_id=event.trace_id,
            client_context=event.client_context,
        )
        lane.in_flight += 1
        self._in_flight += 1
        if event.invocable.router.route(event.invocation):
            return True
        self._refused(lane, event)
        return False

    def _refused(self, lane: _Lane, event: QueuedEvent) -> None:
        if lane.in_flight > 1:
            # It is the queue that fills the function: a worker will be free in a while, and this event is the next.
            lane.in_flight -= 1
            self._in_flight -= 1
            event.invocation = None
            lane.due.appendleft(event)
        else:
            self._ended(lane, event, _THROTTLED, None)

    def _answered(self, lane: _Lane, event: QueuedEvent, error: InvocationError | None, payload: bytes | None) -> None:
        self._ended(lane, event, error, payload)
        # The worker that is free now polls in a moment; to ask it at once would mean to be throttled.
        if lane.due and not self._stopped:
            self._read_later(lane, self._settings.after_answer)

    def _ended(self, lane: _Lane, event: QueuedEvent, error: InvocationError | None, payload: bytes | None) -> None:
        lane.in_flight -= 1
        self._in_flight -= 1
        invocation, event.invocation = event.invocation, None  # no circle for the collector
        if invocation and event in self._events:  # it was not given up meanwhile
            self._judge(event, invocation, error, payload)
        if self._stopped and not self._in_flight:
            self._idle.set()

    def _judge(
        self, event: QueuedEvent, invocation: Invocation, error: InvocationError | None, payload: bytes | None
    ) -> None:
        decision = self._decide(event, error, payload)
        again = decision.wait if isinstance(decision, Retry) else None
        self._tell(event, invocation, error, again)
        if isinstance(decision, Retry):
            event.timer = self._clock.call_later(decision.wait, partial(self._enqueue, event))
        elif decision is None:
            self._forget(event)
            self._delivery.succeeded(event)
        else:
            self._on_discard(self._give_up(event, decision.condition))

    def _decide(
        self, event: QueuedEvent, error: InvocationError | None, payload: bytes | None
    ) -> retry.Retry | retry.Discard | None:
        """None: the event was handled."""
        version = event.invocable.version
        if error is None or isinstance(error, FunctionError):
            event.attempts += 1
            event.refusals = 0
        else:
            event.refusals += 1
        if error is None:
            event.response = Response(200, version, payload=payload)
            return None
        event.response = failure(error, version)
        return retry.decide(
            event.function.event_invoke,
            self._settings.retry,
            attempts=event.attempts,
            refusals=event.refusals,
            accepted=event.accepted,
            error=error,
            now=self._clock.monotonic(),
        )

    def _tell(
        self, event: QueuedEvent, invocation: Invocation, error: InvocationError | None, retry_in: float | None
    ) -> None:
        begun = invocation.deadline - invocation.timeout_s
        self._on_attempt(
            EventAttempt(
                function=event.function.logical_id,
                request_id=event.request_id,
                environment_id=invocation.environment_id,
                number=event.attempts,
                duration=self._clock.monotonic() - begun,
                age=begun - event.accepted,
                error=error,
                retry_in=retry_in,
            )
        )

    # --- an event is over ---

    def _give_up(self, event: QueuedEvent, condition: Condition) -> DiscardedEvent:
        self._forget(event)
        return self._delivery.discarded(event, condition)

    def _forget(self, event: QueuedEvent) -> None:
        del self._events[event]
        self._bytes -= event.size
        if event.timer:
            event.timer.cancel()
            event.timer = None
