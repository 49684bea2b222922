"""`penstock up --fault`: told on the console and in the log, and the platform deals with it as with any other."""

import json
from pathlib import Path

import pytest

from support.projects import make_project
from support.up import command, running, shared_cache


@pytest.fixture
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shared_cache(tmp_path_factory)


def test_faults_are_told_and_dealt_with(tmp_path: Path, cache: Path) -> None:
    project = make_project(tmp_path / "site")
    flags = ("--fault", "kill-runtime@request=2", "--fault", "kill-extension=nobody@ready")
    with running(project, cache, *flags, environments=2) as up:
        told = up.wait_for("fault", fault="kill-extension=nobody@ready")
        assert told["effect"].startswith("no such extension runs; running: ")
        up.wait_for("ready")
        assert up.get().status == 200
        assert up.get().status == 502
        told = up.wait_for("fault", fault="kill-runtime@request=2")
        assert (told["function"], told["effect"]) == ("App", "killed runtime")
        died = up.wait_for("environment", state="died", environment=told["environment"])
        assert died["error"] == "Runtime.ExitError: Runtime exited with error: signal: killed"
        up.wait_for("environment", up.events.index(died), state="ready")
        # It happened once: the replacement lives, as do all from now on.
        assert [up.get().status for _ in range(6)] == [200] * 6
    lines = [json.loads(line) for line in project.logs.read_text().splitlines()]
    assert [line["record"]["fault"] for line in lines if line["type"] == "penstock.fault"] == [
        "kill-extension=nobody@ready",
        "kill-runtime@request=2",
    ]


def test_faults_in_human_words(tmp_path: Path, cache: Path) -> None:
    project = make_project(tmp_path / "site")
    words = ("up", "--port", "0", "--min-environments", "1", "--fault", "kill-runtime@init")
    ended = command(project, cache, *words)
    assert ended.returncode == 1
    assert ": kill-runtime@init: killed runtime" in ended.stdout
    assert "App cannot start: Runtime.ExitError: Runtime exited with error: signal: killed" in ended.stdout


def test_nothing_happens_unasked(tmp_path: Path, cache: Path) -> None:
    project = make_project(tmp_path / "site")
    with running(project, cache) as up:
        assert up.get().status == 200
        assert up.said("fault") == []
        (memory,) = [event["text"] for event in up.said("info") if "MemorySize" in event["text"]]
        assert memory.startswith(("MemorySize is enforced by the kernel (cgroup v", "MemorySize is checked 5 times"))
