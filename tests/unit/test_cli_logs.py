"""`penstock logs`: which files, which lines, how they look."""

import json
import sys
from pathlib import Path

import pytest

from penstock.cli.logs import logs_folder, show_logs
from penstock.model.errors import UserError
from penstock.telemetry import records
from penstock.telemetry.log_writer import LogWriter, rotated
from penstock.telemetry.records import EventType
from support.clock import VirtualClock

A = "8f5b2c1e-0d3a-4b7c-9e1f-2a3b4c5d6e7f"
B = "11111111-2222-4333-8444-555555555555"
ENVIRONMENT = "0123456789abcdef0123456789abcdef"


def keep(
    folder: Path,
    name: str,
    *lines: tuple[float, EventType, dict[str, object] | str, str | None],
    stack: str = "stack",
    environment: str = ENVIRONMENT,
) -> Path:
    """Lines are (seconds, type, record, request id)."""
    path = folder / ".penstock" / stack / "logs" / f"{name}.jsonl"
    writer = LogWriter(path, VirtualClock())
    for time, event_type, record, request_id in lines:
        writer.append(event_type, record, environment=environment, log_stream="s", request_id=request_id, time=time)
    writer.close()
    return path


def init_start(name: str) -> dict[str, object]:
    return records.init_start(
        runtime_version="python:3.13.v1",
        runtime_version_arn="arn",
        name=name,
        version="1",
        log_stream="s",
        memory_mib=2048,
    )


