"""Real processes of a serving environment are killed: what is in flight fails, the rest goes on, all is replaced."""

import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from support.gate import Gate
from support.projects import Shape, make_project
from support.up import Up, eventually, running, shared_cache

KILL = {
    "runtime": (Up.runtime, "Runtime.ExitError"),
    "extension": (Up.adapter, "Extension.Crash"),
    "init": (Up.init, "Sandbox.Lost"),
}


@pytest.fixture
def gate() -> Iterator[Gate]:
    with Gate() as gate:
        yield gate


@pytest.fixture(params=["namespaces", "no-namespaces"])
def up(
    request: pytest.FixtureRequest, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, gate: Gate
) -> Iterator[Up]:
    """Two environments of four slots."""
    project = make_project(tmp_path / "site", Shape({"GATE": gate.port}))
    with running(project, shared_cache(tmp_path_factory), f"--{request.param}", environments=2) as up:
        up.wait_for("ready")
        gate.next("life")
        gate.next("life")
        yield up


def wait_for_replacement(up: Up, lost: str) -> None:
    died = up.wait_for("environment", state="died", environment=lost)
    after = up.events.index(died)
    assert up.wait_for("environment", after, state="ready")["ready"] == 2


@pytest.mark.parametrize("victim", KILL)
def test_an_idle_environment_that_dies_is_replaced(up: Up, gate: Gate, victim: str) -> None:
    find, error_type = KILL[victim]
    lost, other = up.environments
    init = up.init(lost)
    below = init.children(recursive=True)
    find(up, lost).kill()
    died = up.wait_for("environment", state="died", environment=lost)
    assert died["ready"] == 1
    assert died["error"].startswith(f"{error_type}: ")
    assert up.get().environment == other
    wait_for_replacement(up, lost)
    assert psutil.wait_procs([init, *below], timeout=10)[1] == []
    assert lost not in up.environments
    assert len(up.environments) == 2


@pytest.mark.parametrize("victim", KILL)
def test_streams_of_a_dead_environment_are_cut_and_the_others_go_on(up: Up, gate: Gate, victim: str) -> None:
    find, _ = KILL[victim]
    held = [up.occupy(gate, "/stream") for _ in range(4)]
    assert [one.call.read(100) for one in held] == [b"begin\n"] * 4
    lost, other = up.environments
    assert sorted(one.visit.environment for one in held) == sorted([lost, lost, other, other])
    find(up, lost).kill()
    assert all(one.call.is_cut() for one in held if one.visit.environment == lost)
    up.wait_for("environment", state="died", environment=lost)
    assert up.get().environment == other
    for one in held:
        if one.visit.environment == other:
            reply = one.release()
            assert (reply.status, reply.body) == (200, b"end\n")
    wait_for_replacement(up, lost)


def test_an_answer_that_has_not_begun_is_502(up: Up, gate: Gate) -> None:
    held = up.occupy(gate)
    up.runtime(held.visit.environment).kill()
    reply = held.call.rest()
    assert reply.status == 502
    event = up.wait_for("request", requestId=reply.request_id)
    assert (event["status"], event["environment"]) == (502, held.visit.environment)
    # Either the platform or the adapter saw it first.
    assert event["note"].startswith(("Runtime.ExitError", "Runtime.AppDisconnected"))
    wait_for_replacement(up, held.visit.environment)


def test_a_runtime_that_leaves_by_itself_is_replaced(up: Up, gate: Gate) -> None:
    """Any exit ends the environment, also one with status 0."""
    lost = up.environments[0]
    up.runtime(lost).send_signal(signal.SIGTERM)
    assert up.wait_for("environment", state="died", environment=lost)["error"] == (
        "Runtime.ExitError: Runtime exited with error: signal: terminated"
    )
    wait_for_replacement(up, lost)
    reply = up.get("/leave")
    assert reply.status == 502
    lost = up.wait_for("request", requestId=reply.request_id)["environment"]
    assert up.wait_for("environment", state="died", environment=lost)["error"] == (
        "Runtime.ExitError: Runtime exited with error: exit status 7"
    )


def test_nothing_of_a_dead_environment_goes_on(up: Up, gate: Gate) -> None:
    """A process that the function left behind in a session of its own dies with its environment."""
    up.get("/daemon")
    daemon = gate.next("daemon")
    assert not daemon.is_over()
    up.runtime(daemon.environment).kill()
    eventually(daemon.is_over, "the end of the process left behind", 10)
    wait_for_replacement(up, daemon.environment)


def test_killed_while_shutting_down(up: Up, gate: Gate) -> None:
    """The adapter dies while its environment waits for it to shut down: the end comes all the same."""
    kills: list[Callable[[], None]] = []
    for environment in up.environments:
        runtime = up.runtime(environment)
        runtime.suspend()  # it cannot obey SIGTERM
        kills.append(up.adapter(environment).kill)
    up.interrupt()
    up.wait_for("stopping")
    for kill in kills:
        with suppress(psutil.NoSuchProcess):  # a busy machine may be later than the end
            kill()
    assert up.ended() == 0


@pytest.mark.parametrize("victim", KILL)
def test_killed_while_it_drains(up: Up, gate: Gate, victim: str) -> None:
    """Its stream is cut, the other environment's ends whole, and so does `up`."""
    find, _ = KILL[victim]
    held = {one.visit.environment: one for one in (up.occupy(gate, "/stream") for _ in range(2))}
    lost, other = up.environments
    process = find(up, lost)
    up.interrupt()
    up.wait_for("stopping")
    process.kill()
    assert held[lost].call.is_cut()
    assert held[other].release().text == "begin\nend\n"
    assert up.ended() == 0
    up.assert_nothing_left(0)
