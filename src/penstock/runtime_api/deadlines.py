"""The deadlines of one environment's invocations, under one timer: nearly every invocation ends long before its own."""

from collections.abc import Callable, Mapping

from penstock.model.clock import Clock, Timer
from penstock.runtime_api.running import Running


class Deadlines:
    """Calls `expire(running)` at the deadline of each invocation in `running`, which the owner keeps."""

    def __init__(self, clock: Clock, running: Mapping[str, Running], expire: Callable[[Running], None]) -> None:
        self._clock = clock
        self._running = running
        self._expire = expire
        self._due = 0.0
        self._timer: Timer | None = None

    def add(self, running: Running) -> None:
        """`running` has begun."""
        due = running.invocation.deadline
        if self._timer is None or due < self._due:
            self._arm(due)

    def removed(self) -> None:
        """An invocation ended."""
        if self._timer and not self._running:
            self._timer.cancel()
            self._timer = None

    def _arm(self, due: float) -> None:
        if self._timer:
            self._timer.cancel()
        self._due = due
        self._timer = self._clock.call_later(max(0.0, due - self._clock.monotonic()), self._look)

    def _look(self) -> None:
        self._timer = None
        now = self._clock.monotonic()
        for running in [one for one in self._running.values() if one.started and one.invocation.deadline <= now]:
            self._expire(running)
        left = [one.invocation.deadline for one in self._running.values() if one.started]
        if left:
            self._arm(min(left))
