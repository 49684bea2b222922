"""A function's package from end to end, with the real uv and local wheels: no network."""

import asyncio
import os
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

import penstock_adapter
from penstock.model.errors import UserError
from penstock.model.function import Function, LayerVersion
from penstock.packaging import archive, child, tree
from penstock.packaging.package import Package, build_package
from support import functions

RUNTIME = f"python3.{sys.version_info.minor}"
LWA = LayerVersion("arn:aws:lambda:us-east-1:753240598075:layer:LambdaAdapterLayerX86:26")


@pytest.fixture
def code(tmp_path: Path) -> Path:
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "main.py").write_text("print('one')\n")
    (folder / "run.sh").write_text("#!/bin/sh\nexec python main.py\n")
    (folder / "run.sh").chmod(0o755)
    return folder


def function(code: Path, runtime: str = RUNTIME) -> Function:
    return functions.function(code, LWA, runtime=runtime)


async def build(tmp_path: Path, which: Function, *, built: bool = False, told: list[str] | None = None) -> Package:
    lines = [] if told is None else told
    return await build_package(which, cache=tmp_path / "cache", layers={}, built=built, progress=lines.append)


def make_wheel(folder: Path, name: str, **modules: str) -> None:
    """A wheel is a zip archive with two files of metadata."""
    folder.mkdir(exist_ok=True)
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as out:
        for module, text in modules.items():
            out.writestr(f"{module}.py", text)
        out.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        out.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        out.writestr(f"{info}/entry_points.txt", f"[console_scripts]\n{name}-tool = {name}:main\n")
        out.writestr(f"{info}/RECORD", "")


def require(code: Path, *names: str) -> None:
    (code / "requirements.txt").write_text("\n".join(("--no-index", "--find-links ./wheels", *names)) + "\n")


def run(package: Package, *command: str) -> str:
    """Run a command the way an environment sees the package's Python: through lang_root, in task_root."""
    path = f"{package.lang_root}/bin:{package.task_root}/bin:/usr/bin:/bin"
    environment = {"PATH": path, "LAMBDA_TASK_ROOT": str(package.task_root)}
    output = subprocess.run(command, cwd=package.task_root, env=environment, capture_output=True, text=True, check=True)
    return output.stdout


async def test_code_without_requirements(tmp_path: Path, code: Path) -> None:
    told: list[str] = []
    package = await build(tmp_path, function(code), told=told)
    assert run(package, "./run.sh") == "one\n"
    assert told == []
    assert package.warnings == ()
    assert package.python_version == "{}.{}.{}".format(*sys.version_info[:3])
    assert sorted(os.listdir(package.lang_root / "bin")) == ["python", "python3", RUNTIME]


async def test_what_the_adapter_needs_stays_visible(tmp_path: Path, code: Path) -> None:
    package = await build(tmp_path, function(code))
    needed = (sys.prefix, sys.base_prefix, sys.executable, str(package.python), penstock_adapter.__file__)
    for path in needed:
        assert any(Path(path).is_relative_to(visible) for visible in package.keep_visible), path
    assert os.access(package.opt_root / "extensions" / "lambda-adapter", os.X_OK)


async def test_exec_wrapper_runs_the_handler_file_and_drops_its_arguments(tmp_path: Path, code: Path) -> None:
    package = await build(tmp_path, function(code))
    command = f"_HANDLER=run.sh exec {package.opt_root}/bootstrap the managed runtime"
    assert run(package, "/bin/sh", "-c", command) == "one\n"


async def test_second_build_finds_the_first(tmp_path: Path, code: Path) -> None:
    make_wheel(code / "wheels", "dep", dep="")
    require(code, "dep")
    told: list[str] = []
    first = await build(tmp_path, function(code), told=told)
    inode = first.task_root.stat().st_ino
    assert told[-1] == f"Installing 1 package for App ({RUNTIME})"
    told.clear()
    second = await build(tmp_path, function(code), told=told)
    assert second == first
    assert second.task_root.stat().st_ino == inode
    assert told == []


