"""The functions of metric math. Pure.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
"""

import math
from bisect import bisect
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Final, TypeAlias

from penstock.aws_api.cloudwatch.metric_values import MAX_POINTS, MathError, Range, TimeSeries, Value, single

_Function: TypeAlias = Callable[[Range, Sequence[Value]], Value]


def _average(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _over(reduce: Callable[[Sequence[float]], float]) -> _Function:
    """Of a list, point by point; of a time series, over all its points."""

    def function(_: Range, arguments: Sequence[Value]) -> Value:
        (given,) = _exactly(1, arguments)
        if isinstance(given, TimeSeries):
            if not given.values:
                raise MathError("the time series is empty")
            return float(reduce(list(given.values.values())))
        series = _many(given)
        times = sorted({time for one in series for time in one.values})
        return TimeSeries(
            {time: float(reduce([one.values[time] for one in series if time in one.values])) for time in times},
            max((one.period for one in series), default=60),
        )

    return function


def _each(change: Callable[[float], float]) -> _Function:
    def function(_: Range, arguments: Sequence[Value]) -> Value:
        (given,) = _exactly(1, arguments)
        if isinstance(given, list):
            return [one.mapped(change) for one in given]
        return given.mapped(change) if isinstance(given, TimeSeries) else float(change(given))

    return function


def _whole(change: Callable[[TimeSeries], TimeSeries]) -> _Function:
    """Of each time series as a whole."""

    def function(_: Range, arguments: Sequence[Value]) -> Value:
        (given,) = _exactly(1, arguments)
        return [change(one) for one in given] if isinstance(given, list) else change(single(given))

    return function


def _difference(series: TimeSeries) -> TimeSeries:
    return _steps(series, lambda seconds: 1.0)


def _rate(series: TimeSeries) -> TimeSeries:
    return _steps(series, float)


def _steps(series: TimeSeries, divisor: Callable[[int], float]) -> TimeSeries:
    times = sorted(series.values)
    found = {
        after: (series.values[after] - series.values[before]) / divisor(after - before)
        for before, after in pairwise(times)
    }
    return replace(series, values=found)


def _running_sum(series: TimeSeries) -> TimeSeries:
    total, found = 0.0, {}
    for time in sorted(series.values):
        total += series.values[time]
        found[time] = total
    return replace(series, values=found)


def _period(_: Range, arguments: Sequence[Value]) -> Value:
    (given,) = _exactly(1, arguments)
    return float(single(given).period)


def _metric_count(_: Range, arguments: Sequence[Value]) -> Value:
    (given,) = _exactly(1, arguments)
    return float(len(_many(given)))


def _first(_: Range, arguments: Sequence[Value]) -> Value:
    return _many(_exactly(1, arguments)[0], least=1)[0]


def _last(_: Range, arguments: Sequence[Value]) -> Value:
    return _many(_exactly(1, arguments)[0], least=1)[-1]


def _if(_: Range, arguments: Sequence[Value]) -> Value:
    """`IF(condition, then, else)`: without an else the points where the condition does not hold are left out."""
    if len(arguments) not in (2, 3):
        raise MathError("IF takes two or three arguments")
    condition, then = arguments[0], arguments[1]
    other = arguments[2] if len(arguments) == 3 else None
    if not isinstance(condition, TimeSeries):
        if isinstance(condition, list):
            raise MathError("IF takes no list as its condition")
        if other is None:
            raise MathError("IF with a number as its condition takes three arguments")
        return then if condition else other
    found: dict[int, float] = {}
    for time, holds in condition.values.items():
        value = _at(then, time) if holds else _at(other, time)
        if value is not None:
            found[time] = value
    return replace(condition, values=found)


def _at(value: Value | None, time: int) -> float | None:
    if isinstance(value, list):
        raise MathError("IF takes no lists")
    return value.values.get(time) if isinstance(value, TimeSeries) else value


def _fill(range: Range, arguments: Sequence[Value]) -> Value:
    given, value = _exactly(2, arguments)
    if isinstance(given, list):
        return [single(_fill(range, [one, value])) for one in given]
    series, filled = single(given), dict(single(given).values)
    for time in _times(range, series):
        there = _at(value, time)
        if time not in filled and there is not None:
            filled[time] = there
    return replace(series, values=filled)


def _fill_with(between: Callable[[TimeSeries, int, int | None, int | None], float | None]) -> _Function:
    def function(range: Range, arguments: Sequence[Value]) -> Value:
        (given,) = _exactly(1, arguments)
        if isinstance(given, list):
            return [single(function(range, [one])) for one in given]
        series = single(given)
        known = sorted(series.values)
        filled = dict(series.values)
        for time in _times(range, series):
            if time in filled:
                continue
            place = bisect(known, time)
            before = known[place - 1] if place else None
            after = known[place] if place < len(known) else None
            value = between(series, time, before, after)
            if value is not None:
                filled[time] = value
        return replace(series, values=filled)

    return function


def _repeat(series: TimeSeries, _: int, before: int | None, __: int | None) -> float | None:
    return None if before is None else series.values[before]


def _linear(series: TimeSeries, time: int, before: int | None, after: int | None) -> float | None:
    if before is None or after is None:
        return None
    part = (time - before) / (after - before)
    return series.values[before] + part * (series.values[after] - series.values[before])


def _times(asked: Range, series: TimeSeries) -> range:
    start = min(series.values, default=asked.start) % series.period
    first = asked.start + (start - asked.start) % series.period
    times = range(first, asked.end, series.period)
    if len(times) > MAX_POINTS:
        raise MathError(f"FILL makes more than {MAX_POINTS} data points")
    return times


def _exactly(count: int, arguments: Sequence[Value]) -> Sequence[Value]:
    if len(arguments) != count:
        raise MathError(f"a function is given {len(arguments)} arguments instead of {count}")
    return arguments


def _many(value: Value, least: int = 0) -> list[TimeSeries]:
    if not isinstance(value, list) or len(value) < least:
        raise MathError("a list of time series is needed")
    return value


FUNCTIONS: Final[dict[str, _Function]] = {
    "SUM": _over(sum),
    "AVG": _over(_average),
    "MIN": _over(min),
    "MAX": _over(max),
    "ABS": _each(abs),
    "CEIL": _each(math.ceil),
    "FLOOR": _each(math.floor),
    "RATE": _whole(_rate),
    "DIFF": _whole(_difference),
    "RUNNING_SUM": _whole(_running_sum),
    "PERIOD": _period,
    "METRIC_COUNT": _metric_count,
    "FIRST": _first,
    "LAST": _last,
    "IF": _if,
    "FILL": _fill,
    "FILL REPEAT": _fill_with(_repeat),
    "FILL LINEAR": _fill_with(_linear),
}
