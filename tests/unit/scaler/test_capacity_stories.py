"""Whole stories of a capacity provider in virtual time: scaler and placement together, as they run live."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.model.function import Architecture
from penstock.model.instances import allowed_types
from penstock.model.throttles import ThrottleReason
from penstock.placement import Fleet, NoRoom, PlacementSettings, Size
from penstock.scaler import LaunchDelays, Reason, ScalerSettings, ScalingPolicy
from support.capacity_story import CapacityStory, StoryFunction

ZONES = ("us-east-1a", "us-east-1b", "us-east-1c")
TYPES = allowed_types(Architecture.X86_64)
FLEET = Fleet(TYPES, ZONES, 400)
SLOTS = 16
MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0


def policy(minimum: int = 3, maximum: int | None = None, target: float = 0.5, **changed: float) -> ScalingPolicy:
    return ScalingPolicy(minimum, maximum, SLOTS, 1.0, target, ScalerSettings(**changed))


def function(load: Callable[[float], int] | int, of: ScalingPolicy | None = None, **more: Any) -> StoryFunction:
    if isinstance(load, int):
        constant = load
        return StoryFunction("f:1", of or policy(), lambda now: constant, **more)
    return StoryFunction("f:1", of or policy(), load, **more)


def story(*functions: StoryFunction, fleet: Fleet = FLEET, delays: LaunchDelays | None = None) -> CapacityStory:
    return CapacityStory(fleet, functions, delays)


class TestStart:
    def test_three_environments_on_three_instances_in_three_zones(self) -> None:
        f = function(0)
        run = story(f).run(MINUTE)
        assert run.loads() == [1, 1, 1]
        assert {one.zone for one in run.instances.values()} == set(ZONES)
        assert f.decisions[0][1].reason is Reason.MINIMUM
        assert len(f.attempts) == 1

    @pytest.mark.parametrize(("zones", "loads"), [(1, [3]), (2, [2, 1]), (3, [1, 1, 1]), (5, [1, 1, 1])])
    def test_fewer_zones_are_fewer_instances_but_three_environments(self, zones: int, loads: list[int]) -> None:
        """Seen on AWS: min(3, zones of the subnets) instances."""
        run = story(function(0), fleet=Fleet(TYPES, tuple(f"z{n}" for n in range(zones)), 400)).run(MINUTE)
        assert run.loads() == loads

    def test_nothing_is_ready_before_an_instance_and_an_environment_are_up(self) -> None:
        """What is on its way counts: for a minute and a half nothing more is launched, and no data is no zero."""
        f = function(100)
        run = story(f, delays=LaunchDelays.aws()).run(90.0)
        assert f.ready(run.now) == []
        assert len(run.launches) == 3
        assert [one.valid for _, one in f.decisions] == [True] + [False] * 17
        assert set(f.reasons[1:]) == {Reason.NO_DATA}
        assert f.refused.total() == 100 * 18
        run.run(95.0)
        assert len(f.ready(run.now)) == 0
        run.run(100.0)
        assert len(f.ready(run.now)) == 3


class TestSteadyAndSurge:
    def test_steady_load_moves_nothing_in_a_day(self) -> None:
        f = function(30)
        run = story(f, delays=LaunchDelays.aws()).run(DAY)
        assert {count for _, count in f.counts[1:]} == {3}
        assert len(run.launches) == 3
        assert run.ended == []

    @pytest.mark.parametrize("delays", [LaunchDelays.none(), LaunchDelays(60.0, 2.0), LaunchDelays.aws()])
    def test_traffic_that_doubles_every_five_minutes_is_never_refused(self, delays: LaunchDelays) -> None:
        """The promise of AWS's guide for its default headroom."""
        f = function(lambda now: 30 if now < 300 else round(30 * 2 ** min((now - 300) / 300, 4)))
        run = story(f, delays=delays).run(200)
        f.refused.clear()  # of the time before there was anything
        run.run(1800)
        assert f.refused.total() == 0
        assert len(f.ready(run.now)) >= 45  # 480 at a time, and half of it again

    def test_a_spike_of_a_half_is_absorbed_at_once(self) -> None:
        f = function(lambda now: 100 if now < 900 else 150)
        run = story(f, delays=LaunchDelays.aws()).run(895)
        f.refused.clear()
        run.run(1800)
        assert f.refused.total() == 0

    def test_tenfold_at_once_is_refused_only_while_instances_launch(self) -> None:
        f = function(lambda now: 30 if now < 900 else 300)
        run = story(f, delays=LaunchDelays.aws()).run(895)
        f.refused.clear()
        run.run(900 + 3 * 95)
        assert f.refused.total() > 0
        f.refused.clear()
        run.run(3600)
        assert f.refused.total() == 0
        assert len(f.ready(run.now)) == 29  # 300 x 1.5 / 16

    def test_what_is_on_its_way_is_not_launched_twice(self) -> None:
        """A hundred seconds go by until the first launch shows; nobody launches for the same load again."""
        f = function(lambda now: 30 if now < 900 else 48)
        story(f, delays=LaunchDelays.aws()).run(1000)
        assert f.most == 5  # 48 x 1.5 / 16
        assert len(f.attempts) == 2


