"""The checklist of Function URLs is numbered once, in order, with room between; for the rest see test_checklist.py."""

from conformance.checklist import FUNCTION_URL, load

CHECKLIST = load(FUNCTION_URL)


def test_every_number_once_and_in_order() -> None:
    numbers = [scenario.number for scenario in CHECKLIST.scenarios]
    assert numbers == sorted(set(numbers))