def test_requests_that_share_an_environment_are_seen_to_interleave(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keep(
        tmp_path,
        "App",
        (0.0, "platform.initStart", init_start("app"), None),
        (0.1, "extension", "adapter says hello", None),
        (0.2, "platform.initRuntimeDone", records.init_runtime_done("success"), None),
        (0.3, "platform.extension", records.extension("lambda-adapter", "Ready", ("SHUTDOWN",)), None),
        (0.4, "platform.initReport", records.init_report("success", 0.4), None),
        (1.0, "platform.start", records.start(A, "1", "arn"), A),
        (1.1, "platform.start", records.start(B, "1", "arn"), B),
        (1.2, "function", "of a", A),
        (1.3, "function", "of nobody", None),
        (2.0, "platform.report", records.report(A, "success", 0.9876543), A),
        (2.1, "platform.report", records.report(B, "timeout", 1.0, error_type="Sandbox.Timedout"), B),
        (2.2, "platform.logsDropped", records.logs_dropped(10, 1, "full"), None),
    )
    show_logs(template=tmp_path / "template.yaml")
    assert capsys.readouterr().out.splitlines() == [
        "1970-01-01T00:00:00.000Z 01234567 -        INIT_START Runtime Version: python:3.13.v1",
        "1970-01-01T00:00:00.100Z 01234567 -        adapter says hello",
        "1970-01-01T00:00:00.200Z 01234567 -        INIT_RUNTIME_DONE Status: success",
        "1970-01-01T00:00:00.300Z 01234567 -        EXTENSION Name: lambda-adapter State: Ready Events: [SHUTDOWN]",
        "1970-01-01T00:00:00.400Z 01234567 -        INIT_REPORT Init Duration: 400.000 ms Status: success",
        f"1970-01-01T00:00:01.000Z 01234567 8f5b2c1e START RequestId: {A} Version: 1",
        f"1970-01-01T00:00:01.100Z 01234567 11111111 START RequestId: {B} Version: 1",
        "1970-01-01T00:00:01.200Z 01234567 8f5b2c1e of a",
        "1970-01-01T00:00:01.300Z 01234567 -        of nobody",
        f"1970-01-01T00:00:02.000Z 01234567 8f5b2c1e END RequestId: {A}",
        f"1970-01-01T00:00:02.000Z 01234567 8f5b2c1e REPORT RequestId: {A} Duration: 987.654 ms Status: success",
        f"1970-01-01T00:00:02.100Z 01234567 11111111 END RequestId: {B}",
        f"1970-01-01T00:00:02.100Z 01234567 11111111 REPORT RequestId: {B} Duration: 1000.000 ms"
        " Status: timeout Error Type: Sandbox.Timedout",
        "1970-01-01T00:00:02.200Z 01234567 -        logsDropped droppedBytes: 10 droppedRecords: 1 reason: full",
    ]


def test_one_request(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keep(tmp_path, "App", (1.0, "function", "of a", A), (2.0, "function", "of b", B), (3.0, "function", "?", None))
    show_logs(template=tmp_path, request_id=A[:8])
    assert capsys.readouterr().out == "1970-01-01T00:00:01.000Z 01234567 8f5b2c1e of a\n"


def test_several_functions_are_merged_by_time_with_their_names(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keep(tmp_path, "App", (1.0, "function", "first", None), (3.0, "function", "third", None))
    keep(tmp_path, "Worker", (2.0, "function", "second", None), (4.0, "function", "fourth", None))
    show_logs(template=tmp_path)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [(words[0], words[-1]) for words in lines] == [
        ("App", "first"),
        ("Worker", "second"),
        ("App", "third"),
        ("Worker", "fourth"),
    ]


@pytest.mark.parametrize("function", ["Worker", "stack-Worker-ABC"])
def test_function_by_logical_id_or_name(tmp_path: Path, capsys: pytest.CaptureFixture[str], function: str) -> None:
    keep(tmp_path, "App", (0.0, "platform.initStart", init_start("stack-App-XYZ"), None))
    path = keep(tmp_path, "Worker", (0.0, "platform.initStart", init_start("stack-Worker-ABC"), None))
    path.rename(rotated(path))
    keep(tmp_path, "Worker", (1.0, "function", "work", None))
    show_logs(function, template=tmp_path)
    out = capsys.readouterr().out
    assert "work\n" in out
    assert "Worker" not in out


def test_json_is_what_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = keep(tmp_path, "App", (1.0, "function", "\x1b[1mbold é", A), (1.0, "function", "b", B))
    show_logs(template=tmp_path, json=True)
    out = capsys.readouterr().out
    assert out == path.read_text()
    assert json.loads(out.splitlines()[0])["record"] == "\x1b[1mbold é"


def test_colour_only_on_a_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(tmp_path, "App", (1.0, "function", "x", None))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    show_logs(template=tmp_path)
    assert "\x1b" not in capsys.readouterr().out
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    show_logs(template=tmp_path)
    assert "\x1b[" in capsys.readouterr().out
    monkeypatch.setenv("NO_COLOR", "1")
    show_logs(template=tmp_path)
    assert "\x1b" not in capsys.readouterr().out


def test_built_template_keeps_its_logs_beside_the_project(tmp_path: Path) -> None:
    keep(tmp_path, "App", (1.0, "function", "x", None))
    build = tmp_path / ".aws-sam" / "build"
    build.mkdir(parents=True)
    for template in (build / "template.yaml", build, tmp_path / "template.yaml", tmp_path):
        assert logs_folder(template, None) == tmp_path / ".penstock" / "stack" / "logs"


def test_template_of_the_current_folder_is_the_default(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(tmp_path, "App", (1.0, "function", "x", None))
    monkeypatch.chdir(tmp_path)
    show_logs()
    assert capsys.readouterr().out.endswith(" x\n")


def test_several_stacks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keep(tmp_path, "App", (1.0, "function", "one", None), stack="one")
    keep(tmp_path, "App", (1.0, "function", "two", None), stack="two")
    with pytest.raises(UserError, match=r"choose one with --stack-name: one, two"):
        show_logs(template=tmp_path)
    show_logs(template=tmp_path, stack_name="two")
    assert "two" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("function", "stack_name", "message"),
    [
        ("Nope", None, r"no logs of function 'Nope' in .*; there are: App, Worker"),
        (None, "nope", r"no logs of stack 'nope' in .*; there are: stack"),
    ],
)
def test_what_is_unknown_names_what_there_is(
    tmp_path: Path, function: str | None, stack_name: str | None, message: str
) -> None:
    keep(tmp_path, "App", (1.0, "function", "x", None))
    keep(tmp_path, "Worker", (1.0, "function", "x", None))
    with pytest.raises(UserError, match=message) as caught:
        show_logs(function, template=tmp_path, stack_name=stack_name)
    assert "\n" not in str(caught.value)


def test_no_logs_yet(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no logs yet in .*: start the template with `penstock up` first"):
        show_logs(template=tmp_path)
