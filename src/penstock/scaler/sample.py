"""What is known of a function version's environments at one moment."""

from dataclasses import dataclass
from typing import NamedTuple


class EnvironmentSample(NamedTuple):
    """`in_flight` requests now, and `peak` the most since the last sample. `cpu` in vCPUs used on average since the
    last sample, and `memory` from 0 to 1 of MemorySize; None where they were not measured.
    """

    slots: int
    in_flight: int
    peak: int
    cpu: float | None = None
    memory: float | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """`starting`: environments on their way. `throttles`: requests refused since the last sample. An empty sample is no
    data.
    """

    environments: tuple[EnvironmentSample, ...]
    starting: int = 0
    throttles: int = 0

    @property
    def ready(self) -> int:
        return len(self.environments)

    @property
    def slots(self) -> int:
        return sum(one.slots for one in self.environments)

    @property
    def peak(self) -> int:
        return sum(one.peak for one in self.environments)

    @property
    def cpu(self) -> float | None:
        """vCPUs used by all that were measured; None when none was."""
        used = [one.cpu for one in self.environments if one.cpu is not None]
        return sum(used) if used else None

    @property
    def memory(self) -> float | None:
        """The average share of memory in use; None unless something was measured."""
        held = [one.memory for one in self.environments if one.memory is not None]
        return sum(held) / len(held) if held else None
