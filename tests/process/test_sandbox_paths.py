"""What a function sees: Lambda's own paths, the host read-only around them, and no credentials of the host."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.sandbox_rig import INTERPRETERS, make_spec, need_namespaces, rigged


@pytest.fixture(autouse=True)
def _namespaces() -> None:
    need_namespaces()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home directory outside /tmp, which is hidden anyway."""
    made = subprocess.run(["mktemp", "-d", "-p", "/var/tmp"], capture_output=True, text=True, check=True)
    path = Path(made.stdout.strip())
    monkeypatch.setenv("HOME", str(path))
    yield path
    subprocess.run(["rm", "-rf", str(path)], check=True)


async def test_everything_is_there_and_nothing_is_missing(tmp_path: Path) -> None:
    async with rigged(make_spec(tmp_path), tmp_path / "work") as rig:
        features = rig.sandbox.features
        assert (features.mounts, features.pids, features.isolated_network, features.notes) == (True, True, False, ())
        assert (rig.sandbox.paths.task_root, rig.sandbox.paths.opt, rig.sandbox.paths.tmp) == (
            "/var/task",
            "/opt",
            "/tmp",
        )


async def test_task_opt_runtime_and_lang_hold_what_was_given(tmp_path: Path) -> None:
    for name in ("task", "opt", "runtime", "lang"):
        (tmp_path / name / "deep").mkdir(parents=True)
        (tmp_path / name / "deep" / "file").write_text(f"from {name}\n")
    spec = make_spec(tmp_path, lang_root=tmp_path / "lang", runtime_root=tmp_path / "runtime")
    async with rigged(spec, tmp_path / "work") as rig:
        seen = await rig.sh("pwd; cd /; cat var/task/deep/file opt/deep/file var/runtime/deep/file var/lang/deep/file")
    assert seen.split("\n") == ["/var/task", "from task", "from opt", "from runtime", "from lang"]


async def test_host_is_there_around_it(tmp_path: Path) -> None:
    async with rigged(make_spec(tmp_path), tmp_path / "work") as rig:
        seen = await rig.sh("ls -1A /; echo --; ls -1A /var")
    top, var = (set(part.split()) for part in seen.split("--"))
    assert top == set(os.listdir("/")) | {"dev", "opt", "proc", "tmp", "var"}
    assert var == set(os.listdir("/var")) | {"task"}


@pytest.mark.parametrize("path", ["/", "/etc", "/var", "/var/tmp", "/var/task", "/opt", "/usr", "/dev"])
async def test_is_read_only(tmp_path: Path, path: str) -> None:
    async with rigged(make_spec(tmp_path), tmp_path / "work") as rig:
        refusal = await rig.python(f"import os\ntry: os.open({path + '/new'!r}, os.O_CREAT | os.O_WRONLY)\n" + _ERRNO)
    assert refusal == "EROFS"


_ERRNO = "except OSError as error:\n import errno\n print(errno.errorcode[error.errno])\nelse: print('allowed')"


async def test_a_setting_of_the_machine_cannot_be_written(tmp_path: Path) -> None:
    async with rigged(make_spec(tmp_path), tmp_path / "work") as rig:
        refusal = await rig.python("try: open('/proc/sys/vm/swappiness', 'r+b')\n" + _ERRNO)
    assert refusal == "EROFS"


@pytest.mark.parametrize("path", ["/tmp", "/dev/shm"])
async def test_can_write_there_and_is_alone(tmp_path: Path, path: str) -> None:
    spec = make_spec(tmp_path)
    async with rigged(spec, tmp_path / "one") as one, rigged(spec, tmp_path / "two") as two:
        # What must stay visible (this very project may lie in /tmp) is all there is.
        empty = await two.sh(f"ls -A {path}")
        assert await one.sh(f"echo mine > {path}/file && cat {path}/file") == "mine"
        assert await two.sh(f"ls -A {path}") == empty
        assert await one.sh(f"ls -A {path} | grep -vx file") == empty
        assert "file" not in os.listdir(path)


async def test_tmp_has_the_size_it_was_given(tmp_path: Path) -> None:
    program = """
import errno
try:
    with open("/tmp/big", "wb") as file:
        for _ in range(9): file.write(bytes(1024 * 1024)); file.flush()
except OSError as error:
    print(errno.errorcode[error.errno])
import os
print(os.stat("/tmp/big").st_size // 1024 // 1024, oct(os.stat("/tmp").st_mode))
"""
    async with rigged(make_spec(tmp_path, tmp_mib=8), tmp_path / "work") as rig:
        assert await rig.python(program) == "ENOSPC\n8 0o41777"


