"""By rates and by events: the same story on small cases, in the mean of a few runs each.

How closely: environments within one, or an eighth, in nine of ten ticks; refusals within 15 %, or 2 % of all requests;
CPU within 5 %. In a spike of any kind, where chance may bring a launch before it: environments over time within one, or
15 %, refusals within a third, or 4 % of all requests.
"""

from collections.abc import Callable
from dataclasses import replace
from math import sqrt
from statistics import fmean

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from penstock.simulate.events import simulate_events
from penstock.simulate.plan import Plan, Settings
from penstock.simulate.profile import Durations, Fixed, Lognormal
from penstock.simulate.rates import simulate_rates
from penstock.simulate.record import Result
from penstock.simulate.traffic import Constant, Daily, Ramp, Spike, Traffic, Waves
from support.simulations import plan, simulated


def runs(one: Plan, times: int) -> tuple[list[Result], list[Result]]:
    """By events and by rates."""
    seed = one.settings.seed
    plans = [replace(one, settings=replace(one.settings, seed=seed + number)) for number in range(times)]
    return list(map(simulate_events, plans)), list(map(simulate_rates, plans))


def mean_of(results: list[Result], what: Callable[[Result], float]) -> float:
    return fmean(map(what, results))


def environments(result: Result) -> float:
    return sum(one.environments * one.seconds for one in result.ticks) / result.seconds


def cpu_seconds(result: Result) -> float:
    return sum(one.cpu * one.seconds for one in result.ticks)


@pytest.mark.parametrize(
    ("traffic", "durations", "cpu_s", "cold"),
    [
        (Constant(50), Fixed(0.2), 0.005, False),
        (Constant(50), Lognormal(0.1, 2.0), 0.01, True),
        (Ramp(5, 120, 400), Fixed(0.4), 0.004, False),
        (Spike(20, 6, 200, 200), Fixed(0.5), 0.004, True),
        (Spike(30, 5, 120, 120), Lognormal(0.2, 0.8), 0.05, False),
        (Daily(5, 30), Fixed(1.0), 0.02, False),
        (Constant(4), Fixed(30.0), 0.1, False),
        (Constant(2), Lognormal(20.0, 90.0), 0.1, False),
        (Constant(80), Fixed(0.4), 0.04, True),
        (Waves(80, 45), Fixed(0.5), 0.01, False),
    ],
    ids=str,
)
def test_the_two_agree(traffic: Traffic, durations: Durations, cpu_s: float, cold: bool) -> None:
    one = plan(traffic, durations=durations, cpu_s=cpu_s, settings=Settings(cold=cold))
    events, rates = runs(one, 6)
    differing = 0
    for number in range(len(events[0].ticks)):
        counts = [fmean(result.ticks[number].environments for result in results) for results in (events, rates)]
        differing += abs(counts[0] - counts[1]) > max(1, counts[0] / 8)
    assert differing <= len(events[0].ticks) / 10
    requests = mean_of(events, lambda result: result.requests)
    chance = 3 * sqrt(requests)
    assert mean_of(rates, lambda result: result.requests) == pytest.approx(requests, abs=chance)
    failed = [mean_of(results, lambda result: result.failed) for results in (events, rates)]
    assert failed[1] == pytest.approx(failed[0], rel=0.15, abs=max(0.02 * requests, chance))
    used = [mean_of(results, cpu_seconds) for results in (events, rates)]
    assert used[1] == pytest.approx(used[0], rel=0.05, abs=1 + chance * cpu_s)


@settings(max_examples=12, deadline=None, derandomize=True, phases=[Phase.generate])
@given(
    rps=st.floats(1, 40),
    factor=st.floats(1, 6),
    duration=st.floats(0.05, 3.0),
    cpu_share=st.floats(0.0, 0.3),
    concurrency=st.sampled_from([4, 16, 64]),
    seed=st.integers(0, 1000),
)
def test_the_two_agree_on_any_spike(
    rps: float, factor: float, duration: float, cpu_share: float, concurrency: int, seed: int
) -> None:
    one = plan(
        Spike(rps, factor, 100, 100),
        seconds=300,
        durations=Fixed(duration),
        cpu_s=duration * cpu_share,
        settings=Settings(seed=seed),
        of=simulated(concurrency=concurrency),
    )
    events, rates = runs(one, 4)
    assert mean_of(rates, environments) == pytest.approx(mean_of(events, environments), rel=0.15, abs=1)
    failed = [mean_of(results, lambda result: result.failed) for results in (events, rates)]
    requests = mean_of(events, lambda result: result.requests)
    assert failed[1] == pytest.approx(failed[0], rel=0.34, abs=max(0.04 * requests, 5 * sqrt(requests)))


@pytest.mark.parametrize("run", [simulate_events, simulate_rates])
def test_the_same_seed_gives_the_same_run(run: Callable[[Plan], Result]) -> None:
    story = Spike(30, 5, 120, 120)
    one, same, other = (run(plan(story, settings=Settings(seed=seed))) for seed in (1, 1, 2))
    assert one == same
    assert one.requests != other.requests
