"""What metric math computes with: numbers, time series, and lists of time series. Pure."""

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, NamedTuple, TypeAlias

# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html: of one call.
MAX_POINTS: Final = 100_800
MAX_SERIES: Final = 500


class MathError(ValueError):
    """An expression that says nothing; why, in a few words."""


class Range(NamedTuple):
    """The time asked for, in epoch seconds: `start` <= time < `end`."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class TimeSeries:
    """Values by time in epoch seconds, each of a period of `period` seconds."""

    values: dict[int, float]
    period: int
    label: str = ""

    def mapped(self, change: Callable[[float], float | None]) -> "TimeSeries":
        """Without those that become None."""
        changed = {time: change(value) for time, value in self.values.items()}
        return replace(self, values={time: value for time, value in changed.items() if value is not None})


Value: TypeAlias = float | TimeSeries | list[TimeSeries]


def combined(sign: str, left: Value, right: Value) -> Value:
    """Point by point: what is missing on one side, or has no result, is left out."""
    if isinstance(left, list):
        if isinstance(right, list):
            raise MathError(f"{sign!r} does not take two lists")
        return [single(combined(sign, one, right)) for one in left]
    if isinstance(right, list):
        return [single(combined(sign, left, one)) for one in right]
    act = _OPERATORS[sign]
    if isinstance(left, TimeSeries):
        if isinstance(right, TimeSeries):
            other = right.values
            both = {time: act(value, other[time]) for time, value in left.values.items() if time in other}
            return TimeSeries(
                {time: value for time, value in both.items() if value is not None}, max(left.period, right.period)
            )
        number = right
        return left.mapped(lambda value: act(value, number))
    if isinstance(right, TimeSeries):
        first = left
        return right.mapped(lambda value: act(first, value))
    result = act(left, right)
    if result is None:
        raise MathError(f"{left:g} {sign} {right:g} has no result")
    return result


def single(value: Value) -> TimeSeries:
    if not isinstance(value, TimeSeries):
        raise MathError("a single time series is needed")
    return value


def _finite(act: Callable[[float, float], float]) -> Callable[[float, float], float | None]:
    def acted(left: float, right: float) -> float | None:
        try:
            result = act(left, right)
            return float(result) if not isinstance(result, complex) and math.isfinite(result) else None
        except (ArithmeticError, ValueError):
            return None

    return acted


_OPERATORS: Final[dict[str, Callable[[float, float], float | None]]] = {
    "+": _finite(operator.add),
    "-": _finite(operator.sub),
    "*": _finite(operator.mul),
    "/": _finite(operator.truediv),
    "^": _finite(operator.pow),
    "==": _finite(operator.eq),
    "!=": _finite(operator.ne),
    "<": _finite(operator.lt),
    "<=": _finite(operator.le),
    ">": _finite(operator.gt),
    ">=": _finite(operator.ge),
    "&&": _finite(lambda left, right: bool(left) and bool(right)),
    "||": _finite(lambda left, right: bool(left) or bool(right)),
}
