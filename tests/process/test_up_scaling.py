"""`penstock up` that grows and shrinks: environments and instances come with the load, go without it, and are lost."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from support.calls import Reply
from support.gate import Gate
from support.projects import Project, Shape, make_project
from support.sandbox_rig import need_namespaces
from support.up import Held, Up, command, eventually, running, shared_cache

SLOTS = 2


@pytest.fixture(scope="module")
def gate() -> Iterator[Gate]:
    with Gate() as gate:
        yield gate


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, gate: Gate) -> Project:
    return make_project(tmp_path_factory.mktemp("scaling") / "site", Shape({"GATE": gate.port}, concurrency=SLOTS))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shared_cache(tmp_path_factory)


@pytest.fixture
def up(project: Project, cache: Path) -> Iterator[Up]:
    with running(project, cache, "--scale-in", "1", environments=None, scaling=True) as up:
        up.wait_for("ready")
        yield up


class Status:
    """What `penstock status --json` says."""

    def __init__(self, project: Project, cache: Path) -> None:
        done = command(project, cache, "status", "--json")
        assert done.returncode == 0, done.stderr
        self.all: dict[str, Any] = json.loads(done.stdout)

    @property
    def instances(self) -> list[dict[str, Any]]:
        (provider,) = self.all["capacityProviders"]
        found: list[dict[str, Any]] = provider["instances"]
        return found

    @property
    def function(self) -> dict[str, Any]:
        (one,) = self.all["functions"]
        found: dict[str, Any] = one
        return found

    def instance_of(self, environment: str) -> str:
        """The id of the instance an environment is on."""
        return next(
            str(one["id"]) for one in self.instances if any(row["id"] == environment for row in one["environments"])
        )


def fill(up: Up, gate: Gate, count: int) -> list[Held]:
    return [up.occupy(gate) for _ in range(count)]


@contextmanager
def steady_load(up: Up, callers: int = 2) -> Iterator[list[Reply]]:
    """Requests one after the other from each of a few callers; every answer."""
    replies: list[Reply] = []
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            replies.append(up.get("/"))

    threads = [threading.Thread(target=ask) for _ in range(callers)]
    for thread in threads:
        thread.start()
    try:
        yield replies
    finally:
        over.set()
        for thread in threads:
            thread.join()


def test_grows_with_the_load_and_shrinks_without_it(up: Up, gate: Gate) -> None:
    """From three environments to six when all slots are taken, over instances that are there already, and back."""
    with steady_load(up, 0) as replies:
        held = fill(up, gate, 3 * SLOTS)
        began = time.monotonic()
        assert up.get("/").status == 429
        up.wait_for("scaling", before=3, after=6, reason="slots")
        eventually(lambda: len(up.environments) == 6, "six environments")
        took = time.monotonic() - began
        assert up.get("/").status == 200
        more = fill(up, gate, 1)  # somebody is still there when it shrinks
        for one in held:
            assert one.release().text == "waited"
        eventually(lambda: up.said("scaling", reason="scale-in", after=3), "three again", 30.0)
        eventually(lambda: len(up.said("environment", state="stopped")) >= 2, "the drained ones end")
        assert more[0].release().text == "waited"
        eventually(lambda: len(up.environments) == 3, "three environments")
    assert {reply.status for reply in replies} <= {200}
    assert took < 10.0  # some 1 s on a machine that has nothing else to do


def test_status_tells_instances_slots_and_metrics(up: Up, gate: Gate, project: Project, cache: Path) -> None:
    held = fill(up, gate, 3 * SLOTS)
    assert up.get("/").status == 429
    status = Status(project, cache)
    assert sorted(one["zone"] for one in status.instances)[:3] == ["us-east-1a", "us-east-1b", "us-east-1c"]
    assert {one["type"] for one in status.instances} == {"m7a.xlarge"}
    used = [row["slotsUsed"] for one in status.instances for row in one["environments"] if row["slots"]]
    assert sum(used) == 3 * SLOTS
    metrics = status.function["metrics"]
    assert (metrics["Throttles"], metrics["ConcurrencyThrottles"], metrics["CPUThrottles"]) == (1, 1, 0)
    assert metrics["ExecutionEnvironmentConcurrencyLimit"] == SLOTS
    table = command(project, cache, "status")
    assert "Capacity: " in table.stdout
    assert f"{SLOTS}/{SLOTS}" in table.stdout
    for one in held:
        one.release()


def test_a_lost_instance_takes_its_environments_and_the_fleet_heals(
    up: Up, gate: Gate, project: Project, cache: Path
) -> None:
    held = up.occupy(gate)
    (busy,) = {row["id"] for one in Status(project, cache).instances for row in one["environments"] if row["slotsUsed"]}
    instance = Status(project, cache).instance_of(busy)
    done = command(project, cache, "fault", "instance", "i-nothing")
    assert done.returncode == 2
    assert "no instance is called 'i-nothing'; there are i-" in done.stderr
    done = command(project, cache, "fault", "instance", instance)
    assert done.returncode == 0, done.stderr
    assert f"{instance} is lost, with 1 environments" in done.stdout
    up.wait_for("instance", state="HealthCheckFailed", instance=instance)
    up.wait_for("environment", state="died", environment=busy)
    assert up.get("/").status == 200  # the rest keeps serving
    assert held.call.rest().status == 502
    eventually(lambda: len(up.environments) == 3, "three again")
    healed = Status(project, cache)
    assert len(healed.instances) == 3
    assert instance not in {one["id"] for one in healed.instances}
    held.visit.release()


def test_a_rotated_instance_cuts_nothing(up: Up, gate: Gate, project: Project, cache: Path) -> None:
    held = up.occupy(gate)
    (busy,) = {row["id"] for one in Status(project, cache).instances for row in one["environments"] if row["slotsUsed"]}
    instance = Status(project, cache).instance_of(busy)
    with steady_load(up) as replies:
        assert command(project, cache, "fault", "rotate", instance).returncode == 0
        up.wait_for("environment", state="draining", environment=busy)
        ready = [event["environment"] for event in up.said("environment", state="ready")]
        assert len(ready) == 4  # the new one came first
        assert instance in {one["id"] for one in Status(project, cache).instances}
        assert held.release().text == "waited"
        up.wait_for("instance", state="Terminated", instance=instance)
    assert len(replies) > 10
    assert {reply.status for reply in replies} == {200}


def test_a_refusal_while_tmp_is_full_is_one_for_want_of_disk(project: Project, gate: Gate, cache: Path) -> None:
    need_namespaces()
    flags = ("--fault", "fill-tmp@ready", "--max-environments", "1")
    with running(project, cache, *flags, environments=1, scaling=True) as up:
        up.wait_for("fault", effect="/tmp is full")
        held = fill(up, gate, SLOTS)

        def told() -> bool:
            assert up.get("/").status == 429
            return bool(Status(project, cache).function["metrics"]["DiskThrottles"])

        eventually(told, "a refusal for want of disk")
        up.wait_for("request", note="every environment is busy, one has no room left in /tmp")
        for one in held:
            one.release()


def test_nobody_there_to_ask(project: Project, cache: Path) -> None:
    for words in (("status",), ("fault", "instance", "i-1")):
        done = command(project, cache, *words)
        assert done.returncode == 2
        assert "no `penstock up` or `penstock serve` is running for site" in done.stderr
        assert "Traceback" not in done.stderr
