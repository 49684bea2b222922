"""Which charts a run is shown in."""

from collections.abc import Sequence
from typing import Final

from penstock.model.pricing import Prices
from penstock.model.throttles import ThrottleReason
from penstock.simulate.cost import Comparison
from penstock.simulate.plan import Plan
from penstock.simulate.plot import Chart, Line
from penstock.simulate.record import Result, Tick, thinned

_MOST_POINTS: Final = 480
_HOUR_S: Final = 3600.0
_MIB_PER_GIB: Final = 1024


def charts_of(plan: Plan, result: Result, comparison: Comparison) -> list[Chart]:
    ticks = thinned(result.ticks, _MOST_POINTS)
    if len(ticks) == 1:  # a line has two ends
        ticks = [ticks[0]._replace(at=0.0), ticks[0]]
    moments = [one.at for one in ticks]
    return [
        Chart(title, unit, moments, lines)
        for title, unit, lines in (
            ("Load", "requests/s", _load(ticks)),
            ("Slots", "requests at a time", _slots(ticks)),
            ("Environments", "", _environments(ticks)),
            ("Instances", "", [Line("instances", "violet", [one.instances for one in ticks], area=True, steps=True)]),
            ("CPU", "vCPUs of the environments", _cpu(plan, ticks)),
            ("Throttles by reason", "a second", _throttles(ticks)),
            ("Cost", "USD an hour, on-demand", _cost(ticks, comparison)),
        )
    ]


def _load(ticks: Sequence[Tick]) -> list[Line]:
    return [
        Line("refused", "red", [one.refused / one.seconds for one in ticks], area=True),
        Line("all", "blue", [one.rps for one in ticks], area=True),
    ]


def _slots(ticks: Sequence[Tick]) -> list[Line]:
    return [
        Line("in use on average", "blue", [one.in_flight for one in ticks], area=True),
        Line("at most", "amber", [one.peak for one in ticks]),
        Line("available", "grey", [one.slots for one in ticks], steps=True),
    ]


def _environments(ticks: Sequence[Tick]) -> list[Line]:
    return [
        Line("serving", "teal", [one.environments for one in ticks], area=True, steps=True),
        Line("on their way", "amber", [one.starting for one in ticks], area=True, steps=True, stacked=True),
    ]


def _cpu(plan: Plan, ticks: Sequence[Tick]) -> list[Line]:
    return [
        Line("in use", "blue", [one.cpu for one in ticks], area=True),
        Line("target", "violet", [one.vcpus * plan.policy.target_cpu for one in ticks], steps=True),
        Line("available", "grey", [one.vcpus for one in ticks], steps=True),
    ]


def _throttles(ticks: Sequence[Tick]) -> list[Line]:
    """By those reasons that there were."""
    by_reason = (
        (ThrottleReason.CONCURRENCY, "amber", [one.refused_concurrency / one.seconds for one in ticks]),
        (ThrottleReason.CPU, "red", [one.refused_cpu / one.seconds for one in ticks]),
        (ThrottleReason.MEMORY, "violet", [one.refused_memory / one.seconds for one in ticks]),
    )
    there = [one for one in by_reason if any(one[2])] or by_reason[:1]
    return [Line(reason.value, colour, values, area=True, stacked=True) for reason, colour, values in there]


def _cost(ticks: Sequence[Tick], comparison: Comparison) -> list[Line]:
    prices = Prices()
    request = prices.usd_per_million_requests / 1e6
    gb_seconds = comparison.duration_s * comparison.memory_mib / _MIB_PER_GIB
    ordinary = request + gb_seconds * prices.usd_per_gb_second(comparison.architecture)
    managed = [
        one.usd_per_hour * (1 + prices.management_fee) + (one.rps - one.refused / one.seconds) * _HOUR_S * request
        for one in ticks
    ]
    return [
        Line("Managed Instances", "teal", managed, area=True),
        Line("ordinary Lambda", "amber", [one.rps * _HOUR_S * ordinary for one in ticks]),
    ]
