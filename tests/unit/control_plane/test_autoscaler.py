"""The live scaler: what it sees of the environments, and what it has done. The environments are played."""

import asyncio
from pathlib import Path

import pytest

from penstock.control_plane.autoscaler import LOCAL_MAX_ENVIRONMENTS, Autoscaler, ScalingEvent, local_policy
from penstock.control_plane.scaling_config import ScalingConfig
from penstock.control_plane.usage import UsageWatch
from penstock.model.throttles import ThrottleReason
from penstock.scaler import Reason, ScalerSettings, ScalingPolicy, policy_of
from support.fleet_rig import Rig
from support.functions import function

POLICY = ScalingPolicy(3, None, 64, 1.0, 0.5, ScalerSettings(scale_in_window_s=10.0, scale_in_every_s=1.0))


class Scaled:
    def __init__(self, folder: Path, policy: ScalingPolicy = POLICY) -> None:
        self.rig = Rig(folder)
        self.events: list[ScalingEvent] = []
        rig = self.rig
        self.scaler = Autoscaler(rig.fleet, rig.router, policy, UsageWatch(rig.clock), rig.clock, self.events.append)

    async def start(self) -> "Scaled":
        await self.rig.fleet.start()
        return self

    def tick(self, seconds: float = 1.0) -> None:
        self.rig.clock.advance(seconds)
        self.scaler.tick(self.rig.clock.monotonic())

    def refuse(self, count: int = 1) -> None:
        self.rig.router.throttles[ThrottleReason.CONCURRENCY] += count


@pytest.fixture
async def scaled(tmp_path: Path) -> Scaled:
    return await Scaled(tmp_path).start()


async def test_refusals_bring_more_and_quiet_takes_them_back(scaled: Scaled) -> None:
    rig = scaled.rig
    scaled.tick()
    assert scaled.events == []
    scaled.refuse()
    scaled.tick()
    assert [(event.before, event.after, event.reason) for event in scaled.events] == [(3, 5, Reason.SLOTS)]
    await rig.happens("ready", 5)
    assert rig.fleet.ready == 5
    for _ in range(30):
        scaled.tick()
    assert [event.reason for event in scaled.events[1:]] == [Reason.SCALE_IN] * 2
    assert rig.fleet.ready == 3
    await rig.happens("stopped", 2)
    assert len(rig.agent.stopped) == 2


async def test_refusals_count_once(scaled: Scaled) -> None:
    scaled.refuse(7)
    assert scaled.scaler.sample().throttles == 7
    assert scaled.scaler.sample().throttles == 0


async def test_what_is_on_its_way_is_not_asked_for_again(scaled: Scaled) -> None:
    rig = scaled.rig
    rig.agent.gate.clear()
    scaled.refuse()
    scaled.tick()
    assert rig.fleet.coming == 2
    scaled.refuse()
    scaled.tick()
    assert len(scaled.events) == 1
    rig.agent.gate.set()
    await rig.happens("ready", 5)


async def test_a_start_that_fails_is_waited_over(scaled: Scaled) -> None:
    rig = scaled.rig
    rig.agent.failing = 2
    scaled.refuse()
    scaled.tick()
    await rig.happens("start-failed", 2)
    while rig.fleet.coming:  # noqa: ASYNC110 - within a turn of the loop
        await asyncio.sleep(0)
    scaled.refuse()
    scaled.tick()
    assert len(scaled.events) == 1
    assert scaled.scaler.last is not None
    assert scaled.scaler.last.reason is Reason.BACK_OFF
    scaled.refuse()
    scaled.tick(30.0)
    await rig.happens("ready", 5)


async def test_deactivated_has_nothing(tmp_path: Path) -> None:
    scaled = await Scaled(tmp_path).start()
    scaled.scaler.put(ScalingConfig(0, 0))
    scaled.tick()
    assert scaled.rig.fleet.ready == 0
    await scaled.rig.happens("stopped", 3)


def test_bounds_on_one_machine(tmp_path: Path) -> None:
    policy = policy_of(function(tmp_path))
    assert local_policy(policy, None).maximum == LOCAL_MAX_ENVIRONMENTS
    assert local_policy(policy, 5).maximum == 5
    assert local_policy(policy, 1).maximum == 3  # never below the minimum
