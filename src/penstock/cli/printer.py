"""Writes to stdout from a thread of its own: a terminal or pipe that is not read must never hold up a request."""

import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final

_MOST_WAITING: Final = 10_000
"""Lines kept for a stdout that does not move; what comes on top is counted and left out."""
_GATHER_SECONDS: Final = 0.02


class Printer:
    """`put` takes anything that `render` turns into text; rendering happens in the thread too."""

    def __init__(self, write: Callable[[str], object] | None = None) -> None:
        self._write = write or _write_stdout
        self._waiting: deque[Callable[[], str]] = deque()
        self._left_out = 0
        self._wake = threading.Event()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="penstock-printer", daemon=True)
        self._thread.start()

    def put(self, render: Callable[[], str]) -> None:
        """Print what `render` returns, soon. Never blocks."""
        if len(self._waiting) >= _MOST_WAITING:
            self._left_out += 1
            return
        self._waiting.append(render)
        if not self._wake.is_set():
            self._wake.set()

    def close(self, seconds: float = 1.0) -> None:
        """Print what is left, giving a stuck stdout at most `seconds`."""
        self._closed = True
        self._wake.set()
        self._thread.join(seconds)

    def _run(self) -> None:
        while True:
            self._wake.wait()
            if not self._closed:
                # Let a few lines gather: waking for each would cost the event loop more than printing does.
                time.sleep(_GATHER_SECONDS)
            self._wake.clear()
            closed = self._closed
            if not self._print_waiting() or closed:
                return

    def _print_waiting(self) -> bool:
        """False when nobody reads stdout any more."""
        while self._waiting:
            lines = [self._waiting.popleft()() for _ in range(len(self._waiting))]
            if self._left_out:
                lines.append(f"... {self._left_out} lines left out: stdout was not read\n")
                self._left_out = 0
            text = "".join(lines)
            try:
                self._write(text)
            except UnicodeEncodeError:  # a terminal of fewer letters
                self._write(text.encode("ascii", "backslashreplace").decode())
            except (OSError, ValueError):
                return False
        return True


def _write_stdout(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
