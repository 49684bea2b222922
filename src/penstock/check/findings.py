"""What a check can find, by kind."""

from collections.abc import Sequence, Set
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from penstock.model.errors import UserError


class Kind(StrEnum):
    MIXED = "mixed"
    """An answer held another request's token, or lacked its own."""
    ERRORS = "errors"
    """Requests failed that do not fail one at a time, or the environment died."""
    MEMORY = "memory"
    """MemorySize does not hold, or only just."""
    STATE = "state"
    """Module state was overwritten by one request after the other."""
    CHANGED = "changed"
    """Answers that are the same one at a time differ."""
    LOOP = "loop"
    """One request holds up the event loop."""
    LATENCY = "latency"
    """Requests take much longer than alone."""


DEFAULT_FAIL_ON: Final = frozenset({Kind.MIXED, Kind.ERRORS, Kind.MEMORY, Kind.STATE})


def read_fail_on(words: Sequence[str]) -> frozenset[Kind]:
    """Kinds, several in one word with commas, or `none`. Raises UserError."""
    names = [name.strip() for word in words for name in word.split(",")]
    if names == ["none"]:
        return frozenset()
    allowed = list(Kind)
    for name in names:
        if name not in allowed:
            raise UserError(f"--fail-on: {name!r} is not one of {', '.join(allowed)}, or none alone")
    return frozenset(map(Kind, names))


@dataclass(frozen=True, slots=True)
class Finding:
    """`text` is what was seen, `advice` what to do. A `mild` one is worth knowing and never a failure."""

    kind: Kind
    text: str
    advice: str
    mild: bool = False

    def fails(self, fail_on: Set[Kind]) -> bool:
        """Whether it makes the check fail."""
        return self.kind in fail_on and not self.mild
