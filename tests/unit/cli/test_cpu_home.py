"""What `up` says of how the vCPU share is enforced."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from penstock.cli import memory
from penstock.cli.reporter import HumanReporter
from penstock.environment.memory import CgroupHome, CpuHome

HERE = CgroupHome(Path("/sys/fs/cgroup/app"), 2)


@pytest.mark.parametrize(
    ("enforce", "found", "text"),
    [
        (True, CpuHome(HERE, HERE), "The vCPU share is enforced by the kernel (cgroup v2)"),
        (
            True,
            CpuHome(None, HERE, "/sys/fs/cgroup: Read-only file system"),
            "The vCPU share is measured; the kernel cannot enforce it: /sys/fs/cgroup: Read-only file system",
        ),
        (False, CpuHome(None, HERE), "The vCPU share is measured, not enforced, as --vcpu-share says"),
    ],
)
def test_which_it_is(monkeypatch: pytest.MonkeyPatch, enforce: bool, found: CpuHome, text: str) -> None:
    asked: list[tuple[CgroupHome | None, bool]] = []

    def find_cpu_home(beside: CgroupHome | None, *, enforce: bool) -> CpuHome:
        asked.append((beside, enforce))
        return found

    monkeypatch.setattr(memory, "find_cpu_home", find_cpu_home)
    file = io.StringIO()
    reporter = HumanReporter(Console(file=file, highlight=False, width=200))
    assert memory.cpu_home(reporter, HERE, enforce=enforce) is found
    assert asked == [(HERE, enforce)]
    assert text in file.getvalue()
