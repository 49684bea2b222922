"""What other settings would do: a run for each point of a grid, in as many processes as there are processors."""

import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from typing import Final, NamedTuple

from penstock.model.limits import MAX_CONCURRENCY, MAX_MAX_VCPU, MIN_MAX_VCPU
from penstock.simulate.cost import Comparison, MonthlyCost, monthly_cost
from penstock.simulate.plan import Plan
from penstock.simulate.rates import simulate_rates

_VCPU_FACTORS: Final = (0.5, 1.0, 2.0, 4.0)
_CONCURRENCY_FACTORS: Final = (0.5, 1.0, 2.0)
# Densest and sparest as AWS's guide names them, and between:
# https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-capacity-providers.html
_TARGETS: Final = (30.0, 50.0, 70.0, 85.0)


class Point(NamedTuple):
    """`target_cpu` in percent."""

    max_vcpus: int
    concurrency: int
    target_cpu: float


@dataclass(frozen=True, slots=True)
class Row:
    """What came of one point. `refused` is the share of requests, from 0 to 1."""

    point: Point
    cost: MonthlyCost
    throttles: int
    refused: float
    most_instances: int
    utilization: float


def point_of(plan: Plan) -> Point:
    """The template's own."""
    return Point(plan.fleet.max_vcpus, plan.policy.slots, round(plan.policy.target_cpu * 100, 6))


def grid(
    own: Point,
    max_vcpus: Iterable[int] = (),
    concurrencies: Iterable[int] = (),
    targets: Iterable[float] = (),
) -> tuple[Point, ...]:
    """Every combination, the template's own values among them. What is not given is chosen around its own."""
    vcpus = list(max_vcpus) or [round(own.max_vcpus * factor) for factor in _VCPU_FACTORS]
    slots = list(concurrencies) or [round(own.concurrency * factor) for factor in _CONCURRENCY_FACTORS]
    wanted = product(
        sorted({own.max_vcpus, *(min(MAX_MAX_VCPU, max(MIN_MAX_VCPU, one)) for one in vcpus)}),
        sorted({own.concurrency, *(min(MAX_CONCURRENCY, max(1, one)) for one in slots)}),
        sorted({own.target_cpu, *(list(targets) or _TARGETS)}),
    )
    return tuple(Point(*one) for one in wanted)


def sweep(
    plan: Plan,
    points: Iterable[Point],
    comparison: Comparison,
    on_row: Callable[[], None] = lambda: None,
    processes: int | None = None,
) -> list[Row]:
    """`on_row` is called after each run. Rows in the order of `ranked`, given no throttles are allowed."""
    return ranked(_each(partial(_row, plan, comparison), tuple(points), processes or os.cpu_count() or 1, on_row), 0.0)


def ranked(rows: Iterable[Row], allowed: float) -> list[Row]:
    """Those that refuse at most that share by cost, then the others by what they refuse."""
    return sorted(
        rows,
        key=lambda row: (
            (0.0, row.cost.managed.total) if row.refused <= allowed else (row.refused, row.cost.managed.total),
            row.point,
        ),
    )


def _each(
    work: Callable[[Point], Row], points: tuple[Point, ...], processes: int, on_row: Callable[[], None]
) -> Iterator[Row]:
    if processes == 1 or len(points) == 1:
        for point in points:
            yield work(point)
            on_row()
        return
    # Fork would take the threads of a progress bar with it.
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        for done in as_completed([pool.submit(work, point) for point in points]):
            yield done.result()
            on_row()


def _row(plan: Plan, comparison: Comparison, point: Point) -> Row:
    policy = replace(plan.policy, slots=point.concurrency, target_cpu=point.target_cpu / 100)
    changed = replace(plan, policy=policy, fleet=replace(plan.fleet, max_vcpus=point.max_vcpus))
    result = simulate_rates(changed)
    return Row(
        point=point,
        cost=monthly_cost(result, comparison),
        throttles=result.throttles.total(),
        refused=result.failed / max(1, result.requests),
        most_instances=max((one.instances for one in result.ticks), default=0),
        utilization=result.utilization,
    )
