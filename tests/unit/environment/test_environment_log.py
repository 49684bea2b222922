"""Log records of one environment, in virtual time."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from penstock.environment.invocation_log import LAST_LINES, EnvironmentLog
from penstock.model.errors import FunctionError
from penstock.runtime_api.running import Outcome
from penstock.telemetry.log_writer import LogWriter
from support.functions import function
from support.runtime_rig import RuntimeRig


class Rig(RuntimeRig):
    def __init__(self, folder: Path, slots: int = 2, arn: str = "arn:aws:lambda:r:1:function:app") -> None:
        super().__init__()
        self._path = folder / "app.jsonl"
        self._writer = LogWriter(self._path, self.clock)
        self.function = replace(function(folder), max_concurrency=slots, arn=arn)
        self.log = EnvironmentLog(self._writer, self.function, self.clock, "e1", "stream")

    def text(self) -> bytes:
        self._writer.close()
        return self._path.read_bytes()

    def records(self) -> list[dict[str, Any]]:
        return [orjson.loads(line) for line in self.text().splitlines()]

    def line(self, text: bytes) -> None:
        self.log.line("function", text, self.api)


def test_line_of_the_only_running_invocation_is_its_own(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.run("r1")
    rig.poll()
    rig.line(b"hello")
    [record] = rig.records()
    assert (record["record"], record["requestId"]) == ("hello", "r1")


def test_line_is_nobodys_while_a_timed_out_worker_may_have_written_it(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.run("r1", timeout=1)
    rig.clock.advance(1)
    rig.run("r2")
    rig.line(b"hello")
    [record] = rig.records()
    assert record.get("requestId") is None


def test_line_that_is_not_text_is_kept_readable(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.line(b"\xffx")
    assert rig.records()[0]["record"] == "\\xffx"


def test_last_lines_are_kept(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    for number in range(LAST_LINES + 1):
        rig.line(b"%d" % number)
    assert rig.log.last_lines == tuple(str(number) for number in range(1, LAST_LINES + 1))


def test_start_and_report_of_an_invocation(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    invocation = rig.invocation("r1")
    rig.log.invocation_started(invocation)
    rig.clock.advance(2)
    rig.log.invocation_ended(invocation, Outcome(FunctionError("Function.Broken"), 2.0, 0.5, 1.5))
    start, report = rig.records()
    assert (start["type"], report["type"]) == ("platform.start", "platform.report")
    assert start["record"]["requestId"] == report["record"]["requestId"] == "r1"
    assert report["record"]["status"] == "error"
    assert report["record"]["errorType"] == "Function.Broken"
    assert report["record"]["metrics"] == {"durationMs": 2000.0}
    assert report["record"]["spans"] == [
        {"name": "responseLatency", "start": "2023-11-14T22:13:20.000Z", "durationMs": 500.0},
        {"name": "responseDuration", "start": "2023-11-14T22:13:20.500Z", "durationMs": 1500.0},
    ]


def test_spans_that_never_were_are_left_out(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.log.invocation_ended(rig.invocation("r1"), Outcome(None, 2.0, None, None))
    rig.log.invocation_ended(rig.invocation("r2"), Outcome(None, 2.0, 0.5, None))
    silent, begun = rig.records()
    assert "spans" not in silent["record"]
    assert [span["name"] for span in begun["record"]["spans"]] == ["responseLatency"]


@pytest.mark.parametrize("duration", [0.0, 0.001, 0.0123456, 1.0, 3.5, 899.9999])
@pytest.mark.parametrize("name", ["app", 'a"b'])
def test_lines_from_templates_are_those_of_the_general_way(tmp_path: Path, name: str, duration: float) -> None:
    """A sampled request goes the general way; but for that they are the same."""
    outcome = Outcome(None, duration, duration / 3, duration - duration / 3)
    found = []
    for trace in ("Root=1-a-b", "Root=1-a-b;Sampled=1"):
        rig = Rig(tmp_path / trace, arn=f"arn:aws:lambda:us-east-1:123456789012:function:{name}")
        invocation = rig.invocation("r1")
        invocation.function_arn = rig.function.qualified_arn
        invocation.trace_id = trace
        rig.clock.advance(1_000.5)
        rig.log.invocation_started(invocation)
        rig.log.invocation_ended(invocation, outcome)
        found.append(rig.text())
    tracing = b',"tracing":{"type":"X-Amzn-Trace-Id","value":"Root=1-a-b;Sampled=1"}'
    assert found[0].count(b"\n") == 2
    assert found[1].count(tracing) == 2
    assert found[0] == found[1].replace(tracing, b"")
