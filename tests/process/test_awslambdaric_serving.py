"""Ordinary handlers in AWS's own runtime client: workers in processes of their own, errors, logs, what they see."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from support.gate import Gate
from support.handlers import make_handler_project, running_handler
from support.projects import Project, Shape
from support.up import Up, eventually, shared_cache

WORKERS = 16


@pytest.fixture(scope="module")
def gate() -> Iterator[Gate]:
    with Gate() as gate:
        yield gate


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, gate: Gate) -> Project:
    return make_handler_project(tmp_path_factory.mktemp("ric") / "site", Shape(concurrency=WORKERS), gate)


@pytest.fixture(scope="module")
def up(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    with running_handler(project, shared_cache(tmp_path_factory)) as up:
        up.wait_for("ready")
        yield up


def records(project: Project, request_id: str | None = None) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in project.logs.read_text().splitlines()]
    return [line for line in lines if request_id is None or line.get("requestId") == request_id]


def logged(project: Project, request_id: str, **fields: str) -> dict[str, Any]:
    """The JSON line of the function that has these fields, in the log under this request."""

    def found() -> dict[str, Any] | None:
        for record in records(project, request_id):
            line = record["record"]
            if record["type"] == "function" and line.startswith("{"):
                said: dict[str, Any] = json.loads(line)
                if fields.items() <= said.items():
                    return said
        return None

    return eventually(found, f"a log line of {request_id} with {fields}")


def test_two_at_once_run_in_two_processes_of_one_environment(up: Up, gate: Gate) -> None:
    held = [up.occupy(gate) for _ in range(2)]
    assert held[0].visit.pid != held[1].visit.pid
    assert held[0].visit.environment == held[1].visit.environment
    assert [json.loads(one.release().text) for one in held] == [one.visit.pid for one in held]


def test_as_many_at_once_as_there_are_workers_and_one_more_is_429(up: Up, gate: Gate) -> None:
    held = [up.occupy(gate) for _ in range(WORKERS)]
    assert len({one.visit.pid for one in held}) == WORKERS
    assert up.get("/log").status == 429
    assert {one.release().status for one in held} == {200}


def test_memory_is_shared_by_the_workers(up: Up) -> None:
    assert up.said("info", text="App: 16 workers share 2048 MB: 128 MB each")


def test_an_exception_is_502_and_told_with_its_type(up: Up, project: Project) -> None:
    reply = up.get("/fail")
    assert reply.status == 502
    event = up.wait_for("request", requestId=reply.request_id)
    assert event["note"] == "Runtime.Unknown: ValueError: it broke"
    line = logged(project, reply.request_id, level="ERROR")
    assert (line["errorType"], line["errorMessage"]) == ("ValueError", "it broke")
    assert any("/var/task/app.py" in frame or "/task/app.py" in frame for frame in line["stackTrace"])
    assert up.get("/log").status == 200


def test_log_lines_are_found_by_request(up: Up, project: Project) -> None:
    reply = up.get("/log")
    line = logged(project, reply.request_id, message="said by the handler")
    assert (line["level"], line["logger"]) == ("WARNING", "probe")


def test_lines_of_workers_that_print_at_once_stay_whole(up: Up, gate: Gate, project: Project) -> None:
    held = [up.occupy(gate, "/write") for _ in range(4)]
    for one in held:
        one.visit.release()
    pids = [json.loads(one.call.rest().text) for one in held]
    pattern = re.compile(r"(\d+):\d+:x{40}")

    def printed() -> list[str]:
        lines = [record["record"] for record in records(project) if record["type"] == "function"]
        return [line for line in lines if "xxxx" in line]

    eventually(lambda: len(printed()) >= 800, "all that was printed")
    matches = [pattern.fullmatch(line) for line in printed()]
    assert Counter(match[1] for match in matches if match) == {str(pid): 200 for pid in pids}


def test_what_the_handler_sees(up: Up) -> None:
    seen = json.loads(up.get("/look").text)
    variables = seen["variables"]
    assert variables["AWS_EXECUTION_ENV"] == "AWS_Lambda_python3.13"
    assert variables["AWS_LAMBDA_MAX_CONCURRENCY"] == str(WORKERS)
    assert variables["PYTHONPATH"] == variables["LAMBDA_RUNTIME_DIR"]
    assert "AWS_LWA_PORT" not in variables
    assert seen["cwd"] == variables["LAMBDA_TASK_ROOT"]
    assert seen["path"][0] == variables["LAMBDA_TASK_ROOT"]
    assert seen["path"][1].endswith("/python/lib/python3.13/site-packages")
    assert seen["path"][2].endswith("/python")
    assert seen["path"][3] == variables["LAMBDA_RUNTIME_DIR"]
    assert not any("site-packages" in entry for entry in seen["path"][4:])
    assert 0 < seen["remaining"] <= 30_000
    assert seen["arn"].endswith(":live")


def test_boto3_is_there(up: Up) -> None:
    assert json.loads(up.get("/load?boto3").text).endswith("/runtime/boto3/__init__.py")
