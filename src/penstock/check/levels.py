"""How many requests at once are tried. Pure."""

from collections.abc import Sequence
from typing import Final

from penstock.model.errors import UserError

_SECOND: Final = 8
"""After one request at a time; every other level is twice the one before."""


def usual_levels(most: int) -> tuple[int, ...]:
    """1, 8, 16, 32, ... and `most`, which is the function's own concurrency."""
    levels = [1]
    step = _SECOND
    while step < most:
        levels.append(step)
        step *= 2
    return tuple(dict.fromkeys((*levels, most)))


def read_levels(text: str | None, most: int) -> tuple[int, ...]:
    """`1,8,64` in ascending order, with 1, by which the others are measured. Raises UserError."""
    if text is None:
        return usual_levels(most)
    words = [word.strip() for word in text.split(",")]
    if not all(word.isascii() and word.isdigit() and len(word) < 6 for word in words):
        raise UserError(f"--levels: {text!r} is no list of numbers like 1,8,64")
    levels = sorted({1, *map(int, words)})
    if levels[0] < 1 or levels[-1] > most:
        raise UserError(f"--levels: 1 to {most} are allowed: {most} is the function's concurrency")
    return tuple(levels)


def rounds(concurrency: int, targets: int, wanted: int | None) -> tuple[int, int | None]:
    """The fewest and the most requests of a level; None where time alone ends it. `wanted` is the user's number.

    The fewest are two for each caller and three for each target: less cannot show that answers differ.
    """
    fewest = max(2 * concurrency, 3 * targets)
    if wanted is None:
        return fewest, None
    return max(wanted, concurrency, 2 * targets), max(wanted, concurrency, 2 * targets)


def look_times(first: float, seconds: float) -> Sequence[float]:
    """When to look into the app during a level of about so many seconds: soon, and ever more seldom."""
    times: list[float] = []
    at = first
    while at <= seconds:
        times.append(at)
        at *= 2
    return times or [first]
