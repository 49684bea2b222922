"""Picks the execution environment for an invocation, and reserves it by the same act. Pure: no socket, no clock."""

from collections import Counter

from penstock.model.invocation import Invocation, Target
from penstock.model.throttles import ThrottleReason


class Router:
    """The environments of one function version that take invocations now.

    AWS's router tries another environment when one is busy and answers 429 when all are; nothing is queued.
    https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-scaling.html
    The order is not published: least loaded first, the longest-serving one on a tie (assumed).
    """

    def __init__(self) -> None:
        self._targets: list[Target] = []
        self.throttles: Counter[ThrottleReason] = Counter()
        """How many invocations were refused, by reason."""
        self.refusing = ThrottleReason.CONCURRENCY
        """What a refusal means at present: set by who measures the environments."""

    @property
    def targets(self) -> tuple[Target, ...]:
        return tuple(self._targets)

    @property
    def note(self) -> str:
        """What the line of a refused request says."""
        return self.refusing.note if self._targets else "no environment serves"

    def add(self, target: Target) -> None:
        self._targets.append(target)

    def remove(self, target: Target) -> None:
        """Take a target out, before it drains or because it died. Removing it twice is no error."""
        if target in self._targets:
            self._targets.remove(target)

    def route(self, invocation: Invocation) -> bool:
        """Hand the invocation to an environment; False when every one is full."""
        chosen: Target | None = None
        for target in self._targets:
            if target.free_slots and (chosen is None or target.in_flight < chosen.in_flight):
                chosen = target
        # Its last worker may have hung up this very moment: then any other one.
        if chosen is not None and (
            chosen.invoke(invocation)
            or any(target.invoke(invocation) for target in self._targets if target is not chosen)
        ):
            return True
        self.throttles[self.refusing] += 1
        return False
