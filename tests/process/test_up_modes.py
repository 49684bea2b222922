"""`penstock up` where environments get less, or more, than by default: no namespaces, or a network of their own."""

import json
from pathlib import Path

import pytest

from support.gate import Gate
from support.projects import Shape, make_project
from support.sandbox_rig import need_namespaces
from support.up import HOST_VARIABLES, running, shared_cache


@pytest.fixture
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shared_cache(tmp_path_factory)


def test_without_namespaces_paths_are_rewritten(tmp_path: Path, cache: Path) -> None:
    project = make_project(tmp_path / "site", Shape({"DATA": "/var/task/data:/opt/data"}))
    with running(project, cache, "--no-namespaces", environments=2) as up:
        variables: dict[str, str] = json.loads(up.get("/environ").text)
        facts = json.loads(up.get("/look").text)
        warnings = [event["text"] for event in up.said("warning")]
    assert len(warnings) == 1  # once, however many environments there are
    assert "switched off" in warnings[0]
    task, tmp = variables["LAMBDA_TASK_ROOT"], variables["TMPDIR"]
    assert facts["cwd"] == task != "/var/task"
    assert facts["tmp"] == tmp
    assert tmp.startswith(str(tmp_path))
    assert {"app.py", "run.sh"} <= set(facts["task"])
    assert facts["opt"] == ["bootstrap", "extensions"]
    assert variables["HOME"] == tmp
    assert variables["DATA"].split(":")[0] == f"{task}/data"
    assert not any("/var/task" in value or value.startswith("/opt") for value in variables.values())
    assert [value for value in HOST_VARIABLES.values() if value in json.dumps(variables)] == []
    assert project.work_folders() == []


def test_without_namespaces_temporary_folders_are_private(tmp_path: Path, cache: Path) -> None:
    with Gate() as gate:
        project = make_project(tmp_path / "site", Shape({"GATE": gate.port}))
        with running(project, cache, "--no-namespaces", environments=2) as up:
            first = up.get("/note?one")
            held = up.occupy(gate)
            second = up.get("/note?two")
            held.release()
    assert first.environment != second.environment
    assert (first.text, second.text) == ("one\n", "two\n")


def test_in_networks_of_their_own_apps_keep_their_port(tmp_path: Path, cache: Path) -> None:
    need_namespaces()
    project = make_project(tmp_path / "site", Shape())
    with running(project, cache, "--network", "isolated", environments=3) as up:
        seen = [up.runtime(environment).environ() for environment in up.environments]
        assert [variables["PORT"] for variables in seen] == ["8000"] * 3
        assert [variables["AWS_LAMBDA_RUNTIME_API"] for variables in seen] == ["127.0.0.1:9001"] * 3
        reply = up.get()
        assert (reply.status, reply.text) == (200, "ok")
        assert reply.environment in up.environments


def test_no_way_out_of_a_network_of_its_own(tmp_path: Path, cache: Path) -> None:
    """Not even to the machine it runs on: the function cannot reach the test."""
    need_namespaces()
    with Gate() as gate:
        project = make_project(tmp_path / "site", Shape({"GATE": gate.port}))
        with running(project, cache, "--network", "isolated") as up:
            failed = up.wait_for("failed")
            assert up.ended() == 1
    assert "ConnectionRefusedError" in "\n".join(failed["output"])
