"""What is told of each invocation, in the log and to subscribers: the checklist of AWS's own suites (`rt-<number>`)."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from penstock.environment.invocation_log import EnvironmentLog
from penstock.model.errors import PlatformError
from penstock.model.invocation import Invocation
from penstock.runtime_api.running import Outcome
from penstock.telemetry.log_writer import LogWriter
from support.functions import function
from support.runtime_rig import ARN, RuntimeRig, chunks

TRACE = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"


class Rig(RuntimeRig):
    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._path = folder / "app.jsonl"
        self._writer = LogWriter(self._path, self.clock)
        self._log = EnvironmentLog(self._writer, function(folder), self.clock, "e1", "stream")

    def invocation_started(self, invocation: Invocation) -> None:
        invocation.trace_id = TRACE
        self._log.invocation_started(invocation)

    def invocation_ended(self, invocation: Invocation, outcome: Outcome) -> None:
        self._log.invocation_ended(invocation, outcome)

    def records(self) -> list[tuple[str, dict[str, Any]]]:
        self._writer.close()
        written = self._path.read_bytes() if self._path.exists() else b""
        lines = [orjson.loads(line) for line in written.splitlines()]
        return [(line["type"], line["record"]) for line in lines]


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


def test_rt_73_start(rig: Rig) -> None:
    rig.run("r1")
    assert rig.records() == [
        (
            "platform.start",
            {
                "requestId": "r1",
                "version": "1",
                "functionArn": ARN,
                "tracing": {"type": "X-Amzn-Trace-Id", "value": TRACE},
            },
        )
    ]


@pytest.mark.parametrize("status", ["success", "error", "failure"])
def test_rt_74_203_report_of_what_ended(rig: Rig, status: str) -> None:
    worker, _ = rig.run("r1")
    rig.clock.advance(0.5)
    worker.open_response("r1")
    rig.clock.advance(1)
    if status == "success":
        worker.send(chunks(b"x"))
    elif status == "error":
        worker.send(chunks(trailers={"lambda-runtime-function-error-type": "Function.Odd"}))
    else:
        rig.api.abort(PlatformError("Client.ExecutionEnvironmentShutDown"))
    kind, report = rig.records()[-1]
    errors = {"success": None, "error": "Function.Odd", "failure": "Client.ExecutionEnvironmentShutDown"}
    assert (kind, report["status"], report.get("errorType")) == ("platform.report", status, errors[status])
    assert [(span["name"], span["durationMs"]) for span in report["spans"]] == [
        ("responseLatency", 500.0),
        ("responseDuration", 1000.0),
    ]
    assert report["metrics"] == {"durationMs": 1500.0}


def test_rt_75_report_of_what_was_never_answered(rig: Rig) -> None:
    rig.run("r1")
    rig.clock.advance(3)
    _, report = rig.records()[-1]
    assert (report["status"], report["errorType"]) == ("timeout", "Sandbox.Timedout")
    assert "spans" not in report


def test_rt_76_report_of_an_answer_that_was_cut_by_the_deadline(rig: Rig) -> None:
    """Unlike in the emulator what was relayed until then is told: here it was relayed."""
    worker, _ = rig.run("r1")
    rig.clock.advance(1)
    worker.open_response("r1").send(chunks(b"x", end=False))
    rig.clock.advance(2)
    _, report = rig.records()[-1]
    assert report["status"] == "timeout"
    assert report["spans"][0]["name"] == "responseLatency"
    assert report["spans"][0]["durationMs"] == 1000.0


def test_rt_77_cause_comes_before_the_report(rig: Rig) -> None:
    worker, _ = rig.run("r1")
    worker.error("r1", b"{}", {"lambda-runtime-function-xray-error-cause": '{"message":"why","paths":["a"]}'})
    kinds = [kind for kind, _ in rig.records()]
    assert kinds == ["platform.start", "penstock.errorCause", "platform.report"]
    assert rig.records()[1][1] == {
        "requestId": "r1",
        "cause": {"exceptions": None, "working_directory": "", "paths": ["a"], "message": "why"},
    }


def test_rt_78_what_was_never_dispatched_is_not_told(rig: Rig) -> None:
    assert not rig.api.invoke(rig.invocation("r1"))
    assert rig.records() == []
