"""Where memory cgroups may be made, and how one is limited and read, over files that only look like the kernel's."""

import os
import subprocess
from pathlib import Path

import pytest

from penstock.environment.memory import CgroupError, CgroupHome, MemoryCgroup, find_home
from penstock.environment.memory.hierarchy import Hierarchy, find_hierarchies

pytestmark = pytest.mark.skipif(os.uname().sysname != "Linux", reason="cgroups need Linux")

MIB = 1 << 20


def fake_proc(folder: Path, *, cgroup: str, mounts: str) -> Path:
    proc = folder / "proc"
    proc.mkdir()
    (proc / "cgroup").write_text(cgroup)
    (proc / "mountinfo").write_text(mounts)
    return proc


def v1(folder: Path, *, root: str = "/", own: str = "/job") -> Path:
    return fake_proc(
        folder,
        cgroup=f"5:cpu:/\n4:memory:{own}\n0::/\n",
        mounts=(
            "20 1 0:5 / /proc rw - proc proc rw\n"
            f"30 1 0:7 / {folder}/cpu rw - cgroup cgroup rw,cpu\n"
            f"31 1 0:8 {root} {folder}/memory rw,nosuid shared:1 - cgroup cgroup rw,memory\n"
        ),
    )


def v2(folder: Path, own: str) -> Path:
    return fake_proc(folder, cgroup=f"0::{own}\n", mounts=f"31 1 0:8 / {folder}/unified rw - cgroup2 cgroup2 rw\n")


def test_hierarchy_of_version_1(tmp_path: Path) -> None:
    assert find_hierarchies(v1(tmp_path)) == [Hierarchy(1, tmp_path / "memory", tmp_path / "memory/job")]


def test_newer_version_first(tmp_path: Path) -> None:
    proc = v1(tmp_path)
    mounts = (proc / "mountinfo").read_text() + f"32 1 0:9 / {tmp_path}/unified rw - cgroup2 cgroup2 rw\n"
    (proc / "mountinfo").write_text(mounts)
    assert [hierarchy.version for hierarchy in find_hierarchies(proc)] == [2, 1]


def test_a_container_sees_its_own_part_only(tmp_path: Path) -> None:
    proc = v1(tmp_path, root="/docker/1f", own="/docker/1f/job")
    assert find_hierarchies(proc) == [Hierarchy(1, tmp_path / "memory", tmp_path / "memory/job")]


@pytest.mark.parametrize("own", ["/docker/1ff", "/other", "/docker/1f/../other"])
def test_a_part_that_we_are_not_in_is_of_no_use(tmp_path: Path, own: str) -> None:
    assert find_hierarchies(v1(tmp_path, root="/docker/1f", own=own)) == []


def test_spaces_in_a_mount_point(tmp_path: Path) -> None:
    proc = v2(tmp_path, "/")
    (proc / "mountinfo").write_text("31 1 0:8 / /a\\040b rw - cgroup2 cgroup2 rw\n")
    assert find_hierarchies(proc) == [Hierarchy(2, Path("/a b"), Path("/a b"))]


def test_version_1_below_our_own(tmp_path: Path) -> None:
    (tmp_path / "memory/job").mkdir(parents=True)
    assert find_home(v1(tmp_path)) == CgroupHome(tmp_path / "memory/job", 1)


def test_version_2_in_the_nearest_that_gives_its_children_the_controller(tmp_path: Path) -> None:
    (tmp_path / "unified/user/app/job").mkdir(parents=True)
    for name, given in (("", "cpu memory"), ("user", "cpu memory pids"), ("user/app", "pids")):
        (tmp_path / "unified" / name / "cgroup.subtree_control").write_text(given)
    assert find_home(v2(tmp_path, "/user/app/job")) == CgroupHome(tmp_path / "unified/user", 2)


def test_version_2_never_looks_above_its_mount(tmp_path: Path) -> None:
    (tmp_path / "unified").mkdir()
    (tmp_path / "cgroup.subtree_control").write_text("memory")
    with pytest.raises(CgroupError, match="no memory controller"):
        find_home(v2(tmp_path, "/"))


def test_a_delegated_cgroup_that_is_all_ours_is_taken_over(tmp_path: Path) -> None:
    own = tmp_path / "unified/service"
    own.mkdir(parents=True)
    (own / "cgroup.controllers").write_text("cpu memory\n")
    (own / "cgroup.procs").write_text(f"{os.getpid()}\n")
    assert find_home(v2(tmp_path, "/service")) == CgroupHome(own, 2)
    assert (own / "penstock-platform/cgroup.procs").read_text() == "0"
    assert (own / "cgroup.subtree_control").read_text() == "+memory +cpu"


