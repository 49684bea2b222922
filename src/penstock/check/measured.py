"""What a run has measured, as values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from penstock.check.answers import Answer
from penstock.check.inside.penstock_probe.look import Slot


@dataclass(frozen=True, slots=True)
class Sighting:
    """What the modules of one process held at a moment: after `requests` requests of the run, `level` of them at once;
    0 before the first level. `process` tells processes apart.
    """

    process: int
    level: int
    requests: int
    slots: Mapping[str, Slot]


@dataclass(frozen=True, slots=True)
class LoopDelays:
    """Seconds that an event loop took to come round. `blocks` are those worth telling, by place in the code."""

    delays: tuple[float, ...]
    blocks: Mapping[str, tuple[float, ...]]


@dataclass(frozen=True, slots=True)
class Level:
    """`concurrency` requests at once for `seconds`. `cpu_s` and `peak_bytes` are the whole environment's, None where
    they could not be read; `loop` is None where no event loop was seen. `died` is how the environment ended, or empty.
    """

    concurrency: int
    seconds: float
    answers: tuple[Answer, ...]
    cpu_s: float | None = None
    peak_bytes: int | None = None
    loop: LoopDelays | None = None
    died: str = ""

    @property
    def durations(self) -> list[float]:
        """Of the answers that are as they should be, in seconds."""
        return [answer.seconds for answer in self.answers if answer.is_ok]


@dataclass(frozen=True, slots=True)
class Environment:
    """What the environment is, by its template. `shares_process` is false where each slot is a process of its own."""

    memory_bytes: int
    vcpus: float
    max_concurrency: int
    shares_process: bool


@dataclass(frozen=True, slots=True)
class Measured:
    """A whole run, its levels from 1 request at a time on. `idle_cpu` is what the environment works with nothing to do,
    in seconds a second. `processes` is how many could be looked into, 0 for an app that is not Python's.
    """

    environment: Environment
    targets: Sequence[str]
    levels: Sequence[Level]
    idle_cpu: float = 0.0
    sightings: Sequence[Sighting] = ()
    processes: int = 0
