"""GetMetricData: metrics and expressions, in pages of data points."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from penstock.aws_api.cloudwatch import errors
from penstock.aws_api.cloudwatch.metric_math import Names, parse
from penstock.aws_api.cloudwatch.metric_values import MAX_POINTS, MathError, Range, TimeSeries, Value
from penstock.aws_api.cloudwatch.points import Points, by_period
from penstock.aws_api.cloudwatch.putting import dimensions
from penstock.aws_api.cloudwatch.statistics import statistic
from penstock.aws_api.service import Answer, Params

# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html
_MAX_QUERIES: Final = 500
_ID: Final = re.compile(r"[a-z][A-Za-z0-9_]*")
_PERIODS: Final = (1, 5, 10, 20, 30)
_PLACE: Final = "MetricDataQueries.member"
_DEFAULT_PERIOD_S: Final = 60

Result = tuple[str, TimeSeries]
"""A label with its values."""


def period_of(given: int | None, place: str) -> int:
    """In seconds. Shorter than a minute is answered by the minute, which is how all is kept. Raises ServiceError."""
    period = given if given is not None else _DEFAULT_PERIOD_S
    if period not in _PERIODS and (period < 60 or period % 60):
        raise errors.invalid_value(
            f"The parameter {place} must be a value in the set [1, 5, 10, 20, 30], or a multiple of 60."
        )
    return max(period, 60)


def time_range(params: Params) -> Range:
    """From the minute of StartTime. Raises ServiceError."""
    start, end = params["StartTime"], params["EndTime"]
    if start >= end:
        raise errors.invalid_value("The parameter StartTime must be less than the parameter EndTime.")
    return Range(int(start.timestamp()) // 60 * 60, -int(-end.timestamp() // 1))


@dataclass(slots=True)
class _Query:
    """One call's queries, each computed once."""

    points: Points
    region: str
    range: Range
    queries: Mapping[str, Mapping[str, Any]]
    places: Mapping[str, str]
    found: dict[str, Value] = field(default_factory=dict)
    open: list[str] = field(default_factory=list)

    def value(self, name: str) -> Value:
        """Raises MathError, ServiceError."""
        query = self.queries.get(name)
        if query is None:
            raise MathError(f"{name} is not defined")
        if name in self.open:
            raise MathError(f"{name} is computed from itself")
        if name not in self.found:
            self.open.append(name)
            self.found[name] = self._expression(query) if "Expression" in query else self.metric(name, query)
            self.open.pop()
        return self.found[name]

    def _expression(self, query: Mapping[str, Any]) -> Value:
        text = str(query["Expression"])
        if re.match(r"\s*(SELECT\b|SEARCH\s*\()", text, re.IGNORECASE):
            raise errors.not_offered(f"{text.split()[0].partition('(')[0].upper()} in an expression")
        metrics = [name for name, one in self.queries.items() if "MetricStat" in one]
        return parse(text)(Names(self.value, metrics, self.range))

    def metric(self, name: str, query: Mapping[str, Any]) -> TimeSeries:
        place = f"{self.places[name]}.MetricStat"
        wanted = query["MetricStat"]
        metric = wanted["Metric"]
        for member in ("Namespace", "MetricName"):
            if not metric.get(member):
                raise errors.missing(f"{place}.Metric.{member}")
        compute = statistic(str(wanted["Stat"]), f"{place}.Stat")
        period = period_of(wanted.get("Period"), f"{place}.Period")
        given = dimensions(metric.get("Dimensions") or (), f"{place}.Metric")
        start = self.range.start // period * period
        there = self.points.catalogue.of(
            self.region, metric["Namespace"], metric["MetricName"], given, wanted.get("Unit")
        )
        values = [one for series in there for one in self.points.read(series, start, self.range.end)]
        merged = by_period(sorted(values, key=lambda one: one[0]), period, 0)
        computed = {time: compute(one) for time, one in merged.items()}
        kept = {time: value for time, value in computed.items() if value is not None}
        return TimeSeries(kept, period, str(metric["MetricName"]))


