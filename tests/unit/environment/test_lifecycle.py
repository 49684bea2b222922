"""The state table of an execution environment."""

from itertools import product

import pytest

from penstock.environment.lifecycle import TRANSITIONS, Lifecycle, State

ALLOWED = {
    ("Starting", "Initializing"),
    ("Starting", "ShuttingDown"),
    ("Initializing", "Ready"),
    ("Initializing", "ShuttingDown"),
    ("Ready", "Draining"),
    ("Ready", "ShuttingDown"),
    ("Draining", "ShuttingDown"),
    ("ShuttingDown", "Stopped"),
    ("ShuttingDown", "Failed"),
}
# The shortest way to each state.
WAYS: dict[State, list[State]] = {
    State.STARTING: [],
    State.INITIALIZING: [State.INITIALIZING],
    State.READY: [State.INITIALIZING, State.READY],
    State.DRAINING: [State.INITIALIZING, State.READY, State.DRAINING],
    State.SHUTTING_DOWN: [State.SHUTTING_DOWN],
    State.STOPPED: [State.SHUTTING_DOWN, State.STOPPED],
    State.FAILED: [State.SHUTTING_DOWN, State.FAILED],
}


def in_state(state: State) -> Lifecycle:
    lifecycle = Lifecycle()
    for step in WAYS[state]:
        lifecycle.move(step)
    return lifecycle


@pytest.mark.parametrize(("source", "target"), list(product(State, State)))
def test_every_move(source: State, target: State) -> None:
    lifecycle = in_state(source)
    assert lifecycle.state is source
    if (source, target) in ALLOWED:
        lifecycle.move(target)
        assert lifecycle.state is target
    else:
        with pytest.raises(RuntimeError, match=f"cannot go from {source} to {target}"):
            lifecycle.move(target)
        assert lifecycle.state is source


def test_every_state_comes_to_an_end() -> None:
    for state in State:
        reached, waiting = {state}, [state]
        while waiting:
            new = TRANSITIONS[waiting.pop()] - reached
            reached |= new
            waiting.extend(new)
        assert reached & {State.STOPPED, State.FAILED}, state
