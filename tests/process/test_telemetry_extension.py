"""Extensions as real processes that subscribe to telemetry, with the whole of `penstock up` around them."""

import json
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from support.projects import LAYER, Project, Shape, make_project
from support.sandbox_rig import need_namespaces
from support.up import running, shared_cache

OURS = "arn:aws:lambda:us-east-1:123456789012:layer:telemetry:1"
SCRIPT = Path(__file__).parents[1] / "support" / "telemetry_extension.py"

Told = dict[str, list[dict[str, Any]]]
"""Name of an extension -> the events it was sent."""


@pytest.fixture
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shared_cache(tmp_path_factory)


def make_layer(folder: Path, **extensions: str) -> tuple[str, str]:
    """Flags of `up` for a layer of extensions: name -> kind and port."""
    launchers = folder / "layer" / "extensions"
    launchers.mkdir(parents=True)
    shutil.copyfile(SCRIPT, folder / "layer" / "telemetry.py")
    for name, arguments in extensions.items():
        launcher = launchers / name
        launcher.write_text(f'#!/bin/sh\nexec python3 -S "$(dirname "$0")/../telemetry.py" {name} {arguments}\n')
        launcher.chmod(0o755)
    return "--layer", f"{OURS}={folder / 'layer'}"


def make_site(folder: Path) -> Project:
    return make_project(folder, Shape(layers=(LAYER, OURS)))


def log_of(project: Project) -> list[dict[str, Any]]:
    return [json.loads(line) for line in project.logs.read_text().splitlines()]


def told(project: Project) -> Told:
    """What each extension said at SHUTDOWN."""
    said = [
        json.loads(line["record"].removeprefix("TOLD "))
        for line in log_of(project)
        if line["type"] == "extension" and line["record"].startswith("TOLD ")
    ]
    assert {one["event"] for one in said} == {"SHUTDOWN"}
    assert {path for one in said for path in one["paths"]} <= {f"/telemetry?from={one['name']}" for one in said}
    return {one["name"]: one["received"] for one in said}


def kinds(events: list[dict[str, Any]], category: str) -> list[str]:
    return [event["type"] for event in events if event["type"].startswith(category)]


def lines(events: list[dict[str, Any]], kind: str) -> list[str]:
    return [event["record"] for event in events if event["type"] == kind]


@pytest.mark.parametrize("network", ["host", "isolated"])
def test_rt_6_two_subscribers_hear_everything(network: str, tmp_path: Path, cache: Path) -> None:
    """Over HTTP and over TCP, from the beginning of init to the last line before SHUTDOWN."""
    if network == "isolated":
        need_namespaces()
    # In networks of their own, every environment's extension may have the same port.
    port = 4243 if network == "isolated" else 0
    flags = make_layer(tmp_path, over_http=f"http {port}", over_tcp=f"tcp {port + 1 if port else 0}")
    project = make_site(tmp_path / "site")
    with running(project, cache, *flags, "--network", network, environments=1) as up:
        up.wait_for("ready")
        assert up.get("/log?hello").status == 200
        assert up.stop() == 0
    subscribers = told(project)
    assert set(subscribers) == {"over_http", "over_tcp"}
    for events in subscribers.values():
        check_order(events)
        assert {event["record"]["name"] for event in events if event["type"] == "platform.telemetrySubscription"} == {
            "over_http",
            "over_tcp",
        }
        (request_id,) = {event["record"]["requestId"] for event in events if event["type"] == "platform.start"}
        assert lines(events, "function") == [
            "plain hello",
            f"named hello {request_id}",
            f"error hello {request_id}",
        ]
        assert {"hello from over_http", "hello from over_tcp"} <= set(lines(events, "extension"))
        assert check_report(events) == request_id
    check_same_as_log(project, subscribers)


def check_order(events: list[dict[str, Any]]) -> None:
    platform = [kind for kind in kinds(events, "platform.") if kind != "platform.telemetrySubscription"]
    assert platform == [
        "platform.initStart",
        "platform.initRuntimeDone",
        *["platform.extension"] * 3,
        "platform.initReport",
        "platform.start",
        "platform.report",
    ]
    by_kind = {event["type"]: event["record"] for event in events}
    assert by_kind["platform.initStart"]["initializationType"] == "lambda-managed-instances"
    assert by_kind["platform.initRuntimeDone"]["status"] == "success"
    assert by_kind["platform.initReport"]["status"] == "success"
    extensions = {(one["name"], one["state"]) for one in (e["record"] for e in events if "state" in e["record"])}
    assert {("over_http", "Ready"), ("over_tcp", "Ready"), ("lambda-adapter", "Ready")} <= extensions


def check_report(events: list[dict[str, Any]]) -> str:
    (report,) = [event["record"] for event in events if event["type"] == "platform.report"]
    assert report["status"] == "success"
    assert [span["name"] for span in report["spans"]] == ["responseLatency", "responseDuration"]
    return str(report["requestId"])


def check_same_as_log(project: Project, subscribers: Told) -> None:
    """Time for time and record for record what the function's log says."""
    logged = {(line["time"], line["type"], json.dumps(line["record"])) for line in log_of(project)}
    for events in subscribers.values():
        for event in events:
            if event["type"] != "platform.telemetrySubscription":
                assert (event["time"], event["type"], json.dumps(event["record"])) in logged


def test_a_subscriber_that_never_answers_holds_up_nothing(tmp_path: Path, cache: Path) -> None:
    flags = make_layer(tmp_path, deaf="deaf 0", healthy="tcp 0")
    project = make_site(tmp_path / "site")
    with running(project, cache, *flags, environments=1) as up:
        up.wait_for("ready")
        for number in range(20):
            assert up.get(f"/log?{number}").status == 200
        began = time.monotonic()
        assert up.stop() == 0
        assert time.monotonic() - began < 10.0  # the shutdown phase has 2 s
    subscribers = told(project)
    assert len(kinds(subscribers["healthy"], "platform.report")) == 20
    assert subscribers["deaf"] == []


def test_a_failed_init_is_told(tmp_path: Path, cache: Path) -> None:
    flags = make_layer(tmp_path, over_http="http 0")
    project = make_site(tmp_path / "site")
    (project.code / "app.py").write_text("raise SystemExit('no way')\n")
    with running(project, cache, *flags, environments=1) as up:
        assert up.ended() == 1
    events = told(project)["over_http"]
    assert kinds(events, "platform.init") == [
        "platform.initStart",
        "platform.initRuntimeDone",
        "platform.initReport",
    ]
    (report,) = [event["record"] for event in events if event["type"] == "platform.initReport"]
    assert (report["status"], report["errorType"]) == ("error", "Runtime.ExitError")
