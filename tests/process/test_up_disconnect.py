"""A client that goes away in the middle of a stream: the function goes on, or is told."""

from pathlib import Path

import pytest

from support.gate import Gate
from support.projects import Shape, make_project
from support.up import running, shared_cache


@pytest.fixture
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shared_cache(tmp_path_factory)


def test_the_function_goes_on(tmp_path: Path, cache: Path) -> None:
    with Gate() as gate:
        project = make_project(tmp_path / "site", Shape(variables={"GATE": gate.port}))
        with running(project, cache) as up:
            held = up.occupy(gate, "/stream")
            assert held.call.read(6) == b"begin\n"
            held.call.close()
            assert up.get().text == "ok"  # came after the end of the other one, which is noticed therefore
            assert not up.said("request", path="/stream")
            held.visit.release()
            assert up.wait_for("request", path="/stream")["note"] == "client left"


def test_the_app_is_told_when_asked_for(tmp_path: Path, cache: Path) -> None:
    with Gate() as gate:
        project = make_project(tmp_path / "site", Shape(variables={"GATE": gate.port}, concurrency=1))
        with running(project, cache, "--cancel-on-disconnect") as up:
            held = up.occupy(gate, "/hold")
            assert held.call.read(6) == b"begin\n"
            held.call.close()
            gate.next("left")
            assert "client left" in up.wait_for("request", path="/hold")["note"]
            again = up.occupy(gate, "/wait")  # its only slot is free
            assert again.release().text == "waited"
