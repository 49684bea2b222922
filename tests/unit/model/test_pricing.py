"""What a month costs, to the cent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.model.function import Architecture
from penstock.model.instances import InstanceType, catalogue, find
from penstock.model.pricing import (
    ON_DEMAND,
    SAVINGS_PLANS,
    InstanceHours,
    LambdaCost,
    ManagedCost,
    Prices,
    SavingsPlan,
    async_requests,
    lambda_cost,
    managed_cost,
    whole_month,
)

COMPUTE_1, COMPUTE_3, EC2_1, RESERVED_3 = SAVINGS_PLANS[1:]
ARM, X86 = Architecture.ARM64, Architecture.X86_64


def c7g() -> InstanceType:
    found = find("c7g.xlarge")
    assert found is not None
    return found


def cents(cost: ManagedCost | LambdaCost) -> float:
    return round(cost.total, 3)


# Each row is one of the calculator's own tests: instances, millions of requests, plan, and what it makes of them.
# https://github.com/aws-samples/sample-aws-lambda-managed-instances (tools/pricing-calculator/tests/test-cases.json)
CALCULATOR = [
    (14, 1, ON_DEMAND, (1481.900, 222.285, 0.20), 1704.385),
    (14, 1, COMPUTE_1, (1007.692, 222.285, 0.20), 1230.177),
    (14, 1, COMPUTE_3, (518.665, 222.285, 0.20), 741.150),
    (14, 1, EC2_1, (1007.692, 222.285, 0.20), 1230.177),
    (14, 1, RESERVED_3, (518.665, 222.285, 0.20), 741.150),
    (14, 10, ON_DEMAND, (1481.900, 222.285, 2.00), 1706.185),
    (14, 10, COMPUTE_1, (1007.692, 222.285, 2.00), 1231.977),
    (14, 10, COMPUTE_3, (518.665, 222.285, 2.00), 742.950),
    (8, 1, ON_DEMAND, (846.800, 127.020, 0.20), 974.020),
    (8, 1, COMPUTE_1, (575.824, 127.020, 0.20), 703.044),
    (26, 1, ON_DEMAND, (2752.100, 412.815, 0.20), 3165.115),
    (26, 1, COMPUTE_3, (963.235, 412.815, 0.20), 1376.250),
]


@pytest.mark.parametrize(("count", "millions", "plan", "parts", "total"), CALCULATOR)
def test_awss_calculator_to_the_cent(
    count: int, millions: int, plan: SavingsPlan, parts: tuple[float, float, float], total: float
) -> None:
    cost = managed_cost([whole_month(c7g(), count)], millions * 1_000_000, plan)
    assert (cost.instances, cost.management_fee, cost.requests) == pytest.approx(parts, abs=1e-9)
    assert cents(cost) == total


def test_the_fee_is_never_discounted() -> None:
    hours = [whole_month(c7g(), 3)]
    fees = {round(managed_cost(hours, 0, plan).management_fee, 6) for plan in SAVINGS_PLANS}
    assert fees == {round(3 * 730 * 0.145 * 0.15, 6)}
    free = managed_cost(hours, 0, SavingsPlan("all of it", instances=1.0))
    assert (free.instances, free.total) == (0.0, free.management_fee)


def test_hours_of_several_types_add_up() -> None:
    m7g = find("m7g.2xlarge")
    assert m7g is not None
    cost = managed_cost([InstanceHours(c7g(), 10.0), InstanceHours(m7g, 2.5), InstanceHours(c7g(), 1.0)], 0)
    assert cost.instances == pytest.approx(11 * 0.145 + 2.5 * 0.3264)
    assert cost.total == pytest.approx(1.15 * cost.instances)


def test_an_idle_capacity_provider_costs_its_three_instances() -> None:
    """And a fleet of none costs nothing: what deactivation is for."""
    assert managed_cost([whole_month(c7g(), 3)], 0).total == pytest.approx(365.1825)
    assert managed_cost([], 0).total == 0.0


def test_duration_has_no_price_on_managed_instances_but_on_ordinary_lambda() -> None:
    """100 requests at a time, a million of 60 seconds with 512 MB: thirty million GB-seconds."""
    cost = lambda_cost(1_000_000, 60.0, 512, ARM)
    assert cost.gb_seconds == 30_000_000
    assert cost.compute == pytest.approx(30_000_000 * 0.0000133333)
    assert cents(cost) == 400.199
    assert lambda_cost(1_000_000, 120.0, 512, ARM).compute == pytest.approx(2 * cost.compute)


def test_the_architecture_has_its_own_price() -> None:
    x86 = lambda_cost(1_000_000, 1.0, 1024, X86)
    assert x86.compute == pytest.approx(16.6667)
    assert lambda_cost(1_000_000, 1.0, 1024, ARM).compute == pytest.approx(13.3333)
    assert x86.requests == pytest.approx(0.20)


def test_a_compute_savings_plan_lowers_ordinary_lambda_but_not_its_requests() -> None:
    plain = lambda_cost(10_000_000, 60.0, 512, ARM)
    reduced = lambda_cost(10_000_000, 60.0, 512, ARM, COMPUTE_1)
    assert reduced.compute == pytest.approx(plain.compute * 0.88)
    assert reduced.requests == plain.requests == pytest.approx(2.0)
    assert lambda_cost(10_000_000, 60.0, 512, ARM, EC2_1) == plain
    assert lambda_cost(10_000_000, 60.0, 512, ARM, RESERVED_3) == plain


def test_the_free_tier() -> None:
    """A million requests and 400,000 GB-seconds, and never less than nothing."""
    inside = lambda_cost(1_000_000, 0.4, 1024, X86, free_tier=True)
    assert (inside.compute, inside.requests) == (0.0, 0.0)
    assert inside.gb_seconds == 400_000
    beyond = lambda_cost(3_000_000, 0.4, 1024, X86, free_tier=True)
    assert beyond.compute == pytest.approx(800_000 * 0.0000166667)
    assert beyond.requests == pytest.approx(0.40)
    assert lambda_cost(10, 0.1, 128, X86, free_tier=True).total == 0.0


def test_prices_can_be_others() -> None:
    prices = Prices(hours_per_month=744.0, management_fee=0.1, usd_per_million_requests=1.0)
    cost = managed_cost([whole_month(c7g(), 1, prices)], 2_000_000, prices=prices)
    assert (cost.instances, cost.requests) == pytest.approx((744 * 0.145, 2.0))
    assert cost.management_fee == pytest.approx(74.4 * 0.145)


@pytest.mark.parametrize(
    ("kib", "more", "units"), [(0, 0, 1), (256, 0, 1), (256, 1, 2), (320, 0, 2), (320, 1, 3), (1024, 0, 13)]
)
def test_a_large_event_counts_as_several_requests(kib: int, more: int, units: int) -> None:
    assert async_requests(kib * 1024 + more) == units


@given(
    st.lists(st.tuples(st.sampled_from(catalogue()), st.floats(0, 10_000)), max_size=6),
    st.integers(0, 10**9),
    st.sampled_from(SAVINGS_PLANS),
)
def test_a_plan_never_makes_it_dearer(
    hours: list[tuple[InstanceType, float]], requests: int, plan: SavingsPlan
) -> None:
    used = [InstanceHours(*one) for one in hours]
    plain, reduced = managed_cost(used, requests), managed_cost(used, requests, plan)
    assert 0.0 <= reduced.total <= plain.total
    assert reduced.management_fee == plain.management_fee
    apart = [managed_cost([one], 0, plan).total for one in used]
    assert reduced.total == pytest.approx(sum(apart) + plain.requests)
