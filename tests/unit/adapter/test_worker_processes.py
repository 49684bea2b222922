"""PENSTOCK_WORKERS: how many processes, how they share the slots, and that they end together."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from penstock_adapter.endpoint import OptionError
from penstock_adapter.worker_processes import is_first, read_workers, share

# Tells its number and slots, and lives until a signal comes.
WORKER = """
import os, signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
signal.signal(signal.SIGUSR1, lambda *_: sys.exit(3))
sys.stdout.write(f"{os.getpid()} {os.environ['PENSTOCK_WORKER']} {os.environ['AWS_LAMBDA_MAX_CONCURRENCY']}\\n")
sys.stdout.flush()
signal.pause()
"""
PARENT = """
import os, sys
from penstock_adapter.worker_processes import run_workers
sys.exit(run_workers([sys.executable, "-c", sys.argv[1]], os.environ, 3))
"""


@pytest.mark.parametrize(("text", "workers"), [("1", 1), ("2", 2), ("64", 64), ("auto", 4)])
def test_number(text: str, workers: int) -> None:
    assert read_workers({"PENSTOCK_WORKERS": text}, 4) == workers
    assert read_workers({"PENSTOCK_WORKERS": text, "PENSTOCK_WORKER": "1"}, 4) == 1
    assert read_workers({"PENSTOCK_WORKERS": text, "AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start"}, 4) == 1


def test_one_by_default() -> None:
    assert read_workers({}, 4) == 1
    assert is_first({})
    assert not is_first({"PENSTOCK_WORKER": "1"})


@pytest.mark.parametrize("text", ["0", "65", "-1", "two", "", "1.5", "9" * 5000])
def test_no_number(text: str) -> None:
    with pytest.raises(OptionError, match=r"PENSTOCK_WORKERS=.* expected 1 to 64, or auto"):
        read_workers({"PENSTOCK_WORKERS": text}, 4)


@pytest.mark.parametrize(
    ("slots", "workers", "parts"), [(64, 2, [32, 32]), (64, 3, [22, 21, 21]), (2, 4, [1, 1]), (1, 1, [1])]
)
def test_share(slots: int, workers: int, parts: list[int]) -> None:
    assert share(slots, workers) == parts


@contextmanager
def three() -> Iterator["tuple[subprocess.Popen[str], dict[str, tuple[int, str]]]"]:
    """The parent, and pid and slots of each worker by its number."""
    source = str(Path(__file__).parents[3] / "src")
    variables = {**os.environ, "PYTHONPATH": source, "AWS_LAMBDA_MAX_CONCURRENCY": "64"}
    variables.pop("PENSTOCK_WORKER", None)
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, WORKER], env=variables, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout
        try:
            lines = [parent.stdout.readline().split() for _ in range(3)]
            yield parent, {number: (int(pid), slots) for pid, number, slots in lines}
        finally:
            parent.kill()


def test_they_share_the_slots_and_end_on_sigterm() -> None:
    with three() as (parent, workers):
        assert {number: slots for number, (_, slots) in workers.items()} == {"0": "22", "1": "21", "2": "21"}
        parent.send_signal(signal.SIGTERM)
        assert parent.wait(20) == 0
        assert parent.stdout
        assert parent.stdout.read() == ""  # ends when the last of them has


def test_when_one_ends_all_end() -> None:
    with three() as (parent, workers):
        os.kill(workers["1"][0], signal.SIGUSR1)
        assert parent.wait(20) == 3
        assert parent.stdout
        assert parent.stdout.read() == ""


@pytest.mark.skipif(sys.platform != "linux", reason="prctl is Linux's")
def test_they_die_with_their_parent() -> None:
    with three() as (parent, _):
        parent.kill()
        assert parent.wait(20) == -signal.SIGKILL
        assert parent.stdout
        assert parent.stdout.read() == ""
