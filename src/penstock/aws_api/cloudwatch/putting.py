"""PutMetricData: what may be put, as data points."""

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from penstock.aws_api.cloudwatch import errors
from penstock.aws_api.cloudwatch.series import UNITS
from penstock.aws_api.service import Params
from penstock.control_plane.distribution import Distribution
from penstock.control_plane.metric_points import Dimensions, MetricPoint

# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html
_MAX_METRICS: Final = 1000
_MAX_VALUES: Final = 150
_MAX_DIMENSIONS: Final = 30
_MAX_VALUE: Final = 2.0**360
_MAX_AGE_S: Final = 14 * 24 * 3600
_MAX_AHEAD_S: Final = 2 * 3600


def data_points(params: Params, now: float) -> list[MetricPoint]:
    """`now` in epoch seconds. Raises ServiceError."""
    namespace = params.get("Namespace")
    if not namespace:
        raise errors.missing("Namespace")
    if str(namespace).startswith((":", "AWS/")):
        raise errors.invalid_value("The value for parameter Namespace is invalid.")
    given = list(_data(params))
    if not given:
        raise errors.missing("MetricData")
    if len(given) > _MAX_METRICS:
        raise errors.invalid_value(f"The collection MetricData must not have a size greater than {_MAX_METRICS}.")
    return [_point(str(namespace), place, datum, now) for place, datum in given]


def _data(params: Params) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each with its place in the request."""
    for number, datum in enumerate(params.get("MetricData") or (), 1):
        yield f"MetricData.member.{number}", datum
    for number, entity in enumerate(params.get("EntityMetricData") or (), 1):
        for inner, datum in enumerate(entity.get("MetricData") or (), 1):
            yield f"EntityMetricData.member.{number}.MetricData.member.{inner}", datum


def _point(namespace: str, place: str, datum: Mapping[str, Any], now: float) -> MetricPoint:
    name = datum.get("MetricName")
    if not name:
        raise errors.missing(f"{place}.MetricName")
    unit = datum.get("Unit") or "None"
    if unit not in UNITS:
        raise errors.invalid_value(f"The value {unit} for parameter {place}.Unit is invalid.")
    if datum.get("StorageResolution") not in (None, 1, 60):
        raise errors.invalid_value(
            f"The value {datum['StorageResolution']} for parameter {place}.StorageResolution is invalid."
        )
    time = _time(datum.get("Timestamp"), place, now)
    return MetricPoint(
        namespace, str(name), dimensions(datum.get("Dimensions") or (), place), time, unit, _values(place, datum)
    )


def _time(given: datetime | None, place: str, now: float) -> int:
    time = given.timestamp() if given else now
    if not now - _MAX_AGE_S <= time <= now + _MAX_AHEAD_S:
        raise errors.invalid_value(
            f"The parameter {place}.Timestamp must specify a time no more than two weeks in the past and no more than "
            "two hours in the future."
        )
    return int(time)


def dimensions(given: Sequence[Mapping[str, str]], place: str) -> Dimensions:
    """By name. Raises ServiceError."""
    if len(given) > _MAX_DIMENSIONS:
        raise errors.invalid_value(f"The collection {place}.Dimensions must not have a size greater than 30.")
    pairs = sorted((str(one["Name"]), str(one["Value"])) for one in given)
    if len({name for name, _ in pairs}) < len(pairs):
        raise errors.invalid_value(f"No parameter of {place}.Dimensions may stand twice.")
    if any(not name or not value for name, value in pairs):
        raise errors.missing(f"{place}.Dimensions")
    return tuple(pairs)


def _values(place: str, datum: Mapping[str, Any]) -> Distribution:
    ways = [way for way in ("Value", "Values", "StatisticValues") if datum.get(way) is not None]
    if len(ways) > 1:
        raise errors.invalid_combination(
            f"The parameters {place}.{ways[0]} and {place}.{ways[1]} are mutually exclusive and you have specified "
            "both."
        )
    if not ways:
        raise errors.invalid_combination(
            f"At least one of the parameters must be specified: {place}.Value, {place}.Values, {place}.StatisticValues."
        )
    found = Distribution()
    if ways[0] == "Value":
        found.add(_number(datum["Value"], f"{place}.Value"))
    elif ways[0] == "Values":
        _add_values(found, place, datum)
    else:
        _add_statistics(found, f"{place}.StatisticValues", datum["StatisticValues"])
    return found


def _add_values(found: Distribution, place: str, datum: Mapping[str, Any]) -> None:
    values, counts = datum["Values"], datum.get("Counts")
    if len(values) > _MAX_VALUES:
        raise errors.invalid_value(f"The collection {place}.Values must not have a size greater than {_MAX_VALUES}.")
    if counts is not None and len(counts) != len(values):
        raise errors.invalid_value(f"The parameters {place}.Values and {place}.Counts must be of the same size.")
    for value, count in zip(values, counts or [1.0] * len(values), strict=True):
        times = _number(count, f"{place}.Counts")
        if times < 0:
            raise errors.invalid_value(f"The value {times} for parameter {place}.Counts is invalid.")
        found.add(_number(value, f"{place}.Values"), times)
    if not found.count:
        raise errors.missing(f"{place}.Values")


def _add_statistics(found: Distribution, place: str, given: Mapping[str, Any]) -> None:
    """Percentiles are there only when all values must be the same."""
    count, total, minimum, maximum = (
        _number(given[name], f"{place}.{name}") for name in ("SampleCount", "Sum", "Minimum", "Maximum")
    )
    if count <= 0:
        raise errors.invalid_value(f"The value {count} for parameter {place}.SampleCount is invalid.")
    if minimum > maximum:
        raise errors.invalid_value(f"The parameter {place}.Minimum must not be greater than {place}.Maximum.")
    if minimum == maximum:
        found.add(minimum, count)
        found.sum = total
    else:
        found.merge(Distribution(count, total, minimum, maximum, None))


def _number(value: Any, place: str) -> float:
    number = float(value)
    if not math.isfinite(number) or abs(number) > _MAX_VALUE or 0 < abs(number) < 1 / _MAX_VALUE:
        told = "NaN" if math.isnan(number) else number
        raise errors.invalid_value(f"The value {told} for parameter {place} is invalid.")
    return number
