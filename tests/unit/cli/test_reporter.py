"""What `penstock up` tells, for people and for programs."""

import io
import re
from typing import Any

import orjson
import pytest
from rich.console import Console

from penstock.cli.reporter import HumanReporter, JsonReporter, access_line, attempt_line
from penstock.control_plane.fleet import FleetEvent, Happening
from penstock.invoke_api.queued_event import DiscardedEvent, EventAttempt
from penstock.invoke_api.retry import Condition
from penstock.model.errors import FunctionError, StartError
from penstock.telemetry.access import AccessRecord

RECORD = AccessRecord(
    function="App",
    method="GET",
    path="/[red]x[/]",
    status=200,
    duration=3.0124,
    sent=61,
    environment_id="1f0c9a2b" + "0" * 24,
    request_id="5e000000-0000-4000-8000-000000000000",
)
BROKEN = StartError("Runtime.ExitError", "runtime exited: [exit] 1", ("line [one]", "line two"))


class Human:
    def __init__(self) -> None:
        self._file = io.StringIO()
        self.reporter = HumanReporter(Console(file=self._file, highlight=False, width=60))

    def text(self) -> str:
        self.reporter.close()
        return self._file.getvalue()


def event(happening: Happening, error: StartError | None = None) -> FleetEvent:
    return FleetEvent("App", happening, 1, 3, None, error)


def test_lines_while_it_starts() -> None:
    human = Human()
    human.reporter.progress("installing [fastapi]")
    human.reporter.warn("no [python3.13] here")
    human.reporter.fleet(event(Happening.STARTING))
    human.reporter.fleet(event(Happening.READY))
    assert human.text().splitlines() == [
        "installing [fastapi]",
        "warning no [python3.13] here",
        "App: starting environments, 1/3 ready",
        "ready   App environment  (1/3)",
    ]


def test_urls_and_the_outputs_that_are_none() -> None:
    human = Human()
    url = "http://127.0.0.1:3000/"
    human.reporter.serving({"App": url}, {"Url": url, "Arn": "arn:aws:lambda:" + "x" * 80})
    assert human.text().splitlines() == [
        f"output  Arn = arn:aws:lambda:{'x' * 80}",
        f"serving App at {url}",
        "Ctrl-C to stop",
    ]


def test_everything_after_serving_comes_in_order() -> None:
    human = Human()
    human.reporter.serving({}, {})
    human.reporter.access(RECORD)
    human.reporter.fleet(event(Happening.STARTING))
    human.reporter.fleet(event(Happening.DIED, BROKEN))
    human.reporter.fleet(event(Happening.START_FAILED, BROKEN))
    human.reporter.stopping(0)
    human.reporter.stopping(2)
    _, access, died, failed, stopping, waiting = human.text().splitlines()
    assert "GET /[red]x[/]" in access
    assert died == "died    App environment : Runtime.ExitError: runtime exited: [exit] 1; replacing it"
    assert failed == "failed  App new environment: Runtime.ExitError: runtime exited: [exit] 1"
    assert stopping == "stopping"
    assert waiting == "stopping, waiting for open requests: 2 (Ctrl-C again to cut them)"


def test_function_that_cannot_start_is_told_with_its_own_last_lines() -> None:
    human = Human()
    human.reporter.failed("App", BROKEN)
    assert human.text().splitlines() == [
        "error   App cannot start: Runtime.ExitError: runtime exited: [exit] 1",
        "  | line [one]",
        "  | line two",
    ]


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (RECORD, r"  200    3012\.4 ms        61 B  GET /\[red\]x\[/\]  env 1f0c9a2b  req 5e000000-"),
        (
            AccessRecord("App", "GET", "/", 0, 0.0, 0, "", "r", "client left"),
            r"  ---  .*  env -  req r  \(client left\)$",
        ),
    ],
)
def test_access_line(record: AccessRecord, expected: str) -> None:
    line = access_line(record, 0.0)
    assert re.match(r"\d\d:\d\d:\d\d\.\d{3}  ", line)
    assert re.search(expected, line)
    assert line.endswith("\n")


def test_json_lines(capsys: pytest.CaptureFixture[str]) -> None:
    reporter = JsonReporter()
    reporter.progress("p")
    reporter.warn("w")
    reporter.fleet(event(Happening.DIED, BROKEN))
    reporter.serving({"App": "http://u/"}, {"Url": "http://u/"})
    reporter.access(RECORD)
    reporter.stopping(2)
    reporter.failed("App", BROKEN)
    reporter.close()
    told: list[dict[str, Any]] = [orjson.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one.pop("event") for one in told] == [
        "progress", "warning", "environment", "ready", "request", "stopping", "failed",
    ]  # fmt: skip
    assert told == [
        {"text": "p"},
        {"text": "w"},
        {"function": "App", "state": "died", "environment": None, "ready": 1, "wanted": 3, "error": str(BROKEN)},
        {"urls": {"App": "http://u/"}, "outputs": {"Url": "http://u/"}, "awsEndpoint": None},
        {
            "function": "App",
            "method": "GET",
            "path": "/[red]x[/]",
            "status": 200,
            "durationMs": 3012.4,
            "bytes": 61,
            "environment": RECORD.environment_id,
            "requestId": RECORD.request_id,
            "note": "",
        },
        {"openRequests": 2},
        {
            "function": "App",
            "errorType": "Runtime.ExitError",
            "errorMessage": "runtime exited: [exit] 1",
            "output": ["line [one]", "line two"],
        },
    ]


ATTEMPT = EventAttempt("App", "r-1", "e" * 32, 2, 0.0123, 60.5, FunctionError("Runtime.Unknown", "no"), 120.0)
DISCARDED = DiscardedEvent("App", "r-1", Condition.RETRIES_EXHAUSTED, 3, ("arn:aws:sqs:r:1:q",))


def test_attempts_and_discarded_events_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    reporter = JsonReporter()
    reporter.event_attempt(ATTEMPT)
    reporter.event_discarded(DISCARDED)
    reporter.close()
    attempt, discarded = [orjson.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert attempt == {
        "event": "attempt",
        "function": "App",
        "requestId": "r-1",
        "environment": "e" * 32,
        "number": 2,
        "durationMs": 12.3,
        "ageMs": 60500.0,
        "error": "Runtime.Unknown: no",
        "retryIn": 120.0,
    }
    assert discarded == {
        "event": "discarded",
        "function": "App",
        "requestId": "r-1",
        "condition": "RetriesExhausted",
        "attempts": 3,
        "keptIn": ["arn:aws:sqs:r:1:q"],
    }


def test_an_attempt_for_people() -> None:
    line = attempt_line(ATTEMPT, 0.0)
    assert "EVENT App attempt 2  env eeeeeeee  req r-1  (Runtime.Unknown: no; again in 120 s)\n" in line


def test_a_discarded_event_for_people() -> None:
    console = Console(file=io.StringIO(), width=200)
    reporter = HumanReporter(console)
    reporter.event_discarded(DISCARDED)
    reporter.close()
    assert isinstance(console.file, io.StringIO)
    assert console.file.getvalue() == (
        "warning App: asynchronous invocation r-1 given up after 3 attempts (RetriesExhausted); "
        "kept in arn:aws:sqs:r:1:q\n"
    )
