"""The slots and environments that a stated load needs. Pure."""

import math
from dataclasses import dataclass
from typing import Final

HEADROOM: Final = 1.5
"""As AWS's own calculator has it: https://github.com/aws-samples/sample-aws-lambda-managed-instances"""
CPU_SHARE: Final = 0.7
"""`assumed`: how busy an environment's vCPUs are to be, as the service was seen to settle at under load."""


@dataclass(frozen=True, slots=True)
class Load:
    """`rps` requests a second. `duration` is that of a request in seconds; None: as measured."""

    rps: float
    duration: float | None = None


@dataclass(frozen=True, slots=True)
class Sizing:
    """`slots` are requests at a time with headroom. `environments` is the larger of what those and `vcpus` need, which
    is None where CPU time could not be read.
    """

    load: Load
    duration: float
    slots: int
    environments: int
    vcpus: float | None


def size(load: Load, measured_s: float, concurrency: int, cpu_s: float | None, vcpus_each: float) -> Sizing:
    """Requests at a time are rate times duration (Little's law). `concurrency` is that of one environment, `cpu_s` the
    processor time of one request, `vcpus_each` what one environment has.
    """
    duration = measured_s if load.duration is None else load.duration
    # What is a whole number is not to become one more by the way it is written in binary.
    slots = max(1, math.ceil(round(load.rps * duration * HEADROOM, 9)))
    by_slots = math.ceil(slots / max(1, concurrency))
    vcpus = None if cpu_s is None else load.rps * cpu_s
    by_cpu = 0 if vcpus is None else math.ceil(round(vcpus / (CPU_SHARE * vcpus_each), 9))
    return Sizing(load, duration, slots, max(1, by_slots, by_cpu), vcpus)