class TestPlateauAndDecay:
    def test_slowly_down_to_the_minimum_and_instances_with_it(self) -> None:
        f = function(lambda now: 300 if now < 1800 else 0)
        run = story(f).run(1800)
        assert len(run.instances) == 10  # 29 environments, three on each
        run.run(2 * HOUR)
        assert len(f.ready(run.now)) == 3
        assert run.loads() == [1, 1, 1]
        assert len(run.ended) == 7

    def test_never_more_than_a_tenth_in_a_minute(self) -> None:
        f = function(lambda now: 300 if now < 1800 else 0)
        story(f).run(2 * HOUR)
        steps = [(at, before - after) for (_, before), (at, after) in pairwise(f.counts) if after < before]
        assert steps[0][0] == 1795 + 300
        assert all(after[0] - before[0] >= 60 for before, after in pairwise(steps))
        assert max(step for _, step in steps) == 2

    def test_a_pause_shorter_than_the_window_gives_nothing_away(self) -> None:
        f = function(lambda now: 0 if 1800 <= now < 2080 else 300)
        run = story(f).run(1795)
        f.refused.clear()
        run.run(HOUR)
        assert f.refused.total() == 0
        assert {count for at, count in f.counts if at >= 600} == {29}

    def test_load_that_flaps_keeps_its_capacity(self) -> None:
        f = function(lambda now: 150 if int(now / 120) % 2 else 5)
        run = story(f, delays=LaunchDelays.aws()).run(20 * MINUTE)
        launched = len(run.launches)
        f.refused.clear()
        run.run(6 * HOUR)
        assert (f.refused.total(), len(run.launches), run.ended) == (0, launched, [])

    def test_after_the_decay_it_grows_again(self) -> None:
        f = function(lambda now: 300 if now < 1800 or now > 9000 else 0)
        run = story(f).run(8900)
        assert len(f.ready(run.now)) == 3
        run.run(9600)
        assert len(f.ready(run.now)) == 29


class TestSignals:
    @pytest.mark.parametrize(("target", "environments"), [(0.3, 8), (0.5, 5), (0.85, 3)])
    def test_manual_tracks_its_target(self, target: float, environments: int) -> None:
        """2.4 vCPUs in all: a low target is headroom, a high one is density."""
        f = function(24, policy(target=target), cpu_each=0.1)
        run = story(f).run(HOUR)
        assert len(f.ready(run.now)) == environments

    def test_cpu_settles_at_the_target(self) -> None:
        f = function(60, policy(target=0.7, slot_headroom=1.0), cpu_each=0.2)
        run = story(f).run(HOUR)
        used = sum(one.in_flight for one in f.ready(run.now)) * 0.2
        assert 0.6 < used / len(f.ready(run.now)) <= 0.7

    def test_one_hot_environment_is_no_reason_to_launch_for_ever(self) -> None:
        """All CPU is used by one, whatever is added: it stays at what the sum asks for."""
        f = function(20, cpu_each=1.0, skew=True)
        run = story(f).run(6 * HOUR)
        assert len(f.ready(run.now)) == 3
        assert len(run.launches) == 3

    def test_without_measured_cpu_slots_decide_alone(self) -> None:
        f = function(96, cpu_each=None)
        run = story(f).run(HOUR)
        assert len(f.ready(run.now)) == 9
        assert f.reasons[-1] is Reason.SLOTS

    def test_memory_that_requests_hold_gets_one_more_at_a_time(self) -> None:
        """What ten of them share is 0.95 of an environment; with five each there is room."""
        f = function(30)
        f.memory = lambda now: 0.5 + 0.045 * max((one.in_flight for one in f.environments), default=0)
        run = story(f).run(HOUR)
        assert f.most == 4
        assert f.reasons.count(Reason.MEMORY) > 0
        assert len(f.ready(run.now)) in (3, 4)

    @pytest.mark.parametrize(("load", "most"), [(0, 3), (3, 3), (12, 12)])
    def test_memory_that_is_always_full_does_not_launch_for_ever(self, load: int, most: int) -> None:
        """A model that takes most of an environment takes it of the next one as well: beyond one environment for each
        request none can make room.
        """
        f = function(load, memory=lambda now: 0.95)
        story(f).run(2 * HOUR)
        assert f.most == most

    @pytest.mark.parametrize(
        ("cpu_each", "memory", "reason"),
        [
            (0.01, 0.5, ThrottleReason.CONCURRENCY),
            (0.1, 0.5, ThrottleReason.CPU),
            (0.1, 0.97, ThrottleReason.MEMORY),
        ],
    )
    def test_refusals_carry_one_reason(self, cpu_each: float, memory: float, reason: ThrottleReason) -> None:
        f = function(200, policy(maximum=3), cpu_each=cpu_each, memory=lambda now: memory)
        run = story(f).run(10.0)
        f.refused.clear()  # before there was anything it is a matter of concurrency
        run.run(MINUTE)
        assert set(f.refused) == {reason}


