"""An invocation and the ports it travels through: Source <- Sink, Router -> Target.

One invocation's way: a door builds it with its own Sink, the router hands it to a Target, the Target's
Runtime API writes the function's answer straight into the Sink. No task, no queue in between.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from penstock.model.errors import InvocationError


class Source(Protocol):
    """Where response bytes come from; a sink that is full pauses it."""

    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...


class Sink(Protocol):
    """Where one invocation's answer goes. Called in this order, from the event loop:
    `begin` once, `write` any number of times, then exactly one of `finish` and `fail`;
    or `fail` alone. Nothing is called after `finish` or `fail`.
    """

    def begin(self, content_type: str, *, streaming: bool, source: Source) -> None:
        """The function began to answer. `source` is paused and resumed by the sink's own backpressure."""

    def write(self, chunk: bytes) -> None: ...

    def finish(self) -> None:
        """The answer is complete and was successful."""

    def fail(self, error: InvocationError) -> None:
        """The invocation failed; bytes already written may have reached the caller."""


@dataclass(slots=True, eq=False)
class Invocation:
    """One call of a function. `event()` makes the bytes that are handed to the runtime; it is called once a worker is
    reserved, so that a call that is refused costs nothing.

    `deadline` is absolute in `Clock.monotonic()` seconds; `deadline_ms` the same moment as epoch milliseconds,
    which is what the Runtime API sends. `client_context` and `cognito_identity` are JSON text or empty.
    """

    request_id: str
    function_arn: str
    event: Callable[[], bytes]
    sink: Sink
    deadline: float
    deadline_ms: int
    timeout_s: int
    trace_id: str = ""
    content_type: str = "application/json"
    client_context: str = ""
    cognito_identity: str = ""
    environment_id: str = ""
    """Filled in by the Target that took it."""
    cancel: Callable[[InvocationError], None] | None = None
    """Filled in by the Target that took it, until the invocation ends: fails it, and the worker hears that nobody wants
    its answer.
    """


class Target(Protocol):
    """One execution environment as the router sees it."""

    @property
    def environment_id(self) -> str: ...

    @property
    def free_slots(self) -> int:
        """Workers waiting for an invocation right now. 0 while draining."""

    @property
    def in_flight(self) -> int: ...

    def invoke(self, invocation: Invocation) -> bool:
        """Give the invocation to a waiting worker. False, and nothing happened, when none is left."""
