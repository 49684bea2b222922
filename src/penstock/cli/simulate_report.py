"""A simulation as tables on the terminal."""

from collections.abc import Callable, Iterable
from typing import Final

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from penstock.model.function import Function
from penstock.model.throttles import ThrottleReason
from penstock.simulate.cost import Comparison, MonthlyCost
from penstock.simulate.plan import Plan
from penstock.simulate.record import Result, Tick, thinned
from penstock.simulate.sweep import Point, Row, point_of
from penstock.simulate.units import show_duration

_MOST_ROWS: Final = 24
_MOST_POINTS: Final = 20
SHORT_NAMES: Final = {"Compute Savings Plan (1 year)": "1-year plan", "Compute Savings Plan (3 years)": "3-year plan"}


def print_report(
    console: Console,
    function: Function,
    plan: Plan,
    result: Result,
    costs: list[MonthlyCost],
    comparison: Comparison,
) -> None:
    console.print(Text.assemble((f"{function.logical_id}  ", "bold"), plan.settings_in_words))
    console.print(_course(result))
    for name, text in _lines(plan, result):
        console.print(Text.assemble((f"{name:<10}", "bold"), text))
    console.print()
    console.print(_costs(costs, comparison))


def _course(result: Result) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for name in ("until", "requests/s", "in flight", "peak", "env", "slots", "CPU", "instances", "throttles"):
        table.add_column(name, justify="right", no_wrap=True)
    for one in thinned(result.ticks, _MOST_ROWS):
        table.add_row(*_cells(one), style="red" if one.refused else "")
    return table


def _cells(one: Tick) -> Iterable[str]:
    starting = f" +{one.starting}" if one.starting else ""
    return (
        show_duration(round(one.at)),
        f"{one.rps:,.0f}" if one.rps >= 10 else f"{one.rps:.1f}",
        f"{one.in_flight:,.1f}" if one.in_flight < 1000 else f"{one.in_flight:,.0f}",
        f"{one.peak:,}",
        f"{one.environments:,}{starting}",
        f"{one.slots:,}",
        f"{one.cpu / one.vcpus:.0%}" if one.vcpus else "-",
        f"{one.instances:,}",
        f"{one.refused:,}" if one.refused else "-",
    )


def _lines(plan: Plan, result: Result) -> Iterable[tuple[str, str]]:
    yield (
        "requests",
        f"by {result.mode}: {result.requests:,} in {show_duration(round(result.seconds))}, {result.served:,} served",
    )
    told = [f"{reason.value} {result.throttles[reason]:,}" for reason in ThrottleReason if result.throttles[reason]]
    failed = f"; {result.failed:,} failed, {_share(result)}" if result.failed else ""
    yield "throttles", (", ".join(told) or "none") + failed
    most = max(one.environments for one in result.ticks)
    instances = max(one.instances for one in result.ticks)
    yield "at most", f"{most:,} environments, {instances:,} instances; CPU {result.utilization:.0%} on average"
    yield "instances", ", ".join(f"{one.type.name} {one.hours:,.1f} h" for one in result.instance_hours) or "none"
    if result.limited:
        yield "limit", f"{result.limited}, with MaxVCpuCount {plan.fleet.max_vcpus}"


def _share(result: Result) -> str:
    return f"{result.failed / max(1, result.requests):.2%}"


def _costs(costs: list[MonthlyCost], comparison: Comparison) -> Table:
    tier = ", free tier" if comparison.free_tier else ""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("USD a month like this")
    for one in costs:
        table.add_column(SHORT_NAMES.get(one.plan.name, one.plan.name), justify="right")
    kinds: list[tuple[str, Callable[[MonthlyCost], float]]] = [
        ("instances", lambda one: one.managed.instances),
        ("management fee", lambda one: one.managed.management_fee),
        ("requests", lambda one: one.managed.requests),
        ("[bold]Managed Instances[/]", lambda one: one.managed.total),
        (f"[bold]ordinary Lambda[/], {comparison.memory_mib} MB{tier}", lambda one: one.ordinary.total),
    ]
    for name, cost in kinds:
        table.add_row(name, *(f"{cost(one):,.2f}" for one in costs))
    return table


def print_sweep(console: Console, plan: Plan, rows: list[Row], allowed: float) -> None:
    """`rows` are ranked; the template's own is shown wherever it stands."""
    own = point_of(plan)
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for name in ("", "max vCPU", "concurrency", "target", "USD a month", "refused", "instances", "CPU", ""):
        table.add_column(name, justify="right", no_wrap=True)
    for number, row in enumerate(rows, 1):
        if number > _MOST_POINTS and row.point != own:
            continue
        table.add_row(
            str(number),
            *_row_cells(row),
            "yours" if row.point == own else "",
            style=("bold " if row.point == own else "") + ("" if row.refused <= allowed else "red"),
        )
    console.print("\nOther settings, the cheapest without throttles first", style="bold")
    console.print(table)
    console.print(_advice(rows, own, allowed), highlight=False)
    if len(rows) > _MOST_POINTS:
        console.print(f"{len(rows)} settings were tried; --json has them all", style="dim")


def _row_cells(row: Row) -> tuple[str, ...]:
    return (
        f"{row.point.max_vcpus:,}",
        f"{row.point.concurrency:,}",
        f"{row.point.target_cpu:g} %",
        f"{row.cost.managed.total:,.2f}",
        f"{row.refused:.3%}" if row.refused else "-",
        f"{row.most_instances:,}",
        f"{row.utilization:.0%}",
    )


def _advice(rows: list[Row], own: Point, allowed: float) -> str:
    best = rows[0]
    mine = next(row for row in rows if row.point == own)
    if best.refused > allowed:
        return f"None of them serves enough (--allow-throttles); the first refuses least, {best.refused:.3%}."
    if best.point == own or (mine.refused <= allowed and mine.cost.managed.total <= best.cost.managed.total):
        return "Yours is the best of them."
    vcpus, slots, target = best.point
    saved = mine.cost.managed.total - best.cost.managed.total
    less = f"{saved:,.2f} USD a month less" if saved > 0 else f"{-saved:,.2f} USD a month more"
    refusing = f", and refuses {best.refused:.3%} instead of {mine.refused:.3%}" if mine.refused > allowed else ""
    return f"MaxVCpuCount {vcpus}, concurrency {slots} and target {target:g} % CPU cost {less} than yours{refusing}."