class TestBounds:
    def test_at_the_maximum(self) -> None:
        f = function(1000, policy(maximum=7))
        story(f).run(HOUR)
        assert f.most == 7
        assert f.reasons[-1] is Reason.MAXIMUM

    def test_a_maximum_lowered_while_it_runs_is_kept_at_once(self) -> None:
        f = function(300)
        run = story(f).run(1800)
        assert len(f.ready(run.now)) == 29
        f.policy = replace(f.policy, maximum=10)
        run.run(1810)
        assert len(f.ready(run.now)) == 10
        assert f.reasons[-1] is Reason.MAXIMUM

    def test_a_minimum_raised_while_it_runs(self) -> None:
        f = function(0)
        run = story(f).run(MINUTE)
        f.policy = replace(f.policy, minimum=12)
        run.run(2 * MINUTE)
        assert len(f.ready(run.now)) == 12
        f.policy = replace(f.policy, minimum=3)
        run.run(HOUR)
        assert len(f.ready(run.now)) == 3

    def test_the_vcpu_cap_says_so_and_is_tried_ever_more_seldom(self) -> None:
        f = function(1000)
        run = story(f, fleet=Fleet(TYPES, ZONES, 16)).run(HOUR)
        assert run.vcpus == 16
        assert len(f.ready(run.now)) == 12
        assert {why for _, why in f.no_room} == {NoRoom.VCPU_LIMIT}
        assert str(f.no_room[0][1]) == "CapacityProviderScalingLimitExceeded"
        assert f.reasons[-1] is Reason.BACK_OFF
        tried = sorted({at for at, _ in f.no_room})
        assert [after - before for before, after in pairwise(tried)][:6] == [5, 10, 20, 40, 80, 160]
        assert f.refused.total() > 0

    def test_a_cap_raised_is_used_when_it_is_tried_again(self) -> None:
        f = function(1000)
        run = story(f, fleet=Fleet(TYPES, ZONES, 16)).run(10 * MINUTE)
        run.fleet = Fleet(TYPES, ZONES, 400)
        run.run(30 * MINUTE)
        assert len(f.ready(run.now)) == 94  # 1000 x 1.5 / 16
        assert f.reasons[-1] is not Reason.BACK_OFF

    def test_nothing_allowed_that_fits(self) -> None:
        f = function(10, size=Size(16.0, 32_768))
        story(f, fleet=Fleet(allowed_types(Architecture.X86_64, ["c7i.*large"]), ZONES, 8)).run(MINUTE)
        assert {why for _, why in f.no_room} == {NoRoom.VCPU_LIMIT}
        g = function(10, size=Size(16.0, 32_768))
        story(g, fleet=Fleet(allowed_types(Architecture.X86_64, ["c7i.large"]), ZONES, 400)).run(MINUTE)
        assert {why for _, why in g.no_room} == {NoRoom.NO_TYPE}


