"""The records of platform events, field for field as Lambda emits them on Managed Instances.

Names and meaning: https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html. Which of them occur,
and with which fields: https://github.com/aws/aws-lambda-runtime-interface-emulator (lambda-managed-instances).
Durations come in as seconds and go out as milliseconds with at most three decimals.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, Literal, NamedTuple, TypeAlias

from penstock.model.limits import MIB

Record: TypeAlias = dict[str, object]
EventType: TypeAlias = Literal[
    "platform.initStart",
    "platform.initRuntimeDone",
    "platform.initReport",
    "platform.extension",
    "platform.start",
    "platform.report",
    "platform.logsDropped",
    "penstock.errorCause",
    "penstock.fault",
    "penstock.workerDied",
    "function",
    "extension",
]
Status: TypeAlias = Literal["success", "failure", "error", "timeout"]
"""`error` is the function's fault, `failure` the platform's or the caller's."""

INITIALIZATION_TYPE: Final = "lambda-managed-instances"


class Span(NamedTuple):
    """A part of an invocation. `responseLatency`: event written until the answer's first byte arrived;
    `responseDuration`: from there until it was relayed. `start` in epoch seconds.
    """

    name: Literal["responseLatency", "responseDuration"]
    start: float
    duration_s: float


def timestamp(epoch: float) -> str:
    """Epoch seconds as `2026-11-23T06:22:16.123Z`."""
    return _millisecond(int(epoch * 1000))


@lru_cache(maxsize=64)
def _millisecond(epoch_ms: int) -> str:
    """Under load several records fall into one millisecond, and a report has three times."""
    return f"{_second(epoch_ms // 1000)}.{epoch_ms % 1000:03}Z"


@lru_cache(maxsize=4)
def _second(epoch: int) -> str:
    """Many records fall into one second."""
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def init_start(
    *, runtime_version: str, runtime_version_arn: str, name: str, version: str, log_stream: str, memory_mib: int
) -> Record:
    """`name` and `version` are the function's."""
    return {
        "initializationType": INITIALIZATION_TYPE,
        "phase": "init",
        "runtimeVersion": runtime_version,
        "runtimeVersionArn": runtime_version_arn,
        "functionName": name,
        "functionVersion": version,
        "instanceId": log_stream,
        "instanceMaxMemory": memory_mib * MIB,
    }


def init_runtime_done(status: Status, error_type: str | None = None) -> Record:
    return _with_error({"initializationType": INITIALIZATION_TYPE, "phase": "init", "status": status}, error_type)


def init_report(status: Status, duration_s: float, error_type: str | None = None) -> Record:
    record: Record = {
        "initializationType": INITIALIZATION_TYPE,
        "phase": "init",
        "status": status,
        "metrics": {"durationMs": _milliseconds(duration_s)},
    }
    return _with_error(record, error_type)


def extension(name: str, state: str, events: Iterable[str], error_type: str | None = None) -> Record:
    return _with_error({"name": name, "state": state, "events": list(events)}, error_type)


def start(request_id: str, version: str, function_arn: str, trace_id: str = "") -> Record:
    """`trace_id` is the caller's X-Ray header; it is told only when the request is sampled."""
    return _with_tracing({"requestId": request_id, "version": version, "functionArn": function_arn}, trace_id)


def report(
    request_id: str,
    status: Status,
    duration_s: float,
    *,
    spans: Sequence[Span] = (),
    error_type: str | None = None,
    trace_id: str = "",
) -> Record:
    """Managed Instances report no billed duration and no memory. Without an answer there is no `spans` key."""
    record: Record = {
        "requestId": request_id,
        "status": status,
        "metrics": {"durationMs": _milliseconds(duration_s)},
    }
    if spans:
        record["spans"] = [_span(span) for span in spans]
    return _with_error(_with_tracing(record, trace_id), error_type)


def logs_dropped(dropped_bytes: int, dropped_records: int, reason: str) -> Record:
    return {"droppedBytes": dropped_bytes, "droppedRecords": dropped_records, "reason": reason}


def error_cause(request_id: str, cause: object) -> Record:
    """Not one of AWS's, where it goes to X-Ray alone: what the runtime told of an error for a trace."""
    return {"requestId": request_id, "cause": cause}


def fault(text: str, effect: str) -> Record:
    """Not one of AWS's: a fault that was asked for, as it was asked for, and what it did."""
    return {"fault": text, "effect": effect}


def worker_died(slots: int, max_concurrency: int) -> Record:
    """Not one of AWS's, where nobody notices: a worker process of the runtime ended, and its slot with it."""
    return {"slots": slots, "maxConcurrency": max_concurrency}


def _span(span: Span) -> Record:
    return {"name": span.name, "start": timestamp(span.start), "durationMs": _milliseconds(span.duration_s)}


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 3)


def _with_error(record: Record, error_type: str | None) -> Record:
    if error_type:
        record["errorType"] = error_type
    return record


def _with_tracing(record: Record, trace_id: str) -> Record:
    parts = trace_id.replace(" ", "").split(";")
    if "Sampled=1" in parts and any(part.startswith("Root=") for part in parts):
        record["tracing"] = {"type": "X-Amzn-Trace-Id", "value": trace_id}
    return record
