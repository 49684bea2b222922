"""`MemorySize` holds, enforced by the kernel as well as by counting, and ends the whole environment."""

import asyncio
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from penstock.environment.lifecycle import State
from penstock.environment.memory import CgroupError, CgroupHome, Usage, find_home
from support.environment_rig import EnvironmentRig, Shape, environment
from support.sandbox_rig import make_spec, need_namespaces, rigged
from support.streams import PATIENCE_S, within

MEMORY_MIB = 64
TOO_MUCH_MIB = 100


def cgroup_home() -> CgroupHome:
    try:
        return find_home()
    except CgroupError as error:
        pytest.skip(f"no memory cgroup on this machine: {error}")


@pytest.fixture(params=["cgroup", "counted"])
def home(request: pytest.FixtureRequest) -> CgroupHome | None:
    return cgroup_home() if request.param == "cgroup" else None


@pytest.fixture(params=["namespaces", "none"])
def shape(request: pytest.FixtureRequest, home: CgroupHome | None) -> Shape:
    if request.param == "namespaces":
        need_namespaces()
    return Shape(memory_mib=MEMORY_MIB, tmp_mib=MEMORY_MIB, memory_home=home, namespaces=request.param == "namespaces")


def cgroups(home: CgroupHome) -> list[Path]:
    """Those this process has made."""
    return list(home.directory.glob(f"penstock-{os.getpid()}-*"))


async def expect_out_of_memory(rig: EnvironmentRig, do: str) -> None:
    bystander = rig.invoke("hang")
    bystander_id = rig.last_request_id
    sink = rig.invoke(do)
    for request_id, one in ((rig.last_request_id, sink), (bystander_id, bystander)):
        error = await one.failure()
        assert error.error_type == "Runtime.OutOfMemory"
        assert error.message == f"RequestId: {request_id} Error: Runtime exited with error: signal: killed"
    assert (await within(rig.death)).error_type == "Runtime.OutOfMemory"
    await within(rig.environment.stopped.wait())
    assert rig.environment.state is State.FAILED


@pytest.mark.parametrize("do", ["hold", "child"])
async def test_too_much_memory_ends_the_environment(shape: Shape, do: str, tmp_path: Path) -> None:
    async with environment(tmp_path, shape) as rig:
        await rig.start()
        await rig.slots(2)
        await expect_out_of_memory(rig, f"{do} {TOO_MUCH_MIB}")
    assert list((tmp_path / "work").iterdir()) == []
    reports = [report for report in rig.records("platform.report") if isinstance(report, dict)]
    assert {report["errorType"] for report in reports} == {"Runtime.OutOfMemory"}


async def test_too_much_memory_during_init(shape: Shape, tmp_path: Path) -> None:
    async with environment(tmp_path, replace(shape, variables={"PROBE_START": f"hold {TOO_MUCH_MIB}"})) as rig:
        failure = await rig.failed_start()
    assert (failure.error_type, failure.message) == (
        "Runtime.OutOfMemory",
        "Runtime exited with error: signal: killed",
    )
    assert list((tmp_path / "work").iterdir()) == []


async def test_files_in_tmp_are_not_memory(home: CgroupHome | None, tmp_path: Path) -> None:
    """Together they would be too much; on AWS /tmp is a disk."""
    need_namespaces()
    shape = Shape(memory_mib=MEMORY_MIB, tmp_mib=MEMORY_MIB, memory_home=home, concurrency=1)
    async with environment(tmp_path, shape) as rig:
        await rig.start()
        assert await rig.invoke("write 55").result() == "written"
        await rig.slots(1)
        assert await rig.invoke("hold 20").result() == str(20 << 20)
        assert not rig.death.done()


