"""What functions write and what the platform says of them, kept by `up` and shown by `penstock logs`."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.calls import Reply
from support.gate import Gate
from support.projects import Project, Shape, make_project
from support.up import command, running, shared_cache


@dataclass(frozen=True)
class Run:
    """One that has ended: two requests at the same time, both in its only environment, then one alone."""

    project: Project
    cache: Path
    environment: str
    first: Reply
    second: Reply
    alone: Reply

    def logs(self, *words: str) -> list[str]:
        ended = command(self.project, self.cache, "logs", *words)
        assert (ended.returncode, ended.stderr) == (0, "")
        return ended.stdout.splitlines()

    def records(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.project.logs.read_text().splitlines()]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    cache = shared_cache(tmp_path_factory)
    with Gate() as gate:
        project = make_project(tmp_path_factory.mktemp("logs") / "site", Shape({"GATE": gate.port}))
        with running(project, cache) as up:
            held = up.occupy(gate)
            second = up.get("/log?together")
            first = held.release()
            alone = up.get("/log?alone")
            (environment,) = up.environments
            assert up.stop() == 0
        yield Run(project, cache, environment, first, second, alone)


def test_the_function_s_lines_carry_the_request_where_it_can_be_known(run: Run) -> None:
    lines = {str(line["record"]): line.get("requestId") for line in run.records() if line["type"] == "function"}
    together, alone = run.second.request_id, run.alone.request_id
    assert lines[f"named together {together}"] == together
    assert lines[f"error together {together}"] == together
    assert lines["plain together"] is None  # two were running: nobody can know
    assert lines[f"named alone {alone}"] == alone


def test_every_line_is_a_whole_record(run: Run) -> None:
    for line in run.records():
        assert str(line["time"]).endswith("Z")
        assert line["environment"] == run.environment
        assert str(line["logStream"]).endswith(run.environment)
        assert line["type"] in ("function", "extension") or isinstance(line["record"], dict)


def test_the_platform_s_events_in_their_order(run: Run) -> None:
    types = [line["type"] for line in run.records() if str(line["type"]).startswith("platform.")]
    # The first of the two requests that overlapped ended after the second.
    assert types == [
        *("platform.initStart", "platform.initRuntimeDone", "platform.extension", "platform.initReport"),
        *("platform.start", "platform.start", "platform.report", "platform.report"),
        *("platform.start", "platform.report"),
    ]
    reports = [line["record"] for line in run.records() if line["type"] == "platform.report"]
    assert [report["status"] for report in reports if isinstance(report, dict)] == ["success"] * 3


def test_logs_show_that_requests_shared_an_environment(run: Run) -> None:
    lines = run.logs()
    short = run.environment[:8]
    for reply in (run.first, run.second, run.alone):
        for word in ("START RequestId:", "END RequestId:", "REPORT RequestId:"):
            (line,) = [line for line in lines if f"{word} {reply.request_id}" in line]
            assert line.split()[1] == short
    starts = [line for line in lines if "START RequestId" in line]
    ends = [line for line in lines if "END RequestId" in line]
    assert lines.index(starts[1]) < lines.index(ends[0])  # both ran at the same time
    assert any(line.endswith("plain together") for line in lines)


def test_logs_of_one_request(run: Run) -> None:
    request_id = run.second.request_id
    lines = run.logs("App", "--request-id", request_id)
    assert [line.split(maxsplit=3)[3].split(" Duration:")[0] for line in lines] == [
        f"START RequestId: {request_id} Version: 1",
        f"named together {request_id}",
        f"error together {request_id}",
        f"END RequestId: {request_id}",
        f"REPORT RequestId: {request_id}",
    ]


def test_logs_as_they_are_kept(run: Run) -> None:
    assert [json.loads(line) for line in run.logs("--json")] == run.records()


def test_kept_out_of_the_user_s_repository(run: Run) -> None:
    assert (run.project.folder / ".penstock" / ".gitignore").read_text() == "*\n"
