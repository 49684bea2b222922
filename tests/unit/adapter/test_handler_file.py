"""Whether uvicorn is told to take our loop: only one that can, and so that it finds it whatever the file sets."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from penstock_adapter.layer import handler_file
from penstock_adapter.layer.handler_file import hooked

FILE = Path(handler_file.__file__)
VERSION = "python3.13"


@pytest.fixture
def layer(tmp_path: Path) -> Path:
    """/opt/python, for Python 3.13."""
    folder = tmp_path / "python"
    (folder / "penstock_adapter" / "layer" / "found" / "lib" / VERSION / "site-packages").mkdir(parents=True)
    return folder


def uvicorn(folder: Path, version: str = "0.54.0", line: str = '"""Server."""\n\n__version__ = "{}"\n') -> Path:
    package = folder / "uvicorn"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(line.format(version))
    return folder


def variables(task: Path, **more: str) -> dict[str, str]:
    return {"LAMBDA_TASK_ROOT": str(task), "PORT": "8000", **more}


def test_a_uvicorn_that_can(tmp_path: Path, layer: Path) -> None:
    given = variables(uvicorn(tmp_path / "task"))
    new, problem = hooked(given, str(layer), VERSION)
    base = f"{layer}/penstock_adapter/layer/found"
    found = f"{base}/lib/python3.13/site-packages"
    assert problem == ""
    loop = {"UVICORN_LOOP": "penstock_uvicorn:new_event_loop", "PYTHONPATH": found, "PYTHONUSERBASE": base}
    assert new == {**given, **loop}


def test_paths_of_the_functions_come_first_and_stay(tmp_path: Path, layer: Path) -> None:
    given = variables(uvicorn(tmp_path / "task"), PYTHONPATH="/a:/b", PYTHONUSERBASE="/mine")
    new, _ = hooked(given, str(layer), VERSION)
    assert new["PYTHONPATH"].startswith("/a:/b:/")
    assert new["PYTHONUSERBASE"] == "/mine"


@pytest.mark.parametrize("version", ["0.36.0", "0.36", "0.37.1", "0.100.0", "1.0.0", "0.36.0.post1"])
def test_versions_that_can(tmp_path: Path, layer: Path, version: str) -> None:
    new, problem = hooked(variables(uvicorn(tmp_path / "task", version)), str(layer), VERSION)
    assert (problem, "UVICORN_LOOP" in new) == ("", True)


@pytest.mark.parametrize("version", ["0.35.0", "0.34.3", "0.0.1", "0.4", "", "dev", "0.x.1", "²"])
def test_versions_that_cannot(tmp_path: Path, layer: Path, version: str) -> None:
    given = variables(uvicorn(tmp_path / "task", version))
    new, problem = hooked(given, str(layer), VERSION)
    assert new == given
    named = version or "of an unknown version"
    assert problem == f"uvicorn {named} in {tmp_path}/task cannot use it: 0.36 or later can"


def test_a_version_that_is_not_said(tmp_path: Path, layer: Path) -> None:
    _, problem = hooked(variables(uvicorn(tmp_path / "task", line="from .main import run\n")), str(layer), VERSION)
    assert problem.startswith("uvicorn of an unknown version in ")


@pytest.mark.parametrize("place", ["task", "own", "python", f"python/lib/{VERSION}/site-packages"])
def test_wherever_it_is(tmp_path: Path, layer: Path, place: str) -> None:
    given = variables(tmp_path / "task", PYTHONPATH=f":{tmp_path}/own:")
    uvicorn(tmp_path / place)
    assert hooked(given, str(layer), VERSION)[1] == ""


def test_of_several_all_must_be_able(tmp_path: Path, layer: Path) -> None:
    given = variables(uvicorn(tmp_path / "task"), PYTHONPATH=str(uvicorn(tmp_path / "own", "0.35.0")))
    new, problem = hooked(given, str(layer), VERSION)
    assert new == given
    assert problem.startswith(f"uvicorn 0.35.0 in {tmp_path}/own ")


def test_one_of_the_functions_hides_pythons_own(tmp_path: Path, layer: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("site.getsitepackages", lambda: [str(uvicorn(tmp_path / "host", "0.30.0"))])
    task = tmp_path / "task"
    assert hooked(variables(task), str(layer), VERSION)[1].startswith(f"uvicorn 0.30.0 in {tmp_path}/host ")
    assert hooked(variables(uvicorn(task)), str(layer), VERSION)[1] == ""


def test_no_uvicorn(tmp_path: Path, layer: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("site.getsitepackages", list)
    given = variables(tmp_path / "task")
    new, problem = hooked(given, str(layer), VERSION)
    assert new == given
    assert problem == (f"there is no uvicorn in {tmp_path}/task, {layer}/lib/python3.13/site-packages, {layer}")


def test_a_loop_of_the_functions_own(tmp_path: Path, layer: Path) -> None:
    given = variables(uvicorn(tmp_path / "task"), UVICORN_LOOP="asyncio")
    assert hooked(given, str(layer), VERSION) == (given, "UVICORN_LOOP is set already, to 'asyncio'")


def test_a_layer_for_another_python(tmp_path: Path, layer: Path) -> None:
    given = variables(uvicorn(tmp_path / "task"))
    told = (
        "the layer that holds /opt/bootstrap is not for python3.14: build it with `penstock layer build --python 3.14`"
    )
    assert hooked(given, str(layer), "python3.14") == (given, told)


# --- as the wrappers run it ---


def run(task: Path, handler: str = "run.sh", **more: str) -> "subprocess.CompletedProcess[str]":
    given = {"PATH": "/usr/bin:/bin", "LAMBDA_TASK_ROOT": str(task), "_HANDLER": handler, **more}
    command = [sys.executable, "-I", "-S", str(FILE)]
    return subprocess.run(command, env=given, capture_output=True, text=True, check=False, timeout=30)


def handler(task: Path, text: str, mode: int = stat.S_IRWXU) -> None:
    task.mkdir(exist_ok=True)
    (task / "run.sh").write_text(text)
    (task / "run.sh").chmod(mode)


def test_it_becomes_the_file_and_says_what_has_no_effect(tmp_path: Path) -> None:
    """In the repository no layer was built, for whatever Python."""
    handler(tmp_path, '#!/bin/sh\necho "$$ $# ${UVICORN_LOOP-none}"\nexit 7\n')
    ended = run(tmp_path)
    warning, said = ended.stdout.splitlines()
    assert warning.startswith("WARN PENSTOCK_UVICORN_HOOK=1 has no effect: the layer ")
    assert said.split()[1:] == ["0", "none"]
    assert ended.returncode == 7


def test_a_file_without_an_interpreter_is_the_shells(tmp_path: Path) -> None:
    handler(tmp_path, "echo shell\n")
    assert run(tmp_path).stdout.endswith("\nshell\n")


def test_a_file_that_may_not_be_run(tmp_path: Path) -> None:
    handler(tmp_path, "#!/bin/sh\n", 0o600)
    assert run(tmp_path).returncode == 126


@pytest.mark.parametrize("name", ["main.app", ""])
def test_a_handler_that_is_no_file_is_one_line(tmp_path: Path, name: str) -> None:
    ended = run(tmp_path, name)
    file = os.path.join(tmp_path, name)
    told = f"ERROR PENSTOCK_UVICORN_HOOK=1 is for a Handler that is a file, such as run.sh: no {file}\n"
    assert (ended.returncode, ended.stdout, ended.stderr) == (1, told, "")
