"""Which environment takes an invocation."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from penstock.model.invocation import Invocation
from penstock.router import Router
from support.sink import RecordingSink


@dataclass(eq=False)
class FakeTarget:
    environment_id: str
    free_slots: int = 1
    in_flight: int = 0
    gone: bool = False
    """Its last worker hangs up as the invocation comes."""
    taken: list[Invocation] = field(default_factory=list)

    def invoke(self, invocation: Invocation) -> bool:
        if self.gone or not self.free_slots:
            return False
        self.taken.append(invocation)
        self.free_slots -= 1
        self.in_flight += 1
        return True


def invocation() -> Invocation:
    return Invocation("r1", "arn", lambda: b"{}", RecordingSink(), 1.0, 1, 1)


def routed(*targets: FakeTarget) -> str | None:
    """Who took one invocation."""
    router = Router()
    for target in targets:
        router.add(target)
    taken = router.route(invocation())
    takers = [target.environment_id for target in targets if target.taken]
    assert len(takers) == taken
    return takers[0] if takers else None


@pytest.mark.parametrize(
    ("targets", "taker"),
    [
        pytest.param(lambda: [], None, id="no environment"),
        pytest.param(lambda: [FakeTarget("a")], "a", id="one"),
        pytest.param(lambda: [FakeTarget("a", 0), FakeTarget("b", 0)], None, id="all full"),
        pytest.param(lambda: [FakeTarget("a", 9, 5), FakeTarget("b", 1, 2), FakeTarget("c", 9, 3)], "b", id="least"),
        pytest.param(lambda: [FakeTarget("a", 1, 2), FakeTarget("b", 1, 2)], "a", id="longest-serving on a tie"),
        pytest.param(lambda: [FakeTarget("a", 0, 0), FakeTarget("b", 1, 9)], "b", id="full is not least loaded"),
        pytest.param(lambda: [FakeTarget("a", gone=True), FakeTarget("b", 1, 9)], "b", id="next when one is gone"),
        pytest.param(lambda: [FakeTarget("a", gone=True)], None, id="the only one is gone"),
    ],
)
def test_choice(targets: Callable[[], list[FakeTarget]], taker: str | None) -> None:
    assert routed(*targets()) == taker


def test_load_spreads_evenly_and_stops_when_all_are_full() -> None:
    router = Router()
    targets = [FakeTarget(name, 64) for name in "abc"]
    for target in targets:
        router.add(target)
    assert [router.route(invocation()) for _ in range(200)] == [True] * 192 + [False] * 8
    assert [target.in_flight for target in targets] == [64, 64, 64]


def test_removed_target_gets_nothing_and_may_be_removed_again() -> None:
    router = Router()
    first, second = FakeTarget("a", 5), FakeTarget("b", 5, 3)
    router.add(first)
    router.add(second)
    router.remove(first)
    router.remove(first)
    assert router.targets == (second,)
    assert router.route(invocation())
    assert (first.taken, len(second.taken)) == ([], 1)
