"""Finding a Python: candidates are believed only after they ran."""

import json
import os
import sys
from pathlib import Path

import pytest

from penstock.packaging import interpreter


@pytest.fixture(autouse=True)
def _bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No version managers, and a search path with nothing but a shell on it."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("PYENV_ROOT", str(home / ".pyenv"))
    monkeypatch.setenv("RUNNER_TOOL_CACHE", str(home / "tools"))
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "sh").symlink_to("/bin/sh")
    monkeypatch.setenv("PATH", str(tmp_path / "tools"))


def script(path: Path, body: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def answer(path: Path, minor: int, implementation: str = "cpython", abiflags: str = "") -> Path:
    told = json.dumps([implementation, abiflags, [3, minor, 4], f"/real/python3.{minor}", "/real"])
    return script(path, f"echo '{told}'")


BROKEN = "echo 'python3.99: command not found' >&2\nexit 127"


async def test_own_version_is_used_without_a_search() -> None:
    found, warning = await interpreter.find(f"python3.{sys.version_info.minor}")
    assert found == interpreter.own()
    assert found.executable.resolve() == found.executable
    assert warning is None


async def test_runtime_that_is_not_python_gets_ours() -> None:
    assert await interpreter.find("provided.al2023") == (interpreter.own(), None)


async def test_stand_in_that_fails_is_passed_over(tmp_path: Path) -> None:
    script(tmp_path / "shims" / "python3.99", BROKEN)
    script(tmp_path / "broken" / "python3.99", BROKEN)
    answer(tmp_path / "good" / "python3.99", 99)
    path = os.pathsep.join(str(tmp_path / name) for name in ("shims", "broken", "good"))
    found, warning = await interpreter.find("python3.99", path)
    assert (found.executable, found.prefix) == (Path("/real/python3.99"), Path("/real"))
    assert (found.full_version, found.name) == ("3.99.4", "python3.99")
    assert warning is None


async def test_name_alone_proves_nothing(tmp_path: Path) -> None:
    answer(tmp_path / "lies" / "python3.99", 98)
    answer(tmp_path / "pypy" / "python3.99", 99, implementation="pypy")
    answer(tmp_path / "threads" / "python3.99", 99, abiflags="t")
    script(tmp_path / "text" / "python3.99", "echo hello")
    path = os.pathsep.join(str(tmp_path / name) for name in ("lies", "pypy", "threads", "text"))
    found, warning = await interpreter.find("python3.99", path)
    assert found == interpreter.own()
    assert warning is not None


@pytest.mark.parametrize("place", [".pyenv/versions/3.99.1/bin", ".local/share/uv/python/cpython-3.99/bin"])
async def test_version_managers_are_searched(tmp_path: Path, place: str) -> None:
    answer(tmp_path / "home" / place / "python3.99", 99)
    found, _ = await interpreter.find("python3.99", "")
    assert found.full_version == "3.99.4"


async def test_newest_stands_in_with_a_warning_that_names_both(tmp_path: Path) -> None:
    answer(tmp_path / "bin" / "python3.97", 97)
    answer(tmp_path / "bin" / "python3.98", 98)
    answer(tmp_path / "bin" / "python3.2", 2)
    found, warning = await interpreter.find("python3.99", str(tmp_path / "bin"))
    assert found.full_version == "3.98.4"
    assert warning == "python3.99 is not on this machine: using Python 3.98.4 (/real/python3.98)"


async def test_one_that_hangs_is_given_up_and_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interpreter, "_PROBE_TIMEOUT_S", 0.5)
    pid = tmp_path / "pid"
    hanging = script(tmp_path / "python3.99", f"echo $$ > {pid}\nexec /bin/sleep 600")
    assert await interpreter.probe(hanging) is None
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


async def test_probe_sees_through_links_and_environments(tmp_path: Path) -> None:
    link = tmp_path / "python"
    link.symlink_to(sys.executable)
    assert await interpreter.probe(Path(sys.executable)) == interpreter.own()
    assert await interpreter.probe(link) == interpreter.own()
