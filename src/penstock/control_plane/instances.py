"""The managed instances of one capacity provider: launched when an environment needs room, ended when they are empty.

On AWS each is a machine. Here all of them are this one: an instance is an agent, and a share of the vCPUs and memory
that the capacity provider may have. What decides is `placement`; this carries it out.
https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-capacity-providers.html
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final, TypeAlias

from penstock.agent import Agent
from penstock.environment.environment import Environment
from penstock.model import ids
from penstock.model.clock import Clock
from penstock.model.errors import StartError
from penstock.model.function import CapacityProvider
from penstock.model.instances import InstanceState, ManagedInstance, allowed_types, zones_of
from penstock.placement import (
    Fleet,
    Host,
    Launch,
    NoRoom,
    Placed,
    PlacementSettings,
    Size,
    due_for_rotation,
    idle_instances,
    place,
    to_drain,
)
from penstock.scaler import LaunchDelays


class InstanceHappening(StrEnum):
    """In the words of a capacity provider's own log:
    https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-monitoring.html
    """

    LAUNCHING = "Launching"
    LAUNCHED = "Launched"
    TERMINATED = "Terminated"
    LOST = "HealthCheckFailed"
    ROTATING = "Terminating"


@dataclass(frozen=True, slots=True)
class InstanceEvent:
    provider: str
    happening: InstanceHappening
    instance: ManagedInstance


@dataclass(slots=True, eq=False)
class Seat:
    """The place of one environment, from before it starts until its last process is gone. `environment` is there once
    it serves; `leaving`: it drains.
    """

    live: "LiveInstance"
    version: str
    size: Size
    environment: Environment | None = None
    leaving: bool = False

    @property
    def agent(self) -> Agent:
        return self.live.agent


@dataclass(slots=True, eq=False)
class LiveInstance:
    """An instance and its agent."""

    instance: ManagedInstance
    agent: Agent
    launched: asyncio.Event = field(default_factory=asyncio.Event)
    seats: list[Seat] = field(default_factory=list)
    empty_since: float | None = None

    def become(self, state: InstanceState) -> None:
        self.instance = replace(self.instance, state=state)

    def host(self) -> Host:
        """As placement sees it. What does not serve takes room, but nothing can be asked of it."""
        return Host(self.instance, tuple(_placed(number, seat) for number, seat in enumerate(self.seats)))


def _placed(number: int, seat: Seat) -> Placed:
    environment = seat.environment
    if environment is None:
        return Placed(f"starting-{number}", seat.version, seat.size)
    return Placed(environment.environment_id, seat.version, seat.size, environment.in_flight)


OnEvent: TypeAlias = Callable[[InstanceEvent], None]
_NO_ZONE: Final = "a"


class Instances:
    """Those of `provider`. `make_agent()` is called for each one that is launched."""

    def __init__(
        self,
        provider: CapacityProvider,
        region: str,
        clock: Clock,
        make_agent: Callable[[], Agent],
        on_event: OnEvent = lambda event: None,
        delays: LaunchDelays | None = None,
        settings: PlacementSettings | None = None,
    ) -> None:
        self.settings = settings or PlacementSettings()
        self.delays = delays or LaunchDelays.none()
        self._region = region
        self.configure(provider)
        self._clock = clock
        self._make_agent = make_agent
        self._on_event = on_event
        self._live: dict[str, LiveInstance] = {}
        self._agents: set[Agent] = set()

    def configure(self, provider: CapacityProvider) -> None:
        """What the provider says from now on. Instances that are there stay."""
        self.provider = provider
        types = allowed_types(provider.architecture, provider.allowed_instance_types, provider.excluded_instance_types)
        zones = zones_of(provider.subnet_ids, self._region) or (self._region + _NO_ZONE,)
        self.fleet = Fleet(types, zones, provider.max_vcpu_count)

    @property
    def live(self) -> tuple[LiveInstance, ...]:
        return tuple(self._live.values())

    @property
    def environments(self) -> frozenset[Environment]:
        """All that run on any of them."""
        return frozenset(environment for agent in self._agents for environment in agent.environments)

    def hosts(self) -> list[Host]:
        return [one.host() for one in self._live.values()]

    async def acquire(self, version: str, size: Size) -> Seat:
        """A place for one environment, when its instance is there. Raises StartError when none can be had."""
        found = place(version, size, self.hosts(), self.fleet, self.settings)
        if isinstance(found, NoRoom):
            raise StartError(found.value, self._no_room(found, size))
        live = self._launch(found) if isinstance(found, Launch) else self._live[found.instance.instance_id]
        seat = Seat(live, version, size)
        live.seats.append(seat)
        live.empty_since = None
        try:
            await live.launched.wait()
            if self.delays.environment_s:
                await asyncio.sleep(self.delays.environment_s)
        except BaseException:
            self.release(seat)
            raise
        if live.instance.state is InstanceState.SHUTTING_DOWN:
            self.release(seat)
            raise StartError("InsufficientCapacity", f"instance {live.instance.instance_id} was lost")
        return seat

    def release(self, seat: Seat) -> None:
        """Nothing runs there any more. Releasing it twice is no error."""
        live = seat.live
        if seat in live.seats:
            live.seats.remove(seat)
        if not live.seats:
            live.empty_since = self._clock.monotonic()
            if live.instance.state in (InstanceState.SHUTTING_DOWN, InstanceState.DRAINING):
                self._end(live)

    def choose_leaving(self, version: str, count: int) -> tuple[str, ...]:
        """The ids of `count` environments to drain."""
        return to_drain(version, count, self._serving_hosts(), self.settings, len(self.fleet.zones))

    def find(self, instance_id: str) -> LiveInstance | None:
        """By its whole id or the beginning of it."""
        return next((one for name, one in self._live.items() if name.startswith(instance_id)), None)

    def lose(self, live: LiveInstance) -> int:
        """The instance is gone this moment, and every environment on it; how many there were."""
        live.become(InstanceState.SHUTTING_DOWN)
        self._tell(InstanceHappening.LOST, live)
        live.launched.set()
        lost = [seat.environment for seat in live.seats if seat.environment is not None]
        for environment in lost:
            environment.lose(f"instance {live.instance.instance_id} was lost")
        if not live.seats:
            self._end(live)
        return len(lost)

    def retire(self, live: LiveInstance) -> None:
        """Nothing more is placed there; it ends with its last environment."""
        live.become(InstanceState.DRAINING)
        self._tell(InstanceHappening.ROTATING, live)
        if not live.seats:
            self._end(live)

    def due_for_rotation(self, now: float) -> LiveInstance | None:
        found = due_for_rotation(self.hosts(), now, self.settings)
        return self._live[found] if found else None

    def end_idle(self, now: float) -> None:
        """End the instances that have been empty for long enough."""
        since = {name: one.empty_since for name, one in self._live.items() if one.empty_since is not None}
        for instance_id in idle_instances(self.hosts(), since, now, self.settings):
            self._end(self._live[instance_id])

    async def close(self) -> None:
        """End every environment, all at the same time."""
        await asyncio.gather(*(agent.close(0.0) for agent in self._agents))

    def _launch(self, launch: Launch) -> LiveInstance:
        instance = ManagedInstance(
            ids.instance_id(), launch.type, launch.zone, self._clock.monotonic(), InstanceState.PENDING
        )
        live = LiveInstance(instance, self._make_agent())
        self._agents.add(live.agent)
        self._live[instance.instance_id] = live
        self._tell(InstanceHappening.LAUNCHING, live)
        if self.delays.instance_s:
            self._clock.call_later(self.delays.instance_s, lambda: self._launched(live))
        else:
            self._launched(live)
        return live

    def _launched(self, live: LiveInstance) -> None:
        if live.instance.state is InstanceState.PENDING:
            live.become(InstanceState.RUNNING)
            live.launched.set()
            self._tell(InstanceHappening.LAUNCHED, live)

    def _end(self, live: LiveInstance) -> None:
        if self._live.pop(live.instance.instance_id, None):
            if not live.agent.environments:  # else their last processes are still being ended
                self._agents.discard(live.agent)
            live.become(InstanceState.SHUTTING_DOWN)
            self._tell(InstanceHappening.TERMINATED, live)

    def _serving_hosts(self) -> list[Host]:
        """With the environments alone that can be drained."""
        return [
            Host(one.instance, tuple(_placed(0, seat) for seat in one.seats if seat.environment and not seat.leaving))
            for one in self._live.values()
        ]

    def _no_room(self, reason: NoRoom, size: Size) -> str:
        if reason is NoRoom.VCPU_LIMIT:
            return f"MaxVCpuCount {self.fleet.max_vcpus} of {self.provider.logical_id} leaves no room for another one"
        need = f"{size.vcpus:g} vCPUs and {size.memory_mib} MB"
        return f"no instance type that {self.provider.logical_id} allows holds an environment of {need}"

    def _tell(self, happening: InstanceHappening, live: LiveInstance) -> None:
        self._on_event(InstanceEvent(self.provider.logical_id, happening, live.instance))
