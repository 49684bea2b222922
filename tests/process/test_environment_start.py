"""Functions that cannot start: `up` says why in the function's own words, exits with 1 and leaves nothing behind."""

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from penstock.packaging import python_runtime
from support.gate import Gate
from support.package_index import need_packages
from support.projects import RUN_SH, Project, Shape, make_project
from support.up import Up, command, eventually, running, shared_cache


@pytest.fixture
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shared_cache(tmp_path_factory)


class Case(NamedTuple):
    """`message` is a pattern; `output` must be among the function's last lines."""

    spoil: Callable[[Project], object]
    error_type: str
    message: str
    output: str = ""
    flags: tuple[str, ...] = ()


def write(name: str, text: str) -> Callable[[Project], object]:
    return lambda project: (project.code / name).write_text(text)


CASES = {
    "import error": Case(
        write("app.py", "import no_such_module\n"),
        "Runtime.ExitError",
        "Runtime exited with error: exit status 1",
        "ModuleNotFoundError: No module named 'no_such_module'",
    ),
    "port never opened": Case(
        write("app.py", "import time\nprint('dozing', flush=True)\ntime.sleep(1000)\n"),
        "Sandbox.Timedout",
        "init took longer than 3 seconds: the runtime never asked for an invocation.*",
        "dozing",
        ("--init-timeout", "3"),
    ),
    "handler missing": Case(
        lambda project: (project.code / "run.sh").unlink(),
        "Runtime.ExitError",
        "Runtime exited with error: exit status 127",
        "/run.sh: ",
    ),
    "handler not executable": Case(
        lambda project: (project.code / "run.sh").chmod(0o644),
        "Runtime.ExitError",
        "Runtime exited with error: exit status 126",
        "/run.sh: ",
    ),
    "leaves at once with status 0": Case(
        write("run.sh", "#!/bin/sh\necho bye\n"),
        "Runtime.ExitError",
        "Runtime exited without providing a reason",
        "bye",
    ),
    "killed while it starts": Case(
        write("run.sh", "#!/bin/sh\necho ouch >&2\nkill -9 $$\n"),
        "Runtime.ExitError",
        "Runtime exited with error: signal: killed",
        "ouch",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_function_that_cannot_start(name: str, tmp_path: Path, cache: Path) -> None:
    case = CASES[name]
    project = make_project(tmp_path / "site")
    case.spoil(project)
    with running(project, cache, *case.flags, environments=2) as up:
        assert up.ended() == 1
        (failed,) = up.said("failed")
        assert failed["function"] == "App"
        assert failed["errorType"] == case.error_type
        assert re.fullmatch(case.message, failed["errorMessage"])
        assert case.output in "\n".join(failed["output"])
        assert not up.said("ready")
        assert len(up.said("environment", state="starting")) == 2  # none is tried a second time
        assert up.stderr == ""
        up.assert_nothing_left(0)
    assert project.work_folders() == []


@pytest.mark.parametrize(
    ("shape", "missing"),
    [(Shape({"AWS_LAMBDA_EXEC_WRAPPER": "/opt/nothing"}), "nothing"), (Shape(layers=()), "bootstrap")],
    ids=["exec wrapper", "adapter layer"],
)
def test_what_the_exec_wrapper_names_is_missing(shape: Shape, missing: str, tmp_path: Path, cache: Path) -> None:
    user = need_packages(python_runtime.REQUIREMENTS)  # which such a wrapper might start
    project = make_project(tmp_path / "site", shape)
    with running(project, cache, user=user) as up:
        assert up.ended() == 1
        (failed,) = up.said("failed")
        assert failed["errorType"] == "Runtime.InvalidEntrypoint"
        assert re.fullmatch(f"cannot start runtime: .*/{missing}: No such file or directory", failed["errorMessage"])


def test_a_person_sees_the_last_lines_too(tmp_path: Path, cache: Path) -> None:
    project = make_project(tmp_path / "site")
    (project.code / "app.py").write_text("import no_such_module\n")
    ended = command(project, cache, "up", "--port", "0", "--min-environments", "1")
    assert ended.returncode == 1
    assert "App cannot start: Runtime.ExitError" in ended.stdout
    assert "  | ModuleNotFoundError: No module named 'no_such_module'" in ended.stdout
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("find", "error_type"),
    [(Up.runtime, "Runtime.ExitError"), (Up.adapter, "Extension.Crash"), (Up.init, "Sandbox.Lost")],
    ids=["runtime", "extension", "init"],
)
@pytest.mark.parametrize("mode", ["--namespaces", "--no-namespaces"])
def test_killed_while_the_function_starts(
    find: Callable[[Up, str], psutil.Process], error_type: str, mode: str, tmp_path: Path, cache: Path
) -> None:
    """Whatever dies while an environment is Initializing ends the start, and `up`."""
    with Gate() as gate:
        project = make_project(tmp_path / "site", Shape({"GATE": gate.port, "SLOW_START": 1}))
        with running(project, cache, mode) as up:
            find(up, gate.next("start").environment).kill()
            assert up.ended() == 1
            (failed,) = up.said("failed")
            assert failed["errorType"] == error_type


def test_a_failed_start_is_in_the_log(tmp_path: Path, cache: Path) -> None:
    project = make_project(tmp_path / "site")
    (project.code / "app.py").write_text("raise SystemExit('no way')\n")
    with running(project, cache) as up:
        assert up.ended() == 1
    lines = [json.loads(line) for line in project.logs.read_text().splitlines()]
    assert [line["record"] for line in lines if line["type"] == "function"] == ["no way"]
    (report,) = [line["record"] for line in lines if line["type"] == "platform.initReport"]
    assert (report["status"], report["errorType"]) == ("error", "Runtime.ExitError")


def test_a_function_that_stops_starting_is_given_up(tmp_path: Path, cache: Path) -> None:
    """It was Ready once, then dies and cannot come back: tried some times, then `up` ends with 1."""
    broken = tmp_path / "site" / "broken"
    check = f"[ -e {broken} ] && echo broken now && exit 9\n"
    project = make_project(tmp_path / "site", run_sh=RUN_SH.replace("exec", f"{check}exec"))
    with running(project, cache, "--no-namespaces") as up:
        (environment,) = up.environments
        broken.touch()
        up.runtime(environment).kill()
        assert up.ended() == 1
        # Its short life was the first failure in a row.
        assert len(up.said("environment", state="start-failed")) == 2
        (failed,) = up.said("failed")
        assert failed["errorMessage"] == "Runtime exited with error: exit status 9"
        assert failed["output"] == ["broken now"]


def test_one_that_keeps_dying_is_replaced_ever_more_slowly(tmp_path: Path, cache: Path) -> None:
    """Meanwhile requests are refused; Ctrl-C does not wait for the next try."""
    with Gate() as gate:
        project = make_project(tmp_path / "site", Shape({"GATE": gate.port}))
        with running(project, cache) as up:
            waits = []
            for lives in (1, 2):
                died = live_and_die(up, gate, lives)
                up.wait_for("environment", up.events.index(up.said("environment", state="died")[-1]), state="starting")
                waits.append(time.monotonic() - died)
            assert waits[0] < 0.5 < waits[1]
            died = live_and_die(up, gate, 3)
            assert up.get().status == 429
            assert up.stop() == 0
            assert time.monotonic() - died < 2.0  # then would have been the next try


def live_and_die(up: Up, gate: Gate, lives: int) -> float:
    """End the environment that is the `lives`th to become Ready; the monotonic time at which that was heard of."""

    def have(state: str, count: int) -> bool:
        return len(up.said("environment", state=state)) == count

    gate.next("life")
    eventually(lambda: have("ready", lives), "a new life")
    eventually(lambda: up.get("/leave").status == 502, "a request that ends it")
    eventually(lambda: have("died", lives), "its death")
    return time.monotonic()
