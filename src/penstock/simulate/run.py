"""A run, by events where they are few and by rates where they are many."""

from collections.abc import Callable

from penstock.simulate.events import simulate_events
from penstock.simulate.plan import Plan
from penstock.simulate.rates import simulate_rates
from penstock.simulate.record import Result


def simulate(plan: Plan, on_tick: Callable[[float], None] = lambda now: None) -> Result:
    """`on_tick` is told the simulated second after each tick."""
    if plan.by_events:
        return simulate_events(plan, on_tick)
    return simulate_rates(plan, on_tick)
