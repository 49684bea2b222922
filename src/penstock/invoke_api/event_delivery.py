"""The end of an asynchronous event: its records go to the destinations that the template names."""

from collections.abc import Callable
from typing import Final

from penstock.invoke_api.destinations import Destinations
from penstock.invoke_api.directory import Directory, Invocable
from penstock.invoke_api.event_record import dead_letter, invocation_record
from penstock.invoke_api.queued_event import DiscardedEvent, QueuedEvent
from penstock.invoke_api.retry import Condition
from penstock.model.clock import Clock

# Lambda stops functions that invoke each other in a circle after about so many calls of one chain.
# https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html
_MAX_CHAIN: Final = 16


class EventDelivery:
    """A destination that `directory` knows as a function is invoked: `invoke(invocable, record, event)` does so
    asynchronously with a record of `event`, False when there is no room. Every other destination is a file.
    """

    def __init__(
        self,
        clock: Clock,
        destinations: Destinations,
        directory: Directory,
        invoke: Callable[[Invocable, bytes, QueuedEvent], bool],
    ) -> None:
        self._clock = clock
        self._destinations = destinations
        self._directory = directory
        self._invoke = invoke

    def succeeded(self, event: QueuedEvent) -> None:
        if destination := event.function.event_invoke.on_success:
            self._send(destination, event, self._record(event, Condition.SUCCESS))

    def discarded(self, event: QueuedEvent, condition: Condition) -> DiscardedEvent:
        kept_in: list[str] = []
        if destination := event.function.event_invoke.on_failure:
            self._send(destination, event, self._record(event, condition))
            kept_in.append(destination)
        if queue := event.function.dead_letter_arn:
            letter = dead_letter(
                request_id=event.request_id,
                request_payload=event.payload,
                condition=condition,
                response=event.response,
            )
            self._destinations.append(queue, letter)
            kept_in.append(queue)
        if condition is Condition.PLATFORM_STOPPED and not kept_in:
            # Lambda would still have it.
            name = f"{event.function.name}.undelivered"
            self._destinations.append(name, self._record(event, condition))
            kept_in.append(name)
        return DiscardedEvent(event.function.logical_id, event.request_id, condition, event.attempts, tuple(kept_in))

    def _send(self, arn: str, event: QueuedEvent, record: bytes) -> None:
        invocable = self._function(arn) if event.chain < _MAX_CHAIN else None
        if invocable is None or not self._invoke(invocable, record, event):
            self._destinations.append(arn, record)

    def _function(self, arn: str) -> Invocable | None:
        """The function of this machine that `arn:aws:lambda:region:account:function:name[:qualifier]` names."""
        parts = arn.split(":")
        if parts[2:3] != ["lambda"] or len(parts) not in (7, 8):
            return None
        found = self._directory.find(parts[6], parts[7] if len(parts) == 8 else None)
        return found if found and found.function.arn == ":".join(parts[:7]) else None

    def _record(self, event: QueuedEvent, condition: Condition) -> bytes:
        return invocation_record(
            request_id=event.request_id,
            function_arn=event.function.qualified_arn,
            condition=condition,
            invoke_count=event.attempts,
            epoch=self._clock.epoch(),
            request_payload=event.payload,
            response=event.response,
        )
