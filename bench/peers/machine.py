"""What a measurement has to share the machine with."""

import os
import resource
from time import monotonic
from typing import Final

import psutil

_CPUS: Final = os.cpu_count() or 1


class Others:
    """CPU that neither a side nor its load used, summed over measurements: other processes, other guests of the host.

    It hits sides unequally: functions run at a lower priority than bare uvicorn, as the platform starts them.
    """

    def __init__(self) -> None:
        self._others_s = self._available_s = 0.0
        self._began = (0.0, 0.0, 0.0)

    def begin(self) -> None:
        self._began = _now()

    def end(self, side_s: float) -> None:
        """`side_s`: the CPU that the side has used since `begin`, in seconds."""
        wall, idle, own = (now - then for now, then in zip(_now(), self._began, strict=True))
        self._available_s += wall * _CPUS
        self._others_s += max(0.0, wall * _CPUS - idle - own - side_s)

    def __str__(self) -> str:
        return f"{self._others_s / self._available_s * 100:.0f}%" if self._available_s else "nothing"


def _now() -> tuple[float, float, float]:
    """Seconds: the time, what all processors have idled, and what this process and those it waited for have used."""
    times = psutil.cpu_times()
    own = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    idle = float(times.idle) + float(getattr(times, "iowait", 0.0))
    return monotonic(), idle, sum(one.ru_utime + one.ru_stime for one in own)