def test_a_delegated_cgroup_with_others_in_it_is_left_alone(tmp_path: Path) -> None:
    own = tmp_path / "unified/service"
    own.mkdir(parents=True)
    (own / "cgroup.controllers").write_text("memory")
    (own / "cgroup.procs").write_text(f"1\n{os.getpid()}\n")
    with pytest.raises(CgroupError):
        find_home(v2(tmp_path, "/service"))
    assert sorted(path.name for path in own.iterdir()) == ["cgroup.controllers", "cgroup.procs"]


def test_what_may_not_be_made_is_told(tmp_path: Path) -> None:
    with pytest.raises(CgroupError, match=r"memory/job/penstock-.*: No such file or directory"):
        find_home(v1(tmp_path))


def test_no_cgroups_at_all(tmp_path: Path) -> None:
    with pytest.raises(CgroupError, match="no memory controller"):
        find_home(tmp_path)


def made(folder: Path, version: int, *files: str) -> MemoryCgroup:
    cgroup = CgroupHome(folder, version).make(64 * MIB)
    for name in files:
        (cgroup.path / name).write_text("")
    return cgroup


def contents(cgroup: MemoryCgroup) -> dict[str, str]:
    return {path.name: path.read_text() for path in cgroup.path.iterdir()}


def test_limits_of_version_1(tmp_path: Path) -> None:
    cgroup = made(tmp_path, 1, "memory.memsw.limit_in_bytes")
    cgroup.set_limits(16 * MIB)
    limit = str(80 * MIB)
    assert contents(cgroup) == {"memory.limit_in_bytes": limit, "memory.memsw.limit_in_bytes": limit}


def test_limits_of_version_2(tmp_path: Path) -> None:
    cgroup = made(tmp_path, 2, "memory.swap.max", "memory.oom.group")
    cgroup.set_limits(0)
    assert contents(cgroup) == {"memory.max": str(64 * MIB), "memory.swap.max": "0", "memory.oom.group": "1"}


def test_a_kernel_without_swap_accounting(tmp_path: Path) -> None:
    cgroup = made(tmp_path, 2)
    cgroup.set_limits(0)
    assert contents(cgroup) == {"memory.max": str(64 * MIB)}


FILES = {
    1: ("memory.oom_control", "memory.usage_in_bytes", "rss"),
    2: ("memory.events", "memory.current", "anon"),
}


@pytest.mark.parametrize("version", FILES)
@pytest.mark.parametrize(
    ("kills", "used", "anonymous", "over"),
    [
        (0, 63, 63, False),
        (1, 10, 10, True),
        (0, 70, 64, False),  # the rest are files
        (0, 70, 65, True),
    ],
)
def test_is_over(tmp_path: Path, version: int, kills: int, used: int, anonymous: int, over: bool) -> None:
    events, usage, name = FILES[version]
    cgroup = made(tmp_path, version)
    (cgroup.path / events).write_text(f"oom 5\noom_kill {kills}\n")
    (cgroup.path / usage).write_text(f"{used * MIB}\n")
    (cgroup.path / "memory.stat").write_text(f"{name}_other {99 * MIB}\n{name} {anonymous * MIB}\n")
    assert cgroup.is_over() is over
    assert cgroup.held() == anonymous * MIB


@pytest.mark.parametrize("version", FILES)
def test_a_cgroup_that_was_removed_is_not_over(tmp_path: Path, version: int) -> None:
    cgroup = made(tmp_path, version)
    cgroup.remove()
    cgroup.remove()
    assert not cgroup.path.exists()
    assert not cgroup.is_over()


def test_what_a_killed_platform_left_is_swept_and_nothing_else(tmp_path: Path) -> None:
    with subprocess.Popen(["true"]) as dead:
        dead.wait()
    kept = [f"penstock-{os.getpid()}-0a", "penstock-1-0b", "penstock-platform", "other-1", f"penstock-{dead.pid}"]
    for name in (*kept, f"penstock-{dead.pid}-0c", f"penstock-{dead.pid}-0d"):
        (tmp_path / name).mkdir()
    (tmp_path / f"penstock-{dead.pid}-0d/child").mkdir()  # it cannot be removed, as one with processes in it
    CgroupHome(tmp_path, 1).sweep()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*kept, f"penstock-{dead.pid}-0d"])
