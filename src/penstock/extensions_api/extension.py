"""One extension and the states it may pass through."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final
from uuid import uuid4

from penstock.wire.http_server import HttpConnection


class State(StrEnum):
    STARTED = "Started"
    REGISTERED = "Registered"
    READY = "Ready"
    RUNNING = "Running"
    INIT_ERROR = "InitError"
    EXIT_ERROR = "ExitError"


# Everything not listed is refused with 403.
TRANSITIONS: Final[dict[State, frozenset[State]]] = {
    State.STARTED: frozenset({State.REGISTERED}),
    State.REGISTERED: frozenset({State.READY, State.INIT_ERROR, State.EXIT_ERROR}),
    State.READY: frozenset({State.RUNNING, State.EXIT_ERROR}),
    State.RUNNING: frozenset({State.READY, State.EXIT_ERROR}),
    State.INIT_ERROR: frozenset({State.INIT_ERROR}),
    State.EXIT_ERROR: frozenset({State.EXIT_ERROR}),
}


@dataclass(slots=True, eq=False)
class Extension:
    """External extensions are files in /opt/extensions; internal ones are whoever else registers."""

    name: str
    external: bool
    state: State = State.STARTED
    identifier: str = field(default_factory=lambda: str(uuid4()))
    events: tuple[str, ...] = ()
    poll: HttpConnection | None = None
    """The connection parked in `event/next`, to which the next event goes."""

    def move(self, target: State) -> bool:
        """Make the transition if the table has it."""
        if target not in TRANSITIONS[self.state]:
            return False
        self.state = target
        return True