class TestFailures:
    def test_ten_launches_that_fail_together_are_one_failure(self) -> None:
        """Not ten in a row: the next attempt is five seconds later, not five minutes."""
        f = function(300, starts=lambda now: not 600 <= now < 605)
        run = story(f).run(595)
        f.load = lambda now: 3000
        run.run(600)
        assert len(f.attempts) >= 1
        assert f.reasons[-1] is not Reason.BACK_OFF
        run.run(615)
        assert len(f.ready(run.now)) > 29

    def test_a_function_that_cannot_start_is_tried_ever_more_seldom(self) -> None:
        f = function(10, starts=lambda now: False)
        story(f).run(2 * HOUR)
        gaps = [after - before for before, after in pairwise(f.attempts)]
        assert gaps == sorted(gaps)
        assert gaps[:7] == [5, 10, 20, 40, 80, 160, 300]
        assert gaps[-1] == 300

    def test_it_recovers_when_launches_work_again(self) -> None:
        f = function(10, starts=lambda now: now > 600)
        run = story(f).run(600)
        assert f.environments == []
        run.run(900 + 300)
        assert len(f.ready(run.now)) == 3
        assert f.state.failures == 0

    def test_an_instance_lost_with_all_on_it_is_replaced(self) -> None:
        f = function(100)
        run = story(f, delays=LaunchDelays.aws()).run(1800)
        before = len(f.ready(run.now))
        lost = next(iter(run.instances))
        zone = run.instances[lost].zone
        run.lose(lost)
        run.run(2100)
        assert len(f.ready(run.now)) >= before
        assert lost not in run.instances
        assert zone in {one.zone for one in run.instances.values()}

    def test_one_of_three_lost_comes_back_in_its_zone(self) -> None:
        run = story(function(0), delays=LaunchDelays.aws()).run(10 * MINUTE)
        lost, kept = "i-1", run.instances["i-1"].zone
        run.lose(lost)
        run.run(20 * MINUTE)
        assert run.launches[-1][1].zone == kept
        assert run.loads() == [1, 1, 1]

    def test_all_lost_start_again_as_at_the_start(self) -> None:
        f = function(20)
        run = story(f, delays=LaunchDelays.aws()).run(10 * MINUTE)
        for name in list(run.instances):
            run.lose(name)
        run.run(20 * MINUTE)
        assert run.loads() == [1, 1, 1]
        assert {one.zone for one in run.instances.values()} == set(ZONES)


class TestDeactivation:
    def test_zero_and_zero_ends_all_and_nothing_brings_it_back(self) -> None:
        f = function(40)
        run = story(f).run(10 * MINUTE)
        f.policy = replace(f.policy, minimum=0, maximum=0)
        run.run(15 * MINUTE)
        assert (f.environments, run.instances) == ([], {})
        assert f.reasons[-1] is Reason.DEACTIVATED
        launched = len(run.launches)
        run.run(2 * HOUR)
        assert len(run.launches) == launched
        f.policy = replace(f.policy, minimum=3, maximum=None)
        run.run(2 * HOUR + MINUTE)
        assert len(f.ready(run.now)) >= 3

    def test_the_other_function_stays(self) -> None:
        f = function(0)
        g = StoryFunction("g:1", policy(), lambda now: 10)
        run = story(f, g).run(10 * MINUTE)
        f.policy = replace(f.policy, minimum=0, maximum=0)
        run.run(HOUR)
        assert f.environments == []
        assert len(g.ready(run.now)) == 3
        assert run.loads() == [1, 1, 1]


class TestSharedInstances:
    def test_a_second_function_uses_the_room_that_is_there(self) -> None:
        f, g = function(0), StoryFunction("g:1", policy(), lambda now: 0)
        run = story(f, g).run(HOUR)
        assert run.loads() == [2, 2, 2]
        assert len(run.launches) == 3

    def test_one_that_grows_leaves_the_other_alone(self) -> None:
        f = function(lambda now: 300 if 600 < now < 1800 else 5)
        g = StoryFunction("g:1", policy(), lambda now: 10)
        run = story(f, g).run(3 * HOUR)
        assert {count for _, count in g.counts} == {3}
        assert g.refused.total() == 10  # before there was anything
        assert len(run.instances) == 3

    def test_functions_of_different_size(self) -> None:
        f = function(60)
        big = replace(policy(), vcpus=2.0)
        g = StoryFunction("g:1", big, lambda now: 60, size=Size(2.0, 4096))
        run = story(f, g).run(HOUR)
        assert len(f.ready(run.now)) == len(g.ready(run.now)) == 6
        assert sum(host.used.vcpus for host in run.hosts()) == 6 + 12


class TestConsolidation:
    def test_the_emptiest_instances_go(self) -> None:
        f = function(lambda now: 300 if now < 1800 else 60)
        run = story(f).run(2 * HOUR)
        assert sorted(run.loads()) == [1, 2, 3] or sorted(run.loads()) == [2, 2, 2]
        assert len(run.instances) == 3

    def test_an_empty_instance_is_kept_a_little(self) -> None:
        """A load that comes back within two minutes finds it."""
        f = function(0, policy(scale_in_window_s=10, scale_in_every_s=5, scale_in_share=1.0))
        run = story(f).run(MINUTE)
        f.load = lambda now: 150
        run.run(2 * MINUTE)
        many = len(run.instances)
        f.load = lambda now: 0
        run.run(3 * MINUTE)
        assert len(f.ready(run.now)) == 3
        assert len(run.instances) == many
        launched = len(run.launches)
        f.load = lambda now: 150
        run.run(4 * MINUTE)
        assert len(run.launches) == launched

    def test_what_serves_is_never_moved(self) -> None:
        """Until the end every environment stays where it was placed."""
        f = function(lambda now: 300 if now < 1800 else 30)
        run = story(f).run(1800)
        at = {one.environment_id: one.instance_id for one in f.environments}
        run.run(3 * HOUR)
        assert len(f.environments) == 3
        assert all(at[one.environment_id] == one.instance_id for one in f.environments)


