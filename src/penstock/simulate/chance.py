"""What chance does to numbers of requests: seeded, and the same for every run."""

import math
import random
from statistics import NormalDist
from typing import Final

_NORMAL: Final = NormalDist()
_MANY: Final = 50.0
_ROOT_2_PI: Final = math.sqrt(2 * math.pi)


def poisson(mean: float, chance: random.Random) -> int:
    """How many come when `mean` are expected; by the normal distribution when they are many."""
    if mean <= 0:
        return 0
    if mean > _MANY:
        return max(0, round(chance.gauss(mean, math.sqrt(mean))))
    count, product, least = 0, chance.random(), math.exp(-mean)
    while product > least:
        count += 1
        product *= chance.random()
    return count


def peak(mean: float, looks: float, chance: random.Random) -> float:
    """The most in flight at `looks` independent moments, of a number that is `mean` on average."""
    if mean <= 0:
        return 0.0
    share = min(1 - 1e-12, max(1e-12, chance.random() ** (1 / max(1.0, looks))))
    if mean > _MANY:
        return max(0.0, mean + math.sqrt(mean) * _NORMAL.inv_cdf(share))
    return _poisson_quantile(mean, share)


def most_of_each(level: float, spread: float, count: int, looks: float) -> float:
    """The sum of what each of `count` environments has most at one of `looks` moments. Together they have `level` at
    each of them, with that standard deviation, and a router that evens out: all have as many, or one more.
    """
    if level <= 0 or not count:
        return 0.0
    number = max(0, int((level - 6 * spread) / count))
    sum_of_all = float(number * count)
    while number * count < level + 6 * spread:
        more = _excess(number * count, level, spread) - _excess((number + 1) * count, level, spread)
        sum_of_all += count * (1 - max(0.0, 1 - more / count) ** max(1.0, looks))
        number += 1
    return sum_of_all


def _excess(bound: float, level: float, spread: float) -> float:
    """How far above `bound` it is on average, counting 0 where it is below."""
    if spread <= 0:
        return max(0.0, level - bound)
    z = (bound - level) / spread
    return spread * (math.exp(-z * z / 2) / _ROOT_2_PI - z * _NORMAL.cdf(-z))


def _poisson_quantile(mean: float, share: float) -> int:
    count, term = 0, math.exp(-mean)
    below = term
    while below < share and count < mean + 20 * _MANY:
        count += 1
        term *= mean / count
        below += term
    return count


def blocked(offered: float, slots: int) -> float:
    """Erlang's loss formula: the share of requests that find all slots in use, when `offered` would be in flight with
    slots enough. It holds for any distribution of durations: https://en.wikipedia.org/wiki/Erlang_(unit).
    """
    if slots <= 0:
        return 1.0
    if offered <= 0 or slots > offered + 9 * math.sqrt(offered) + 9:
        return 0.0
    if slots <= 10 * _MANY:
        share = 1.0
        for number in range(1, slots + 1):
            share = offered * share / (number + offered * share)
        return share
    z = (slots + 0.5 - offered) / math.sqrt(offered)
    below = _NORMAL.cdf(z)
    if below < 1e-9:  # far too many: what fits is served
        return max(0.0, 1 - slots / offered)
    return min(1.0, math.exp(-z * z / 2) / _ROOT_2_PI / (math.sqrt(offered) * below))
