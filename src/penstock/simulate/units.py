"""Durations and numbers as they are typed: `250ms`, `30m`, `24h`, `10k`."""

import math
import re
from typing import Final

from penstock.model.errors import UserError

_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)")
_NUMBER: Final = re.compile(r"(\d+(?:\.\d+)?)([kM]?)")
_FACTORS: Final = {"": 1.0, "k": 1e3, "M": 1e6}


def read_duration(text: str, what: str) -> float:
    """Seconds, more than 0. `what` names the option. Raises UserError."""
    found = _DURATION.fullmatch(text.strip())
    seconds = float(found[1]) * _SECONDS[found[2]] if found else 0.0
    if not seconds or not math.isfinite(seconds):
        raise UserError(
            f"{what}: bad duration {text!r}; allowed: a number with a unit, such as 250ms, 90s, 30m, 24h, 7d"
        )
    return seconds


def read_number(text: str, what: str) -> float:
    """Not negative; `10k` and `1M` are numbers as well. Raises UserError."""
    found = _NUMBER.fullmatch(text.strip())
    number = float(found[1]) * _FACTORS[found[2]] if found else math.inf
    if not math.isfinite(number):
        raise UserError(f"{what}: bad number {text!r}; allowed: such as 200, 0.5, 10k, 1M")
    return number


def show_duration(seconds: float) -> str:
    """Short: `250ms`, `90s`, `1h30m`, `7d`."""
    if seconds < 1:
        return f"{seconds * 1000:g}ms"
    if seconds < 120:
        return f"{seconds:g}s"
    parts = []
    rest = round(seconds)
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts)
