"""What UVICORN_LOOP names, in a folder as in the layer: what it hides, and where it finds the rest."""

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from penstock_adapter.layer import penstock_uvicorn

PYTHON = "python{}.{}".format(*sys.version_info[:2])
SHOW = """
import os, sys
os.environ["UVICORN_LOOP"] = "something"
before = list(sys.path)
import penstock_uvicorn
loop = penstock_uvicorn.new_event_loop()
assert "UVICORN_LOOP" not in os.environ
assert sys.path[: len(before)] == before
print(type(loop).__name__, *sys.path[len(before) :])
loop.close()
"""


def package(name: str) -> Path:
    spec = find_spec(name)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """/opt/python, with nothing but the file in its place."""
    found = tmp_path / "python" / "penstock_adapter" / "layer" / "found" / "lib" / PYTHON / "site-packages"
    found.mkdir(parents=True)
    shutil.copyfile(penstock_uvicorn.__file__, found / "penstock_uvicorn.py")
    return tmp_path / "python"


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """The function's packages: uvicorn without its extras."""
    folder = tmp_path / "own"
    folder.mkdir()
    for name in ("uvicorn", "click", "h11"):
        (folder / name).symlink_to(package(name))
    return folder


def shown(python: Path, own: Path, **variables: str) -> list[str]:
    """-S: nothing of what these tests run with."""
    found = python / "penstock_adapter" / "layer" / "found" / "lib" / PYTHON / "site-packages"
    path = {"PYTHONPATH": os.pathsep.join(map(str, (own, found)))}
    command = [sys.executable, "-S", "-c", SHOW]
    ended = subprocess.run(command, env={**path, **variables}, capture_output=True, text=True, check=False, timeout=30)
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout.splitlines()


def test_the_layers_folders_come_last(python: Path, own: Path) -> None:
    shutil.copytree(package("penstock_adapter"), python / "penstock_adapter", dirs_exist_ok=True)
    wheels = python / "lib" / PYTHON / "site-packages"
    wheels.mkdir(parents=True)
    for name in ("httptools", "uvloop", "orjson"):
        (wheels / name).symlink_to(package(name))
    assert shown(python, own) == [f"InvocationLoop {wheels} {python}"]


def test_a_python_the_layer_is_not_for_has_uvicorns_own_loop(python: Path, own: Path) -> None:
    warning, loop = shown(python, own)
    assert warning.startswith("WARN PENSTOCK_UVICORN_HOOK=1 has no effect: No module named 'penstock_adapter")
    assert loop.split()[0] == "_UnixSelectorEventLoop"


def test_it_is_found_where_the_file_sets_pythonpath_anew(python: Path) -> None:
    command = [sys.executable, "-c", "import penstock_uvicorn; print(penstock_uvicorn.__file__)"]
    base = sys.base_prefix + "/bin/" + PYTHON
    environ = {"PYTHONUSERBASE": str(python / "penstock_adapter" / "layer" / "found"), "PYTHONPATH": "/nowhere"}
    ended = subprocess.run([base, *command[1:]], env=environ, capture_output=True, text=True, check=False, timeout=30)
    assert ended.stdout.startswith(str(python))
