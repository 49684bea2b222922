"""How long a running event loop takes to come round: a callback is handed to it from another thread, again and again.

A loop that is held up by one step of the app runs it late, and every request with it. Where it stands is told from the
stack of its thread.
"""

from __future__ import annotations

import sys
import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from .look import dict_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

PAUSE_S = 0.01
"""Between the end of one wait and the next one."""
BLOCKED_S = 0.05
"""`assumed`: half of what asyncio's debug mode calls slow, since every other request waits meanwhile.
https://docs.python.org/3/library/asyncio-dev.html#debug-mode"""
_MOST = 20_000


class Found(NamedTuple):
    """A running event loop and the thread it runs in."""

    loop: Any
    thread: int


def find_loop() -> Found | None:
    """The main thread's where it runs one, else another's. Loops are found in the local variables of who runs them:
    asyncio tells a thread of its own loop alone.
    """
    events = sys.modules.get("asyncio.events")
    if events is None:
        return None
    main = threading.main_thread().ident
    frames = sorted(sys._current_frames().items(), key=lambda pair: pair[0] != main)
    for thread, frame in frames:
        for value in _locals(frame):
            loop = _as_loop(value, events.AbstractEventLoop)
            if loop is not None and loop.is_running():
                return Found(loop, thread)
    return None


def _locals(frame: FrameType | None) -> Iterator[object]:
    while frame is not None:
        yield from list(frame.f_locals.values())
        frame = frame.f_back


def _as_loop(value: object, kind: type) -> Any:
    """`value`, or what it runs: asyncio.Runner, and servers that keep their loop."""
    if issubclass(type(value), kind):
        return value
    kept = dict_of(value)
    for name in ("_loop", "loop"):
        if issubclass(type(kept.get(name)), kind):
            return kept[name]
    return None


class LoopWatch:
    """Watches one loop from `start` to `stop`. `is_own` tells the app's own files."""

    def __init__(self, found: Found, is_own: Callable[[object], bool]) -> None:
        self._loop = found.loop
        self._watched = found.thread
        self._is_own = is_own
        self._delays: list[float] = []
        self._blocks: dict[str, list[float]] = {}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="penstock-loop-watch", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> dict[str, object]:
        """Seconds: each delay, and by place in the code those that took longer than `BLOCKED_S`."""
        self._stopped.set()
        self._thread.join(1.0)
        return {"delays": list(self._delays), "blocks": {place: list(took) for place, took in self._blocks.items()}}

    def _run(self) -> None:
        while not self._stopped.is_set() and len(self._delays) < _MOST:
            try:
                self._ping()
            except RuntimeError:  # the loop was closed
                return
            self._stopped.wait(PAUSE_S)

    def _ping(self) -> None:
        """Hand over one callback and wait for it."""
        came = threading.Event()
        at: list[float] = []

        def beat() -> None:
            at.append(time.monotonic())
            came.set()

        sent = time.monotonic()
        self._loop.call_soon_threadsafe(beat)
        place = ""
        while True:
            looked, worked = time.monotonic(), time.process_time()
            done = came.wait(BLOCKED_S)
            if _stood_still(time.monotonic() - looked - BLOCKED_S, time.process_time() - worked):
                return
            if done or self._stopped.is_set():
                break
            place = place or self._place()
        took = (at[0] if at else time.monotonic()) - sent
        self._delays.append(took)
        if place and took > BLOCKED_S:
            self._blocks.setdefault(place, []).append(took)

    def _place(self) -> str:
        """`main.py:42 in report`: the innermost line of the app's own, else of anybody's."""
        frame = sys._current_frames().get(self._watched)
        innermost = frame
        while frame is not None and not self._is_own(frame.f_code.co_filename):
            frame = frame.f_back
        shown = frame or innermost
        if shown is None:
            return ""
        file = shown.f_code.co_filename.replace("\\", "/").rsplit("/", 1)[-1]
        return f"{file}:{shown.f_lineno} in {shown.f_code.co_name}"


def _stood_still(late: float, worked: float) -> bool:
    """Whether this thread itself came late and the process did not work meanwhile: the machine gave it no time, which
    is nobody's fault. Both in seconds.
    """
    return late > BLOCKED_S / 2 and worked < late / 2
