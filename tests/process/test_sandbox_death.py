"""Nothing survives: not the end of the environment, not the death of any process around it, whichever way it comes."""

import asyncio
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from penstock.environment.sandbox import Sandbox, SandboxSpec
from support.sandbox_rig import Rig, make_spec, need_namespaces, rigged
from support.streams import PATIENCE_S, within

# A family that does what it can to be forgotten: a daemon in a session of its own whose parents are gone, one that
# ignores what can be ignored, a plain child. Each holds the output, which therefore ends with the last of them.
_FAMILY = """
(setsid sh -c 'trap "" TERM HUP INT; echo up; while :; do sleep 1000; done' &)
(sleep 1000 & sleep 1000 & echo up)
sleep 1000 &
echo up
trap "" TERM HUP INT
while :; do sleep 1000; done
"""


@pytest.fixture(params=["namespaces", "none"])
def spec(request: pytest.FixtureRequest, tmp_path: Path) -> SandboxSpec:
    if request.param == "namespaces":
        need_namespaces()
    return make_spec(tmp_path, namespaces=request.param == "namespaces")


async def _family(rig: Rig) -> tuple[asyncio.StreamReader, list[psutil.Process]]:
    """Its output, and every process of the environment from the first on."""
    output = await rig.start("family", "sh", "-c", _FAMILY)
    for _ in range(3):
        assert await within(output.readline()) == b"up\n"
    first = psutil.Process(rig.sandbox.pid)
    everyone = [first, *first.children(recursive=True)]
    assert len(everyone) > 3  # the shells still come and go; the output knows them all
    return output, everyone


def _alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Those that do not end. One that has ended but waits for a slow adoptive parent to notice counts as dead."""
    return [process for process in processes if not _ends(process)]


def _ends(process: psutil.Process) -> bool:
    if sys.platform != "linux":
        return psutil.wait_procs([process], timeout=PATIENCE_S)[1] == []
    try:
        pidfd = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return True
    try:
        return select.select([pidfd], [], [], PATIENCE_S)[0] != []
    finally:
        os.close(pidfd)


async def test_kill_leaves_nothing(spec: SandboxSpec, tmp_path: Path) -> None:
    async with rigged(spec, tmp_path / "work") as rig:
        _, everyone = await _family(rig)
        await within(rig.sandbox.kill())
        assert [process for process in everyone if process.is_running()] == []
        assert sorted(os.listdir(tmp_path)) == ["opt", "task"]
        await within(rig.sandbox.kill())
        assert rig.calls == []  # who kills is not told


async def test_kill_is_quick(spec: SandboxSpec, tmp_path: Path) -> None:
    async with rigged(spec, tmp_path / "work") as rig:
        await _family(rig)
        before = asyncio.get_running_loop().time()
        await within(rig.sandbox.kill())
        # Generous, for a busy machine; it takes some ten milliseconds.
        assert asyncio.get_running_loop().time() - before < 2


async def test_kill_removes_what_the_function_locked_away(tmp_path: Path) -> None:
    async with rigged(make_spec(tmp_path, namespaces=False), tmp_path / "work") as rig:
        outside = tmp_path / "outside"
        outside.mkdir(mode=0o500)
        tmp = rig.sandbox.paths.tmp
        await rig.sh(f"mkdir -p {tmp}/a/b; touch {tmp}/a/b/c; chmod 000 {tmp}/a/b {tmp}/a; ln -s {outside} {tmp}/link")
    assert sorted(os.listdir(tmp_path)) == ["opt", "outside", "task"]
    assert outside.stat().st_mode & 0o777 == 0o500


@pytest.mark.parametrize("depth", [1, 2])
async def test_kill_does_not_need_what_is_stopped(spec: SandboxSpec, tmp_path: Path, depth: int) -> None:
    async with rigged(spec, tmp_path / "work") as rig:
        _, everyone = await _family(rig)
        everyone[depth].suspend()
        await within(rig.sandbox.kill())
        assert _alive(everyone) == []


async def test_end_of_the_main_process_leaves_the_rest(spec: SandboxSpec, tmp_path: Path) -> None:
    """What happens then is the platform's to decide."""
    async with rigged(spec, tmp_path / "work") as rig:
        output = await rig.start("main", "sh", "-c", "(setsid sh -c 'echo up; read x; sleep 1000' &); exit 1")
        assert await within(output.readline()) == b"up\n"
        assert (await rig.ended("main")).returncode == 1
        assert await rig.sh("echo works") == "works"


