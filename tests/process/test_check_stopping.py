"""How `penstock check` ends: by Ctrl-C with nothing left, and on bad input with one line."""

import os
import signal
from pathlib import Path

import psutil
import pytest

from penstock.packaging import adapter_layer
from support.checks import CHECK_PATIENCE_S, check, make_fault_project, start_check
from support.package_index import need_packages
from support.projects import MARK, Project
from support.up import command, eventually, running, shared_cache


@pytest.fixture
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shared_cache(tmp_path_factory)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_fault_project(tmp_path / "project")


def marked(project: Project) -> list[psutil.Process]:
    """Processes of the project that run."""

    def has_mark(process: psutil.Process) -> bool:
        try:
            return bool(process.environ().get(MARK) == project.mark)
        except psutil.Error:
            return False

    return [process for process in psutil.process_iter() if has_mark(process)]


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_it_is_interrupted(project: Project, cache: Path, signum: signal.Signals) -> None:
    user = need_packages(adapter_layer.REQUIREMENTS)
    words = ("--path", "/sound?user={token}", "--seconds", "60")
    with start_check(project, cache, *words, user=user) as process:
        assert process.stderr
        for line in process.stderr:
            if "request at once" in line:
                break
        assert len(marked(project)) > 1
        os.killpg(process.pid, signum)
        stdout, _ = process.communicate(timeout=CHECK_PATIENCE_S)
    assert process.returncode == 130
    assert stdout == ""
    eventually(lambda: not marked(project), "no process is left")
    assert project.work_folders() == []


def test_a_running_up_is_left_in_peace(project: Project, cache: Path) -> None:
    user = need_packages(adapter_layer.REQUIREMENTS)
    with running(project, cache, user=user) as up:
        up.wait_for("ready")
        found = check(project, cache, "--path", "/sound", "--levels", "1", "--requests", "4", user=user)
        assert found.code == 0
        assert command(project, cache, "status", "--json").returncode == 0
        assert up.get("/sound").status == 200


def test_a_function_that_cannot_start(project: Project, cache: Path) -> None:
    user = need_packages(adapter_layer.REQUIREMENTS)
    (project.code / "main.py").write_text("raise RuntimeError('not today')\n")
    found = check(project, cache, user=user)
    assert (found.code, found.stdout) == (1, "")
    assert "App cannot start" in found.stderr
    assert "not today" in found.stderr


def test_a_path_that_the_app_does_not_have(project: Project, cache: Path) -> None:
    user = need_packages(adapter_layer.REQUIREMENTS)
    found = check(project, cache, "--path", "/nothing", "--path", "/sound", "--requests", "4", user=user)
    assert (found.code, found.stdout) == (2, "")
    told = "GET /nothing is answered with 404 every time: give a request that works (--path)"
    assert found.stderr.splitlines()[-1] == f"penstock: {told}"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--path", "hello"), "--path: 'hello' must begin with / and have no spaces and no #"),
        (("--levels", "1,99"), "--levels: 1 to 16 are allowed: 16 is the function's concurrency"),
        (("--fail-on", "speed"), "--fail-on: 'speed' is not one of mixed, errors, memory, state, changed, loop"),
        (("--duration-target", "1"), "--duration-target says how long the requests of --load take: give both"),
        (("--function", "Other"), "--function: Other is no function with a FunctionUrlConfig; there are: App"),
        (("--body", "@nowhere"), "--body: nowhere: No such file or directory"),
        (("--token-in", "nowhere"), "nowhere"),
        (("no.yaml",), "no template at no.yaml"),
    ],
)
def test_bad_input(project: Project, cache: Path, words: tuple[str, ...], told: str) -> None:
    found = check(project, cache, *words)
    assert found.code == 2
    (line,) = found.stderr.splitlines()
    assert line.startswith("penstock: ")
    assert told in line


def test_which_of_several_functions(project: Project, cache: Path) -> None:
    text = project.template.read_text()
    second = text[text.index("  App:") :].replace("  App:", "  Second:", 1)
    project.template.write_text(text + second)
    found = check(project, cache)
    assert found.code == 2
    told = "several functions have a Function URL: choose one with --function: App, Second"
    assert found.stderr == f"penstock: {told}\n"
