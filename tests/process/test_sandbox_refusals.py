"""Kernels that give less. Each test runs its platform in a user namespace whose own limits say what is refused."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TypedDict

import pytest

from support.sandbox_rig import PATH, need_namespaces
from support.streams import PATIENCE_S

_NOBODY = 65534
_SOURCES = str(Path(__file__).parents[2] / "src")

# argv: what to refuse, how the platform is to run, and the top directory. Prints what was achieved as JSON.
_PLATFORM = """
import asyncio, json, os, sys
from pathlib import Path
from penstock.environment.sandbox import Sandbox, SandboxError, SandboxSpec
from penstock.environment.sandbox.init.attempt import Attempt, enter_outer

refuse, isolated, top = sys.argv[1].split(), sys.argv[2] == "isolated", Path(sys.argv[3])
if refuse:
    enter_outer(Attempt(mounts=False, pids=False, network=False, user=True))
    for name in refuse:
        Path(f"/proc/sys/user/max_{name}_namespaces").write_text("0")

SCRIPT = '''
(setsid sh -c 'echo up; exec sleep 1000' &)
grep -E 'CapEff|NoNewPrivs' /proc/self/status; id -u; cat file; echo x > $TMP/file && cat $TMP/file; ls -d /proc/$$
while :; do sleep 1000; done
'''

async def main():
    keep = (Path(sys.prefix), Path(sys.base_prefix))
    spec = SandboxSpec(top / "task", top / "opt", None, None, 64, 4096, isolated, keep)
    try:
        sandbox = await Sandbox.start(spec, top / "env", print, lambda: None)
    except SandboxError as error:
        return {"error": str(error)}
    read_end, write_end = os.pipe()
    variables = {"PATH": "/usr/bin:/bin", "TMP": sandbox.paths.tmp}
    pid = await sandbox.spawn("main", ["sh", "-c", SCRIPT], variables, sandbox.paths.task_root, write_end)
    with open(read_end) as output:
        lines = sorted(output.readline().strip() for _ in range(7))
        command = Path(f"/proc/{pid}/cmdline").read_text()
        await sandbox.kill()
        rest = output.read()
    features = sandbox.features
    return {
        "mounts": features.mounts, "pids": features.pids, "isolated_network": features.isolated_network,
        "notes": list(features.notes), "lines": lines, "command": command[:2], "rest": rest, "left": os.listdir(top),
        "task_root": sandbox.paths.task_root,
    }

print(json.dumps(asyncio.run(main())))
"""


class Report(TypedDict, total=False):
    error: str
    mounts: bool
    pids: bool
    isolated_network: bool
    notes: list[str]
    lines: list[str]
    command: str
    rest: str
    left: list[str]
    task_root: str


@pytest.fixture
def top() -> Iterator[Path]:
    """A directory every user may enter, with a task root and layers in it."""
    path = Path(tempfile.mkdtemp(dir="/tmp"))
    for name in ("task", "opt"):
        (path / name).mkdir(mode=0o755)
    (path / "task" / "file").write_text("code\n")
    path.chmod(0o777)
    yield path
    shutil.rmtree(path)


def _run(
    top: Path, refuse: str = "", network: str = "host", python: str = sys.executable, uid: int | None = None
) -> Report:
    need_namespaces()
    variables = {"PATH": PATH, "PYTHONPATH": os.pathsep.join([_SOURCES, sysconfig.get_path("purelib")])}
    done = subprocess.run(
        [python, "-B", "-c", _PLATFORM, refuse, network, str(top)],
        capture_output=True,
        text=True,
        check=False,
        env=variables,
        cwd="/",
        user=uid,
        group=uid,
        extra_groups=None if uid is None else [],
        timeout=PATIENCE_S,
    )
    assert done.returncode == 0, done.stderr
    report: Report = json.loads(done.stdout)
    return report


def _check_processes(report: Report, uid: int) -> None:
    """It ran with no right to anything, was seen by its pid, and is gone with all it left."""
    lines = report["lines"]
    assert {"code", "up", "x", str(uid), "NoNewPrivs:\t1"} < set(lines)
    capabilities = next(line for line in lines if line.startswith("CapEff"))
    assert int(capabilities.split()[1], 16) & ~4 == 0
    assert (report["command"], report["rest"], sorted(report["left"])) == ("sh", "", ["opt", "task"])


_REFUSAL = "unshare: No space left on device"  # what the kernel says at a limit of namespaces


def test_without_pid_namespaces(top: Path) -> None:
    report = _run(top, refuse="pid")
    assert (report["mounts"], report["pids"], report["task_root"]) == (True, False, "/var/task")
    assert report["notes"] == [f"without a PID namespace: {_REFUSAL}"]
    _check_processes(report, os.getuid())


@pytest.mark.parametrize("refuse", ["mnt", "mnt pid", "user mnt pid"])
def test_without_mount_namespaces(top: Path, refuse: str) -> None:
    report = _run(top, refuse=refuse)
    assert (report["mounts"], report["pids"], report["task_root"]) == (False, False, f"{top}/env/task")
    assert report["notes"] == [f"without a mount namespace and a PID namespace: {_REFUSAL}"]
    _check_processes(report, os.getuid())


def test_an_isolated_network_needs_nothing_else(top: Path) -> None:
    report = _run(top, refuse="mnt pid", network="isolated")
    assert (report["mounts"], report["pids"], report["isolated_network"]) == (False, False, True)
    _check_processes(report, os.getuid())


def test_an_isolated_network_is_never_given_up_silently(top: Path) -> None:
    assert _run(top, refuse="net", network="isolated") == {"error": f"no isolated network: {_REFUSAL}"}
    assert sorted(os.listdir(top)) == ["opt", "task"]


@pytest.mark.parametrize("network", ["host", "isolated"])
def test_as_an_ordinary_user(top: Path, network: str) -> None:
    if os.getuid() != 0:
        pytest.skip("every test runs as an ordinary user already")
    report = _run(top, network=network, python=_python_for_all(), uid=_NOBODY)
    assert (report["mounts"], report["pids"], report["isolated_network"]) == (True, True, network == "isolated")
    assert (report["notes"], report["task_root"]) == ([], "/var/task")
    _check_processes(report, _NOBODY)


@pytest.mark.parametrize("refuse", ["user", "pid"])
def test_as_an_ordinary_user_with_less(top: Path, refuse: str) -> None:
    if os.getuid() != 0:
        pytest.skip("every test runs as an ordinary user already")
    report = _run(top, refuse=refuse, python=_python_for_all(), uid=_NOBODY)
    assert (report["mounts"], report["pids"]) == (refuse == "pid", False)
    _check_processes(report, _NOBODY)


def _python_for_all() -> str:
    """A Python of this version that every user may run: it shares this one's installed packages."""
    candidates = [os.path.realpath(sys.executable), "/usr/bin/python{}.{}".format(*sys.version_info)]
    for candidate in candidates:
        with contextlib.suppress(OSError):
            if subprocess.run([candidate, "-c", ""], user=_NOBODY, check=False, capture_output=True).returncode == 0:
                return candidate
    pytest.skip("no Python here can be run by every user")
