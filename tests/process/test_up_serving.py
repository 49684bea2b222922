"""`penstock up` with three environments side by side, each on a port that its app takes for its own."""

import json
from collections.abc import Iterator

import pytest

from support.calls import Reply
from support.gate import Gate
from support.projects import MARK, Project, Shape, make_project
from support.sandbox_rig import need_namespaces
from support.up import HOST_VARIABLES, Up, eventually, running, shared_cache

# https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime and, for
# Managed Instances, rapidcore/env of https://github.com/aws/aws-lambda-runtime-interface-emulator.
LAMBDA_VARIABLES = {
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_DEFAULT_REGION"),
    *("AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_VERSION", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE"),
    *("AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_MAX_CONCURRENCY", "AWS_LAMBDA_RUNTIME_API"),
    *("AWS_LAMBDA_LOG_FORMAT", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME"),
    *("AWS_EXECUTION_ENV", "AWS_XRAY_CONTEXT_MISSING", "LAMBDA_RUNTIME_DIR", "LAMBDA_TASK_ROOT", "_HANDLER"),
    *("AWS_XRAY_DAEMON_ADDRESS", "_AWS_XRAY_DAEMON_ADDRESS", "_AWS_XRAY_DAEMON_PORT"),
    *("LANG", "TZ", "PATH", "LD_LIBRARY_PATH", "AWS_EXECUTION_ENV"),
}
OWN_VARIABLES = {"AWS_LAMBDA_EXEC_WRAPPER", "AWS_LWA_INVOKE_MODE", "PORT", "GATE", "GREETING", MARK}
# What tells our adapter what this platform can do.
OWN_SIGNS = {"AWS_LWA_PORT", "PENSTOCK_LINK", "PENSTOCK_POLLS_AHEAD"}
# What /bin/sh and Python's locale coercion set by themselves on the way to the app.
ADDED_INSIDE = {"PWD", "OLDPWD", "SHLVL", "_", "LC_CTYPE"}


@pytest.fixture(scope="module")
def gate() -> Iterator[Gate]:
    with Gate() as gate:
        yield gate


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, gate: Gate) -> Project:
    return make_project(tmp_path_factory.mktemp("serving") / "site", Shape({"GATE": gate.port, "GREETING": "hello"}))


@pytest.fixture(scope="module")
def up(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    with running(project, shared_cache(tmp_path_factory), environments=None) as up:
        up.wait_for("ready")
        yield up


def from_each(up: Up, gate: Gate, path: str) -> list[Reply]:
    """The answer of every environment: each is kept busier than the rest once it has answered."""
    replies, held = [], []
    for _ in up.environments:
        replies.append(up.get(path))
        held.append(up.occupy(gate))
    assert [one.release().text for one in held] == ["waited"] * len(held)
    assert sorted(reply.environment for reply in replies) == sorted(up.environments)
    return replies


def test_three_environments_stand_ready_before_it_serves(up: Up) -> None:
    events = [event["event"] for event in up.events if event.get("state") != "starting"]
    assert events[: events.index("ready")][-3:] == ["environment"] * 3
    counts = [(event["ready"], event["wanted"]) for event in up.said("environment", state="ready")[:3]]
    assert counts == [(1, 3), (2, 3), (3, 3)]
    assert list(up.wait_for("ready")["urls"]) == ["App"]
    assert up.get().text == "ok"


def test_environments_share_the_requests(up: Up, gate: Gate) -> None:
    held = [up.occupy(gate) for _ in range(6)]
    assert sorted(one.visit.environment for one in held) == sorted(up.environments * 2)
    assert [one.release().text for one in held] == ["waited"] * 6


def test_all_slots_taken_is_429_at_once(up: Up, gate: Gate) -> None:
    held = [up.occupy(gate) for _ in range(12)]
    refused = up.get()
    assert refused.status == 429
    assert refused.headers["x-amzn-errortype"] == "TooManyRequestsException"
    assert [one.release().text for one in held] == ["waited"] * 12
    assert eventually(lambda: up.get().status == 200, "a free slot")


def test_each_request_is_told(up: Up) -> None:
    reply = up.get("/some/path?query=1")
    event = up.wait_for("request", requestId=reply.request_id)
    assert event["durationMs"] > 0
    del event["durationMs"]
    assert event == {
        "event": "request",
        "function": "App",
        "method": "GET",
        "path": "/some/path",
        "status": 200,
        "bytes": 2,
        "environment": reply.environment,
        "requestId": reply.request_id,
        "note": "",
    }


def test_the_function_sees_lambdas_variables_and_its_own_alone(up: Up) -> None:
    variables: dict[str, str] = json.loads(up.get("/environ").text)
    assert set(variables) - ADDED_INSIDE == LAMBDA_VARIABLES | OWN_VARIABLES | OWN_SIGNS
    assert variables["GREETING"] == "hello"
    assert variables["_HANDLER"] == "run.sh"
    assert variables["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "2048"
    assert variables["AWS_LAMBDA_MAX_CONCURRENCY"] == "4"
    assert variables["AWS_LAMBDA_INITIALIZATION_TYPE"] == "lambda-managed-instances"


def test_nothing_of_the_host_leaks_in(up: Up) -> None:
    """Neither to the function nor to the extension beside it."""
    environment = up.environments[0]
    for process in (up.runtime(environment), up.adapter(environment)):
        text = "\n".join(process.environ().values())
        assert [value for value in HOST_VARIABLES.values() if value in text] == []


def test_each_environment_has_its_own_port_and_api(up: Up, gate: Gate) -> None:
    seen = [json.loads(reply.text) for reply in from_each(up, gate, "/environ")]
    for name in ("PORT", "AWS_LAMBDA_RUNTIME_API", "AWS_LAMBDA_LOG_STREAM_NAME"):
        assert len({variables[name] for variables in seen}) == 3


def test_each_environment_has_its_own_temporary_folder(up: Up, gate: Gate) -> None:
    from_each(up, gate, "/note?once")
    assert [reply.text for reply in from_each(up, gate, "/note?twice")] == ["once\ntwice\n"] * 3


def test_the_places_of_lambda(up: Up) -> None:
    need_namespaces()
    facts = json.loads(up.get("/look").text)
    assert facts["cwd"] == "/var/task"
    assert {"app.py", "run.sh"} <= set(facts["task"])
    assert facts["opt"] == ["bootstrap", "extensions"]
    assert facts["tmp"] == "/tmp"
    wrote = json.loads(up.get("/write?/var/task,/opt,/var,/usr,/tmp").text)
    assert wrote == {"/var/task": "EROFS", "/opt": "EROFS", "/var": "EROFS", "/usr": "EROFS", "/tmp": "ok"}
    assert not up.said("warning")


def test_what_a_request_leaves_behind_does_not_keep_it_open(up: Up, gate: Gate) -> None:
    """A background process of the function neither blocks the answer nor the next request."""
    assert up.get("/daemon").text == "left one behind"
    visit = gate.next("daemon")
    assert up.get().text == "ok"
    assert not visit.is_over()
