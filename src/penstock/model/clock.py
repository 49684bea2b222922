"""Time as a port. Only `cli` makes a real clock; every other room is handed one, or is handed `now`."""

from collections.abc import Callable
from typing import Protocol


class Timer(Protocol):
    def cancel(self) -> None: ...


class Clock(Protocol):
    def epoch(self) -> float:
        """Seconds since 1970, UTC."""

    def monotonic(self) -> float:
        """Seconds that never go back; the unit of every duration and deadline."""

    def call_soon(self, callback: Callable[[], object]) -> object:
        """Run `callback` once, when what has come in already was looked at."""

    def call_later(self, delay: float, callback: Callable[[], object]) -> Timer:
        """Run `callback` once, `delay` seconds from now, unless the timer is cancelled first."""
