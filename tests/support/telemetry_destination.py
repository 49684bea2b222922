"""A subscriber's destination under the test's control."""

import asyncio
from collections.abc import Sequence

from penstock.telemetry_api.destinations import DeliveryError


class HeldDestination:
    """Keeps every batch that is sent. While `hold` is cleared a batch stays under way; `fault` makes sending fail."""

    def __init__(self) -> None:
        self.batches: list[list[bytes]] = []
        self.fault = ""
        self.closed = False
        self.hold = asyncio.Event()
        self.hold.set()
        self._news = asyncio.Condition()

    async def open(self) -> None:
        """Nothing."""

    async def send(self, events: Sequence[bytes]) -> None:
        async with self._news:
            self.batches.append(list(events))
            self._news.notify_all()
        await self.hold.wait()
        if self.fault:
            raise DeliveryError(self.fault)

    def close(self) -> None:
        self.closed = True

    async def sent(self, count: int) -> list[list[bytes]]:
        """All batches, once there are `count`."""
        async with self._news:
            await asyncio.wait_for(self._news.wait_for(lambda: len(self.batches) >= count), 20.0)
        return self.batches
