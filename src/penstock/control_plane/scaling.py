"""The control side's one loop: what is measured, decided and carried out, beside the requests, never on their path."""

import asyncio
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Final

from penstock.control_plane.instances import Instances
from penstock.control_plane.usage import INTERVAL_S, UsageWatch
from penstock.model.clock import Clock

if TYPE_CHECKING:
    from penstock.control_plane.autoscaler import Autoscaler

# AWS's own interval is not published. Here capacity comes within a second, so it is decided about as soon (assumed).
TICK_S: Final = 0.25


class ScalingLoop:
    """`scaling` False only measures: the number of environments stays. `instances` may change while it runs, and so may
    the `autoscalers`.
    """

    def __init__(
        self,
        instances: Collection[Instances],
        usage: UsageWatch,
        clock: Clock,
        *,
        scaling: bool = True,
    ) -> None:
        self.instances = instances
        self.autoscalers: list[Autoscaler] = []
        self.looked: Callable[[], None] = lambda: None
        """Called when usage was looked at anew."""
        self.usage = usage
        self._clock = clock
        self._scaling = scaling
        self._looked = float("-inf")

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            now = self._clock.monotonic()
            if now - self._looked >= INTERVAL_S:
                self._looked = now
                await self._look()
                self.looked()
            self.tick(self._clock.monotonic())
            await asyncio.sleep(TICK_S)

    def tick(self, now: float) -> None:
        """One round of decisions."""
        for autoscaler in self.autoscalers:
            if self._scaling:
                autoscaler.tick(now)
        for instances in self.instances:
            instances.end_idle(now)
            old = instances.due_for_rotation(now)
            if old is not None:
                self.rotate(instances, old.instance.instance_id)

    def rotate(self, instances: Instances, instance_id: str) -> None:
        """Replace an instance: what is on it comes up elsewhere first."""
        live = instances.find(instance_id)
        if live is None:
            return
        instances.retire(live)
        for autoscaler in self.autoscalers:
            autoscaler.fleet.leave(live)

    async def _look(self) -> None:
        there = [
            (one, scaler.fleet.function.memory_mib) for scaler in self.autoscalers for one in scaler.fleet.environments
        ]
        await self.usage.look(there)
