"""What a tree of processes holds: all of it, once, and without the platform's own part of the tree."""

import os
import runpy
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import psutil  # while this is Linux: a test says it is not
import pytest

from penstock.environment.memory import tree as tree_module
from penstock.environment.memory.tree import ProcessTree

MIB = 1 << 20

# Holds 60 MiB, forks so many that hold the same pages, and says so.
_FAMILY = """
import os, sys
held = bytearray(b"x") * (60 << 20)
for _ in range(int(sys.argv[1])):
    if not os.fork():
        sys.stdin.read()
        os._exit(0)
print("up", flush=True)
sys.stdin.read()
"""


@contextmanager
def family(forks: int) -> Iterator[None]:
    command = [sys.executable, "-ISc", _FAMILY, str(forks)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        yield


def test_all_processes_count() -> None:
    tree = ProcessTree(os.getpid())
    with family(0), family(0):
        assert tree.holds_more_than(115 * MIB)
        assert not tree.holds_more_than(180 * MIB)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells who shares a page")
def test_pages_that_forks_share_count_once() -> None:
    tree = ProcessTree(os.getpid())
    with family(3):
        assert tree.holds_more_than(55 * MIB)
        assert not tree.holds_more_than(100 * MIB)


def test_what_ran_before_does_not_count() -> None:
    with family(1):
        tree = ProcessTree(os.getpid())
        assert not tree.holds_more_than(1)


def test_how_much_is_held() -> None:
    tree = ProcessTree(os.getpid())
    assert tree.held() == 0
    with family(0), family(0):
        assert 115 * MIB < tree.held() < 180 * MIB


# Works for so many seconds, in a child that it waits for and then itself, and says so.
_WORKER = """
import os, sys, time
def work():
    while time.process_time() < float(sys.argv[1]):
        pass
if not os.fork():
    work()
    os._exit(0)
os.wait()
work()
print("up", flush=True)
sys.stdin.read()
"""


def test_how_long_they_have_worked() -> None:
    tree = ProcessTree(os.getpid())
    assert tree.worked() == 0.0
    command = [sys.executable, "-ISc", _WORKER, "0.3"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        assert tree.worked() == pytest.approx(0.6, abs=0.15)


def test_nothing_runs() -> None:
    with subprocess.Popen(["true"]) as ended:
        ended.wait()
    assert not ProcessTree(ended.pid).holds_more_than(0)


def test_the_same_where_there_is_no_proc(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on macOS; psutil can count on this machine as well."""
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(sys, "platform", "darwin")
        names = runpy.run_path(tree_module.__file__)
    tree = names["ProcessTree"](os.getpid())
    with family(0), family(0):
        assert tree.holds_more_than(115 * MIB)
        assert not tree.holds_more_than(180 * MIB)
        assert 115 * MIB < tree.held() < 180 * MIB
        assert 0 < tree.worked() < 60
    with psutil.Popen(["true"]) as ended:
        ended.wait()
    assert not names["ProcessTree"](ended.pid).holds_more_than(0)
