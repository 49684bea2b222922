"""An event loop on which nobody waits: when nothing is ready its clock jumps to the next timer. Sockets are real.

A grace of a millisecond goes before every jump, for what a socket of this process is about to bring.
"""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
_GRACE_S = 0.001


class _Selector(selectors.DefaultSelector):
    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout <= 0:
            return super().select(timeout)
        ready = super().select(min(timeout, _GRACE_S))
        if not ready:
            self.now += timeout
        return ready


class HastyLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._hasty = _Selector()
        super().__init__(self._hasty)

    def time(self) -> float:
        return self._hasty.now


def run_hastily(story: Coroutine[Any, Any, T]) -> T:
    """The result of `story`; its loop's clock begins at 0."""
    with asyncio.Runner(loop_factory=HastyLoop) as runner:
        return runner.run(story)
