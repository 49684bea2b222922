"""How many requests a second come, and when. Pure."""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final, Protocol

DAY_S: Final = 86400.0
# assumed: least in the small hours, as of most sites that people use.
_QUIETEST_S: Final = 4 * 3600.0


class Traffic(Protocol):
    """`arrivals` is the expected number from `start` to `end`, of those that come one by one; `together` are those
    that all come at the moment `start`, or between it and `end`, at once.
    """

    def arrivals(self, start: float, end: float) -> float: ...

    def together(self, start: float, end: float) -> int: ...


class _OneByOne:
    __slots__ = ()

    def together(self, start: float, end: float) -> int:
        return 0


@dataclass(frozen=True, slots=True)
class Constant(_OneByOne):
    rps: float

    def arrivals(self, start: float, end: float) -> float:
        return self.rps * (end - start)


@dataclass(frozen=True, slots=True)
class Ramp(_OneByOne):
    """From `low` to `high` (or the other way) within `over` seconds, and then it stays."""

    low: float
    high: float
    over: float

    def arrivals(self, start: float, end: float) -> float:
        return self._until(end) - self._until(start)

    def _until(self, now: float) -> float:
        on_the_way = min(now, self.over)
        slope = (self.high - self.low) / self.over
        return self.low * on_the_way + slope * on_the_way**2 / 2 + self.high * max(0.0, now - self.over)


@dataclass(frozen=True, slots=True)
class Spike(_OneByOne):
    """`factor` times as many from the moment `at` on, for `lasting` seconds."""

    rps: float
    factor: float
    at: float
    lasting: float

    def arrivals(self, start: float, end: float) -> float:
        within = max(0.0, min(end, self.at + self.lasting) - max(start, self.at))
        return self.rps * (end - start + (self.factor - 1) * within)


@dataclass(frozen=True, slots=True)
class Daily(_OneByOne):
    """A sine over 24 hours: `low` at four in the night, `high` at four in the afternoon."""

    low: float
    high: float

    def arrivals(self, start: float, end: float) -> float:
        middle, swing = (self.low + self.high) / 2, (self.high - self.low) / 2
        turn = 2 * math.pi / DAY_S
        wave = math.sin(turn * (end - _QUIETEST_S)) - math.sin(turn * (start - _QUIETEST_S))
        return middle * (end - start) - swing * wave / turn


@dataclass(frozen=True, slots=True)
class Waves:
    """`count` requests at the same moment, every `every` seconds from 0 on, `times` of them."""

    count: int
    every: float
    times: int | None = None

    def arrivals(self, start: float, end: float) -> float:
        return 0.0

    def together(self, start: float, end: float) -> int:
        waves = self._before(end) - self._before(start)
        return self.count * waves

    def _before(self, now: float) -> int:
        waves = math.ceil(now / self.every)
        return waves if self.times is None else min(waves, self.times)


class Series(_OneByOne):
    """Requests a second as listed: `rates[i]` holds from `moments[i]` on, the last for as long as the one before."""

    __slots__ = ("_counts", "length", "moments", "rates")

    def __init__(self, moments: Sequence[float], rates: Sequence[float]) -> None:
        """`moments` start at 0 and rise."""
        last = moments[-1] - moments[-2] if len(moments) > 1 else 1.0
        self.length = moments[-1] + last
        self.moments = tuple(moments)
        self.rates = tuple(rates)
        ends = (*self.moments[1:], self.length)
        widths = (end - start for start, end in zip(self.moments, ends, strict=True))
        steps = (rate * width for rate, width in zip(self.rates, widths, strict=True))
        self._counts = (0.0, *accumulate(steps))

    def arrivals(self, start: float, end: float) -> float:
        return self._until(end) - self._until(start)

    def _until(self, now: float) -> float:
        if now >= self.length:
            return self._counts[-1]
        place = bisect_right(self.moments, now) - 1
        return self._counts[place] + self.rates[place] * (now - self.moments[place])
