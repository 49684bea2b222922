"""The log records of one environment: what its processes write, and what the platform says of its invocations."""

from collections import deque
from collections.abc import Mapping
from typing import Final, Literal

import orjson

from penstock.model.clock import Clock
from penstock.model.function import Function
from penstock.model.invocation import Invocation
from penstock.runtime_api.api import RuntimeApi
from penstock.runtime_api.running import Outcome
from penstock.telemetry import records
from penstock.telemetry.attribution import request_id_of
from penstock.telemetry.invocation_lines import InvocationLines, is_plain
from penstock.telemetry.log_tail import LogTails
from penstock.telemetry.log_writer import LogWriter
from penstock.telemetry.records import EventType, Span
from penstock.telemetry_api.api import TelemetryApi

# Lines kept to show why an environment could not start, or died.
LAST_LINES: Final = 40


class EnvironmentLog:
    """Writes to the function's log under one environment id and log stream, and tells the same to the subscribers of
    `telemetry` and to `tails`. An `InvocationObserver`.
    """

    def __init__(
        self,
        writer: LogWriter,
        function: Function,
        clock: Clock,
        environment_id: str,
        log_stream: str,
        telemetry: TelemetryApi | None = None,
        tails: LogTails | None = None,
    ) -> None:
        self._writer = writer
        self._function = function
        self._clock = clock
        self._environment_id = environment_id
        self._log_stream = log_stream
        self._telemetry = telemetry
        self._tails = tails
        arn = function.qualified_arn
        self._lines = InvocationLines(environment_id, log_stream, function.version, arn)
        self._usual_arn = arn if is_plain(f"{arn}{log_stream}{function.version}") else None
        self._last_lines: deque[str] = deque(maxlen=LAST_LINES)

    @property
    def last_lines(self) -> tuple[str, ...]:
        return tuple(self._last_lines)

    def platform(self, event_type: EventType, record: Mapping[str, object], request_id: str | None = None) -> None:
        self._append(event_type, record, request_id)

    def line(self, event_type: Literal["function", "extension"], line: bytes, runtime: RuntimeApi) -> None:
        """One line written by a process of the environment."""
        text = line.decode("utf-8", "backslashreplace")
        self._last_lines.append(text)
        # With one invocation running and every other worker waiting, nobody else can have written the line.
        alone = len(runtime.running) == 1 and runtime.idle == self._function.max_concurrency - 1
        only = next(iter(runtime.running)) if alone else None
        self._append(event_type, text, request_id_of(text, runtime.running, only))

    def _append(self, event_type: EventType, record: Mapping[str, object] | str, request_id: str | None) -> None:
        now = self._clock.epoch()
        self._writer.append(
            event_type,
            record,
            environment=self._environment_id,
            log_stream=self._log_stream,
            request_id=request_id,
            time=now,
        )
        if self._telemetry is not None and self._telemetry.listening:
            self._telemetry.publish(event_type, record, now)
        if self._tails:
            self._tails.add(event_type, record, request_id)

    def _only_written(self, invocation: Invocation) -> bool:
        """Nobody but the file hears of the invocation, and its lines are the usual ones."""
        listened = self._tails or (self._telemetry is not None and self._telemetry.listening)
        usual = invocation.function_arn == self._usual_arn and "Sampled=1" not in invocation.trace_id
        return usual and not listened

    def invocation_started(self, invocation: Invocation) -> None:
        if self._only_written(invocation):
            self._writer.append_line(self._lines.start(self._clock.epoch(), invocation.request_id))
            return
        record = records.start(
            invocation.request_id, self._function.version, invocation.function_arn, invocation.trace_id
        )
        self._append("platform.start", record, invocation.request_id)

    def invocation_ended(self, invocation: Invocation, outcome: Outcome) -> None:
        error, duration, latency, relayed, cause = outcome
        if not (error or cause) and latency is not None and relayed is not None and self._only_written(invocation):
            epoch = self._clock.epoch()
            line = self._lines.success(epoch, invocation.request_id, duration, latency, relayed)
            self._writer.append_line(line)
            return
        if cause:
            told = records.error_cause(invocation.request_id, orjson.loads(cause))
            self._append("penstock.errorCause", told, invocation.request_id)
        record = records.report(
            invocation.request_id,
            outcome.status,
            outcome.duration,
            spans=_spans(outcome, self._clock.epoch() - outcome.duration),
            error_type=outcome.error.error_type if outcome.error else None,
            trace_id=invocation.trace_id,
        )
        self._append("platform.report", record, invocation.request_id)


def _spans(outcome: Outcome, started: float) -> tuple[Span, ...]:
    if outcome.response_latency is None:
        return ()
    latency = Span("responseLatency", started, outcome.response_latency)
    if outcome.response_duration is None:
        return (latency,)
    return (latency, Span("responseDuration", started + outcome.response_latency, outcome.response_duration))
