"""One subscriber: its batches, and the task that sends them one after the other."""

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from penstock.model.clock import Clock, Timer
from penstock.model.limits import MIB
from penstock.telemetry_api.destinations import DeliveryError, Destination
from penstock.telemetry_api.events import Category, Dropped

if TYPE_CHECKING:
    from penstock.telemetry_api.subscription import Buffering

# What may wait for one subscriber while its last batch is under way (assumed: the emulator lets nothing wait, and
# loses a burst that a healthy subscriber could take). More than a whole backlog.
MAX_WAITING_BYTES: Final = 8 * MIB
# As the emulator named in `messages` words it.
TOO_SLOW: Final = "Some logs were dropped because the downstream consumer is slower than the logs production rate"


@dataclass(slots=True)
class _Batch:
    events: list[bytes] = field(default_factory=list)
    size: int = 0


class Subscriber:
    """Takes events without ever waiting. What it cannot deliver is lost to it alone, counted, and told to it as
    `platform.logsDropped` at the head of the next batch that arrives, when it takes platform events.

    The emulator tells it to all subscribers at once. Two that are dead would then keep each other busy for ever.
    """

    def __init__(
        self, categories: frozenset[Category], buffering: "Buffering", destination: Destination, clock: Clock
    ) -> None:
        self._categories = categories
        self._buffering = buffering
        self._destination = destination
        self._clock = clock
        self._batch = _Batch()
        self._timer: Timer | None = None
        self._waiting: deque[_Batch] = deque()
        self._waiting_bytes = 0
        self._dropped = Dropped()
        self._due = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._sender = asyncio.get_running_loop().create_task(self._send())

    def offer(self, category: Category, event: bytes) -> None:
        """Take one event if it is of a category asked for."""
        if category not in self._categories:
            return
        batch = self._batch
        batch.events.append(event)
        batch.size += len(event)
        if len(batch.events) >= self._buffering.max_items or batch.size >= self._buffering.max_bytes:
            self._end_batch()
        elif self._timer is None:
            self._timer = self._clock.call_later(self._buffering.timeout_ms / 1000, self._end_batch)

    async def flush(self) -> None:
        """Send what there is now; return when all of it was sent or lost."""
        if self._batch.events or self._owes_notice:
            self._end_batch()
        await self._idle.wait()

    async def close(self) -> None:
        """Send nothing more."""
        self._stop_timer()
        self._sender.cancel()
        await asyncio.wait((self._sender,))
        self._destination.close()

    @property
    def _owes_notice(self) -> bool:
        return self._dropped.records > 0 and "platform" in self._categories

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _end_batch(self) -> None:
        self._stop_timer()
        batch, self._batch = self._batch, _Batch()
        if self._waiting_bytes + batch.size > MAX_WAITING_BYTES:
            self._dropped.add(batch.size, len(batch.events), TOO_SLOW)
            return
        self._waiting.append(batch)
        self._waiting_bytes += batch.size
        self._idle.clear()
        self._due.set()

    async def _send(self) -> None:
        while True:
            await self._due.wait()
            while self._waiting:
                batch = self._waiting.popleft()
                self._waiting_bytes -= batch.size
                await self._deliver(batch)
            self._due.clear()
            self._idle.set()

    async def _deliver(self, batch: _Batch) -> None:
        notice = [self._dropped.encode(self._clock.epoch())] if self._owes_notice else []
        told, self._dropped = self._dropped, Dropped()
        try:
            await self._destination.send([*notice, *batch.events])
        except DeliveryError as error:
            records = len(batch.events) + told.records
            self._dropped.add(batch.size + told.size, records, f"could not send events: {error}")