class TestRotation:
    SETTINGS = PlacementSettings(max_age_s=HOUR)

    def rotating(self, *functions: StoryFunction, fleet: Fleet = FLEET) -> CapacityStory:
        return CapacityStory(fleet, functions, LaunchDelays.aws(), self.SETTINGS)

    def test_fourteen_days_by_default(self) -> None:
        assert PlacementSettings().max_age_s == 14 * DAY

    def test_one_after_the_other_and_never_fewer_than_before(self) -> None:
        f = function(20)
        run = self.rotating(f).run(HOUR - MINUTE)
        first = set(run.instances)
        ready = []
        while run.now < HOUR + 15 * MINUTE:
            run.run(run.now + 5.0)
            ready.append(len(f.ready(run.now)))
        assert not first & set(run.instances)
        assert min(ready) >= 3
        assert f.refused.total() == 20 * 19  # while the first ones started
        gone = [at for at, name in run.ended if name in first]
        assert len(gone) == len(set(gone)) == 3

    def test_the_new_one_is_up_before_the_old_one_goes(self) -> None:
        run = self.rotating(function(20)).run(HOUR + 10 * MINUTE)
        for (launched_at, _), (ended_at, _) in zip(run.launches[3:], run.ended, strict=False):
            assert ended_at - launched_at >= 90.0

    def test_two_functions_move_together(self) -> None:
        f, g = function(20), StoryFunction("g:1", policy(), lambda now: 10)
        run = self.rotating(f, g).run(90 * MINUTE)
        assert len(f.ready(run.now)) == len(g.ready(run.now)) == 3
        assert len(run.ended) == 3
        assert min(count for at, count in g.counts if at > 5) >= 3

    def test_a_full_capacity_provider_rotates_as_well(self) -> None:
        """What drains does not count against MaxVCpuCount: its replacement is there first (assumed)."""
        f = function(1000)
        run = self.rotating(f, fleet=Fleet(TYPES, ZONES, 16)).run(HOUR - MINUTE)
        first = set(run.instances)
        run.run(90 * MINUTE)
        assert not first & set(run.instances)
        assert len(f.ready(run.now)) == 12

    def test_never_for_long_runs_of_young_instances(self) -> None:
        run = story(function(20), delays=LaunchDelays.aws()).run(DAY)
        assert run.ended == []


loads = st.lists(st.integers(0, 500), min_size=1, max_size=8)


@settings(deadline=None, max_examples=15)
@given(
    loads,
    loads,
    st.integers(1, 6),
    st.none() | st.integers(6, 30),
    st.integers(4, 60),
    st.sampled_from([LaunchDelays.none(), LaunchDelays(30.0, 5.0), LaunchDelays.aws()]),
    st.floats(0.0, 0.2),
    st.booleans(),
)
def test_whatever_comes(
    one: list[int],
    other: list[int],
    minimum: int,
    maximum: int | None,
    cap: int,
    delays: LaunchDelays,
    cpu_each: float,
    skew: bool,
) -> None:
    """The driver holds the cap and what fits on an instance at every tick; here the bounds, and that it is the same
    story each time.
    """

    def told() -> CapacityStory:
        of = policy(minimum, maximum, scale_in_window_s=60, scale_in_every_s=10)
        f = function(lambda now: one[int(now / 120) % len(one)], of, cpu_each=cpu_each, skew=skew)
        g = StoryFunction("g:1", of, lambda now: other[int(now / 90) % len(other)], size=Size(0.5, 4096))
        return CapacityStory(Fleet(TYPES, ZONES, cap), [f, g], delays, PlacementSettings(idle_s=30)).run(900)

    first, again = told(), told()
    for f, same in zip(first.functions, again.functions, strict=True):
        assert f.counts == same.counts
        assert f.refused == same.refused
        counts = [count for _, count in f.counts]
        assert maximum is None or max(counts) <= maximum
        if not f.no_room:
            assert min(counts) >= minimum
    assert first.loads() == again.loads()
    assert [one.instance_id for _, one in first.launches] == [one.instance_id for _, one in again.launches]
