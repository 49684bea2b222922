"""When a lost environment is replaced: short stories."""

import pytest

from penstock.control_plane.replacement import GiveUp, Replace, ReplacementPolicy, after_death, after_failed_start

POLICY = ReplacementPolicy(first_wait=1.0, longest_wait=30.0, short_life=5.0, give_up=3)


@pytest.mark.parametrize(
    ("lived", "failures", "decision"),
    [
        (3600.0, 0, (Replace(0.0), 0)),
        (5.0, 0, (Replace(0.0), 0)),
        (3600.0, 7, (Replace(0.0), 0)),  # a long life ends the row
        (4.9, 0, (Replace(0.0), 1)),  # the first short one may be chance
        (0.0, 1, (Replace(1.0), 2)),
        (0.0, 2, (Replace(2.0), 3)),
        (0.0, 3, (Replace(4.0), 4)),
        (0.0, 6, (Replace(30.0), 7)),
        (0.0, 5000, (Replace(30.0), 5001)),
    ],
)
def test_after_a_death(lived: float, failures: int, decision: tuple[Replace, int]) -> None:
    assert after_death(POLICY, lived, failures) == decision


@pytest.mark.parametrize(
    ("failures", "serving", "decision"),
    [
        (1, 2, Replace(1.0)),
        (2, 0, Replace(2.0)),
        (3, 0, GiveUp()),
        (3, 1, Replace(4.0)),  # something serves: never given up
        (9, 0, GiveUp()),
        (5000, 1, Replace(30.0)),
    ],
)
def test_after_a_failed_start(failures: int, serving: int, decision: Replace | GiveUp) -> None:
    assert after_failed_start(POLICY, failures, serving) == decision


def test_environment_that_dies_young_again_and_again_is_replaced_ever_more_slowly() -> None:
    failures, waits = 0, []
    for _ in range(9):
        replace, failures = after_death(POLICY, 0.1, failures)
        waits.append(replace.wait)
    assert waits == [0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]


def test_function_broken_by_its_last_change_is_given_up_after_three_tries() -> None:
    _, failures = after_death(POLICY, 3600.0, 0)
    decisions = []
    for _ in range(3):
        failures += 1
        decisions.append(after_failed_start(POLICY, failures, 0))
    assert decisions == [Replace(1.0), Replace(2.0), GiveUp()]