async def test_every_edit_is_seen_and_the_old_root_stays_as_it_was(tmp_path: Path, code: Path) -> None:
    first = await build(tmp_path, function(code))
    times = (code / "main.py").stat()
    (code / "main.py").write_text("print('two')\n")
    os.utime(code / "main.py", ns=(times.st_atime_ns, times.st_mtime_ns))
    second = await build(tmp_path, function(code))
    assert run(second, "./run.sh") == "two\n"
    assert run(first, "./run.sh") == "one\n"
    (code / "main.py").unlink()
    assert not ((await build(tmp_path, function(code))).task_root / "main.py").exists()


async def test_dependencies_are_installed_and_the_users_files_win(tmp_path: Path, code: Path) -> None:
    make_wheel(code / "wheels", "dep", dep="def main(): print('tool')", shared="value = 'dep'")
    require(code, "dep")
    (code / "shared.py").write_text("value = 'mine'\n")
    (code / "main.py").write_text("import dep, shared\nprint(shared.value, dep.__file__)\n")
    package = await build(tmp_path, function(code))
    assert run(package, "./run.sh") == f"mine {package.task_root}/dep.py\n"
    assert run(package, "sh", "-c", "PYTHONPATH=$LAMBDA_TASK_ROOT dep-tool") == "tool\n"
    assert not (package.task_root / ".lock").exists()


async def test_bytecode_is_there_and_used(tmp_path: Path, code: Path) -> None:
    make_wheel(code / "wheels", "dep", dep="")
    require(code, "dep")
    (code / "own.py").write_text("")
    (code / "broken.py").write_text("def (")
    (code / "main.py").write_text("import dep, own\nprint(dep.__cached__, own.__cached__)\n")
    package = await build(tmp_path, function(code))
    assert all(map(os.path.isfile, run(package, "./run.sh").split()))
    output = run(package, "python", "-v", "-c", "import own")
    assert "code object from" not in output


async def test_edit_does_not_install_again(tmp_path: Path, code: Path) -> None:
    make_wheel(code / "wheels", "dep", dep="")
    require(code, "dep")
    await build(tmp_path, function(code))
    (code / "main.py").write_text("import dep\nprint('two')\n")
    told: list[str] = []
    package = await build(tmp_path, function(code), told=told)
    assert run(package, "./run.sh") == "two\n"
    assert told == []


async def test_two_builds_at_once_install_once(tmp_path: Path, code: Path) -> None:
    make_wheel(code / "wheels", "dep", dep="")
    require(code, "dep")
    told: list[str] = []
    first, second = await asyncio.gather(
        build(tmp_path, function(code), told=told), build(tmp_path, function(code), told=told)
    )
    assert first == second
    assert len([line for line in told if line.startswith("Installing")]) == 1


async def test_failed_install_is_one_line_and_leaves_nothing(tmp_path: Path, code: Path) -> None:
    (code / "wheels").mkdir()
    require(code, "no-such-package==9")
    with pytest.raises(UserError) as caught:
        await build(tmp_path, function(code))
    told = str(caught.value)
    assert told.startswith(f"{code}/requirements.txt: cannot install the requirements of App: No solution found")
    assert "no-such-package" in told
    assert "\n" not in told
    assert os.listdir(tmp_path / "cache" / "dependencies") == [".locks"]


