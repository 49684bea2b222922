"""An event queue in virtual time before environments that are played by the test."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from penstock.invoke_api.destinations import Destinations
from penstock.invoke_api.directory import Invocable
from penstock.invoke_api.event_queue import EventQueue, QueueSettings
from penstock.model.errors import FunctionError, InvocationError
from penstock.model.function import EventInvokeConfig, Function
from penstock.model.invocation import Invocation
from penstock.router import Router
from support.clock import VirtualClock
from support.functions import function

if TYPE_CHECKING:
    from penstock.invoke_api.queued_event import DiscardedEvent, EventAttempt

SQS = "arn:aws:sqs:us-east-1:123456789012:"
LAMBDA = "arn:aws:lambda:us-east-1:123456789012:function:"


class NoSource:
    def pause_reading(self) -> None:
        raise AssertionError("nothing here is slow")

    def resume_reading(self) -> None:
        raise AssertionError("nothing here was paused")


class PlayedTarget:
    """An environment with `slots` workers; what it took waits until the test ends it, unless `at_once` says how."""

    environment_id = "e1"

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self.running: list[Invocation] = []
        self.taken: list[Invocation] = []
        self.at_once: bytes | InvocationError | None = None

    @property
    def free_slots(self) -> int:
        return self.slots - len(self.running)

    @property
    def in_flight(self) -> int:
        return len(self.running)

    def invoke(self, invocation: Invocation) -> bool:
        if not self.free_slots or invocation.request_id in {one.request_id for one in self.running}:
            return False
        invocation.environment_id = self.environment_id
        self.running.append(invocation)
        self.taken.append(invocation)
        if self.at_once is not None:
            self.end(self.at_once)
        return True

    def end(self, how: bytes | InvocationError = b'{"ok":true}') -> None:
        """End what has run longest: with an answer, or an error."""
        invocation = self.running.pop(0)
        if isinstance(how, InvocationError):
            invocation.sink.fail(how)
            return
        invocation.sink.begin("application/json", streaming=False, source=NoSource())
        middle = len(how) // 2
        invocation.sink.write(how[:middle])
        invocation.sink.write(how[middle:])
        invocation.sink.finish()

    @property
    def events(self) -> list[bytes]:
        return [invocation.event() for invocation in self.taken]


class EventRig:
    """`files(name)` are the records in a destination's file."""

    def __init__(
        self,
        folder: Path,
        *,
        slots: int = 1,
        settings: QueueSettings | None = None,
        dead_letter: str | None = None,
        **config: Any,
    ) -> None:
        self.clock = VirtualClock()
        self.folder = folder / "destinations"
        self.function = replace(function(folder), event_invoke=EventInvokeConfig(**config), dead_letter_arn=dead_letter)
        self.target = PlayedTarget(slots)
        self.attempts: list[EventAttempt] = []
        self.discarded: list[DiscardedEvent] = []
        self.troubles: list[str] = []
        self._known: dict[tuple[str, str | None], Invocable] = {}
        self.invocable = self.add(self.function, self.target)
        self.queue = EventQueue(
            self.clock,
            Destinations(self.folder, self.troubles.append),
            self,
            on_attempt=self.attempts.append,
            on_discard=self.discarded.append,
            settings=settings,
        )

    def add(self, known: Function, target: PlayedTarget) -> Invocable:
        """A function of this machine, reached by its alias or without a qualifier."""
        router = Router()
        router.add(target)
        invocable = Invocable(known, router, known.version)
        self._known[(known.name, None)] = self._known[(known.name, known.alias)] = invocable
        return invocable

    def find(self, name: str, qualifier: str | None) -> Invocable | None:
        return self._known.get((name, qualifier))

    def accept(self, payload: bytes = b'{"n":1}', request_id: str = "r1") -> bool:
        return self.queue.accept(self.invocable, payload, '{"client":1}', "Root=1-2-3", request_id)

    def fail(self, times: int, waits: tuple[float, ...] = (60.0, 120.0)) -> None:
        """The function answers its next `times` attempts with an error, time passing between them."""
        for number in range(times):
            self.target.end(FunctionError("ValueError", "no"))
            if number < len(waits):
                self.clock.advance(waits[number])

    def files(self, name: str) -> list[dict[str, Any]]:
        path = self.folder / f"{name}.jsonl"
        return [orjson.loads(line) for line in path.read_bytes().splitlines()] if path.exists() else []
