"""Where the vCPU share is enforced and counted, over files that only look like the kernel's."""

import errno
import os
import subprocess
from pathlib import Path

import pytest

from penstock.environment.memory import CgroupHome, CpuHome, MemoryCgroup, MemoryGuard, find_cpu_home, find_home
from penstock.environment.memory.cpu import CpuCgroups, write_quota

pytestmark = pytest.mark.skipif(os.uname().sysname != "Linux", reason="cgroups need Linux")

MIB = 1 << 20


def fake_v1(folder: Path, controllers: str = "cpu cpuacct") -> Path:
    """A hierarchy for each word, in which this process is in /job: `cpu,cpuacct` is one for both."""
    memberships, mounts = ["9:memory:/job", "0::/"], []
    for number, name in enumerate(["memory", *controllers.split()], 20):
        memberships.append(f"{number}:{name}:/job")
        mounts.append(f"{number} 1 0:{number} / {folder}/{name} rw - cgroup cgroup rw,{name}")
        (folder / name / "job").mkdir(parents=True)
        if "cpuacct" in name:
            (folder / name / "job/cpuacct.usage").write_text("0\n")
    return fake_proc(folder, "\n".join(memberships), "\n".join(mounts))


def fake_v2(folder: Path, own: str, given: dict[str, str]) -> Path:
    """`given` is what each cgroup gives its children."""
    (folder / "unified" / own.lstrip("/")).mkdir(parents=True)
    for name, controllers in given.items():
        (folder / "unified" / name / "cgroup.subtree_control").write_text(controllers)
        (folder / "unified" / name / "cpu.stat").write_text("usage_usec 0\n")
    return fake_proc(folder, f"0::{own}", f"31 1 0:8 / {folder}/unified rw - cgroup2 cgroup2 rw")


def fake_proc(folder: Path, cgroup: str, mounts: str) -> Path:
    proc = folder / "proc"
    proc.mkdir()
    (proc / "cgroup").write_text(f"{cgroup}\n")
    (proc / "mountinfo").write_text(f"{mounts}\n")
    return proc


def test_version_1_with_a_hierarchy_for_both(tmp_path: Path) -> None:
    proc = fake_v1(tmp_path, "cpu,cpuacct")
    here = CgroupHome(tmp_path / "cpu,cpuacct/job", 1)
    assert find_cpu_home(find_home(proc), enforce=True, proc=proc) == CpuHome(here, here)


def test_version_1_with_a_hierarchy_for_each(tmp_path: Path) -> None:
    proc = fake_v1(tmp_path)
    found = find_cpu_home(find_home(proc), enforce=True, proc=proc)
    assert found == CpuHome(CgroupHome(tmp_path / "cpu/job", 1), CgroupHome(tmp_path / "cpuacct/job", 1))


def test_the_cpuset_is_another_controller(tmp_path: Path) -> None:
    proc = fake_v1(tmp_path, "cpuset")
    assert find_cpu_home(None, enforce=True, proc=proc) == CpuHome(
        None, None, "the kernel offers no cpu controller here"
    )


def test_only_measured_is_counted_in_a_cgroup_all_the_same(tmp_path: Path) -> None:
    proc = fake_v1(tmp_path)
    found = find_cpu_home(find_home(proc), enforce=False, proc=proc)
    assert found == CpuHome(None, CgroupHome(tmp_path / "cpuacct/job", 1))
    assert list((tmp_path / "cpu/job").iterdir()) == []  # not even tried


def test_version_2_beside_the_memory(tmp_path: Path) -> None:
    proc = fake_v2(tmp_path, "/app/job", {"": "cpu memory", "app": "cpu memory pids"})
    memory = find_home(proc)
    assert memory == CgroupHome(tmp_path / "unified/app", 2)
    assert find_cpu_home(memory, enforce=True, proc=proc) == CpuHome(memory, memory)


