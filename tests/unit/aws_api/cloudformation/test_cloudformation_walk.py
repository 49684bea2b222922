"""Whatever needs what: nothing is begun before all it needs is done, and nothing is left out."""

import asyncio
from collections.abc import Mapping

from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.aws_api.cloudformation.engine.walk import reversed_needs, walk


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, set[str]]:
    """Each name may need any of those before it, in an order that says nothing."""
    names = [f"R{number}" for number in range(draw(st.integers(0, 12)))]
    needs = {
        name: draw(st.sets(st.sampled_from(names[:at]), max_size=4)) if at else set() for at, name in enumerate(names)
    }
    return {name: needs[name] for name in draw(st.permutations(names))}


def run(
    needs: Mapping[str, set[str]], pauses: Mapping[str, int], failing: set[str], at_once: int
) -> tuple[set[str], list[tuple[str, str]], int]:
    """What is done, what happened, and how many ran at once at most."""
    told: list[tuple[str, str]] = []
    running = most = 0

    async def act(name: str) -> bool:
        nonlocal running, most
        running += 1
        most = max(most, running)
        told.append(("begin", name))
        for _ in range(pauses.get(name, 0)):
            await asyncio.sleep(0)
        told.append(("end", name))
        running -= 1
        return name not in failing

    return asyncio.run(walk(needs, act, at_once=at_once)), told, most


@settings(deadline=None, max_examples=60)
@given(graphs(), st.dictionaries(st.sampled_from([f"R{n}" for n in range(12)]), st.integers(0, 4)), st.integers(1, 4))
def test_order(needs: dict[str, set[str]], pauses: dict[str, int], at_once: int) -> None:
    done, told, most = run(needs, pauses, set(), at_once)
    assert done == needs.keys()
    assert most <= at_once
    for name, items in needs.items():
        begun = told.index(("begin", name))
        assert all(told.index(("end", item)) < begun for item in items)


@settings(deadline=None, max_examples=60)
@given(graphs(), st.sets(st.sampled_from([f"R{n}" for n in range(12)]), max_size=3))
def test_what_needs_something_that_failed_is_not_begun(needs: dict[str, set[str]], failing: set[str]) -> None:
    done, told, _ = run(needs, {}, failing, 3)
    begun = {name for what, name in told if what == "begin"}
    assert done == begun - failing
    for name, items in needs.items():
        assert (name in begun) == (items <= done)


@settings(deadline=None, max_examples=30)
@given(graphs())
def test_reversed(needs: dict[str, set[str]]) -> None:
    assert reversed_needs(reversed_needs(needs)) == needs
    _, told, _ = run(reversed_needs(needs), {}, set(), 2)
    for name, items in needs.items():
        assert all(told.index(("end", name)) < told.index(("begin", item)) for item in items)


def test_halted_begins_nothing_more_and_waits_for_what_runs() -> None:
    told: list[str] = []

    async def act(name: str) -> bool:
        await asyncio.sleep(0)
        told.append(name)
        return name != "A"

    async def main() -> set[str]:
        needs: dict[str, set[str]] = {"A": set(), "B": set(), "C": {"B"}}
        return await walk(needs, act, at_once=2, halted=lambda: "A" in told)

    assert asyncio.run(main()) == {"B"}
    assert told == ["A", "B"]
