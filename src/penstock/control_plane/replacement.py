"""When a lost execution environment is replaced, and when that is no use any more. Pure.

AWS replaces unhealthy environments and publishes no schedule, so every number here is assumed.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ReplacementPolicy:
    """`first_wait` doubles with each failure in a row up to `longest_wait`, in seconds. A life shorter than
    `short_life` seconds counts as a failure. After `give_up` failed starts in a row with no environment left to
    serve, the function is given up.
    """

    first_wait: float = 1.0
    longest_wait: float = 30.0
    short_life: float = 5.0
    give_up: int = 3


@dataclass(frozen=True, slots=True)
class Replace:
    """Start another environment in `wait` seconds."""

    wait: float


@dataclass(frozen=True, slots=True)
class GiveUp:
    """It would fail the same way again."""


def after_death(policy: ReplacementPolicy, lived: float, failures: int) -> tuple[Replace, int]:
    """An environment that had been Ready for `lived` seconds died: what to do, and the failures in a row now."""
    if lived >= policy.short_life:
        return Replace(0.0), 0
    # The first short life may be chance: replaced at once, as a long one.
    return Replace(_wait(policy, failures) if failures else 0.0), failures + 1


def after_failed_start(policy: ReplacementPolicy, failures: int, serving: int) -> Replace | GiveUp:
    """A replacement could not start, for the `failures`th time in a row; `serving` environments are Ready."""
    if failures >= policy.give_up and not serving:
        return GiveUp()
    return Replace(_wait(policy, failures))


def _wait(policy: ReplacementPolicy, failures: int) -> float:
    doublings = min(failures - 1, 64)  # a float holds no more than a thousand
    return min(policy.longest_wait, policy.first_wait * 2.0**doublings)