@pytest.mark.parametrize("depth", [0, 1, 2], ids=["guardian", "below", "below that"])
async def test_death_of_a_process_of_ours_is_told_and_leaves_nothing(
    spec: SandboxSpec, tmp_path: Path, depth: int
) -> None:
    if depth == 2 and not spec.namespaces:
        pytest.skip("only two processes of ours without namespaces")
    async with rigged(spec, tmp_path / "work") as rig:
        output, everyone = await _family(rig)
        everyone[depth].send_signal(signal.SIGKILL)
        await within(rig.lost.wait())
        await within(output.read())  # ends with the last one that holds it
        await within(rig.sandbox.kill())
        assert _alive(everyone) == []
        assert rig.calls == ["lost"]
        assert sorted(os.listdir(tmp_path)) == ["opt", "task"]


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGSTOP, signal.SIGKILL])
async def test_a_function_cannot_end_the_first_process_of_its_namespace(tmp_path: Path, signum: int) -> None:
    need_namespaces()
    async with rigged(make_spec(tmp_path), tmp_path / "work") as rig:
        assert await rig.sh(f"kill -{signum} 1; echo sent") == "sent"
        output = await rig.start("after", "echo", "works")
        assert await within(output.read()) == b"works\n"


_PLATFORM = """
import asyncio, os, sys
from pathlib import Path
from penstock.environment.sandbox import Sandbox, SandboxSpec

if sys.argv[3] == "uvloop":
    import uvloop as loops
else:
    import asyncio as loops
top, family = Path(sys.argv[1]), sys.argv[4]

async def main():
    spec = SandboxSpec(top / "task", top / "opt", None, None, 512, 4096, False, (), sys.argv[2] == "namespaces")
    for number in range(2):
        sandbox = await Sandbox.start(spec, top / f"work{number}", print, lambda: None)
        variables = {"PATH": os.environ["PATH"]}
        await sandbox.spawn("family", ["sh", "-c", family], variables, sandbox.paths.task_root, os.dup(1))
    await asyncio.Event().wait()

loops.run(main())
"""


@contextmanager
def _platform(spec: SandboxSpec, loop: str, program: str = _FAMILY) -> Iterator[subprocess.Popen[bytes]]:
    mode = "namespaces" if spec.namespaces else "none"
    command = [sys.executable, "-c", _PLATFORM, str(spec.task_root.parent), mode, loop, program]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as platform:
        try:
            yield platform
        finally:
            platform.kill()


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM])
def test_death_of_the_platform_leaves_nothing(spec: SandboxSpec, tmp_path: Path, loop: str, signum: int) -> None:
    with _platform(spec, loop) as platform:
        assert platform.stdout is not None
        for _ in range(6):
            assert platform.stdout.readline() == b"up\n"
        everyone = psutil.Process(platform.pid).children(recursive=True)
        assert len(everyone) > 6
        platform.send_signal(signum)
        assert platform.stdout.read() == b""  # ends with the last one that holds it
        assert _alive(everyone) == []
    assert sorted(os.listdir(tmp_path)) == ["opt", "task"]


def test_death_of_the_platform_while_all_of_ours_are_stopped_leaves_nothing(spec: SandboxSpec, tmp_path: Path) -> None:
    """The control socket's end is then seen by nobody, but the kernel still ends those below."""
    with _platform(spec, "asyncio") as platform:
        assert platform.stdout is not None
        for _ in range(6):
            assert platform.stdout.readline() == b"up\n"
        guardians = psutil.Process(platform.pid).children()
        everyone = psutil.Process(platform.pid).children(recursive=True)
        for guardian in guardians:
            guardian.children()[0].suspend()
        platform.kill()
        assert platform.stdout.read() == b""
        assert _alive(everyone) == []
    assert sorted(os.listdir(tmp_path)) == ["opt", "task"]


def test_the_kernel_alone_ends_what_loses_all_its_guardians(spec: SandboxSpec) -> None:
    """Nobody of ours can do anything: the platform is stopped, and whatever is above the processes dies at once."""
    with _platform(spec, "asyncio", "echo up; exec sleep 1000") as platform:
        assert platform.stdout is not None
        assert (platform.stdout.readline(), platform.stdout.readline()) == (b"up\n", b"up\n")
        guardians = psutil.Process(platform.pid).children()
        ours = [*guardians, *(guardian.children()[0] for guardian in guardians)]
        everyone = psutil.Process(platform.pid).children(recursive=True)
        platform.send_signal(signal.SIGSTOP)
        for process in ours:
            process.suspend()
        for process in ours:
            process.kill()
        assert _alive([process for process in everyone if process not in guardians]) == []


async def test_start_that_is_given_up_leaves_nothing(spec: SandboxSpec, tmp_path: Path) -> None:
    me = psutil.Process()
    before = {process.pid for process in me.children()}
    rig = Rig()
    starting = asyncio.ensure_future(Sandbox.start(spec, tmp_path / "work", rig.on_exit, rig.on_lost))
    await asyncio.sleep(0)  # it begins
    assert {process.pid for process in me.children()} > before
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await within(starting)
    assert {process.pid for process in me.children()} <= before
    assert sorted(os.listdir(tmp_path)) == ["opt", "task"]
