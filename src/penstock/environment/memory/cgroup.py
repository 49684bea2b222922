"""Memory cgroups: how one is limited, and what it tells.

https://docs.kernel.org/admin-guide/cgroup-v2.html#memory
https://docs.kernel.org/admin-guide/cgroup-v1/memory.html
"""

import contextlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final


@dataclass(frozen=True, slots=True)
class _Files:
    """What the files of a version are called. `no_swap` is a file and what to write to it, so that memory over the
    limit is not swapped out instead: there is no swap on Lambda (assumed). `anonymous` is a line of memory.stat.
    """

    limit: str
    no_swap: tuple[str, str]
    used: str
    events: str
    anonymous: str


_VERSIONS: Final = {
    1: _Files(
        "memory.limit_in_bytes",
        ("memory.memsw.limit_in_bytes", "{limit}"),
        "memory.usage_in_bytes",
        "memory.oom_control",
        "rss",
    ),
    2: _Files("memory.max", ("memory.swap.max", "0"), "memory.current", "memory.events", "anon"),
}


class MemoryCgroup:
    """One environment's. `limit` is its MemorySize in bytes; nothing is limited before `set_limits`."""

    def __init__(self, path: Path, version: int, limit: int) -> None:
        self.path = path
        self.limit = limit
        self._files = _VERSIONS[version]

    def set_limits(self, tmp_bytes: int) -> None:
        """Raises OSError.

        A /tmp of the environment's own is a tmpfs, so the kernel counts its files as memory, which on AWS they are not:
        its limit is raised by `tmp_bytes`, and `is_over` compares what the processes themselves hold with `limit`.
        """
        limit = self.limit + tmp_bytes
        (self.path / self._files.limit).write_text(str(limit))
        no_swap, value = self._files.no_swap
        self._write_if_there(no_swap, value.format(limit=limit))
        # Version 2 can end the whole group at once; with version 1 the platform does when it sees the first kill.
        self._write_if_there("memory.oom.group", "1")

    def _write_if_there(self, name: str, value: str) -> None:
        # Kernels without swap accounting, or before Linux 4.19, lack them.
        if (self.path / name).exists():
            (self.path / name).write_text(value)

    def open_alarm(self) -> int | None:
        """A descriptor that becomes readable when the kernel begins to kill, for the caller to close; with version 2,
        where that ends the whole group and with it the runtime, there is none. Raises OSError.

        https://docs.kernel.org/admin-guide/cgroup-v1/memory.html#oom-control
        """
        control = self.path / "cgroup.event_control"
        if sys.platform != "linux" or not control.exists():
            return None
        alarm = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        try:
            with (self.path / self._files.events).open() as events:
                control.write_text(f"{alarm} {events.fileno()}")
        except OSError:
            os.close(alarm)
            raise
        return alarm

    def is_over(self) -> bool:
        """Whether the kernel killed a process for want of memory, or the processes hold more than `limit`.

        Some ten microseconds: memory.stat, which is slow, is only read when even caches and files would be too much.
        """
        try:
            if read_flat(self.path / self._files.events).get("oom_kill", 0):
                return True
            if int((self.path / self._files.used).read_text()) <= self.limit:
                return False
            return read_flat(self.path / "memory.stat").get(self._files.anonymous, 0) > self.limit
        except (OSError, ValueError):  # it was removed with its environment
            return False

    def held(self) -> int:
        """Bytes that the processes hold, without caches and files. Raises OSError or ValueError once it was removed."""
        return read_flat(self.path / "memory.stat").get(self._files.anonymous, 0)

    def remove(self) -> None:
        """Once no process is in it. It may be gone already."""
        with contextlib.suppress(OSError):
            self.path.rmdir()


def read_flat(path: Path) -> dict[str, int]:
    """A file of `name number` lines."""
    pairs = (line.split() for line in path.read_text().splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2}
