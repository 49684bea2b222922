"""As many environments as wanted are kept Ready. The agent is played; nothing is started."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

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


async def test_all_wanted_start_at_once(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.agent.gate.clear()
    starting = asyncio.create_task(rig.fleet.start())
    await rig.happens("starting", 3)
    rig.agent.gate.set()
    await within(starting)
    assert rig.story == ["starting 0/3"] * 3 + ["ready 1/3", "ready 2/3", "ready 3/3"]
    assert len(rig.router.targets) == 3
    assert not rig.fleet.failed.done()


async def test_one_that_cannot_start_fails_the_start_and_calls_the_others_off(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.agent.failing = 1
    with pytest.raises(StartError, match="exit status 1"):
        await rig.fleet.start()
    assert rig.fleet.failed.result() is BROKEN


async def test_dead_environment_is_out_before_the_next_request_and_is_replaced(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    await rig.fleet.start()
    rig.clock.advance(60)
    dead = rig.environment()
    rig.agent.kill(dead)
    assert dead not in rig.router.targets
    assert rig.fleet.ready == 2
    await rig.happens("ready", 4)
    assert rig.story[-3:] == ["died 2/3", "starting 2/3", "ready 3/3"]
    assert rig.events[-3].environment is dead
    assert dead not in rig.router.targets


async def test_lost_one_is_handed_back_to_the_agent(tmp_path: Path) -> None:
    rig = Rig(tmp_path, wanted=1)
    await rig.fleet.start()
    dead = rig.environment()
    rig.agent.kill(dead)
    await rig.happens("ready", 2)
    assert rig.agent.stopped == [dead]


async def test_replacement_that_fails_is_tried_again_while_others_serve(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    await rig.fleet.start()
    rig.agent.failing = 10
    rig.agent.kill(rig.environment())
    await rig.happens("ready", 4)
    assert rig.story.count("start-failed 2/3") == 10
    assert not rig.fleet.failed.done()


async def test_function_is_given_up_when_nothing_serves_and_nothing_starts(tmp_path: Path) -> None:
    rig = Rig(tmp_path, wanted=1)
    await rig.fleet.start()
    rig.clock.advance(60)
    rig.agent.failing = 100
    rig.agent.kill(rig.environment())
    assert await within(rig.fleet.failed) is BROKEN
    assert rig.story.count("start-failed 0/1") == 3


async def test_all_dying_at_once_are_all_replaced(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    await rig.fleet.start()
    rig.clock.advance(60)
    for environment in rig.router.targets:
        assert isinstance(environment, Environment)
        rig.agent.kill(environment)
    assert rig.fleet.ready == 0
    await rig.happens("ready", 6)
    assert rig.fleet.ready == 3


class TestClose:
    async def test_calls_off_a_replacement_that_is_under_way(self, tmp_path: Path) -> None:
        rig = Rig(tmp_path, wanted=1)
        await rig.fleet.start()
        rig.agent.gate.clear()
        rig.agent.kill(rig.environment())
        await rig.happens("starting", 2)
        await within(rig.fleet.close())
        rig.agent.gate.set()
        await asyncio.sleep(0)
        assert rig.story[-1] == "starting 0/1"
        assert rig.router.targets == ()

    async def test_death_afterwards_is_told_and_not_replaced(self, tmp_path: Path) -> None:
        rig = Rig(tmp_path, wanted=1)
        await rig.fleet.start()
        await rig.fleet.close()
        rig.agent.kill(rig.environment())
        await within(asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()}))
        assert rig.story[-1] == "died 0/1"
        assert rig.agent.starts == 1
