"""Memory and processor time of an environment, looked at while it works."""

import asyncio
from collections.abc import Callable
from typing import Final

from penstock.environment.memory import Usage
from penstock.model.clock import Clock

_PAUSE_S: Final = 0.05
_SHARE: Final = 10
"""Looking may take one part of so many: where no cgroup counts memory, it is added up process by process."""

ReadUsage = Callable[[], Usage | None]


class Sampler:
    """`peak` is the most bytes seen since `start`; None when nothing could be read."""

    def __init__(self, read: ReadUsage, clock: Clock) -> None:
        self._read = read
        self._clock = clock
        self.peak: int | None = None
        self._looking: asyncio.Task[None] | None = None

    async def look(self) -> Usage | None:
        usage = await asyncio.to_thread(self._read)
        if usage is not None:
            self.peak = max(self.peak or 0, usage.memory_bytes)
        return usage

    def start(self) -> None:
        self.peak = None
        self._looking = asyncio.get_running_loop().create_task(self._go_on())

    async def _go_on(self) -> None:
        while True:
            began = self._clock.monotonic()
            await self.look()
            await asyncio.sleep(max(_PAUSE_S, _SHARE * (self._clock.monotonic() - began)))

    async def stop(self) -> None:
        if self._looking:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
            self._looking = None