def test_version_2_never_elsewhere_than_the_memory(tmp_path: Path) -> None:
    """A process cannot be in two cgroups of one hierarchy; but each one counts, with the controller or without."""
    proc = fake_v2(tmp_path, "/app/job", {"": "cpu memory", "app": "memory"})
    memory = find_home(proc)
    assert memory == CgroupHome(tmp_path / "unified/app", 2)
    refusal = f"{tmp_path}/unified/app does not give its cgroups the cpu controller"
    assert find_cpu_home(memory, enforce=True, proc=proc) == CpuHome(None, memory, refusal)


def test_version_2_with_the_cpu_controller_alone(tmp_path: Path) -> None:
    proc = fake_v2(tmp_path, "/app/job", {"": "cpu", "app": ""})
    here = CgroupHome(tmp_path / "unified", 2)
    assert find_cpu_home(None, enforce=True, proc=proc) == CpuHome(here, here)


def test_why_it_cannot_be_enforced(tmp_path: Path) -> None:
    proc = fake_v1(tmp_path)
    (tmp_path / "cpu/job").rmdir()
    found = find_cpu_home(None, enforce=True, proc=proc)
    assert found.quota is None
    assert found.refusal.startswith(f"{tmp_path}/cpu/job/penstock-")
    assert found.refusal.endswith(": No such file or directory")
    assert found.accounting == CgroupHome(tmp_path / "cpuacct/job", 1)


def test_what_killed_platforms_left_is_swept(tmp_path: Path) -> None:
    proc = fake_v1(tmp_path)
    with subprocess.Popen(["true"]) as dead:
        dead.wait()
    left = [tmp_path / name / f"job/penstock-{dead.pid}-0a" for name in ("cpu", "cpuacct")]
    for path in left:
        path.mkdir()
    find_cpu_home(None, enforce=True, proc=proc)
    assert not any(path.exists() for path in left)


@pytest.mark.parametrize(
    ("vcpus", "quota"),
    [(1.0, 100_000), (0.25, 25_000), (2.5, 250_000), (32.0, 3_200_000), (0.001, 1_000)],
)
def test_quota(tmp_path: Path, vcpus: float, quota: int) -> None:
    write_quota(tmp_path, 1, vcpus)
    write_quota(tmp_path, 2, vcpus)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "cpu.cfs_period_us": "100000",
        "cpu.cfs_quota_us": str(quota),
        "cpu.max": f"{quota} 100000",
    }


