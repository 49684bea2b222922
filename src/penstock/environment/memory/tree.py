"""How much memory a tree of processes holds, where no cgroup counts it, and how long it has worked."""

import os
import sys
from pathlib import Path
from typing import Final

from penstock.model.limits import KIB

_PROC: Final = Path("/proc")
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
_TICKS: Final = os.sysconf("SC_CLK_TCK")


class ProcessTree:
    """What runs below process `top`, without what runs there when this is made: that is the platform's own."""

    def __init__(self, top: int) -> None:
        self._top = top
        self._ours = frozenset(_descendants(top))

    def holds_more_than(self, limit: int) -> bool:
        """Whether the processes hold more than `limit` bytes together. May take milliseconds for each GiB of theirs.

        What a process has in memory is cheap to read, but pages that forked workers share are counted for each; their
        exact share is read only when that sum is too much.
        """
        pids = self._pids()
        return sum(map(_resident, pids)) > limit and sum(map(_own_share, pids)) > limit

    def held(self) -> int:
        """Bytes that the processes hold together. Takes milliseconds for each GiB."""
        return sum(map(_own_share, self._pids()))

    def worked(self) -> float:
        """Processor time in seconds, with that of children which ended and were waited for."""
        return sum(map(_worked, self._pids()))

    def _pids(self) -> list[int]:
        return [pid for pid in _descendants(self._top) if pid not in self._ours]


if sys.platform == "linux":

    def _descendants(top: int) -> list[int]:
        found = _children(top)
        for pid in found:
            found.extend(_children(pid))
        return found

    def _children(pid: int) -> list[int]:
        found: list[int] = []
        try:
            for thread in (_PROC / str(pid) / "task").iterdir():
                found.extend(map(int, (thread / "children").read_text().split()))
        except OSError:  # it ended meanwhile
            pass
        return found

    def _resident(pid: int) -> int:
        try:
            return int((_PROC / str(pid) / "statm").read_text().split()[1]) * _PAGE_BYTES
        except OSError:
            return 0

    def _own_share(pid: int) -> int:
        """Its proportional share of what cannot be read again from a file (smaps_rollup in proc(5))."""
        try:
            lines = (_PROC / str(pid) / "smaps_rollup").read_text().splitlines()
        except OSError:  # it ended, or does not let itself be looked into
            return _resident(pid)
        kib = {fields[0]: int(fields[1]) for line in lines[1:] if len(fields := line.split()) > 1}
        # Since Linux 5.4 by kind; before, all of it.
        share = kib["Pss_Anon:"] + kib["Pss_Shmem:"] if "Pss_Anon:" in kib else kib.get("Pss:", 0)
        return share * KIB

    def _worked(pid: int) -> float:
        """utime, stime, cutime and cstime of proc_pid_stat(5), which stand behind the name in parentheses."""
        try:
            fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            return 0.0
        return sum(map(int, fields[11:15])) / _TICKS

else:
    import psutil

    def _descendants(top: int) -> list[int]:
        try:
            return [process.pid for process in psutil.Process(top).children(recursive=True)]
        except psutil.Error:
            return []

    def _resident(pid: int) -> int:
        try:
            return int(psutil.Process(pid).memory_info().rss)
        except psutil.Error:
            return 0

    def _own_share(pid: int) -> int:
        return _resident(pid)

    def _worked(pid: int) -> float:
        try:
            times = psutil.Process(pid).cpu_times()
        except psutil.Error:
            return 0.0
        return float(times.user + times.system + times.children_user + times.children_system)