async def test_what_is_held_and_worked(home: CgroupHome | None, tmp_path: Path) -> None:
    """By a cgroup and by counting; nothing once the environment has ended."""
    async with environment(tmp_path, Shape(memory_mib=256, memory_home=home, concurrency=1)) as rig:
        await rig.start()
        before = usage_of(rig)
        rig.invoke("hold 40")
        async with asyncio.timeout(PATIENCE_S):
            while (held := usage_of(rig).memory_bytes - before.memory_bytes) < 38 << 20:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        assert held < 60 << 20
        assert usage_of(rig).cpu_s >= before.cpu_s
    assert rig.environment.usage() in (None, (0, 0.0))


def usage_of(rig: EnvironmentRig) -> Usage:
    usage = rig.environment.usage()
    assert usage is not None
    return usage


async def test_processes_of_the_function_are_in_the_cgroup_and_ours_are_not(tmp_path: Path) -> None:
    home = cgroup_home()
    cgroup = home.make(1 << 30)
    cgroup.set_limits(0)
    spec = replace(make_spec(tmp_path), cgroups=(cgroup.path,))
    async with rigged(spec, tmp_path / "work") as rig:
        output = await rig.start("family", "sh", "-c", "setsid sleep 1000 & sleep 1000 & echo up; wait")
        assert await within(output.readline()) == b"up\n"
        inside = {int(pid) for pid in (cgroup.path / "cgroup.procs").read_text().split()}
        everyone = {process.pid: process for process in psutil.Process(rig.sandbox.pid).children(recursive=True)}
        assert len(inside & everyone.keys()) == 3  # the shell and what it left in the background
        ours = [process for pid, process in everyone.items() if pid not in inside]
        assert 1 <= len(ours) <= 2
        assert rig.sandbox.pid not in inside
    assert not cgroup.path.exists()


async def test_nothing_is_left_of_a_cgroup(tmp_path: Path) -> None:
    home = cgroup_home()
    before = set(cgroups(home))
    async with environment(tmp_path, Shape(memory_home=home)) as rig:
        await rig.start()
        (made,) = set(cgroups(home)) - before
        assert (made / "cgroup.procs").read_text().split()
    assert not made.exists()


_PLATFORM = """
import asyncio, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from penstock.environment.memory import find_home
from support.environment_rig import EnvironmentRig, Shape

async def main():
    rig = EnvironmentRig(Path(sys.argv[1]), Shape(memory_home=find_home()))
    await rig.start()
    print("up", flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


def test_nothing_is_left_when_the_platform_is_killed(tmp_path: Path) -> None:
    home = cgroup_home()
    tests = Path(__file__).parents[1]
    with subprocess.Popen(
        [sys.executable, "-c", _PLATFORM, str(tmp_path), str(tests)], stdout=subprocess.PIPE
    ) as platform:
        assert platform.stdout is not None
        assert platform.stdout.readline() == b"up\n"
        (made,) = home.directory.glob(f"penstock-{platform.pid}-*")
        (guardian,) = psutil.Process(platform.pid).children()
        platform.send_signal(signal.SIGKILL)
        psutil.wait_procs([guardian], timeout=PATIENCE_S)
    assert not made.exists()


def test_what_is_left_when_the_guardian_is_killed_too_goes_at_the_next_start(tmp_path: Path) -> None:
    home = cgroup_home()
    tests = Path(__file__).parents[1]
    with subprocess.Popen(
        [sys.executable, "-c", _PLATFORM, str(tmp_path), str(tests)], stdout=subprocess.PIPE
    ) as platform:
        assert platform.stdout is not None
        assert platform.stdout.readline() == b"up\n"
        everyone = psutil.Process(platform.pid).children(recursive=True)
        (guardian,) = psutil.Process(platform.pid).children()
        platform.send_signal(signal.SIGSTOP)  # it shall not clean up for its guardian
        guardian.kill()
        platform.kill()
        psutil.wait_procs(everyone, timeout=PATIENCE_S)
    assert list(home.directory.glob(f"penstock-{platform.pid}-*"))
    find_home()
    assert not list(home.directory.glob(f"penstock-{platform.pid}-*"))
