"""Which metrics there are. A series is a metric in one unit: what was put with another is kept apart."""

import hashlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Final

import orjson

from penstock.aws_api.store import Store
from penstock.control_plane.metric_points import Dimensions

# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html has no bound; assumed.
MAX_SERIES: Final = 100_000
EVERY_REGION: Final = ""


@dataclass(slots=True)
class Series:
    """`first` and `last` are the hours of its first and last values, in hours since 1970. Those that are `open` have an
    item for each minute still; those before `fine` have only each five minutes' values any more, those before
    `middling` an hour's.
    """

    key: str
    region: str
    namespace: str
    name: str
    dimensions: Dimensions
    unit: str
    first: int
    last: int
    open: list[int]
    fine: int
    middling: int

    @property
    def metric(self) -> tuple[str, str, Dimensions]:
        return self.namespace, self.name, self.dimensions


class Catalogue:
    """All series, read from the store when they are first asked for."""

    def __init__(self, store: Store) -> None:
        self._table = store.table("cloudwatch.series")
        self._loaded: dict[str, Series] | None = None

    @property
    def _all(self) -> dict[str, Series]:
        if self._loaded is None:
            self._loaded = {}
            for key, value in self._table.items():
                dimensions = tuple((name, text) for name, text in value.pop("dimensions"))
                self._loaded[key] = Series(dimensions=dimensions, **value)
        return self._loaded

    def forget(self) -> None:
        """Read the store anew."""
        self._loaded = None

    def __len__(self) -> int:
        return len(self._all)

    def get(self, key: str) -> Series | None:
        return self._all.get(key)

    def put(self, series: Series) -> None:
        self._all[series.key] = series
        self._table.put(series.key, asdict(series))

    def delete(self, series: Series) -> None:
        self._all.pop(series.key, None)
        self._table.delete(series.key)

    def keys(self) -> list[str]:
        return sorted(self._all)

    def in_region(self, region: str) -> Iterator[Series]:
        return (series for series in self._all.values() if series.region in (region, EVERY_REGION))

    def of(self, region: str, namespace: str, name: str, dimensions: Dimensions, unit: str | None) -> list[Series]:
        """A metric in all its units, or in the one that is named."""
        keys = [
            key_of(place, namespace, name, dimensions, one)
            for place in (region, EVERY_REGION)
            for one in ((unit,) if unit else UNITS)
        ]
        return [self._all[key] for key in keys if key in self._all]


def key_of(region: str, namespace: str, name: str, dimensions: Dimensions, unit: str) -> str:
    told = orjson.dumps([region, namespace, name, dimensions, unit])
    return hashlib.sha256(told).hexdigest()[:24]


_RATES: Final = (
    "Bytes", "Kilobytes", "Megabytes", "Gigabytes", "Terabytes", "Bits", "Kilobits", "Megabits", "Gigabits", "Terabits",
    "Count",
)  # fmt: skip
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDatum.html
UNITS: Final = (
    "None", "Seconds", "Microseconds", "Milliseconds", "Percent", *_RATES, *(f"{one}/Second" for one in _RATES)
)  # fmt: skip
