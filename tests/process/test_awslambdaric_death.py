"""Workers of AWS's runtime client that die or take too long: the others serve on, and it is told."""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.gate import Gate
from support.handlers import make_handler_project, running_handler, worker_processes
from support.projects import Project, Shape
from support.up import Up, eventually, shared_cache

WORKERS = 4
# Whichever worker comes first; /tmp is the environment's own and shared by its workers.
_FIRST_FAILS = """
try:
    os.mkdir("/tmp/first")
except FileExistsError:
    pass
else:
    raise ValueError("bad luck")
"""


@pytest.fixture
def gate() -> Iterator[Gate]:
    with Gate() as gate:
        yield gate


@pytest.fixture
def project(gate: Gate) -> Iterator[Project]:
    """Below a short name: without a mount namespace the workers' socket is called by where it is."""
    with tempfile.TemporaryDirectory(prefix="ric-", dir="/tmp") as folder:
        yield make_handler_project(Path(folder, "site"), Shape(concurrency=WORKERS, timeout=2), gate)


@pytest.fixture
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shared_cache(tmp_path_factory)


@pytest.fixture(params=["--namespaces", "--no-namespaces"])
def up(request: pytest.FixtureRequest, project: Project, cache: Path) -> Iterator[Up]:
    with running_handler(project, cache, request.param) as up:
        up.wait_for("ready")
        yield up


def test_an_idle_worker_that_dies_leaves_the_others(up: Up, gate: Gate, project: Project) -> None:
    (environment,) = up.environments
    eventually(lambda: len(worker_processes(up, environment)) == WORKERS, "all workers")
    worker_processes(up, environment)[2].kill()
    event = up.wait_for("environment", state="worker-died", environment=environment)
    assert (event["slots"], event["maxConcurrency"], event["ready"]) == (WORKERS - 1, WORKERS, 1)
    held = [up.occupy(gate) for _ in range(WORKERS - 1)]
    assert up.get("/log").status == 429
    assert {one.release().status for one in held} == {200}

    def told() -> list[object]:
        lines = [json.loads(line) for line in project.logs.read_text().splitlines()]
        return [line["record"] for line in lines if line["type"] == "penstock.workerDied"]

    assert eventually(told, "the log's record") == [{"slots": WORKERS - 1, "maxConcurrency": WORKERS}]
    assert len(up.said("environment", state="worker-died")) == 1
    assert up.environments == [environment]


def test_what_a_dead_worker_had_runs_into_its_timeout(up: Up, gate: Gate) -> None:
    held = up.occupy(gate)
    # Ready is who has one worker that polls: the others may come a moment later.
    reply = eventually(lambda: reply if (reply := up.get("/die")).status != 429 else None, "another worker")
    assert reply.status == 502
    assert up.wait_for("request", requestId=reply.request_id)["note"] == (
        "Sandbox.Timedout: Task timed out after 2.00 seconds"
    )
    assert up.wait_for("environment", state="worker-died")["slots"] == WORKERS - 1
    assert held.call.rest().status == 502  # it was never released
    held.visit.release()
    assert up.get("/log").status == 200


def test_an_environment_without_workers_is_replaced(up: Up) -> None:
    (lost,) = up.environments
    eventually(lambda: len(worker_processes(up, lost)) == WORKERS, "all workers")
    for worker in worker_processes(up, lost):
        worker.kill()
    died = up.wait_for("environment", state="died", environment=lost)
    assert died["error"].startswith("Runtime.ExitError")
    up.wait_for("environment", up.events.index(died), state="ready")
    assert up.get("/log").status == 200


def test_a_timeout_keeps_one_worker_and_leaves_the_others(up: Up, gate: Gate) -> None:
    late = up.occupy(gate)
    reply = late.call.rest()
    assert reply.status == 502
    assert "timed out" in up.wait_for("request", requestId=reply.request_id)["note"]
    held = [up.occupy(gate) for _ in range(WORKERS - 1)]
    assert up.get("/log").status == 429
    late.visit.release()
    held.append(up.occupy(gate))  # the worker that was late is back
    assert {one.release().status for one in held} == {200}
    assert up.said("environment", state="worker-died") == []


def test_a_worker_that_alone_cannot_load_the_handler(project: Project, gate: Gate, cache: Path) -> None:
    """The others make the environment Ready, and the missing slot is told."""
    with (project.code / "app.py").open("a") as code:
        code.write(_FIRST_FAILS)
    with running_handler(project, cache) as up:
        event = up.wait_for("environment", state="worker-died")
        assert (event["slots"], event["ready"]) == (WORKERS - 1, 1)
        held = [up.occupy(gate) for _ in range(WORKERS - 1)]
        assert up.get("/log").status == 429
        assert {one.release().status for one in held} == {200}
        assert len(up.said("environment", state="worker-died")) == 1
