"""AWS's Python runtime as part of a package, with a stand-in for uv: no network."""

import asyncio
import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from penstock.model.errors import UserError
from penstock.model.function import Function
from penstock.packaging import child, python_runtime
from penstock.packaging.package import Package, build_package
from support.functions import function
from support.streams import within

# Installs one module, and counts how often it ran.
_UV = """\
#!/bin/sh
echo "$@" >> {folder}/calls
while [ "$1" != --target ]; do shift; done
echo "print('client', __import__('sys').argv[1:])" > "$2/awslambdaric.py"
exit {status}
"""


@pytest.fixture
def code(tmp_path: Path) -> Path:
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "app.py").write_text("")
    return folder


def play_uv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int = 0) -> None:
    uv = tmp_path / "uv"
    uv.write_text(_UV.format(folder=tmp_path, status=status))
    uv.chmod(0o755)
    monkeypatch.setattr(child, "uv", lambda: str(uv))


def handler(code: Path, runtime: str = "python3.99") -> Function:
    return replace(function(code, runtime=runtime), environment={})


async def build(tmp_path: Path, which: Function, told: list[str]) -> Package:
    return await build_package(which, cache=tmp_path / "cache", layers={}, built=False, progress=told.append)


async def output(command: Path, variables: dict[str, str]) -> str:
    process = await asyncio.create_subprocess_exec(command, env=variables, stdout=asyncio.subprocess.PIPE)
    printed, _ = await within(process.communicate())
    return printed.decode()


async def test_installed_once_for_all_functions(tmp_path: Path, code: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    play_uv(tmp_path, monkeypatch)
    told: list[str] = []
    first = await build(tmp_path, handler(code), told)
    second = await build(tmp_path, replace(handler(code), logical_id="Other"), told)
    assert first.runtime_root == second.runtime_root
    calls = [line for line in (tmp_path / "calls").read_text().splitlines() if "install" in line]
    assert len(calls) == 1
    assert "--require-hashes --no-deps --only-binary :all:" in calls[0]
    assert len(told) == 1
    assert told[0].startswith("Installing AWS's Python runtime for App (python3.")


async def test_nothing_for_the_web_adapter(tmp_path: Path, code: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(python_runtime, "is_needed", lambda _: False)
    package = await build(tmp_path, handler(code), [])
    assert package.runtime_root is None
    assert not (tmp_path / "cache" / "runtime").exists()


async def test_bootstrap_starts_the_client_with_the_handler(
    tmp_path: Path, code: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    play_uv(tmp_path, monkeypatch)
    package = await build(tmp_path, handler(code), [])
    assert package.runtime_root
    variables = {
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.99",
        "LAMBDA_TASK_ROOT": str(package.task_root),
        "LAMBDA_RUNTIME_DIR": str(package.runtime_root),
        "_HANDLER": "app.handler",
        "PATH": "/usr/bin:/bin",
    }
    wrapper = tmp_path / "wrapper"
    wrapper.write_text('#!/bin/sh\necho "wrapped $#"\nexec "$@"\n')
    wrapper.chmod(0o755)
    command = package.runtime_root / "bootstrap"
    assert await output(command, variables) == "client ['app.handler']\n"
    wrapped = {**variables, "AWS_LAMBDA_EXEC_WRAPPER": str(wrapper)}
    assert await output(command, wrapped) == "wrapped 2\nclient ['app.handler']\n"


async def test_the_runtimes_name_is_there_whatever_the_version(
    tmp_path: Path, code: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    play_uv(tmp_path, monkeypatch)
    package = await build(tmp_path, handler(code), [])
    assert os.readlink(package.lang_root / "bin" / "python3.99") == str(package.python)


async def test_failed_install_is_one_line_and_leaves_nothing(
    tmp_path: Path, code: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    play_uv(tmp_path, monkeypatch, status=7)
    with pytest.raises(UserError, match="cannot install AWS's Python runtime for App: uv ended with status 7"):
        await build(tmp_path, handler(code), [])
    assert os.listdir(tmp_path / "cache" / "runtime") == [".locks"]


async def test_other_systems_are_told(tmp_path: Path, code: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(UserError, match=r"App: handler run\.sh needs Linux"):
        await build(tmp_path, handler(code), [])