async def test_cancelling_kills_uv_and_leaves_nothing(
    tmp_path: Path, code: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stand-in for uv that never ends."""
    (tmp_path / "uv").write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\necho 'Resolved 3 packages in 1ms'\nsleep 600\n")
    (tmp_path / "uv").chmod(0o755)
    monkeypatch.setattr(child, "uv", lambda: str(tmp_path / "uv"))
    require(code, "x")
    installing = asyncio.Event()

    def progress(line: str) -> None:
        if line == f"Installing 3 packages for App ({RUNTIME})":
            installing.set()

    task = asyncio.create_task(
        build_package(function(code), cache=tmp_path / "cache", layers={}, built=False, progress=progress)
    )
    await installing.wait()
    process = psutil.Process(int((tmp_path / "pid").read_text()))
    processes = [process, *process.children()]
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert psutil.wait_procs(processes, timeout=10)[1] == []
    assert os.listdir(tmp_path / "cache" / "dependencies") == [".locks"]


async def test_relative_paths(tmp_path: Path, code: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_wheel(code / "wheels", "dep", dep="")
    require(code, "dep")
    monkeypatch.chdir(code.parent)
    package = await build_package(
        function(Path("app")), cache=Path("cache"), layers={}, built=False, progress=lambda _: None
    )
    monkeypatch.chdir("/")
    assert run(package, "./run.sh") == "one\n"
    assert (package.task_root / "dep.py").exists()


async def test_empty_requirements(tmp_path: Path, code: Path) -> None:
    (code / "requirements.txt").write_text("# nothing yet\n")
    assert run(await build(tmp_path, function(code)), "./run.sh") == "one\n"


async def test_built_code_is_taken_as_it_is(tmp_path: Path, code: Path) -> None:
    (code / "requirements.txt").write_text("no-such-package\n")
    (code / "dep.egg-info").mkdir()
    package = await build(tmp_path, function(code), built=True)
    assert run(package, "./run.sh") == "one\n"
    assert (package.task_root / "dep.egg-info").is_dir()


async def test_archive_is_taken_as_it_is(tmp_path: Path, code: Path) -> None:
    path = tmp_path / "code.zip"
    with zipfile.ZipFile(path, "w") as out:
        out.write(code / "run.sh", "run.sh")
        out.writestr("main.py", "print('zipped')\n")
        out.writestr("requirements.txt", "no-such-package\n")
    package = await build(tmp_path, function(path))
    assert run(package, "./run.sh") == "zipped\n"
    assert list((package.task_root / "__pycache__").glob("main.*.pyc"))


async def test_other_runtimes_get_their_code_and_no_python(tmp_path: Path, code: Path) -> None:
    (code / "requirements.txt").write_text("no-such-package\n")
    package = await build(tmp_path, function(code, "provided.al2023"))
    assert (package.task_root / "run.sh").exists()
    assert not (package.task_root / "__pycache__").exists()
    assert os.listdir(package.lang_root) == []


async def test_missing_version_of_python_is_a_warning(tmp_path: Path, code: Path) -> None:
    package = await build(tmp_path, function(code, "python3.99"))
    assert run(package, "./run.sh") == "one\n"
    assert package.warnings == (
        f"python3.99 is not on this machine: using Python {package.python_version} ({package.python})",
    )


async def test_more_than_lambda_takes_is_a_warning(tmp_path: Path, code: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_UNZIPPED_BYTES", 100)
    package = await build(tmp_path, function(code))
    assert len(package.warnings) == 1
    assert "Lambda takes 100" in package.warnings[0]


async def test_code_that_is_gone(tmp_path: Path, code: Path) -> None:
    with pytest.raises(UserError, match=r"App: the code .* does not exist"):
        await build(tmp_path, replace(function(code), code=code / "none"))


async def test_cache_that_cannot_be_written_is_one_clear_line(tmp_path: Path, code: Path) -> None:
    (tmp_path / "cache").write_text("a file is in the way")
    with pytest.raises(UserError, match=r"cache/.*: App: Not a directory"):
        await build(tmp_path, function(code))


async def test_code_written_to_while_it_is_copied_is_copied_again(
    tmp_path: Path, code: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay = tree.lay

    def edit_then_lay(nodes: list[tree.Node], target: Path) -> None:
        if target.parent.name == "task":
            (code / "main.py").write_text("print('two')\n")
        lay(nodes, target)

    monkeypatch.setattr(tree, "lay", edit_then_lay)
    assert run(await build(tmp_path, function(code)), "./run.sh") == "two\n"


async def test_code_that_never_stands_still(tmp_path: Path, code: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lay, edits = tree.lay, iter(range(100))

    def edit_then_lay(nodes: list[tree.Node], target: Path) -> None:
        (code / "main.py").write_text(f"print({next(edits)})\n")
        lay(nodes, target)

    monkeypatch.setattr(tree, "lay", edit_then_lay)
    with pytest.raises(UserError, match="App: the code keeps changing"):
        await build(tmp_path, function(code))
    assert os.listdir(tmp_path / "cache" / "task") == [".locks"]
