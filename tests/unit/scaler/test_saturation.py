"""What a burst gets that is more than all slots: exactly those are answered for whom there is a slot."""

from dataclasses import dataclass, field

import pytest

from penstock.model.invocation import Invocation
from penstock.model.throttles import ThrottleReason
from penstock.router import Router
from penstock.scaler import EnvironmentSample, Sample, ScalerState, ScalingPolicy, decide, throttle_reason
from support.sink import RecordingSink


@dataclass(eq=False)
class Slots:
    """An environment: each invocation it takes holds a slot."""

    environment_id: str
    slots: int
    taken: list[Invocation] = field(default_factory=list)

    @property
    def free_slots(self) -> int:
        return self.slots - len(self.taken)

    @property
    def in_flight(self) -> int:
        return len(self.taken)

    def invoke(self, invocation: Invocation) -> bool:
        if not self.free_slots:
            return False
        self.taken.append(invocation)
        return True

    def sample(self, cpu: float) -> EnvironmentSample:
        return EnvironmentSample(self.slots, self.in_flight, self.in_flight, cpu)


def burst(calls: int, environments: int, slots: int) -> tuple[list[bool], list[Slots], Router]:
    router = Router()
    there = [Slots(f"e{number}", slots) for number in range(environments)]
    for one in there:
        router.add(one)
    answered = [
        router.route(Invocation(f"r{number}", "arn", lambda: b"{}", RecordingSink(), 1.0, 1, 1))
        for number in range(calls)
    ]
    return answered, there, router


def test_sixty_calls_on_three_environments_of_sixteen_slots() -> None:
    """Seen on AWS: 48 answered and 12 throttled, at a few percent of CPU. Nothing waits."""
    answered, there, router = burst(60, 3, 16)
    assert answered == [True] * 48 + [False] * 12
    assert [one.in_flight for one in there] == [16, 16, 16]
    assert router.throttles == {ThrottleReason.CONCURRENCY: 12}
    assert throttle_reason((one.sample(0.05) for one in there), 1.0) is ThrottleReason.CONCURRENCY


def test_the_scaler_answers_it_with_room_for_all_sixty() -> None:
    _, there, router = burst(60, 3, 16)
    sample = Sample(tuple(one.sample(0.05) for one in there), 0, router.throttles.total())
    decision = decide(ScalingPolicy(3, None, 16, 1.0, 0.5), ScalerState(), sample, 0.0)
    assert decision.desired * 16 >= 60 * 1.5
    answered, _, _ = burst(60, decision.desired, 16)
    assert all(answered)


@pytest.mark.parametrize(
    ("calls", "environments", "slots"), [(1, 0, 16), (48, 3, 16), (49, 3, 16), (7, 7, 1), (8, 7, 1)]
)
def test_as_many_as_there_are_slots(calls: int, environments: int, slots: int) -> None:
    answered, there, router = burst(calls, environments, slots)
    assert sum(answered) == min(calls, environments * slots)
    assert router.throttles.total() == calls - sum(answered)
    assert max((one.in_flight for one in there), default=0) - min((one.in_flight for one in there), default=0) <= 1
