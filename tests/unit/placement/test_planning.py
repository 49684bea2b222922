"""How many instances a stated load needs, held against AWS's own calculator."""

import pytest

from penstock.model.function import Architecture
from penstock.model.instances import InstanceType, find
from penstock.model.pricing import lambda_cost, managed_cost, whole_month
from penstock.placement import PlacementSettings, Size, Workload, environment_size, plan

SETTINGS = PlacementSettings()
PYTHON = 16
# CPU that one request needs, by the names the calculator gives to kinds of work.
IO_HEAVY, BALANCED, CPU_HEAVY = 0.125, 0.25, 0.50


def instance(name: str = "c7g.xlarge") -> InstanceType:
    found = find(name)
    assert found is not None
    return found


def test_from_a_load_to_a_price() -> None:
    """A hundred Python requests at a time, of 512 MB, balanced, on c7g.xlarge: fourteen instances, 1,704.385 USD."""
    found = plan(Workload(100, 512, BALANCED, PYTHON), instance(), SETTINGS)
    assert found is not None
    assert (found.size, found.environments, found.instances) == (Size(1.0, 2048), 25, 14)
    cost = managed_cost([whole_month(instance(), found.instances)], 1_000_000)
    assert round(cost.instances, 3) == 1481.900
    assert round(cost.management_fee, 3) == 222.285
    assert round(cost.requests, 3) == 0.200
    assert round(cost.total, 3) == 1704.385
    assert lambda_cost(1_000_000, 60.0, 512, Architecture.ARM64).total < cost.total  # as the calculator says of it


# https://github.com/aws-samples/sample-aws-lambda-managed-instances (tools/pricing-calculator/tests/test-cases.json)
@pytest.mark.parametrize(
    ("concurrency", "vcpus", "environments", "instances"),
    [
        (100, BALANCED, 25, 14),
        (100, IO_HEAVY, 13, 8),
        (100, CPU_HEAVY, 50, 26),
        (50, BALANCED, 13, 8),
        (200, BALANCED, 50, 26),
    ],
)
def test_awss_calculator(concurrency: int, vcpus: float, environments: int, instances: int) -> None:
    found = plan(Workload(concurrency, 512, vcpus, PYTHON), instance(), SETTINGS)
    assert found is not None
    assert (found.environments, found.instances) == (environments, instances)


def test_never_fewer_than_at_the_start() -> None:
    found = plan(Workload(1, 128, IO_HEAVY, PYTHON), instance(), SETTINGS)
    assert found is not None
    assert (found.environments, found.instances) == (1, 3)


def test_the_runtimes_limit_holds_however_little_a_request_needs() -> None:
    found = plan(Workload(160, 1, 0.001, PYTHON), instance(), SETTINGS)
    assert found is not None
    assert found.environments == 10


def test_a_request_that_needs_more_than_a_vcpu_is_alone() -> None:
    found = plan(Workload(6, 512, 2.0, PYTHON), instance(), SETTINGS)
    assert found is not None
    assert found.environments == 6


@pytest.mark.parametrize(
    ("memory_mib", "ratio", "size"),
    [
        (512, 2.0, Size(1.0, 2048)),
        (16, 2.0, Size(1.0, 2048)),
        (2048, 2.0, Size(1.0, 2048)),
        (2049, 2.0, Size(2.0, 4096)),
        (512, 4.0, Size(1.0, 4096)),
        (100, 8.0, Size(1.0, 8192)),
        (9000, 8.0, Size(2.0, 16384)),
    ],
)
def test_an_environment_has_whole_vcpus_with_their_memory(memory_mib: int, ratio: float, size: Size) -> None:
    assert environment_size(Workload(1, memory_mib, BALANCED, PYTHON, ratio)) == size


def test_a_type_that_holds_none() -> None:
    assert plan(Workload(100, 6000, BALANCED, PYTHON), instance("c7g.large"), SETTINGS) is None
    assert plan(Workload(100, 512, BALANCED, PYTHON, 8.0), instance("c7g.xlarge"), SETTINGS) is None
