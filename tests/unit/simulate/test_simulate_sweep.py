"""Other settings: which are tried, in what order they are told, and that they are run as the first one was."""

from dataclasses import replace

import pytest

from penstock.model.function import Architecture
from penstock.simulate.cost import Comparison, monthly_cost
from penstock.simulate.profile import Fixed
from penstock.simulate.rates import simulate_rates
from penstock.simulate.sweep import Point, Row, grid, point_of, ranked, sweep
from penstock.simulate.traffic import Constant
from support.simulations import plan, simulated

COMPARISON = Comparison(1.0, 2048, Architecture.X86_64)
OWN = Point(12, 16, 50.0)
STORY = plan(Constant(150), seconds=900, durations=Fixed(1.0), of=simulated(max_vcpus=12))


def test_the_grid_is_around_the_templates_own() -> None:
    points = grid(OWN)
    assert OWN in points
    assert len(points) == len(set(points)) == 4 * 3 * 4
    assert {one.max_vcpus for one in points} == {6, 12, 24, 48}
    assert grid(OWN, [20], [32], [85.0]) == tuple(Point(*one) for one in (
        (12, 16, 50.0), (12, 16, 85.0), (12, 32, 50.0), (12, 32, 85.0),
        (20, 16, 50.0), (20, 16, 85.0), (20, 32, 50.0), (20, 32, 85.0),
    ))  # fmt: skip
    assert all(2 <= one.max_vcpus <= 15_000 and one.concurrency <= 1600 for one in grid(Point(2, 1600, 50.0)))


def test_what_is_found_is_what_a_run_with_those_settings_finds() -> None:
    assert point_of(STORY) == OWN
    rows = sweep(STORY, [OWN, Point(48, 16, 50.0)], COMPARISON, processes=1)
    assert [row.point.max_vcpus for row in rows] == [48, 12]  # 9 environments hold 144 requests: the 12 vCPUs refuse
    assert rows[0].refused == 0 < rows[1].refused
    wider = simulate_rates(replace(STORY, fleet=replace(STORY.fleet, max_vcpus=48)))
    assert rows[0].cost == monthly_cost(wider, COMPARISON)
    own = simulate_rates(STORY)
    assert rows[1].throttles == own.throttles.total() > 0


def test_several_processes_find_the_same() -> None:
    points = grid(OWN, [24], [32], [70.0])
    done = 0

    def count() -> None:
        nonlocal done
        done += 1

    short = replace(STORY, seconds=60.0)
    assert sweep(short, points, COMPARISON, count, processes=2) == sweep(short, points, COMPARISON, processes=1)
    assert done == len(points)


@pytest.mark.parametrize(("allowed", "first"), [(0.0, 100.0), (0.01, 60.0), (0.5, 20.0)])
def test_the_cheapest_of_those_that_refuse_no_more_than_allowed(allowed: float, first: float) -> None:
    cost = sweep(replace(STORY, seconds=15.0), [OWN], COMPARISON, processes=1)[0].cost

    def row(usd: float, refused: float) -> Row:
        return Row(OWN, replace(cost, managed=replace(cost.managed, instances=usd)), 0, refused, 3, 0.5)

    rows = [row(200.0, 0.0), row(100.0, 0.0), row(60.0, 0.005), row(20.0, 0.3)]
    assert ranked(rows, allowed)[0].cost.managed.instances == first
    assert ranked(rows, 0.0)[-1].refused == 0.3