async def metric_data(points: Points, region: str, params: Params) -> Answer:
    """Raises ServiceError."""
    given = params.get("MetricDataQueries") or ()
    if not given:
        raise errors.missing("MetricDataQueries")
    if len(given) > _MAX_QUERIES:
        raise errors.validation(f"The collection MetricDataQueries must not have a size greater than {_MAX_QUERIES}.")
    most = int(params.get("MaxDatapoints") or MAX_POINTS)
    if not 1 <= most <= MAX_POINTS:
        raise errors.invalid_value(f"The value {most} for parameter MaxDatapoints is invalid.")
    queries = {str(one.get("Id")): one for one in given}
    places = {str(one.get("Id")): f"{_PLACE}.{number}" for number, one in enumerate(given, 1)}
    _check(given)
    query = _Query(points, region, time_range(params), queries, places)
    results: list[tuple[str, Result]] = []
    for name, one in queries.items():
        await asyncio.sleep(0)  # others have their turn between two queries
        results += [(name, result) for result in _results(query, name, one)]
    descending = params.get("ScanBy") != "TimestampAscending"
    return _page(results, _skipped(params.get("NextToken")), most, descending=descending)


def _check(queries: Sequence[Mapping[str, Any]]) -> None:
    seen: set[str] = set()
    for number, one in enumerate(queries, 1):
        name, place = str(one.get("Id") or ""), f"{_PLACE}.{number}"
        if not _ID.fullmatch(name):
            raise errors.validation(f"The value {name} for parameter {place}.Id is not matching the expected pattern "
                                    f"^[a-z][a-zA-Z0-9_]*$.")  # fmt: skip
        if name in seen:
            raise errors.validation("The values for parameter id in MetricDataQueries are not unique.")
        seen.add(name)
        if "MetricStat" not in one and "Expression" not in one:
            raise errors.validation(f"The parameter {place}.MetricStat is required.\n")
        if "MetricStat" in one and "Expression" in one:
            raise errors.validation(f"The parameters {place}.Expression and {place}.MetricStat are mutually exclusive.")


def _results(query: _Query, name: str, given: Mapping[str, Any]) -> list[Result]:
    """Nothing for a query whose data are not to be returned."""
    try:
        value = query.value(name)
    except MathError as error:
        raise errors.validation(f"Error in expression '{name}': {error}") from None
    except RecursionError:
        raise errors.validation(f"Error in expression '{name}': it builds on too many others") from None
    if not given.get("ReturnData", True):
        return []
    if isinstance(value, list):
        label = str(given.get("Label") or name)
        return [(f"{label} {one.label}".strip(), one) for one in value]
    if not isinstance(value, TimeSeries):
        raise errors.validation(f"Error in expression '{name}': the result is a number and no time series")
    default = value.label if "MetricStat" in given else name
    return [(str(given.get("Label") or default), value)]


def _page(results: Sequence[tuple[str, Result]], skipped: int, most: int, *, descending: bool) -> Answer:
    """`most` points behind the first `skipped`, over all results in their order."""
    answers: list[dict[str, Any]] = []
    passed, left = 0, most
    for name, (label, series) in results:
        times = sorted(series.values, reverse=descending)
        start = min(max(skipped - passed, 0), len(times))
        taken = times[start : start + left]
        passed, left = passed + len(times), left - len(taken)
        answers.append(
            {
                "Id": name,
                "Label": label,
                "Timestamps": [datetime.fromtimestamp(time, UTC) for time in taken],
                "Values": [series.values[time] for time in taken],
                "StatusCode": "Complete" if start + len(taken) == len(times) else "PartialData",
            }
        )
    token = {"NextToken": str(skipped + most)} if passed > skipped + most else {}
    return {"MetricDataResults": answers, "Messages": [], **token}


def _skipped(token: str | None) -> int:
    if token is None:
        return 0
    if not re.fullmatch(r"\d{1,12}", token):
        raise errors.invalid_token()
    return int(token)
