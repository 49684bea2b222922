"""Nothing is left behind: kill every descendant, and remove what an environment wrote.

The caller has made itself the one that adopts orphans, so that no descendant can leave its tree.
"""

import contextlib
import os
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Iterable

# Even SIGKILL waits for a process inside the kernel, say on a dead network disk; after this long it is given up.
GIVE_UP_S = 8.0
_PAUSE_S = 0.002


def reap() -> dict[int, int]:
    """Collect every child that has ended: its pid and wait status."""
    ended: dict[int, int] = {}
    with contextlib.suppress(ChildProcessError):
        while (waited := os.waitpid(-1, os.WNOHANG))[0]:
            ended[waited[0]] = waited[1]
    return ended


def descendants(of: int) -> list[int]:
    """Every process below `of` in the process table (Linux's /proc; elsewhere there is none to read)."""
    if sys.platform != "linux":
        return []
    children: dict[int, list[int]] = defaultdict(list)
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (parent := _parent_of(entry)) is not None:
            children[parent].append(int(entry))
    found = list(children[of])
    for pid in found:
        found.extend(children[pid])
    return found


def _parent_of(pid: str) -> int | None:
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            # The name in parentheses may itself hold spaces and parentheses; state and parent follow the last one.
            return int(stat.read().rpartition(b")")[2].split()[1])
    except (OSError, IndexError, ValueError):
        return None


def kill_descendants(groups: Iterable[int] = ()) -> None:
    """SIGKILL the process groups and everything below this process, until nothing is left.

    A reading of the process table may miss one that forks and ends all the time. Having no child at all cannot be
    mistaken: whatever is below this process hangs from one of its children.
    """
    for group in groups:
        _kill(-group)
    give_up = time.monotonic() + GIVE_UP_S
    while not _is_childless() and time.monotonic() < give_up:
        for pid in descendants(os.getpid()):
            _kill(pid)
        time.sleep(_PAUSE_S)


def _is_childless() -> bool:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return True
    return False


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)


def remove_tree(top: str) -> None:
    """Remove a directory, also when what ran in it took away its own right to. What still resists stays."""
    for folder, names, _ in os.walk(top):
        for name in names:
            path = os.path.join(folder, name)
            if not os.path.islink(path):
                with contextlib.suppress(OSError):
                    os.chmod(path, 0o700)
    for folder, names, files in os.walk(top, topdown=False):
        for name in (*names, *files):
            path = os.path.join(folder, name)
            with contextlib.suppress(OSError):
                os.rmdir(path) if os.path.isdir(path) and not os.path.islink(path) else os.unlink(path)
    with contextlib.suppress(OSError):
        os.rmdir(top)
