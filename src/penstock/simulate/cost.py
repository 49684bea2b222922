"""A month at the cost of the simulated time: on Managed Instances, and on ordinary Lambda beside it. Pure."""

from dataclasses import dataclass

from penstock.model.function import Architecture
from penstock.model.pricing import (
    ON_DEMAND,
    InstanceHours,
    LambdaCost,
    ManagedCost,
    Prices,
    SavingsPlan,
    lambda_cost,
    managed_cost,
)
from penstock.simulate.record import Result

_HOUR_S = 3600.0


@dataclass(frozen=True, slots=True)
class Comparison:
    """What ordinary Lambda is reckoned with: the mean duration in seconds, and its memory, of one request at a time."""

    duration_s: float
    memory_mib: int
    architecture: Architecture
    free_tier: bool = False


@dataclass(frozen=True, slots=True)
class MonthlyCost:
    """USD a month of 730 hours that all go as the simulated time did. Managed Instances are paid for what they served,
    ordinary Lambda for all requests: it would have refused none of them.
    """

    plan: SavingsPlan
    managed: ManagedCost
    ordinary: LambdaCost


def monthly_cost(
    result: Result, comparison: Comparison, plan: SavingsPlan = ON_DEMAND, prices: Prices | None = None
) -> MonthlyCost:
    """`result` as a part of a month."""
    prices = prices or Prices()
    times = prices.hours_per_month * _HOUR_S / result.seconds
    hours = [InstanceHours(one.type, one.hours * times) for one in result.instance_hours]
    return MonthlyCost(
        plan,
        managed_cost(hours, result.served * times, plan, prices),
        lambda_cost(
            result.requests * times,
            comparison.duration_s,
            comparison.memory_mib,
            comparison.architecture,
            plan,
            free_tier=comparison.free_tier,
            prices=prices,
        ),
    )
