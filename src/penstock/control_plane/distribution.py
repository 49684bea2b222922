"""How values are spread: enough for every statistic of a metric, in a bounded number of counters."""

import math
from dataclasses import dataclass, field
from typing import Any, Final

# Each octave has so many steps: a percentile is at most 0.4% below the value, and whole numbers up to 512 are exact.
_STEPS: Final = 256
_ZERO: Final = -(1 << 20)


def bucket_of(value: float) -> int:
    """`value` is not negative."""
    if value <= 0:
        return _ZERO
    mantissa, exponent = math.frexp(value)
    return exponent * _STEPS + int((mantissa - 0.5) * 2 * _STEPS)


def value_of(bucket: int) -> float:
    """The least value of a bucket."""
    if bucket == _ZERO:
        return 0.0
    exponent, step = divmod(bucket, _STEPS)
    return math.ldexp(0.5 + step / (2 * _STEPS), exponent)


@dataclass(slots=True)
class Distribution:
    """`buckets` counts values by bucket. It is None where single values are not known, or one was negative: then there
    are no percentiles, as in CloudWatch.
    """

    count: float = 0
    sum: float = 0
    minimum: float = math.inf
    maximum: float = -math.inf
    buckets: dict[int, float] | None = field(default_factory=dict)

    def add(self, value: float, times: float = 1) -> None:
        if times <= 0:
            return
        self.count += times
        self.sum += value * times
        if value < self.minimum:
            self.minimum = value
        if value > self.maximum:
            self.maximum = value
        if value < 0:
            self.buckets = None
        elif self.buckets is not None:
            bucket = bucket_of(value)
            self.buckets[bucket] = self.buckets.get(bucket, 0) + times

    def merge(self, other: "Distribution") -> None:
        """Take in what `other` counts."""
        if not other.count:
            return
        self.count += other.count
        self.sum += other.sum
        self.minimum = min(self.minimum, other.minimum)
        self.maximum = max(self.maximum, other.maximum)
        if other.buckets is None:
            self.buckets = None
        elif self.buckets is not None:
            for bucket, times in other.buckets.items():
                self.buckets[bucket] = self.buckets.get(bucket, 0) + times

    def percentile(self, percent: float) -> float | None:
        """The least value that so many percent of all do not exceed; None where single values are not known."""
        if not self.count or (self.buckets is None and self.minimum != self.maximum):
            return None
        if self.buckets is None:
            return self.minimum
        rank = math.ceil(self.count * percent / 100 - 1e-9)
        if rank >= self.count:
            return self.maximum
        passed = 0.0
        for bucket in sorted(self.buckets):
            passed += self.buckets[bucket]
            if passed >= max(rank, 1):
                return min(max(value_of(bucket), self.minimum), self.maximum)
        return self.maximum

    def to_json(self) -> list[Any]:
        buckets = None if self.buckets is None else [part for pair in sorted(self.buckets.items()) for part in pair]
        return [self.count, self.sum, self.minimum, self.maximum, buckets]

    @classmethod
    def from_json(cls, value: list[Any]) -> "Distribution":
        count, total, minimum, maximum, pairs = value
        buckets = None if pairs is None else dict(zip(pairs[::2], pairs[1::2], strict=True))
        return cls(count, total, minimum, maximum, buckets)
