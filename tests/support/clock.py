"""Time that moves only when a test says so."""

import heapq
from collections.abc import Callable
from itertools import count


class VirtualTimer:
    def __init__(self, due: float, order: int, callback: Callable[[], object]) -> None:
        self.due = due
        self._order = order
        self.callback: Callable[[], object] | None = callback

    def cancel(self) -> None:
        self.callback = None

    def __lt__(self, other: "VirtualTimer") -> bool:
        return (self.due, self._order) < (other.due, other._order)


class VirtualClock:
    """A `penstock.model.clock.Clock`. Timers fire inside `advance`, in the order they are due."""

    def __init__(self, epoch: float = 1_700_000_000.0) -> None:
        self._start = epoch
        self._now = 0.0
        self._order = count()
        self._timers: list[VirtualTimer] = []

    def epoch(self) -> float:
        return self._start + self._now

    def monotonic(self) -> float:
        return self._now

    def call_soon(self, callback: Callable[[], object]) -> None:
        """At once: where nothing else comes in, that is soon enough."""
        callback()

    def call_later(self, delay: float, callback: Callable[[], object]) -> VirtualTimer:
        timer = VirtualTimer(self._now + delay, next(self._order), callback)
        heapq.heappush(self._timers, timer)
        return timer

    @property
    def waiting(self) -> int:
        """Timers that will still fire."""
        return sum(timer.callback is not None for timer in self._timers)

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass; a timer sees the moment it was due."""
        end = self._now + seconds
        while self._timers and self._timers[0].due <= end:
            timer = heapq.heappop(self._timers)
            self._now = timer.due
            if timer.callback:
                timer.callback()
        self._now = end


class DeferringClock(VirtualClock):
    """What is to happen soon happens in `run_soon`, so that something else can come first."""

    def __init__(self) -> None:
        super().__init__()
        self.soon: list[Callable[[], object]] = []

    def call_soon(self, callback: Callable[[], object]) -> None:
        self.soon.append(callback)

    def run_soon(self) -> None:
        while self.soon:
            self.soon.pop(0)()
