"""Chance and durations, against formulas and against brute force."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.simulate.chance import blocked, most_of_each, peak, poisson
from penstock.simulate.profile import Durations, Fixed, Lognormal, Measured, Profile
from penstock.simulate.rates import lasting
from support.simulations import plan


@pytest.mark.parametrize(
    ("offered", "slots", "share"),
    # https://en.wikipedia.org/wiki/Erlang_(unit) and its recursion, by hand for the first two.
    [(1.0, 1, 0.5), (2.0, 2, 0.4), (5.0, 10, 0.01838), (100.0, 100, 0.07570), (0.0, 5, 0.0), (3.0, 0, 1.0)],
)
def test_erlangs_loss_formula(offered: float, slots: int, share: float) -> None:
    assert blocked(offered, slots) == pytest.approx(share, abs=1e-5)


def recursion(offered: float, slots: int) -> float:
    share = 1.0
    for number in range(1, slots + 1):
        share = offered * share / (number + offered * share)
    return share


@given(st.integers(501, 20_000), st.floats(0.8, 1.5))
def test_with_many_slots_the_short_way_is_as_good(slots: int, load: float) -> None:
    assert blocked(slots * load, slots) == pytest.approx(recursion(slots * load, slots), rel=0.05, abs=2e-4)


@pytest.mark.parametrize("mean", [0.5, 4.0, 49.0, 51.0, 5000.0])
def test_how_many_come(mean: float) -> None:
    chance = random.Random(1)
    counts = [poisson(mean, chance) for _ in range(4000)]
    average = sum(counts) / len(counts)
    assert average == pytest.approx(mean, abs=5 * math.sqrt(mean / 4000))
    variance = sum((one - average) ** 2 for one in counts) / len(counts)
    assert variance == pytest.approx(mean, rel=0.15)


@pytest.mark.parametrize("mean", [2.0, 30.0, 400.0])
@pytest.mark.parametrize("looks", [1, 60])
def test_the_peak_is_the_most_of_so_many_looks(mean: float, looks: int) -> None:
    chance = random.Random(2)
    drawn = sum(peak(mean, looks, chance) for _ in range(2000)) / 2000
    counted = sum(max(poisson(mean, chance) for _ in range(looks)) for _ in range(500)) / 500
    assert drawn == pytest.approx(counted, rel=0.06, abs=0.4)


@pytest.mark.parametrize(("level", "count"), [(60.0, 30), (56.0, 29), (400.0, 25), (5.0, 3), (3.0, 40)])
@pytest.mark.parametrize("looks", [1, 6, 40])
def test_each_has_its_most_at_some_moment(level: float, count: int, looks: int) -> None:
    """At every look the router has evened out; who has one more is anybody."""
    chance = random.Random(4)
    sums = []
    for _ in range(400):
        most = [0] * count
        for _ in range(looks):
            each, more = divmod(max(0, round(chance.gauss(level, math.sqrt(level)))), count)
            luckier = set(chance.sample(range(count), more))
            most = [max(one, each + (number in luckier)) for number, one in enumerate(most)]
        sums.append(sum(most))
    told = most_of_each(level, math.sqrt(level), count, looks)
    assert told == pytest.approx(sum(sums) / len(sums), rel=0.06, abs=1.0)


DURATIONS = [Fixed(0.4), Lognormal(0.2, 1.5), Lognormal(0.3, 0.3), Measured.of([0.1, 0.2, 0.2, 1.5])]


@pytest.mark.parametrize("durations", DURATIONS, ids=str)
@pytest.mark.parametrize("after", [0.0, 0.1, 0.5, 2.0])
def test_what_is_left_after_a_time(durations: Durations, after: float) -> None:
    chance = random.Random(3)
    drawn = [durations.draw(chance) for _ in range(40_000)]
    left = sum(max(0.0, one - after) for one in drawn) / len(drawn)
    assert durations.beyond(after) == pytest.approx(left, rel=0.08, abs=0.002)
    assert durations.beyond(0.0) == pytest.approx(durations.mean)


def test_many_measured_durations_are_thinned_evenly() -> None:
    measured = Measured.of(number / 1000 for number in range(50_000))
    assert len(measured.sorted) == 1000
    assert measured.mean == pytest.approx(25, rel=0.01)


@pytest.mark.parametrize("durations", [*DURATIONS, Fixed(40.0), Lognormal(20.0, 200.0)], ids=str)
def test_of_a_steady_load_rate_times_duration_is_in_flight(durations: Durations) -> None:
    shares = lasting(plan(durations=durations), 1.0)
    assert sum(shares) == pytest.approx(durations.mean, rel=0.0011)
    assert shares == sorted(shares, reverse=True)


def test_memory_bounds_the_slots() -> None:
    profile = Profile(Fixed(1.0), 0.0, memory_mib=100, base_memory_mib=48)
    assert profile.slots(64, 2048) == 20
    assert profile.slots(8, 2048) == 8
    assert profile.memory(20, 2048) == pytest.approx(1.0)
    assert Profile(Fixed(1.0), 0.0).memory(20, 2048) is None
