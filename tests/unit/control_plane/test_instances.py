"""The instances of a capacity provider: launched for room, rotated, lost and ended. Agents start nothing here."""

import asyncio
from dataclasses import replace

import pytest

from penstock.agent import Agent
from penstock.control_plane.instances import InstanceEvent, InstanceHappening, Instances, LiveInstance, Seat
from penstock.model.errors import StartError
from penstock.model.function import CapacityProvider
from penstock.model.instances import InstanceState
from penstock.placement import PlacementSettings, Size
from penstock.scaler import LaunchDelays
from support.clock import VirtualClock
from support.functions import CAPACITY_PROVIDER

SMALL = Size(1.0, 2048)
THREE = replace(CAPACITY_PROVIDER, subnet_ids=("subnet-a", "subnet-b", "subnet-c"))


class Rig:
    def __init__(
        self, provider: CapacityProvider = THREE, delays: LaunchDelays | None = None, idle_s: float = 60.0
    ) -> None:
        self.clock = VirtualClock()
        self.events: list[InstanceEvent] = []
        self.instances = Instances(
            provider,
            "us-east-1",
            self.clock,
            lambda: Agent(self.clock),
            self.events.append,
            delays,
            PlacementSettings(idle_s=idle_s),
        )

    async def take(self, count: int = 1, size: Size = SMALL) -> list[Seat]:
        return [await self.instances.acquire("f:1", size) for _ in range(count)]

    @property
    def story(self) -> list[InstanceHappening]:
        return [event.happening for event in self.events]

    @property
    def zones(self) -> list[str]:
        return [live.instance.zone for live in self.instances.live]

    def live(self, number: int = 0) -> LiveInstance:
        return self.instances.live[number]


async def test_each_of_the_first_has_an_instance_of_its_own() -> None:
    rig = Rig()
    seats = await rig.take(3)
    assert rig.zones == ["us-east-1a", "us-east-1b", "us-east-1c"]
    assert len({id(seat.agent) for seat in seats}) == 3
    await rig.take(6)
    assert len(rig.instances.live) == 3  # three fit on each


async def test_a_launch_takes_its_time_and_those_that_wait_share_it() -> None:
    rig = Rig(delays=LaunchDelays(90.0))
    waiting = [asyncio.ensure_future(rig.take()) for _ in range(4)]
    await asyncio.sleep(0)
    assert rig.story == [InstanceHappening.LAUNCHING] * 3
    assert rig.live().instance.state is InstanceState.PENDING
    rig.clock.advance(89.0)
    await asyncio.sleep(0)
    assert not any(one.done() for one in waiting)
    rig.clock.advance(1.0)
    await asyncio.gather(*waiting)
    assert rig.story[3:] == [InstanceHappening.LAUNCHED] * 3
    assert rig.live().instance.state is InstanceState.RUNNING


async def test_the_cap_on_vcpus_is_told_in_one_line() -> None:
    rig = Rig(replace(THREE, max_vcpu_count=12))
    await rig.take(9)
    with pytest.raises(StartError, match="MaxVCpuCount 12 of Capacity leaves no room for another one") as refused:
        await rig.take()
    assert refused.value.error_type == "CapacityProviderScalingLimitExceeded"


async def test_no_type_that_holds_it() -> None:
    rig = Rig(replace(THREE, allowed_instance_types=("c7a.large",)))
    with pytest.raises(StartError, match="no instance type that Capacity allows holds an environment of 4 vCPUs"):
        await rig.take(1, Size(4.0, 8192))


async def test_an_empty_instance_ends_after_a_while() -> None:
    rig = Rig()
    seats = await rig.take(3)
    rig.instances.release(seats[0])
    rig.instances.end_idle(rig.clock.monotonic())
    assert len(rig.instances.live) == 3
    rig.clock.advance(60.0)
    rig.instances.end_idle(rig.clock.monotonic())
    assert rig.zones == ["us-east-1b", "us-east-1c"]
    assert rig.story[-1] is InstanceHappening.TERMINATED


async def test_whoever_waits_for_an_instance_that_is_lost_hears_it() -> None:
    rig = Rig(delays=LaunchDelays(90.0))
    waiting = asyncio.ensure_future(rig.take())
    await asyncio.sleep(0)
    assert rig.instances.lose(rig.live()) == 0
    with pytest.raises(StartError, match="was lost"):
        await waiting
    assert rig.instances.live == ()
    assert rig.story == [InstanceHappening.LAUNCHING, InstanceHappening.LOST, InstanceHappening.TERMINATED]


async def test_a_retired_instance_takes_nothing_and_ends_with_its_last() -> None:
    rig = Rig()
    seats = await rig.take(3)
    first = rig.live()
    rig.instances.retire(first)
    (other,) = await rig.take()
    assert other.live is not first
    rig.instances.release(seats[0])
    assert first not in rig.instances.live


async def test_rotation_is_due_with_age() -> None:
    rig = Rig()
    await rig.take(1)
    rig.clock.advance(14 * 24 * 3600.0 - 1)
    await rig.take(2)
    assert rig.instances.due_for_rotation(rig.clock.monotonic()) is None
    rig.clock.advance(1.0)
    assert rig.instances.due_for_rotation(rig.clock.monotonic()) is rig.live()


async def test_whoever_gives_up_waiting_leaves_its_place() -> None:
    rig = Rig(delays=LaunchDelays(90.0))
    waiting = asyncio.ensure_future(rig.take())
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert rig.live().seats == []


async def test_an_instance_is_found_by_the_beginning_of_its_id() -> None:
    rig = Rig()
    await rig.take(2)
    name = rig.live(1).instance.instance_id
    assert rig.instances.find(name[:8]) is rig.live(1)
    assert rig.instances.find("i-x") is None
