"""A fleet whose agent is played; nothing is started."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from penstock.agent import Agent
from penstock.control_plane.fleet import Fleet, FleetEvent
from penstock.control_plane.instances import Instances
from penstock.control_plane.replacement import ReplacementPolicy
from penstock.environment.environment import Environment
from penstock.environment.spec import EnvironmentSpec
from penstock.model.errors import StartError
from penstock.router import Router
from penstock.telemetry.log_writer import LogWriter
from support.clock import VirtualClock
from support.functions import function
from support.streams import within

AT_ONCE = ReplacementPolicy(first_wait=0.0, longest_wait=0.0)
BROKEN = StartError("Runtime.ExitError", "runtime exited: exit status 1")


class PlayedAgent(Agent):
    """Starts nothing: `failing` starts in a row fail, and starts wait while `gate` is cleared."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__(clock)
        self.clock = clock
        self.gate = asyncio.Event()
        self.gate.set()
        self.failing = 0
        self.starts = 0
        self.stopped: list[Environment] = []
        self._on_death: Callable[[Environment, StartError], None] | None = None

    async def start(
        self, spec: EnvironmentSpec, writer: LogWriter, on_death: Callable[[Environment, StartError], None]
    ) -> Environment:
        self.starts += 1
        self._on_death = on_death
        await self.gate.wait()
        if self.failing:
            self.failing -= 1
            raise BROKEN
        return Environment(spec, self.clock, writer, on_death)

    async def stop(self, environment: Environment, drain: float) -> None:
        self.stopped.append(environment)

    def kill(self, environment: Environment) -> None:
        assert self._on_death
        self._on_death(environment, StartError("Runtime.ExitError", "runtime exited: signal 9"))


class Rig:
    def __init__(self, folder: Path, wanted: int = 3) -> None:
        self.clock = VirtualClock()
        self.agent = PlayedAgent(self.clock)
        self.router = Router()
        self.events: list[FleetEvent] = []
        self._told = asyncio.Event()
        made = replace(function(folder), min_environments=wanted)
        spec = EnvironmentSpec(
            made, "eu-west-1", "123456789012", folder, folder, folder, (), folder,
            isolated_network=False, namespaces=False, init_timeout=1.0,
        )  # fmt: skip
        writer = LogWriter(folder / "log.jsonl", self.clock)
        instances = Instances(made.capacity_provider, "eu-west-1", self.clock, lambda: self.agent)
        self.fleet = Fleet(spec, instances, self.router, writer, self.clock, self._tell, AT_ONCE)

    def _tell(self, event: FleetEvent) -> None:
        self.events.append(event)
        self._told.set()

    async def happens(self, happening: str, times: int = 1) -> None:
        while sum(event.happening == happening for event in self.events) < times:
            self._told.clear()
            await within(self._told.wait())

    @property
    def story(self) -> list[str]:
        return [f"{event.happening} {event.ready}/{event.wanted}" for event in self.events]

    def environment(self, number: int = 0) -> Environment:
        target = self.router.targets[number]
        assert isinstance(target, Environment)
        return target
