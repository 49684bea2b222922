"""What `up` says of how MemorySize is enforced."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from penstock.cli import memory
from penstock.cli.reporter import HumanReporter
from penstock.environment.memory import CgroupError, CgroupHome


def said(monkeypatch: pytest.MonkeyPatch, found: CgroupHome | CgroupError) -> tuple[CgroupHome | None, str]:
    def find_home() -> CgroupHome:
        if isinstance(found, CgroupError):
            raise found
        return found

    monkeypatch.setattr(memory, "find_home", find_home)
    file = io.StringIO()
    home = memory.memory_home(HumanReporter(Console(file=file, highlight=False, width=200)))
    return home, file.getvalue()


def test_the_kernel_enforces_it(monkeypatch: pytest.MonkeyPatch) -> None:
    home = CgroupHome(Path("/sys/fs/cgroup/app"), 2)
    found, text = said(monkeypatch, home)
    assert found is home
    assert "MemorySize is enforced by the kernel (cgroup v2)" in text


def test_it_is_counted_and_why(monkeypatch: pytest.MonkeyPatch) -> None:
    found, text = said(monkeypatch, CgroupError("/sys/fs/cgroup: Read-only file system"))
    assert found is None
    assert (
        "MemorySize is checked 5 times a second; the kernel cannot enforce it: /sys/fs/cgroup: Read-only file system"
        in text
    )