def test_less_above_is_enforced_above(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the kernel answers with version 1 when a container has less than the environment's share."""
    refuse_quota(monkeypatch, errno.EINVAL)
    write_quota(tmp_path, 1, 4.0)
    assert not (tmp_path / "cpu.cfs_quota_us").exists()


def test_another_refusal_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_quota(monkeypatch, errno.EACCES)
    with pytest.raises(PermissionError):
        write_quota(tmp_path, 1, 4.0)


def refuse_quota(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    write = Path.write_text

    def refused(path: Path, text: str) -> int:
        if path.name == "cpu.cfs_quota_us":
            raise OSError(code, os.strerror(code), str(path))
        return write(path, text)

    monkeypatch.setattr(Path, "write_text", refused)


def homes(folder: Path, version: int) -> tuple[CgroupHome, CpuHome]:
    """Where memory is, and where the rest is: with version 2 the same."""
    made = [CgroupHome(folder / name, version) for name in ("memory", "cpu", "cpuacct")]
    for home in made:
        home.directory.mkdir()
    return (made[0], CpuHome(made[1], made[2])) if version == 1 else (made[0], CpuHome(made[0], made[0]))


def cgroups(folder: Path, version: int, vcpus: float = 0.5) -> tuple[CpuCgroups, MemoryCgroup]:
    memory_home, home = homes(folder, version)
    memory = memory_home.make(64 * MIB)
    return CpuCgroups(home, vcpus, (memory_home, memory)), memory


def test_version_1_has_cgroups_of_its_own(tmp_path: Path) -> None:
    made, memory = cgroups(tmp_path, 1)
    assert [path.parent.name for path in made.paths] == ["cpu", "cpuacct"]
    made.set_quota()
    assert (made.paths[0] / "cpu.cfs_quota_us").read_text() == "50000"
    assert list(made.paths[1].iterdir()) == list(memory.path.iterdir()) == []
    (made.paths[1] / "cpuacct.usage").write_text("1500000000\n")
    assert made.worked() == 1.5


def test_version_2_has_the_memory_cgroup(tmp_path: Path) -> None:
    made, memory = cgroups(tmp_path, 2)
    assert made.paths == []
    made.set_quota()
    assert (memory.path / "cpu.max").read_text() == "50000 100000"
    (memory.path / "cpu.stat").write_text("usage_usec 2500000\nuser_usec 1\nnr_throttled 7\n")
    assert made.worked() == 2.5
    made.remove()
    assert memory.path.exists()  # it is not ours to remove


def test_one_hierarchy_for_both_is_one_cgroup(tmp_path: Path) -> None:
    home = CgroupHome(tmp_path, 1)
    assert len(CpuCgroups(CpuHome(home, home), 1.0, None).paths) == 1


def test_without_a_quota_there_is_none(tmp_path: Path) -> None:
    made = CpuCgroups(CpuHome(None, CgroupHome(tmp_path, 1)), 1.0, None)
    made.set_quota()
    made.give_way()
    (cgroup,) = made.paths
    assert list(cgroup.iterdir()) == []


def test_nothing_counts(tmp_path: Path) -> None:
    assert CpuCgroups(CpuHome(None, None, "why"), 1.0, None).worked() is None


def test_all_or_nothing_is_made(tmp_path: Path) -> None:
    home = CpuHome(CgroupHome(tmp_path, 1), CgroupHome(tmp_path / "missing", 1))
    with pytest.raises(FileNotFoundError):
        CpuCgroups(home, 1.0, None)
    assert list(tmp_path.iterdir()) == []


def test_not_even_the_memory_cgroup_is_left(tmp_path: Path) -> None:
    (tmp_path / "memory").mkdir()
    home = CpuHome(CgroupHome(tmp_path / "missing", 1), None)
    with pytest.raises(FileNotFoundError):
        MemoryGuard(CgroupHome(tmp_path / "memory", 1), MIB, lambda: None, home, 1.0)
    assert list((tmp_path / "memory").iterdir()) == []


def test_every_cgroup_is_to_be_joined(tmp_path: Path) -> None:
    memory, home = homes(tmp_path, 1)
    guard = MemoryGuard(memory, MIB, lambda: None, home, 1.0)
    assert [path.parent.name for path in guard.cgroups] == ["memory", "cpu", "cpuacct"]
    guard.close()
    assert not any(path.exists() for path in guard.cgroups)


@pytest.mark.parametrize(
    ("version", "name", "vcpus", "weight"),
    [
        (1, "cpu.shares", 1.0, "336"),  # as a process of niceness 5: 335 in the kernel's table, beside 1024
        (1, "cpu.shares", 0.25, "84"),
        (1, "cpu.shares", 0.001, "2"),
        (2, "cpu.weight", 1.0, "33"),
        (2, "cpu.weight", 0.001, "1"),
        (2, "cpu.weight", 900.0, "10000"),
    ],
)
def test_it_gives_way(tmp_path: Path, version: int, name: str, vcpus: float, weight: str) -> None:
    made, memory = cgroups(tmp_path, version, vcpus)
    file = (made.paths[0] if version == 1 else memory.path) / name
    file.write_text("default")
    made.set_quota()
    assert file.read_text() == "default"  # not while it starts
    made.give_way()
    assert file.read_text() == weight


@pytest.mark.parametrize("version", [1, 2])
def test_nothing_happens_to_what_was_removed(tmp_path: Path, version: int) -> None:
    made, memory = cgroups(tmp_path, version)
    made.remove()
    memory.remove()
    made.remove()
    made.give_way()
    with pytest.raises(OSError, match="No such file"):
        made.worked()
