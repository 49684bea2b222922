"""A timeout fails its own invocation only: the code runs on, and its slot stays taken until it asks for work again."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.gate import Gate
from support.projects import Shape, make_project
from support.up import Up, eventually, running, shared_cache

TIMEOUT_S = 1


@pytest.fixture
def gate() -> Iterator[Gate]:
    with Gate() as gate:
        yield gate


@pytest.fixture(params=[1, 2], ids="{}-slots".format)
def up(
    request: pytest.FixtureRequest, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, gate: Gate
) -> Iterator[Up]:
    """One environment."""
    project = make_project(tmp_path / "site", Shape({"GATE": gate.port}, concurrency=request.param, timeout=TIMEOUT_S))
    with running(project, shared_cache(tmp_path_factory)) as up:
        yield up


def slots(up: Up) -> int:
    return int(up.runtime(up.environments[0]).environ()["AWS_LAMBDA_MAX_CONCURRENCY"])


def test_a_timeout_keeps_the_slot_until_the_app_answers(up: Up, gate: Gate) -> None:
    held = [up.occupy(gate) for _ in range(slots(up))]
    replies = [one.call.rest() for one in held]
    assert [reply.status for reply in replies] == [502] * len(held)
    for reply in replies:
        event = up.wait_for("request", requestId=reply.request_id)
        assert event["note"] == "Sandbox.Timedout: Task timed out after 1.00 seconds"
        assert 950 < event["durationMs"] < 3000
    # The app still works on what timed out.
    assert not any(one.visit.is_over() for one in held)
    assert up.get().status == 429
    for one in held:
        one.visit.release()
    assert eventually(lambda: up.get().status == 200, "a slot of its own again")
    assert not up.said("environment", state="died")


def test_a_stream_that_takes_too_long_is_cut(up: Up, gate: Gate) -> None:
    held = up.occupy(gate, "/stream")
    began = time.monotonic()
    assert held.call.is_cut()
    assert time.monotonic() - began < 10
    held.visit.release()
    assert eventually(lambda: up.get().status == 200, "a slot of its own again")
    assert not up.said("environment", state="died")


@pytest.mark.parametrize("up", [2], indirect=True)
def test_a_neighbour_of_a_timeout_is_served(up: Up, gate: Gate) -> None:
    held = up.occupy(gate)
    assert up.get().text == "ok"
    assert held.call.rest().status == 502
    assert eventually(lambda: up.get().status == 200, "the other slot")
    held.visit.release()
