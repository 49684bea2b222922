"""`penstock up --vcpu-share`: which of the two it is, is said beside MemorySize; SIGKILL leaves no cgroup behind."""

import signal
from pathlib import Path

import pytest

from penstock.environment.memory import CgroupError, CgroupHome, CpuHome, find_cpu_home, find_home
from support.projects import make_project
from support.up import Up, command, eventually, running, shared_cache

# The guardians end with the platform; a busy machine may need a moment.
END_S = 20.0


@pytest.fixture
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shared_cache(tmp_path_factory)


def find_memory() -> CgroupHome | None:
    try:
        return find_home()
    except CgroupError:
        return None


def expected(home: CpuHome) -> str:
    if home.quota:
        return f"The vCPU share is enforced by the kernel (cgroup v{home.quota.version})"
    return f"The vCPU share is measured; the kernel cannot enforce it: {home.refusal}"


def made(home: CpuHome, up: Up) -> list[Path]:
    return [path for one in (home.quota, home.accounting) if one for path in one.directory.glob(f"penstock-{up.pid}-*")]


def test_enforced_where_the_kernel_allows_it(tmp_path: Path, cache: Path) -> None:
    home = find_cpu_home(find_memory(), enforce=True)
    with running(make_project(tmp_path / "site"), cache) as up:
        up.wait_for("ready")
        said = [event["text"] for event in up.said("info")]
        (memory,) = [number for number, text in enumerate(said) if "MemorySize" in text]
        # A refusal names a cgroup that was tried, which has a random name.
        assert said[memory + 1].startswith(expected(home).partition("penstock-")[0])
        left = made(home, up)
        assert bool(left) is (home.quota is not None or home.accounting is not None)
        up.send(signal.SIGKILL)
        assert up.ended() == -signal.SIGKILL
        eventually(lambda: not any(path.exists() for path in left), "every cgroup is removed", END_S)


def test_only_measured(tmp_path: Path, cache: Path) -> None:
    memory = find_memory()
    home = find_cpu_home(memory, enforce=True)
    with running(make_project(tmp_path / "site"), cache, "--vcpu-share", "measure") as up:
        up.wait_for("ready")
        said = [event["text"] for event in up.said("info")]
        assert "The vCPU share is measured, not enforced, as --vcpu-share says" in said
        assert up.get().status == 200
        if home.quota and home.quota not in (memory, home.accounting):
            assert list(home.quota.directory.glob(f"penstock-{up.pid}-*")) == []


def test_another_word_is_refused(tmp_path: Path, cache: Path) -> None:
    ended = command(make_project(tmp_path / "site"), cache, "up", "--vcpu-share", "borrow")
    assert ended.returncode == 2
    assert "'borrow' is not one of 'enforce', 'measure'" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
