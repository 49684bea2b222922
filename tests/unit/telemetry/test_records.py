"""Platform records, field for field."""

import pytest

from penstock.telemetry import records

ID = "8f5b2c1e-0d3a-4b7c-9e1f-2a3b4c5d6e7f"
TRACE = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"


@pytest.mark.parametrize(
    ("epoch", "expected"),
    [
        (1795415000.0, "2026-11-23T06:23:20.000Z"),
        (1795415000.1239, "2026-11-23T06:23:20.123Z"),
        (0.0, "1970-01-01T00:00:00.000Z"),
    ],
)
def test_timestamp(epoch: float, expected: str) -> None:
    assert records.timestamp(epoch) == expected


def test_init_start() -> None:
    assert records.init_start(
        runtime_version="python:3.13.v1",
        runtime_version_arn="arn:runtime",
        name="app",
        version="1",
        log_stream="2026/11/23/app[1]abc",
        memory_mib=2048,
    ) == {
        "initializationType": "lambda-managed-instances",
        "phase": "init",
        "runtimeVersion": "python:3.13.v1",
        "runtimeVersionArn": "arn:runtime",
        "functionName": "app",
        "functionVersion": "1",
        "instanceId": "2026/11/23/app[1]abc",
        "instanceMaxMemory": 2_147_483_648,
    }


def test_init_runtime_done() -> None:
    base = {"initializationType": "lambda-managed-instances", "phase": "init"}
    assert records.init_runtime_done("success") == {**base, "status": "success"}
    assert records.init_runtime_done("error", "Runtime.ExitError") == {
        **base,
        "status": "error",
        "errorType": "Runtime.ExitError",
    }


def test_init_report() -> None:
    assert records.init_report("timeout", 1.23456789, "Runtime.Unknown") == {
        "initializationType": "lambda-managed-instances",
        "phase": "init",
        "status": "timeout",
        "metrics": {"durationMs": 1234.568},
        "errorType": "Runtime.Unknown",
    }


def test_extension() -> None:
    assert records.extension("lambda-adapter", "Ready", ()) == {
        "name": "lambda-adapter",
        "state": "Ready",
        "events": [],
    }
    assert records.extension("x", "Failed", ("SHUTDOWN",), "Extension.Crash")["errorType"] == "Extension.Crash"


def test_start() -> None:
    assert records.start(ID, "1", "arn:app") == {"requestId": ID, "version": "1", "functionArn": "arn:app"}


@pytest.mark.parametrize(
    ("trace_id", "told"),
    [(TRACE, True), (TRACE.replace("Sampled=1", "Sampled=0"), False), ("Sampled=1", False), ("", False)],
)
def test_tracing_only_when_sampled(trace_id: str, told: bool) -> None:
    expected = {"type": "X-Amzn-Trace-Id", "value": trace_id} if told else None
    assert records.start(ID, "1", "arn:app", trace_id).get("tracing") == expected
    assert records.report(ID, "success", 0.1, trace_id=trace_id).get("tracing") == expected


def test_report() -> None:
    spans = (
        records.Span("responseLatency", 1795415000.0, 0.0123456),
        records.Span("responseDuration", 1795415000.012, 3.0),
    )
    assert records.report(ID, "success", 3.0123456, spans=spans) == {
        "requestId": ID,
        "status": "success",
        "metrics": {"durationMs": 3012.346},
        "spans": [
            {"name": "responseLatency", "start": "2026-11-23T06:23:20.000Z", "durationMs": 12.346},
            {"name": "responseDuration", "start": "2026-11-23T06:23:20.012Z", "durationMs": 3000.0},
        ],
    }


def test_report_of_a_request_that_was_never_answered() -> None:
    assert records.report(ID, "timeout", 3.0, error_type="Sandbox.Timedout") == {
        "requestId": ID,
        "status": "timeout",
        "metrics": {"durationMs": 3000.0},
        "errorType": "Sandbox.Timedout",
    }
