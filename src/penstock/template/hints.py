"""Words that help: the nearest valid name, and what is allowed."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final

# A longer list hides the name that is meant.
_LONGEST_LIST: Final = 12


def did_you_mean(name: str, allowed: Iterable[str]) -> str:
    """`; did you mean X?` and what is allowed: the tail of an error about an unknown name."""
    names = sorted(allowed)
    near = _nearest(name, names)
    if near and len(names) > _LONGEST_LIST:
        return f"; did you mean {near}?"
    hint = f"; did you mean {near}?" if near else "."
    return f"{hint} Allowed: {', '.join(names) or 'none'}"


def _nearest(name: str, names: list[str]) -> str | None:
    folded = {candidate.lower(): candidate for candidate in names}
    match = get_close_matches(name.lower(), folded, n=1, cutoff=0.6)
    return folded[match[0]] if match else None


def one_line(text: str) -> str:
    return " ".join(text.split())


def words(text: str) -> frozenset[str]:
    """A set of names written as one line of text."""
    return frozenset(text.split())
