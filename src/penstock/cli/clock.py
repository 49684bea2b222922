"""The real clock. The only one: every other room takes what it is given."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from penstock.model.clock import Timer

# How much of what was put off is done before the sockets are looked at again: in a burst of requests those that must
# be refused then wait for a few others to be started, not for all. 8 take well under a millisecond.
_AT_ONCE: Final = 8


class LoopClock:
    """A `Clock` over an event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._soon: deque[Callable[[], object]] = deque()
        self.epoch = time.time
        self.monotonic = time.monotonic

    def call_later(self, delay: float, callback: Callable[[], object]) -> Timer:
        return self._loop.call_later(delay, callback)

    def call_soon(self, callback: Callable[[], object]) -> None:
        if not self._soon:
            self._loop.call_soon(self._run_some)
        self._soon.append(callback)

    def _run_some(self) -> None:
        soon = self._soon
        try:
            for _ in range(min(_AT_ONCE, len(soon))):
                soon.popleft()()
        finally:  # also when one raised: the loop reports it and the others must not wait for ever
            if soon:
                self._loop.call_soon(self._run_some)
