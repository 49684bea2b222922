"""What a month costs, in USD of us-east-1: on Managed Instances, and on ordinary Lambda beside it. Pure.

https://aws.amazon.com/lambda/pricing/. Not in it: what is billed beside Lambda (EBS volumes, NAT gateways, data between
zones, logs), and the lower price of ordinary Lambda beyond six billion GB-seconds a month.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil
from typing import Final, NamedTuple

from penstock.model.function import Architecture
from penstock.model.instances import MIB_PER_GIB, InstanceType
from penstock.model.limits import KIB


@dataclass(frozen=True, slots=True)
class Prices:
    """`management_fee` is a share of the on-demand price, which no Savings Plan lowers. Only ordinary Lambda has a
    free tier. 730 hours a month as in AWS's own calculator:
    https://github.com/aws-samples/sample-aws-lambda-managed-instances.
    """

    hours_per_month: float = 730.0
    management_fee: float = 0.15
    usd_per_million_requests: float = 0.20
    x86_usd_per_gb_second: float = 0.0000166667
    arm_usd_per_gb_second: float = 0.0000133333
    free_requests: int = 1_000_000
    free_gb_seconds: float = 400_000.0

    def usd_per_gb_second(self, architecture: Architecture) -> float:
        return self.arm_usd_per_gb_second if architecture is Architecture.ARM64 else self.x86_usd_per_gb_second


class SavingsPlan(NamedTuple):
    """Discounts from 0 to 1: on the price of instances, and on the GB-seconds of ordinary Lambda."""

    name: str
    instances: float = 0.0
    gb_seconds: float = 0.0


ON_DEMAND: Final = SavingsPlan("On-Demand")
# Discounts of the calculator named above, which calls them its own analysis.
SAVINGS_PLANS: Final = (
    ON_DEMAND,
    SavingsPlan("Compute Savings Plan (1 year)", 0.32, 0.12),
    SavingsPlan("Compute Savings Plan (3 years)", 0.65, 0.12),
    SavingsPlan("EC2 Instance Savings Plan (1 year)", 0.32),
    SavingsPlan("Reserved Instance (3 years)", 0.65),
)
_PRICES: Final = Prices()
# https://docs.aws.amazon.com/lambda/latest/dg/invocation-async.html; the units stand on the pricing page.
_FIRST_ASYNC_UNIT: Final = 256 * KIB
_MORE_ASYNC_UNIT: Final = 64 * KIB


class InstanceHours(NamedTuple):
    """`hours` in all, of one instance or of several of a type."""

    type: InstanceType
    hours: float


@dataclass(frozen=True, slots=True)
class ManagedCost:
    """USD on Managed Instances. `management_fee` belongs to the instances."""

    instances: float
    management_fee: float
    requests: float

    @property
    def total(self) -> float:
        return self.instances + self.management_fee + self.requests


@dataclass(frozen=True, slots=True)
class LambdaCost:
    """USD on ordinary Lambda; `gb_seconds` is what was used, free or not."""

    gb_seconds: float
    compute: float
    requests: float

    @property
    def total(self) -> float:
        return self.compute + self.requests


def whole_month(instance: InstanceType, count: int, prices: Prices = _PRICES) -> InstanceHours:
    """`count` instances that run all month."""
    return InstanceHours(instance, count * prices.hours_per_month)


def managed_cost(
    hours: Iterable[InstanceHours], requests: float, plan: SavingsPlan = ON_DEMAND, prices: Prices = _PRICES
) -> ManagedCost:
    """Instance hours, the fee on their on-demand price, and requests. There is no price for duration."""
    on_demand = sum(one.hours * one.type.usd_per_hour for one in hours)
    return ManagedCost(
        instances=on_demand * (1 - plan.instances),
        management_fee=on_demand * prices.management_fee,
        requests=_requests(requests, prices),
    )


def lambda_cost(
    requests: float,
    seconds: float,
    memory_mib: int,
    architecture: Architecture,
    plan: SavingsPlan = ON_DEMAND,
    *,
    free_tier: bool = False,
    prices: Prices = _PRICES,
) -> LambdaCost:
    """Ordinary Lambda, one environment for each request: `requests` of `seconds` each, with `memory_mib`."""
    gb_seconds = requests * seconds * memory_mib / MIB_PER_GIB
    billed, counted = gb_seconds, requests
    if free_tier:
        billed, counted = max(0.0, billed - prices.free_gb_seconds), max(0.0, counted - prices.free_requests)
    compute = billed * prices.usd_per_gb_second(architecture) * (1 - plan.gb_seconds)
    return LambdaCost(gb_seconds, compute, _requests(counted, prices))


def async_requests(payload_bytes: int) -> int:
    """How many requests one asynchronous event counts as: one up to 256 KB, and one more for each 64 KB begun."""
    return 1 + ceil(max(0, payload_bytes - _FIRST_ASYNC_UNIT) / _MORE_ASYNC_UNIT)


def _requests(count: float, prices: Prices) -> float:
    return count * prices.usd_per_million_requests / 1_000_000
