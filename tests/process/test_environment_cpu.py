"""The vCPU share holds where the kernel sees to it, is measured where it does not, and leaves nothing behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from penstock.environment.memory import CgroupError, CgroupHome, CpuHome, find_cpu_home, find_home
from support.environment_rig import EnvironmentRig, Shape, environment
from support.streams import PATIENCE_S

# With 2 GiB for a vCPU a twentieth of one: less than a busy machine gives anyone.
MEMORY_MIB = 102
SHARE = MEMORY_MIB / 2048
BURN_S = 1.5
# What is worked in the last period, and in slices that were handed out, may be over.
TOLERANCE = 1.5


def memory_home() -> CgroupHome | None:
    try:
        return find_home()
    except CgroupError:
        return None


@pytest.fixture
def enforced() -> CpuHome:
    found = find_cpu_home(memory_home(), enforce=True)
    if found.quota is None:
        pytest.skip(f"no quota on this machine: {found.refusal}")
    return found


def made_in(home: CpuHome, pid: int) -> Iterator[Path]:
    """What a platform has made for the vCPU share."""
    for one in {home.quota, home.accounting} - {None}:
        assert one is not None
        yield from one.directory.glob(f"penstock-{pid}-*")


class Burnt(NamedTuple):
    used: float
    """By both processes, as they say themselves."""
    seen: float
    """By the whole environment, as it is measured."""
    wall: float


async def burn(rig: EnvironmentRig) -> Burnt:
    await rig.start()
    await rig.slots(1)
    before, began = rig.environment.usage(), time.monotonic()
    used = float(await rig.invoke(f"burn {BURN_S}").result())
    after, wall = rig.environment.usage(), time.monotonic() - began
    assert before is not None
    assert after is not None
    return Burnt(used, after.cpu_s - before.cpu_s, wall)


async def test_two_busy_processes_get_no_more_than_the_share(enforced: CpuHome, tmp_path: Path) -> None:
    shape = Shape(memory_mib=MEMORY_MIB, memory_home=memory_home(), cpu_home=enforced)
    async with environment(tmp_path, shape) as rig:
        burnt = await burn(rig)
        assert enforced.quota is not None
        stats = [path / "cpu.stat" for path in enforced.quota.directory.glob(f"penstock-{os.getpid()}-*")]
        throttled = [
            int(line.split()[1]) for path in stats for line in path.read_text().splitlines() if "nr_thr" in line
        ]
    assert burnt.wall >= BURN_S
    assert burnt.seen < TOLERANCE * SHARE * burnt.wall
    assert len(throttled) == 1
    assert throttled[0] > 0


@pytest.mark.parametrize("home", ["cgroup", "counted"])
async def test_only_measured_they_get_more(home: str, tmp_path: Path) -> None:
    if (os.cpu_count() or 1) < 2:
        pytest.skip("there is one processor, which others may need")
    cpu_home = find_cpu_home(memory_home(), enforce=False) if home == "cgroup" else None
    if cpu_home and cpu_home.accounting is None:
        pytest.skip("no cgroup counts processor time on this machine")
    shape = Shape(memory_mib=MEMORY_MIB, memory_home=memory_home(), cpu_home=cpu_home)
    async with environment(tmp_path, shape) as rig:
        burnt = await burn(rig)
    assert burnt.seen > TOLERANCE * SHARE * burnt.wall
    assert burnt.seen >= 0.9 * burnt.used  # with what is not theirs, and in ticks of 10 ms


async def test_processes_are_in_every_cgroup_and_nothing_is_left(enforced: CpuHome, tmp_path: Path) -> None:
    home = memory_home()
    before = set(made_in(enforced, os.getpid()))
    async with environment(tmp_path, Shape(memory_home=home, cpu_home=enforced)) as rig:
        await rig.start()
        made = set(made_in(enforced, os.getpid())) - before
        members = {frozenset((path / "cgroup.procs").read_text().split()) for path in made}
        assert len(members) == 1
        assert members != {frozenset()}
    assert not any(path.exists() for path in made)


_PLATFORM = """
import asyncio, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from penstock.environment.memory import find_cpu_home
from support.environment_rig import EnvironmentRig, Shape

async def main():
    rig = EnvironmentRig(Path(sys.argv[1]), Shape(cpu_home=find_cpu_home(None, enforce=True)))
    await rig.start()
    print("up", flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


def platform(folder: Path) -> "subprocess.Popen[bytes]":
    """One of its own, with an environment that is ready."""
    command = [sys.executable, "-c", _PLATFORM, str(folder), str(Path(__file__).parents[1])]
    started = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert started.stdout is not None
    assert started.stdout.readline() == b"up\n"
    return started


def test_nothing_is_left_when_the_platform_is_killed(enforced: CpuHome, tmp_path: Path) -> None:
    with platform(tmp_path) as killed:
        made = list(made_in(enforced, killed.pid))
        (guardian,) = psutil.Process(killed.pid).children()
        killed.send_signal(signal.SIGKILL)
        psutil.wait_procs([guardian], timeout=PATIENCE_S)
    assert made
    assert not any(path.exists() for path in made)


def test_what_is_left_when_the_guardian_is_killed_too_goes_at_the_next_start(enforced: CpuHome, tmp_path: Path) -> None:
    with platform(tmp_path) as killed:
        everyone = psutil.Process(killed.pid).children(recursive=True)
        (guardian,) = psutil.Process(killed.pid).children()
        killed.send_signal(signal.SIGSTOP)  # it shall not clean up for its guardian
        guardian.kill()
        killed.kill()
        psutil.wait_procs(everyone, timeout=PATIENCE_S)
    assert list(made_in(enforced, killed.pid))
    find_cpu_home(None, enforce=True)
    assert not list(made_in(enforced, killed.pid))
