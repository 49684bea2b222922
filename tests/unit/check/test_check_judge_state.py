"""Module state told apart from made-up looks: what one request leaves for another, and what is harmless."""

from collections.abc import Sequence

import pytest

from penstock.check.findings import Kind
from penstock.check.judge_state import find_changes, judge_state, note_state
from penstock.check.measured import Sighting
from support.check_runs import box, level, measured, number, sightings, text, thing

A, B, C = "pstk00000000x0000000a", "pstk00000000x0000000b", "pstk00000000x0000000c"


def overwritten(seen: Sequence[Sighting]) -> list[str]:
    return [change.name for change in find_changes(seen) if change.is_overwritten]


def test_a_variable_that_holds_one_request_after_the_other() -> None:
    seen = sightings((0, {"main.user": text("nobody")}), (1, {"main.user": text(A, A)}), (8, {"main.user": text(B, B)}))
    (change,) = find_changes(seen)
    assert (change.name, change.type, change.changes, change.levels) == ("main.user", "str", 2, {1, 8})
    assert change.is_overwritten


def test_it_is_a_finding() -> None:
    seen = sightings((1, {"main.user": text(A, A)}), (8, {"main.user": text(B, B)}))
    (finding,) = judge_state(measured(level(1)), find_changes(seen), ())
    assert finding.kind is Kind.STATE
    assert finding.text.startswith("main.user (str) held data of one request and then of another")
    assert "--ignore-state main.user" in finding.advice


def test_unless_it_is_meant_so_or_nobody_shares_it() -> None:
    changes = find_changes(sightings((1, {"main.user": text(A, A)}), (8, {"main.user": text(B, B)})))
    assert judge_state(measured(level(1)), changes, ("main.user",)) == []
    assert judge_state(measured(level(1), shares_process=False), changes, ()) == []


def test_set_once_by_one_request_is_not_overwritten() -> None:
    seen = sightings((0, {"m.x": text("")}), (1, {"m.x": text(A, A)}), (8, {"m.x": text(A, A)}))
    assert overwritten(seen) == []


def test_emptied_in_between_it_is_overwritten_all_the_same() -> None:
    looks = [text(""), text(A, A), text(""), text(B, B)]
    assert overwritten(sightings(*((8, {"m.x": slot}) for slot in looks))) == ["m.x"]


def test_a_container_holds_requests_beside_each_other() -> None:
    seen = sightings((1, {"m.cache": box(1, A)}), (8, {"m.cache": box(2, A, B)}), (8, {"m.cache": box(3, B, C)}))
    (change,) = find_changes(seen)
    assert change.changes == 2
    assert not change.is_overwritten


def test_the_request_itself_in_a_variable() -> None:
    seen = sightings((1, {"m.request": thing(1)}), (1, {"m.request": thing(2, A)}), (8, {"m.request": thing(3, B)}))
    assert overwritten(seen) == ["m.request"]


def test_counters_and_caches_are_no_fault() -> None:
    seen = sightings(*((at, {"m.hits": number(index), "m.cache": box(index)}) for index, at in enumerate((0, 1, 8))))
    changes = find_changes(seen)
    run = measured(level(1), sightings=seen)
    assert judge_state(run, changes, ()) == []
    assert note_state(run, changes, ()) == [
        "module state that changes with requests, and holds no single one's data: m.cache, m.hits"
    ]


def test_made_once_it_is_not_worth_a_word() -> None:
    seen = sightings((0, {"m.client": text("")}), (1, {"m.client": thing(5)}), (8, {"m.client": thing(5)}))
    assert note_state(measured(level(1), sightings=seen), find_changes(seen), ()) == []


@pytest.mark.parametrize(
    ("sizes", "grows"), [((0, 90, 180, 300), True), ((0, 90, 5, 300), False), ((0, 9, 9, 9), False)]
)
def test_what_grows_with_requests(sizes: Sequence[int], grows: bool) -> None:
    seen = sightings(*((8, {"m.seen": box(size, identity=1)}) for size in sizes))
    (change,) = find_changes(seen)
    assert change.grows is grows
    told = "takes in something with each request and lets go of nothing: m.seen"
    assert (told in note_state(measured(level(1)), [change], ())) is (grows and change.changes > 1)


def test_processes_are_not_compared_with_each_other() -> None:
    """Each worker has variables of its own."""
    first = sightings((1, {"m.user": text(A, A)}), (8, {"m.user": text(A, A)}), process=1)
    second = sightings((1, {"m.user": text(B, B)}), (8, {"m.user": text(B, B)}), process=2)
    mixed = [look for pair in zip(first, second, strict=True) for look in pair]
    assert find_changes(mixed) == []


def test_an_app_that_cannot_be_looked_into() -> None:
    (note,) = note_state(measured(level(1), processes=0), [], ())
    assert "not looked at" in note


def test_each_slot_a_process_of_its_own() -> None:
    seen = sightings((1, {"m.hits": number(1)}), (8, {"m.hits": number(2)}), (8, {"m.hits": number(3)}))
    run = measured(level(1), shares_process=False, sightings=seen)
    assert note_state(run, find_changes(seen), ()) == [
        "each slot is a process of its own: no two requests share module state"
    ]


def test_a_thread_local_beside_an_event_loop() -> None:
    seen = sightings((0, {"m.local": thing(1, kind="thread-local", type_name="_local")}))
    (note,) = note_state(measured(level(1, delays=[0.001]), sightings=seen), [], ())
    assert note.startswith("m.local: all requests of an event loop share a threading.local")
    assert note_state(measured(level(1), sightings=seen), [], ()) == []


def test_many_names_are_not_all_told() -> None:
    seen = sightings(*((8, {f"m.n{index:02}": number(at * 100 + index) for index in range(20)}) for at in range(3)))
    (note,) = note_state(measured(level(1), sightings=seen), find_changes(seen), ())
    assert note.endswith("m.n07 and 12 more")
