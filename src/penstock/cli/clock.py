"""The real clock. The only one: every other room takes what it is given."""

import asyncio
import time
from collections.abc import Callable

from penstock.model.clock import Timer


class LoopClock:
    """A `Clock` over the running event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.epoch = time.time
        self.monotonic = time.monotonic
        self.call_soon: Callable[[Callable[[], object]], object] = loop.call_soon

    def call_later(self, delay: float, callback: Callable[[], object]) -> Timer:
        return self._loop.call_later(delay, callback)
