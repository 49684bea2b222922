"""The values of all series: a minute's for 15 days, then five minutes' until the 63rd day, then an hour's for 455 days.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricStatistics.html. High resolution is kept
by the minute, too. An item of the store is an hour of a series: `[[seconds into the hour, distribution], ...]`.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from penstock.aws_api.cloudwatch.errors import validation
from penstock.aws_api.cloudwatch.series import MAX_SERIES, Catalogue, Series, key_of
from penstock.aws_api.store import Store
from penstock.control_plane.distribution import Distribution
from penstock.control_plane.metric_points import MetricPoint

HOUR_S: Final = 3600
_FINE_HOURS: Final = 15 * 24
_MIDDLING_HOURS: Final = 63 * 24
_COARSE_HOURS: Final = 455 * 24
_MINUTE_S: Final = 60
_MIDDLING_S: Final = 300
# Series looked after with each batch of values; assumed.
_TENDED: Final = 20


class Points:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._table = store.table("cloudwatch.points")
        self.catalogue = Catalogue(store)
        self._tended = ""

    def add(self, region: str, points: Iterable[MetricPoint], now: float) -> None:
        """Keep them all, or none. `now` in epoch seconds. Raises ServiceError."""
        try:
            with self._store.transaction():
                for point in points:
                    self._add(region, point)
                self._tend(int(now // HOUR_S))
        except BaseException:
            self.catalogue.forget()  # what was taken back stands in the store alone
            raise

    def _add(self, region: str, point: MetricPoint) -> None:
        time = point.time // _MINUTE_S * _MINUTE_S
        hour = time // HOUR_S
        key = key_of(region, point.namespace, point.name, point.dimensions, point.unit)
        series = self.catalogue.get(key)
        if series is None:
            if len(self.catalogue) >= MAX_SERIES:
                raise validation(f"there are {MAX_SERIES} metrics already")
            metric = (region, point.namespace, point.name, point.dimensions, point.unit)
            series = Series(*metric, hour, hour, time, hour, hour)
        series.first, series.last = min(series.first, hour), max(series.last, hour)
        series.fine, series.middling = min(series.fine, hour), min(series.middling, hour)
        series.last_time = max(series.last_time, time)
        self.catalogue.put(key, series)
        held = dict(self._hour(key, hour))
        merged = held.setdefault(time, Distribution())
        merged.merge(point.values)
        self._keep(key, hour, held)

    def read(self, key: str, series: Series, start: float, end: float) -> Iterator[tuple[int, Distribution]]:
        """By time in epoch seconds, `start` <= time < `end`."""
        first, last = max(int(start // HOUR_S), series.first), min(int(end // HOUR_S), series.last)
        for hour in range(first, last + 1):
            for time, values in self._hour(key, hour):
                if start <= time < end:
                    yield time, values

    def _hour(self, key: str, hour: int) -> list[tuple[int, Distribution]]:
        rows: list[Any] = self._table.get(_item(key, hour)) or []
        return [(hour * HOUR_S + offset, Distribution.from_json(values)) for offset, values in rows]

    def _keep(self, key: str, hour: int, held: dict[int, Distribution]) -> None:
        rows = [[time - hour * HOUR_S, held[time].to_json()] for time in sorted(held)]
        self._table.put(_item(key, hour), rows)

    def _tend(self, now: int) -> None:
        """Make coarser what has become old. A few series each time, all of them in turn. `now` in hours."""
        keys = self.catalogue.keys()
        behind = [key for key in keys if key > self._tended] or keys
        for key in behind[:_TENDED]:
            series = self.catalogue.get(key)
            if series is not None:
                self._age(key, series, now)
            self._tended = key

    def _age(self, key: str, series: Series, now: int) -> None:
        before = (series.fine, series.middling, series.first)
        last = series.last + 1
        series.fine = self._coarsen(key, series.fine, min(now - _FINE_HOURS, last), _MIDDLING_S)
        series.middling = self._coarsen(key, series.middling, min(now - _MIDDLING_HOURS, last), HOUR_S)
        while series.first < min(now - _COARSE_HOURS, last):
            self._table.delete(_item(key, series.first))
            series.first += 1
        if series.first > series.last:
            self.catalogue.delete(key)
        elif before != (series.fine, series.middling, series.first):
            self.catalogue.put(key, series)

    def _coarsen(self, key: str, start: int, end: int, step: int) -> int:
        """The hours from `start` before `end`, to values of `step` seconds. Up to where that is done."""
        for hour in range(start, end):
            held = self._hour(key, hour)
            if held:
                self._keep(key, hour, by_period(held, step, 0))
        return max(start, end)


def by_period(values: Iterable[tuple[int, Distribution]], period: int, start: int) -> dict[int, Distribution]:
    """Merged by periods of `period` seconds, counted from `start`."""
    found: dict[int, Distribution] = {}
    for time, one in values:
        found.setdefault(start + (time - start) // period * period, Distribution()).merge(one)
    return found


def _item(key: str, hour: int) -> str:
    return f"{key}/{hour:08}"
