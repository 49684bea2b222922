"""What a distribution says of the values it was given."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.control_plane.distribution import Distribution, bucket_of, value_of

VALUES = st.lists(st.floats(0, 1e9, allow_subnormal=False), min_size=1, max_size=50)


def of(*values: float) -> Distribution:
    found = Distribution()
    for value in values:
        found.add(value)
    return found


def test_statistics_are_exact() -> None:
    values = of(3, 1, 2)
    assert (values.count, values.sum, values.minimum, values.maximum) == (3, 6, 1, 3)


def test_whole_numbers_have_exact_percentiles() -> None:
    values = of(*range(1, 101))
    assert [values.percentile(percent) for percent in (0, 1, 50, 90, 99, 99.9, 100)] == [1, 1, 50, 90, 99, 100, 100]


@given(VALUES, st.floats(0, 100))
def test_a_percentile_is_near_the_value(values: list[float], percent: float) -> None:
    found = of(*values).percentile(percent)
    exact = sorted(values)[max(math.ceil(len(values) * percent / 100 - 1e-9), 1) - 1]
    assert found == pytest.approx(exact, rel=0.004, abs=1e-300)


@given(VALUES, VALUES)
def test_merging_is_counting_together(one: list[float], other: list[float]) -> None:
    merged, together = of(*one), of(*one, *other)
    merged.merge(of(*other))
    assert merged.buckets == together.buckets
    assert merged.sum == pytest.approx(together.sum)
    assert (merged.count, merged.minimum, merged.maximum) == (together.count, together.minimum, together.maximum)


@given(VALUES)
def test_json_and_back(values: list[float]) -> None:
    found = of(*values)
    assert Distribution.from_json(found.to_json()) == found


@given(st.floats(1e-300, 1e300))
def test_a_bucket_holds_its_value(value: float) -> None:
    bucket = bucket_of(value)
    assert value_of(bucket) <= value < value_of(bucket + 1)


def test_there_are_no_percentiles_of_unknown_or_negative_values() -> None:
    assert of(-1, 5).percentile(50) is None
    summed = of(1)
    summed.merge(Distribution(4, 10, 1, 4, None))
    assert summed.percentile(50) is None
    assert of(-2, -2).percentile(50) == -2
    assert Distribution().percentile(50) is None


def test_nothing_merges_to_nothing() -> None:
    values = of(1)
    values.merge(Distribution(buckets=None))
    assert values == of(1)
