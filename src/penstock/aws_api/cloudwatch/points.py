"""The values of all series: a minute's for 15 days, then five minutes' until the 63rd day, then an hour's for 455 days.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricStatistics.html. High resolution is kept
by the minute, too. New values are an item of the store for each minute. When their hour is over, all of it becomes one
item: `[[seconds into the hour, distribution], ...]`. That, and the rest that age asks for, is done for one series with
each batch of new values, so that none of it takes long.
"""

from collections.abc import Iterable, Iterator, Sequence
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
_MINUTES: Final = 60
_MIDDLING_S: Final = 300


class Points:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._hours = store.table("cloudwatch.hour")
        self._minutes = store.table("cloudwatch.minute")
        self.catalogue = Catalogue(store)
        self._tended: list[str] = []

    def add(self, region: str, points: Sequence[MetricPoint], now: float) -> None:
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
        minute = point.time // _MINUTE_S
        hour = minute // _MINUTES
        series = self._series(region, point, hour)
        values = Distribution()
        values.merge(point.values)
        if hour not in series.open:  # it comes late
            held = dict(self._hour(series.key, hour))
            held.setdefault(minute * _MINUTE_S, Distribution()).merge(values)
            self._keep(series.key, hour, held)
            return
        there = self._minutes.get(_item(series.key, minute))
        if there is not None:
            values.merge(Distribution.from_json(there))
        self._minutes.put(_item(series.key, minute), values.to_json())

    def _series(self, region: str, point: MetricPoint, hour: int) -> Series:
        metric = (region, point.namespace, point.name, point.dimensions, point.unit)
        key = key_of(*metric)
        series = self.catalogue.get(key)
        if series is None:
            if len(self.catalogue) >= MAX_SERIES:
                raise validation(f"there are {MAX_SERIES} metrics already")
            series = Series(key, *metric, first=hour, last=hour, open=[hour], fine=hour, middling=hour)
            self.catalogue.put(series)
        elif not series.first <= hour <= series.last or hour < series.fine:
            if hour > series.last:
                series.open.append(hour)
            series.first, series.last = min(series.first, hour), max(series.last, hour)
            series.fine, series.middling = min(series.fine, hour), min(series.middling, hour)
            self.catalogue.put(series)
        return series

    def read(self, series: Series, start: float, end: float) -> Iterator[tuple[int, Distribution]]:
        """By time in epoch seconds, `start` <= time < `end`."""
        first, last = max(int(start // HOUR_S), series.first), min(int(end // HOUR_S), series.last)
        for hour in range(first, last + 1):
            held = self._new(series.key, hour) if hour in series.open else self._hour(series.key, hour)
            yield from ((time, values) for time, values in held if start <= time < end)

    def _hour(self, key: str, hour: int) -> list[tuple[int, Distribution]]:
        rows: list[Any] = self._hours.get(_item(key, hour)) or []
        return [(hour * HOUR_S + offset, Distribution.from_json(values)) for offset, values in rows]

    def _new(self, key: str, hour: int) -> Iterator[tuple[int, Distribution]]:
        """What came in an hour that is not one item yet."""
        for minute in range(hour * _MINUTES, (hour + 1) * _MINUTES):
            value = self._minutes.get(_item(key, minute))
            if value is not None:
                yield minute * _MINUTE_S, Distribution.from_json(value)

    def _keep(self, key: str, hour: int, held: dict[int, Distribution]) -> None:
        rows = [[time - hour * HOUR_S, held[time].to_json()] for time in sorted(held)]
        self._hours.put(_item(key, hour), rows)

    def _tend(self, now: int) -> None:
        """What age asks for, for the next series. `now` in hours."""
        if not self._tended:
            self._tended = self.catalogue.keys()
        series = self.catalogue.get(self._tended.pop()) if self._tended else None
        if series is None:
            return
        before = (list(series.open), series.fine, series.middling, series.first)
        end = series.last + 1
        self._fold(series, now)
        series.fine = self._coarsen(series.key, series.fine, min(now - _FINE_HOURS, end), _MIDDLING_S)
        series.middling = self._coarsen(series.key, series.middling, min(now - _MIDDLING_HOURS, end), HOUR_S)
        while series.first < min(now - _COARSE_HOURS, end):
            self._hours.delete(_item(series.key, series.first))
            series.first += 1
        if series.first > series.last:
            self.catalogue.delete(series)
        elif before != (series.open, series.fine, series.middling, series.first):
            self.catalogue.put(series)

    def _fold(self, series: Series, end: int) -> None:
        """The minutes of the hours before `end` to one item each."""
        for hour in [one for one in series.open if one < end]:
            held = dict(self._new(series.key, hour))
            self._keep(series.key, hour, held)
            for time in held:
                self._minutes.delete(_item(series.key, time // _MINUTE_S))
            series.open.remove(hour)

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


def _item(key: str, number: int) -> str:
    return f"{key}/{number:010}"
