"""As many environments as wanted are kept Ready. The agent is played; nothing is started."""

import asyncio
from pathlib import Path

import pytest

from penstock.environment.environment import Environment
from penstock.model.errors import StartError
from support.fleet_rig import BROKEN, Rig
from support.streams import within


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


async def test_a_retired_fleet_drains_all_and_replaces_none(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    await rig.fleet.start()
    serving = set(rig.fleet.environments)
    await within(rig.fleet.retire())
    assert (rig.router.targets, rig.fleet.ready) == ((), 0)
    assert set(rig.agent.stopped) == serving
    assert [line.split()[0] for line in rig.story[-6:]] == ["draining"] * 3 + ["stopped"] * 3
    assert rig.agent.starts == 3


async def test_a_fleet_retired_while_it_comes_up_starts_nothing_more(tmp_path: Path) -> None:
    rig = Rig(tmp_path, wanted=1)
    await rig.fleet.start()
    rig.agent.gate.clear()
    rig.fleet.scale(3)
    await rig.happens("starting", 3)
    await within(rig.fleet.retire())
    rig.agent.gate.set()
    assert (rig.fleet.coming, len(rig.agent.stopped)) == (0, 1)
