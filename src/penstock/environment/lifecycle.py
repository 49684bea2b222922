"""The states of an execution environment and the only moves between them.

Busy is not a state: it is slots in use. Names follow
https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-execution-environment.html
"""

from enum import StrEnum
from typing import Final


class State(StrEnum):
    STARTING = "Starting"
    """The sandbox is being made."""
    INITIALIZING = "Initializing"
    """Extensions and the runtime start, until both wait for events."""
    READY = "Ready"
    """Takes invocations."""
    DRAINING = "Draining"
    """Takes no more; those in flight go on."""
    SHUTTING_DOWN = "ShuttingDown"
    """Processes are being told to end."""
    STOPPED = "Stopped"
    """Nothing of it is left, as intended."""
    FAILED = "Failed"
    """Nothing of it is left, because it could not start or died."""


TRANSITIONS: Final[dict[State, frozenset[State]]] = {
    State.STARTING: frozenset({State.INITIALIZING, State.SHUTTING_DOWN}),
    State.INITIALIZING: frozenset({State.READY, State.SHUTTING_DOWN}),
    State.READY: frozenset({State.DRAINING, State.SHUTTING_DOWN}),
    State.DRAINING: frozenset({State.SHUTTING_DOWN}),
    State.SHUTTING_DOWN: frozenset({State.STOPPED, State.FAILED}),
    State.STOPPED: frozenset(),
    State.FAILED: frozenset(),
}


class Lifecycle:
    """Holds the state and refuses every move that is not in the table."""

    def __init__(self) -> None:
        self.state = State.STARTING

    def move(self, target: State) -> None:
        """Raises RuntimeError, naming both states, when the table does not have the move."""
        if target not in TRANSITIONS[self.state]:
            raise RuntimeError(f"an execution environment cannot go from {self.state} to {target}")
        self.state = target
