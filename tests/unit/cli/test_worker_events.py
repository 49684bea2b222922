"""A worker that died, as `penstock up` and `penstock logs` tell it."""

import io
from pathlib import Path

import orjson
import pytest
from rich.console import Console

from penstock.cli.logs import show_logs
from penstock.cli.reporter import HumanReporter, JsonReporter
from penstock.control_plane.fleet import FleetEvent, Happening
from penstock.telemetry import records
from penstock.telemetry.log_writer import LogWriter
from support.clock import VirtualClock

EVENT = FleetEvent("App", Happening.WORKER_DIED, 3, 3, slots=15, max_concurrency=16)


def test_for_people() -> None:
    file = io.StringIO()
    reporter = HumanReporter(Console(file=file, highlight=False, width=60))
    reporter.fleet(EVENT)
    reporter.info("16 workers [share]")
    reporter.close()
    assert file.getvalue().splitlines() == [
        "warning App environment : a worker process died, slots 15/16",
        "note    16 workers [share]",
    ]


def test_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    reporter = JsonReporter()
    reporter.fleet(EVENT)
    reporter.close()
    told = orjson.loads(capsys.readouterr().out)
    assert (told["event"], told["state"], told["slots"], told["maxConcurrency"]) == (
        "environment", "worker-died", 15, 16,
    )  # fmt: skip


def test_in_the_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    writer = LogWriter(tmp_path / ".penstock" / "stack" / "logs" / "App.jsonl", VirtualClock())
    writer.append("penstock.workerDied", records.worker_died(15, 16), environment="e" * 32, log_stream="s", time=0.0)
    writer.close()
    show_logs(template=tmp_path)
    assert capsys.readouterr().out.endswith(" WORKER_DIED Slots: 15/16\n")
