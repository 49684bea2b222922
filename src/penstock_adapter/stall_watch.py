"""Notices when the app holds up the event loop, which stalls every slot, and tells where it stands.

A timer in the loop beats; a thread looks whether it still does. Nothing of it touches a request.
"""

import asyncio
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Final

# `assumed`: asyncio's own debug mode speaks up at 0.1 s, which the import of a module or a garbage collection may take.
DEFAULT_STALL_S: Final = 1.0
# The beat, and the looks at it, in parts of what counts as a stall.
_BEATS: Final = 4
_FRAMES_SHOWN: Final = 20


class StallRule:
    """When to tell. Pure: `now` and `beat` are seconds of one monotonic clock, `cpu` those the process has worked."""

    def __init__(self, threshold_s: float) -> None:
        self._threshold_s = threshold_s
        self._looked: float | None = None
        self._cpu = 0.0
        self._told_of = -1.0

    def is_stall(self, now: float, beat: float, cpu: float) -> bool:
        """Whether the loop has stood still since `beat` for long enough, once for each stall.

        A look that itself comes late, without the process having worked, shows that all of it stood still, as ordinary
        Lambda freezes it between invocations: that is nobody's fault, and the loop gets its time anew.
        """
        passed = 0.0 if self._looked is None else now - self._looked
        worked = cpu - self._cpu
        self._looked, self._cpu = now, cpu
        if passed > self._threshold_s and worked < passed / 2:
            self._told_of = beat
            return False
        if now - beat <= self._threshold_s or beat == self._told_of:
            return False
        self._told_of = beat
        return True


class StallWatch:
    """Watches the running loop from `start` to `stop`. `tell` is called in a thread of its own."""

    def __init__(self, threshold_s: float, tell: Callable[[str], None]) -> None:
        """`threshold_s`: how long the loop may stand still, in seconds; 0 watches nothing."""
        self._threshold_s = threshold_s
        self._tell = tell
        self._rule = StallRule(threshold_s)
        self._beat = 0.0
        self._stopped = threading.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._watched = 0

    def start(self) -> None:
        """Begins to watch the loop that runs, in the thread that runs it."""
        if self._threshold_s <= 0:
            return
        self._watched = threading.get_ident()
        self._live(asyncio.get_running_loop())
        threading.Thread(target=self._watch, name="penstock-stall-watch", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()
        if self._timer is not None:
            self._timer.cancel()

    def _live(self, loop: asyncio.AbstractEventLoop) -> None:
        self._beat = time.monotonic()
        self._timer = loop.call_later(self._threshold_s / _BEATS, self._live, loop)

    def _watch(self) -> None:
        while not self._stopped.wait(self._threshold_s / _BEATS):
            beat = self._beat
            if self._rule.is_stall(time.monotonic(), beat, time.process_time()):
                stood = time.monotonic() - beat
                self._tell(
                    f"the event loop has stood still for {stood:.1f} s, and every request with it: "
                    f"await what takes long, or give it a thread (asyncio.to_thread)\n{self._stack()}"
                )

    def _stack(self) -> str:
        frame = sys._current_frames().get(self._watched)
        return "".join(traceback.format_list(traceback.extract_stack(frame)[-_FRAMES_SHOWN:])) if frame else ""
