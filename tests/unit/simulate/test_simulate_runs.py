"""What a run tells of instances, slots, CPU and memory, and what is kept of it."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from penstock.model.throttles import ThrottleReason
from penstock.scaler import LaunchDelays
from penstock.simulate.cluster import Cluster
from penstock.simulate.events import simulate_events
from penstock.simulate.plan import Plan, Settings
from penstock.simulate.profile import Fixed, Profile
from penstock.simulate.rates import simulate_rates
from penstock.simulate.record import Result, thinned
from penstock.simulate.run import simulate
from penstock.simulate.served import Served
from penstock.simulate.traffic import Constant, Spike
from support.simulations import Bursts, Stretches, plan, simulated

Run = Callable[[Plan], Result]
RUNS = pytest.mark.parametrize("run", [simulate_events, simulate_rates])


def test_few_requests_are_followed_and_many_are_not() -> None:
    assert simulate(plan(Constant(5), seconds=60)).mode == "events"
    assert simulate(plan(Constant(1e6), seconds=60)).mode == "rates"


def test_a_million_requests_a_second_cost_no_more_than_one() -> None:
    ticks = 0

    def count(now: float) -> None:
        nonlocal ticks
        ticks += 1

    result = simulate_rates(plan(Constant(1e6), seconds=3600, of=simulated(concurrency=64, max_vcpus=15_000)), count)
    assert ticks == 240
    assert result.requests == pytest.approx(3.6e9, rel=1e-3)
    assert result.failed == 0
    assert result.ticks[-1].environments > 10_000 * 0.3


@RUNS
def test_a_new_instance_takes_its_time(run: Run) -> None:
    """3 environments with 48 slots; 100 requests at a time from the first moment on want an instance more."""
    story = plan(
        Constant(100), seconds=300, durations=Fixed(1.0), settings=Settings(cold=True, delays=LaunchDelays(100.0, 10.0))
    )
    result = run(story)
    first_more = next(one for one in result.ticks if one.instances > 3)
    # Room that is there is used first, ten seconds after the decision; the first launch is at the tick after that.
    assert [one.environments for one in result.ticks if one.at <= 30] == [3, 6]
    served_by_new = next(one for one in result.ticks if one.environments > 9)
    assert 100 + 10 <= served_by_new.at - (first_more.at - 15) <= 100 + 10 + 15
    assert result.ticks[-1].refused == 0 < result.failed


def test_instances_are_paid_for_from_launch_to_end() -> None:
    story = plan(Spike(20, 10, 60, 60), seconds=3600, durations=Fixed(1.0))
    result = simulate_rates(story)
    hours = sum(one.hours for one in result.instance_hours)
    by_ticks = sum(one.instances * one.seconds for one in result.ticks) / 3600
    assert hours == pytest.approx(by_ticks, rel=0.02)
    assert result.ticks[-1].instances == 3 < max(one.instances for one in result.ticks)


def test_what_was_launched_is_ended_when_it_is_not_wanted() -> None:
    cluster = Cluster(plan())
    cluster.grow(3, 0.0, at_once=True)
    cluster.grow(9, 10.0)
    assert (len(cluster.ready), len(cluster.starting), len(cluster.hosts)) == (3, 9, 4)
    assert cluster.shrink(4, 20.0) == ()  # those on their way are given up first, the last ones first of all
    assert len(cluster.starting) == 5
    cluster.until(20.0)
    assert len(cluster.hosts) == 4
    cluster.until(200.0)
    assert (len(cluster.ready), len(cluster.hosts)) == (8, 3)
    drained = cluster.shrink(2, 210.0)
    assert len(drained) == 2
    assert len(cluster.draining) == 2
    for environment in drained:
        cluster.gone_at(environment, 215.0)
    cluster.until(220.0)
    assert not cluster.draining
    assert sum(cluster.paid(220.0).values()) == pytest.approx(3 * 220 + 190)


@RUNS
def test_no_capacity_when_least_and_most_are_none(run: Run) -> None:
    result = run(plan(seconds=60, of=simulated(minimum=0, maximum=0)))
    assert result.served == 0
    assert result.ticks[-1].instances == 0


@RUNS
def test_the_bounds_are_kept(run: Run) -> None:
    result = run(plan(Constant(200), durations=Fixed(1.0), of=simulated(maximum=5)))
    assert {one.environments for one in result.ticks} == {5}
    limited = run(plan(Constant(200), durations=Fixed(1.0), of=simulated(max_vcpus=12)))
    assert max(one.environments for one in limited.ticks) == 9
    assert limited.limited == "CapacityProviderScalingLimitExceeded"
    assert limited.failed > 0


@RUNS
def test_short_of_cpu_is_told_so(run: Run) -> None:
    """Each request wants a whole vCPU for a second; 3 are there, and 8 requests come a second."""
    result = run(plan(Constant(8), durations=Fixed(1.0), cpu_s=1.0, of=simulated(maximum=3)))
    assert result.throttles[ThrottleReason.CPU] > 0.8 * result.throttles.total()
    assert result.served == pytest.approx(3 * 600, rel=0.06)
    assert result.ticks[-1].cpu == pytest.approx(3.0, rel=0.02)


@RUNS
def test_short_of_memory_is_told_so(run: Run) -> None:
    story = plan(Constant(40), durations=Fixed(1.0), of=simulated(maximum=3))
    hungry = replace(story, profile=Profile(Fixed(1.0), 0.005, memory_mib=256))  # 8 requests fill 2048 MB
    result = run(hungry)
    assert max(one.peak for one in result.ticks) == 24
    assert result.throttles[ThrottleReason.MEMORY] > 0.8 * result.throttles.total() > 0


def test_a_client_that_tries_again_is_served_later() -> None:
    burst = Bursts(((0.0, 60),))
    once = simulate_events(plan(burst, seconds=60, durations=Fixed(0.3), settings=Settings(cold=True)))
    thrice = simulate_events(plan(burst, seconds=60, durations=Fixed(0.3), settings=Settings(cold=True, attempts=3)))
    assert (once.failed, once.throttles.total()) == (12, 12)
    assert thrice.failed == 0
    assert thrice.throttles.total() >= 12


def test_requests_in_one_environment_share_its_vcpus() -> None:
    """Two that want a whole vCPU each take twice as long while both are there."""
    served = Served("e", 1, slots=4, vcpus=1.0, now=0.0)
    served.take(0.0, 2.0, 1.0)
    assert served.next_end == pytest.approx(2.0)
    served.take(1.0, 1.0, 1.0)  # one second of each is left, at half the speed
    assert served.next_end == pytest.approx(3.0)
    served.end(3.0)
    assert served.next_end == pytest.approx(3.0)
    served.end(3.0)
    most, worked = served.sample(4.0)
    assert most == 2
    assert worked == pytest.approx(3.0)
    assert served.sample(5.0) == (0, 0.0)


def test_a_stream_that_drains_keeps_its_instance() -> None:
    """A long stream: its environment is on its way out, and its instance is paid for until it has ended."""
    story = plan(
        Stretches(((0.0, 60.0, 20.0), (400.0, 401.0, 40.0))), seconds=2400, durations=Fixed(1.0), settings=Settings()
    )
    long = replace(story, profile=Profile(Fixed(900.0), 0.0))
    quick, slow = simulate_events(story), simulate_events(long)
    assert sum(one.hours for one in slow.instance_hours) > sum(one.hours for one in quick.instance_hours)


def test_rows_are_joined() -> None:
    ticks = simulate_rates(plan(Spike(20, 30, 60, 60), seconds=600)).ticks
    few = thinned(ticks, 7)
    assert len(few) == 7
    assert sum(one.requests for one in few) == sum(one.requests for one in ticks)
    assert sum(one.refused for one in few) == sum(one.refused for one in ticks)
    assert sum(one.seconds for one in few) == pytest.approx(600)
    assert max(one.peak for one in few) == max(one.peak for one in ticks)
    assert thinned(ticks, 1000) == list(ticks)