async def test_devices_work(tmp_path: Path) -> None:
    script = (
        "echo gone > /dev/null; head -c 4 /dev/zero | wc -c; head -c 4 /dev/urandom | wc -c; echo said > /dev/stderr"
    )
    async with rigged(make_spec(tmp_path), tmp_path / "work") as rig:
        assert (await rig.sh(script)).split() == ["4", "4", "said"]
        assert await rig.python("import os; print(sorted(set(os.listdir('/dev')) - set('tty full'.split())))") == str(
            ["fd", "null", "random", "shm", "stderr", "stdin", "stdout", "urandom", "zero"]
        )


async def test_process_table_holds_only_its_own(tmp_path: Path) -> None:
    async with rigged(make_spec(tmp_path), tmp_path / "work") as rig:
        pids = await rig.python("import os; print([p for p in os.listdir('/proc') if p.isdigit()], os.getpid())")
    assert pids == "['1', '2'] 2"


async def test_credentials_of_the_host_are_out_of_sight(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / ".aws").mkdir()
    (home / ".aws" / "credentials").write_text("secret")
    (home / "elsewhere").write_text("secret")
    (home / "readable").write_text("open")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(home / "elsewhere"))
    async with rigged(make_spec(tmp_path), tmp_path / "work") as rig:
        seen = await rig.sh(f"cd {home}; ls -A .aws; cat elsewhere readable; touch .aws/x 2>/dev/null || echo refused")
    assert seen == "openrefused"


async def test_credentials_behind_a_symbolic_link_are_out_of_sight(tmp_path: Path, home: Path) -> None:
    (home / "dotfiles").mkdir()
    (home / "dotfiles" / "credentials").write_text("secret")
    (home / ".aws").symlink_to("dotfiles")
    async with rigged(make_spec(tmp_path), tmp_path / "work") as rig:
        assert await rig.sh(f"cat {home}/.aws/* {home}/dotfiles/* 2>/dev/null; echo end") == "end"


async def test_what_to_keep_shows_through_a_replaced_directory(tmp_path: Path) -> None:
    kept = tmp_path / "clone" / ".venv"
    kept.mkdir(parents=True)
    (kept / "python").write_text("kept")
    (tmp_path / "clone" / "other").write_text("hidden")
    (tmp_path / "link").symlink_to("clone")
    spec = make_spec(tmp_path, keep_visible=(*INTERPRETERS, tmp_path / "link" / ".venv", tmp_path / "missing"))
    async with rigged(spec, tmp_path / "work") as rig:
        seen = await rig.sh(
            f"cat {tmp_path}/link/.venv/python; ls -A {tmp_path}/clone; touch {kept}/x 2>/dev/null || echo refused"
        )
    assert seen == "kept.venv\nrefused"


async def test_what_to_keep_shows_between_the_files_of_a_layer(tmp_path: Path) -> None:
    """As a Python under /opt/hostedtoolcache on a build machine. The host's own /opt is only read."""
    names = sorted(entry.name for entry in os.scandir("/opt") if entry.is_dir())
    if not names:
        pytest.skip("this machine keeps nothing in /opt")
    (tmp_path / "opt" / "extensions").mkdir(parents=True)
    (tmp_path / "opt" / "bootstrap").write_text("layer")
    async with rigged(
        make_spec(tmp_path, keep_visible=(*INTERPRETERS, Path("/opt", names[0]))), tmp_path / "work"
    ) as rig:
        seen = await rig.sh(f"ls -A1 /opt; cat /opt/bootstrap; touch /opt/x 2>&1; ls -A1 /opt/{names[0]}")
    assert seen.split("\n")[:3] == sorted(["bootstrap", "extensions", names[0]])
    assert "layer" in seen
    assert "Read-only" in seen
    assert seen.endswith("\n".join(sorted(os.listdir(Path("/opt", names[0])))))


async def test_the_host_keeps_its_own(tmp_path: Path) -> None:
    before = _mounts()
    async with rigged(make_spec(tmp_path), tmp_path / "work") as rig:
        await rig.sh("echo x > /tmp/file")
        assert _mounts() == before
    assert sorted(os.listdir(tmp_path)) == ["opt", "task"]


async def test_an_interpreter_can_be_run_wherever_it_is(tmp_path: Path) -> None:
    async with rigged(make_spec(tmp_path), tmp_path / "work") as rig:
        assert await rig.python("import json, sys; print(sys.executable)") == sys.executable


def _mounts() -> str:
    return Path("/proc/self/mountinfo").read_text()
