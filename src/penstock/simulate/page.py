"""The report as one HTML file: figures, plots, tables; nothing is fetched, and the page may not."""

from collections.abc import Iterable, Sequence
from html import escape
from importlib import resources

import orjson

from penstock.model.function import Function
from penstock.simulate.charts import charts_of
from penstock.simulate.cost import Comparison, MonthlyCost
from penstock.simulate.plan import Plan
from penstock.simulate.plot import LEFT, RIGHT, WIDTH, Chart, as_svg
from penstock.simulate.record import Result
from penstock.simulate.sweep import Row, point_of
from penstock.simulate.units import show_duration

_HEAD = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>{title}</title><style>{style}</style></head><body><main>
"""  # noqa: E501 - a page's head


def as_page(
    function: Function,
    plan: Plan,
    result: Result,
    costs: Sequence[MonthlyCost],
    rows: Sequence[Row],
    comparison: Comparison,
    traffic: str,
) -> str:
    """`costs` on-demand first; `rows` ranked, none without a sweep."""
    charts = charts_of(plan, result, comparison)
    took = show_duration(round(result.seconds))
    parts = [
        _HEAD.format(title=escape(f"{function.logical_id} simulated"), style=_resource("page.css")),
        f"<h1>{escape(function.logical_id)}</h1>",
        f"<p>{escape(traffic)} for {took}, simulated by {result.mode}, seed {plan.settings.seed}. "
        f"{escape(plan.settings_in_words)}.</p>",
        f'<div class="figures">{"".join(_figures(result, costs[0]))}</div>',
        f'<div class="charts">{"".join(map(_chart, charts))}{_cost_table(costs, comparison)}</div>',
        f'<div class="tables">{_sweep_table(plan, rows) if rows else ""}</div>',
        '<div id="tip" role="status"></div></main>',
        f'<script type="application/json" id="data">{_data(charts)}</script>',
        f"<script>{_resource('page.js')}</script></body></html>\n",
    ]
    return "\n".join(parts)


def _resource(name: str) -> str:
    return resources.files("penstock.simulate").joinpath(name).read_text(encoding="utf-8")


def _figures(result: Result, cost: MonthlyCost) -> Iterable[str]:
    share = result.failed / max(1, result.requests)
    instances = max(one.instances for one in result.ticks)
    environments = max(one.environments for one in result.ticks)
    yield _figure(f"${cost.managed.total:,.0f}", "a month on Managed Instances")
    yield _figure(f"${cost.ordinary.total:,.0f}", "a month on ordinary Lambda")
    yield _figure(f"{share:.2%}", f"refused, {result.failed:,} of {result.requests:,} requests", bad=share > 0)
    yield _figure(f"{environments:,}", f"environments at most, on {instances:,} instances")
    yield _figure(f"{result.utilization:.0%}", "of their CPU in use on average")


def _figure(number: str, what: str, *, bad: bool = False) -> str:
    return f'<div class="card figure{" bad" if bad else ""}"><b>{escape(number)}</b><span>{escape(what)}</span></div>'


def _chart(chart: Chart) -> str:
    keys = "".join(
        f'<span class="key"><i style="background:var(--{line.colour})"></i>{escape(line.name)}</span>'
        for line in chart.lines
    )
    head = f"<h2>{escape(chart.title)}</h2><small>{escape(chart.unit)}</small>{keys}"
    return f'<section class="card chart"><header>{head}</header>{as_svg(chart)}</section>'


def _data(charts: Sequence[Chart]) -> str:
    """For the cursor: the values of each chart's lines, as they are told."""
    moments = charts[0].moments
    values = [
        [(line.name, [round(value, 3 if abs(value) < 100 else 1) for value in line.values]) for line in chart.lines]
        for chart in charts
    ]
    data = {
        "left": LEFT,
        "width": WIDTH - LEFT - RIGHT,
        "moments": moments,
        "times": [show_duration(round(moment)) for moment in moments],
        "values": values,
    }
    return orjson.dumps(data).decode().replace("</", "<\\/")


def _cost_table(costs: Sequence[MonthlyCost], comparison: Comparison) -> str:
    tier = "with" if comparison.free_tier else "without"
    rows = [
        ("", ("instances", *(f"{one.managed.instances:,.2f}" for one in costs))),
        ("", ("management fee", *(f"{one.managed.management_fee:,.2f}" for one in costs))),
        ("", ("requests", *(f"{one.managed.requests:,.2f}" for one in costs))),
        ("total", ("Managed Instances", *(f"{one.managed.total:,.2f}" for one in costs))),
        ("total", ("ordinary Lambda", *(f"{one.ordinary.total:,.2f}" for one in costs))),
    ]
    note = (
        f"Of 730 hours that all go like these. Ordinary Lambda takes one request at a time, in "
        f"{comparison.memory_mib} MB, for {show_duration(round(comparison.duration_s, 4))} on average, "
        f"{tier} its free tier."
    )
    return _table("Cost of a month", note, ("USD", *(one.plan.name for one in costs)), rows)


def _sweep_table(plan: Plan, rows: Sequence[Row]) -> str:
    own = point_of(plan)
    head = ("MaxVCpuCount", "concurrency", "target CPU", "USD a month", "refused", "instances at most", "CPU in use")
    told = []
    for row in rows:
        classes = ("own " if row.point == own else "") + ("bad" if row.refused else "")
        told.append(
            (
                classes,
                (
                    f"{row.point.max_vcpus:,}" + (" (yours)" if row.point == own else ""),
                    f"{row.point.concurrency:,}",
                    f"{row.point.target_cpu:g} %",
                    f"{row.cost.managed.total:,.2f}",
                    f"{row.refused:.3%}" if row.refused else "none",
                    f"{row.most_instances:,}",
                    f"{row.utilization:.0%}",
                ),
            )
        )
    return _table("Other settings", "The cheapest without throttles first.", head, told)


def _table(title: str, note: str, head: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]]) -> str:
    names = "".join(f"<th>{escape(name)}</th>" for name in head)
    body = "".join(
        f'<tr class="{classes}">{"".join(f"<td>{escape(cell)}</td>" for cell in cells)}</tr>' for classes, cells in rows
    )
    return (
        f'<section class="card"><h2>{escape(title)}</h2><p>{escape(note)}</p>'
        f"<table><thead><tr>{names}</tr></thead><tbody>{body}</tbody></table></section>"
    )
