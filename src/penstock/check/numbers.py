"""Percentiles and straight lines. Pure."""

from collections.abc import Sequence
from itertools import combinations
from statistics import median
from typing import NamedTuple


class Line(NamedTuple):
    """`base + slope * x`."""

    base: float
    slope: float

    def at(self, x: float) -> float:
        return self.base + self.slope * x


def percentile(values: Sequence[float], share: float) -> float:
    """Nearest rank of a non-empty sequence; `share` from 0 to 1."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def fit_line(points: Sequence[tuple[float, float]]) -> Line:
    """The line through points (x, y) of which some may be far off: Theil and Sen's, the median of all slopes.

    https://en.wikipedia.org/wiki/Theil%E2%80%93Sen_estimator
    Flat through the median where there is one x alone. Raises ValueError without points.
    """
    if not points:
        raise ValueError("no points")
    slopes = [(y2 - y1) / (x2 - x1) for (x1, y1), (x2, y2) in combinations(points, 2) if x1 != x2]
    slope = median(slopes) if slopes else 0.0
    return Line(median(y - slope * x for x, y in points), slope)
