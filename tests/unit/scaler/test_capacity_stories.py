"""Whole stories of load in virtual time: scaler and placement together, as they run live."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.model.function import Architecture
from penstock.model.instances import allowed_types
from penstock.model.throttles import ThrottleReason
from penstock.placement import Fleet, NoRoom, PlacementSettings, Size
from penstock.scaler import LaunchDelays, Reason
from support.capacity_story import TYPES, ZONES, CapacityStory, StoryFunction, function, policy, story

MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0


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
