"""Faults on purpose: what may be broken, when, and which of them are due. Pure.

WHAT[=NAME]@WHEN    kill-runtime@request=10    kill-extension=lambda-adapter@seconds=5    fill-tmp@ready
"""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from penstock.model.errors import UserError


class Action(StrEnum):
    KILL_RUNTIME = "kill-runtime"
    KILL_EXTENSION = "kill-extension"
    """The one of that name; without a name, all external ones."""
    STALL_WORKER = "stall-worker"
    """What the worker answers to that request is never taken, and its slot never comes back."""
    FILL_TMP = "fill-tmp"
    DROP_LOG_SUBSCRIBER = "drop-log-subscriber"
    """Connections to those who subscribed to telemetry break, and no new ones can be made."""


class Moment(StrEnum):
    INIT = "init"
    """The runtime was started."""
    READY = "ready"
    REQUEST = "request"
    """The function's N-th request, counted over all its environments from 1, was handed to a worker."""
    SECONDS = "seconds"
    """So long after an environment became Ready."""


_SHAPE: Final = re.compile(r"([a-z-]+)(?:=([^@=]+))?@([a-z]+)(?:=([^=]+))?")
_ALLOWED: Final = (
    "a fault is WHAT@WHEN, with WHAT kill-runtime, kill-extension, kill-extension=NAME, stall-worker, fill-tmp or "
    "drop-log-subscriber, and WHEN init, ready, request=N or seconds=S; stall-worker only at request=N"
)


@dataclass(frozen=True, slots=True)
class Fault:
    """`text` is how it was asked for. `value` is the N of `request`, the S of `seconds`, else 0."""

    text: str
    action: Action
    name: str | None
    moment: Moment
    value: float


def parse_fault(text: str) -> Fault:
    """Raises UserError."""
    shape = _SHAPE.fullmatch(text)
    try:
        if shape is None:
            raise ValueError
        action, name, moment = Action(shape[1]), shape[2], Moment(shape[3])
        value = _read_value(moment, shape[4])
    except ValueError:
        raise _refusal(text) from None
    if name is not None and action is not Action.KILL_EXTENSION:
        raise _refusal(text)
    if action is Action.STALL_WORKER and moment is not Moment.REQUEST:
        raise _refusal(text)
    return Fault(text, action, name, moment, value)


def _read_value(moment: Moment, value: str | None) -> float:
    """Raises ValueError."""
    if moment is Moment.REQUEST and value is not None and value.isascii() and value.isdigit() and int(value) > 0:
        return int(value)
    if moment is Moment.SECONDS and value is not None and math.isfinite(seconds := float(value)) and seconds >= 0:
        return seconds
    if moment in (Moment.INIT, Moment.READY) and value is None:
        return 0
    raise ValueError


def _refusal(text: str) -> UserError:
    return UserError(f"--fault: {text!r} is not a fault: {_ALLOWED}")


class FaultPlan:
    """The faults of one function that are still to come: each happens once, in the environment that gets there first.

    `tell(environment_id, fault, effect)` is called for each that happened; `effect` says in words what was done.
    """

    def __init__(self, faults: Sequence[Fault], tell: Callable[[str, Fault, str], None]) -> None:
        self.tell = tell
        self._left = list(faults)
        self._requests = 0

    @property
    def delays(self) -> tuple[float, ...]:
        """Of the faults to come at `seconds`, how long after Ready each is due."""
        return tuple(fault.value for fault in self._left if fault.moment is Moment.SECONDS)

    def reached(self, moment: Moment) -> list[Fault]:
        """An environment is at `init` or `ready`."""
        return self._take(lambda fault: fault.moment is moment)

    def request(self) -> list[Fault]:
        """One more request was handed to a worker."""
        self._requests += 1
        return self._take(lambda fault: fault.moment is Moment.REQUEST and fault.value == self._requests)

    def lived(self, seconds: float) -> list[Fault]:
        """An environment has been Ready for so long."""
        return self._take(lambda fault: fault.moment is Moment.SECONDS and fault.value <= seconds)

    def _take(self, due: Callable[[Fault], bool]) -> list[Fault]:
        taken = [fault for fault in self._left if due(fault)]
        self._left = [fault for fault in self._left if fault not in taken]
        return taken
