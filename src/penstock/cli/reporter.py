"""What `penstock up` tells: for people, or one JSON object a line for programs."""

import time
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Protocol

import orjson
from rich.console import Console
from rich.markup import escape

from penstock.cli.printer import Printer
from penstock.control_plane.autoscaler import ScalingEvent
from penstock.control_plane.fleet import FleetEvent, Happening
from penstock.control_plane.instances import InstanceEvent, InstanceHappening
from penstock.environment.faults import Fault
from penstock.invoke_api.queued_event import DiscardedEvent, EventAttempt
from penstock.model.errors import StartError
from penstock.telemetry.access import AccessRecord

if TYPE_CHECKING:
    from rich.status import Status


class Reporter(Protocol):
    def progress(self, text: str) -> None:
        """Something takes time: say what."""

    def warn(self, text: str) -> None: ...
    def info(self, text: str) -> None:
        """Something worth knowing that is as it should be."""

    def fleet(self, event: FleetEvent) -> None: ...
    def instance(self, event: InstanceEvent) -> None: ...
    def scaling(self, event: ScalingEvent) -> None:
        """A function gets more or fewer environments."""

    def fault(self, function: str, environment_id: str, fault: Fault, effect: str) -> None:
        """A fault that was asked for happened."""

    def event_attempt(self, attempt: EventAttempt) -> None:
        """An attempt of an asynchronous invocation is over."""

    def event_discarded(self, event: DiscardedEvent) -> None: ...
    def serving(self, urls: Mapping[str, str], outputs: Mapping[str, str], aws_endpoint: str | None = None) -> None:
        """Requests are taken from now on. `urls` by the function's logical id; `aws_endpoint` is the URL of the
        AWS-compatible port.
        """

    def access(self, record: AccessRecord) -> None:
        """Called for every request: must not block."""

    def stopping(self, open_requests: int) -> None: ...
    def failed(self, function: str, error: StartError) -> None: ...
    def close(self) -> None: ...


_INSTANCE_WORDS: Final = {
    InstanceHappening.LAUNCHING: "launch",
    InstanceHappening.LAUNCHED: "running",
    InstanceHappening.ROTATING: "rotate",
    InstanceHappening.TERMINATED: "ended",
    InstanceHappening.LOST: "lost",
}


class HumanReporter:
    """A spinner while things start, then plain lines."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False)
        self._status: Status | None = None
        self._progress = ""
        self._printer: Printer | None = None

    def progress(self, text: str) -> None:
        if text == self._progress:
            return
        self._progress = text
        if not self._console.is_terminal:
            self._console.print(escape(text))
        elif self._status is None:
            self._status = self._console.status(escape(text))
            self._status.start()
        else:
            self._status.update(escape(text))

    def warn(self, text: str) -> None:
        self._say(f"[yellow]warning[/] {escape(text)}")

    def info(self, text: str) -> None:
        self._say(f"[dim]note[/]    {escape(text)}")

    def fleet(self, event: FleetEvent) -> None:
        if event.happening is Happening.STARTING:
            if self._printer is None:
                self.progress(f"{event.function}: starting environments, {event.ready}/{event.wanted} ready")
            return
        name = event.environment.environment_id[:8] if event.environment else ""
        if event.happening is Happening.READY:
            self._say(f"[green]ready[/]   {event.function} environment {name} ({event.ready}/{event.wanted})")
        elif event.happening is Happening.WORKER_DIED:
            slots = f"slots {event.slots}/{event.max_concurrency}"
            self.warn(f"{event.function} environment {name}: a worker process died, {slots}")
        elif event.happening is Happening.DRAINING:
            self._say(f"[dim]drain[/]   {event.function} environment {name} ({event.ready}/{event.wanted})")
        elif event.happening is Happening.STOPPED:
            self._say(f"[dim]ended[/]   {event.function} environment {name}")
        elif event.happening is Happening.DIED:
            self._say(f"[red]died[/]    {event.function} environment {name}: {escape(str(event.error))}; replacing it")
        elif self._printer is not None:
            self._say(f"[red]failed[/]  {event.function} new environment: {escape(str(event.error))}")

    def instance(self, event: InstanceEvent) -> None:
        """Those of the start are no news."""
        if self._printer is not None:
            one = event.instance
            told = f"{event.provider} {one.type.name} instance {one.instance_id} in {one.zone}"
            self._say(f"[cyan]{_INSTANCE_WORDS[event.happening]:7}[/] {told}")

    def scaling(self, event: ScalingEvent) -> None:
        self._say(
            f"[cyan]scaling[/] {event.function} from {event.before} to {event.after} environments ({event.reason})"
        )

    def fault(self, function: str, environment_id: str, fault: Fault, effect: str) -> None:
        where = f"{function} environment {environment_id[:8]}"
        self._say(f"[magenta]fault[/]   {escape(f'{where}: {fault.text}: {effect}')}")

    def event_attempt(self, attempt: EventAttempt) -> None:
        if self._printer:
            ended_at = time.time()
            self._printer.put(lambda: attempt_line(attempt, ended_at))

    def event_discarded(self, event: DiscardedEvent) -> None:
        kept = f"kept in {', '.join(event.kept_in)}" if event.kept_in else "it had no destination"
        self.warn(
            f"{event.function}: asynchronous invocation {event.request_id} given up after {event.attempts} attempts "
            f"({event.condition}); {kept}"
        )

    def serving(self, urls: Mapping[str, str], outputs: Mapping[str, str], aws_endpoint: str | None = None) -> None:
        self._stop_status()
        for name, value in outputs.items():
            if value not in urls.values():
                self._console.print(f"[dim]output[/]  {escape(name)} = {escape(value)}", soft_wrap=True)
        for function, url in urls.items():
            self._console.print(f"[bold green]serving[/] {escape(function)} at [bold]{url}[/]", soft_wrap=True)
        if aws_endpoint:
            self._console.print(f"[bold green]serving[/] the AWS API at [bold]{aws_endpoint}[/]", soft_wrap=True)
        self._console.print("[dim]Ctrl-C to stop[/]")
        self._printer = Printer(self._write)

    def access(self, record: AccessRecord) -> None:
        if self._printer:
            ended_at = time.time()
            self._printer.put(lambda: access_line(record, ended_at))

    def stopping(self, open_requests: int) -> None:
        waiting = f", waiting for open requests: {open_requests} (Ctrl-C again to cut them)" if open_requests else ""
        self._say(f"stopping{waiting}")

    def failed(self, function: str, error: StartError) -> None:
        self._stop_status()
        self._say(f"[bold red]error[/]   {function} cannot start: {escape(str(error))}")
        for line in error.output:
            self._say(f"[dim]  | {escape(line)}[/]")

    def close(self) -> None:
        self._stop_status()
        if self._printer:
            self._printer.close()

    def _write(self, text: str) -> None:
        """Seen at once also through a pipe, where nothing is flushed at the end of a line."""
        self._console.file.write(text)
        self._console.file.flush()

    def _say(self, markup: str) -> None:
        with self._console.capture() as captured:
            self._console.print(markup, soft_wrap=True)
        text = captured.get()
        if self._printer:
            self._printer.put(lambda: text)
        else:
            self._console.print(markup, soft_wrap=True)

    def _stop_status(self) -> None:
        if self._status:
            self._status.stop()
            self._status = None


def access_line(record: AccessRecord, ended_at: float) -> str:
    """`12:00:01.123  200  3012.4 ms      61 B  GET /  env 1f0c9a2b  req 5e...`, and what went wrong."""
    now = _time_of_day(ended_at)
    environment = record.environment_id[:8] or "-"
    note = f"  ({record.note})" if record.note else ""
    status = record.status or "---"
    return (
        f"{now}  {status}  {record.duration * 1000:8.1f} ms  {record.sent:8d} B  {record.method} {record.path}"
        f"  env {environment}  req {record.request_id}{note}\n"
    )


def _time_of_day(epoch: float) -> str:
    milliseconds = int(epoch * 1000)
    return f"{_second(milliseconds // 1000)}.{milliseconds % 1000:03}"


@lru_cache(maxsize=4)
def _second(epoch: int) -> str:
    """Many lines fall into one second."""
    return datetime.fromtimestamp(epoch).strftime("%H:%M:%S")


def attempt_line(attempt: EventAttempt, ended_at: float) -> str:
    """As `access_line`, for an asynchronous invocation: `EVENT attempt 2` in place of method, path and status."""
    now = _time_of_day(ended_at)
    again = "" if attempt.retry_in is None else f"; again in {attempt.retry_in:g} s"
    note = f"  ({attempt.error}{again})" if attempt.error else ""
    status = "---" if attempt.error else "200"
    return (
        f"{now}  {status}  {attempt.duration * 1000:8.1f} ms  {'':8} B  EVENT {attempt.function}"
        f" attempt {attempt.number}  env {attempt.environment_id[:8] or '-'}  req {attempt.request_id}{note}\n"
    )


class JsonReporter:
    """One JSON object a line on stdout; `event` says which kind."""

    def __init__(self) -> None:
        self._printer = Printer()

    def _tell(self, event: str, **fields: object) -> None:
        self._printer.put(lambda: orjson.dumps({"event": event, **fields}).decode() + "\n")

    def progress(self, text: str) -> None:
        self._tell("progress", text=text)

    def warn(self, text: str) -> None:
        self._tell("warning", text=text)

    def info(self, text: str) -> None:
        self._tell("info", text=text)

    def fleet(self, event: FleetEvent) -> None:
        slots = {"slots": event.slots, "maxConcurrency": event.max_concurrency}
        self._tell(
            "environment",
            function=event.function,
            state=event.happening,
            environment=event.environment.environment_id if event.environment else None,
            ready=event.ready,
            wanted=event.wanted,
            **(slots if event.happening is Happening.WORKER_DIED else {}),
            error=str(event.error) if event.error else None,
        )

    def instance(self, event: InstanceEvent) -> None:
        one = event.instance
        self._tell(
            "instance",
            capacityProvider=event.provider,
            state=event.happening,
            instance=one.instance_id,
            type=one.type.name,
            zone=one.zone,
        )

    def scaling(self, event: ScalingEvent) -> None:
        self._tell("scaling", function=event.function, before=event.before, after=event.after, reason=event.reason)

    def fault(self, function: str, environment_id: str, fault: Fault, effect: str) -> None:
        self._tell("fault", function=function, environment=environment_id, fault=fault.text, effect=effect)

    def event_attempt(self, attempt: EventAttempt) -> None:
        self._tell(
            "attempt",
            function=attempt.function,
            requestId=attempt.request_id,
            environment=attempt.environment_id,
            number=attempt.number,
            durationMs=round(attempt.duration * 1000, 3),
            ageMs=round(attempt.age * 1000, 3),
            error=str(attempt.error) if attempt.error else None,
            retryIn=attempt.retry_in,
        )

    def event_discarded(self, event: DiscardedEvent) -> None:
        self._tell(
            "discarded",
            function=event.function,
            requestId=event.request_id,
            condition=event.condition,
            attempts=event.attempts,
            keptIn=list(event.kept_in),
        )

    def serving(self, urls: Mapping[str, str], outputs: Mapping[str, str], aws_endpoint: str | None = None) -> None:
        self._tell("ready", urls=dict(urls), outputs=dict(outputs), awsEndpoint=aws_endpoint)

    def access(self, record: AccessRecord) -> None:
        self._printer.put(lambda: _access_json(record))

    def stopping(self, open_requests: int) -> None:
        self._tell("stopping", openRequests=open_requests)

    def failed(self, function: str, error: StartError) -> None:
        self._tell(
            "failed",
            function=function,
            errorType=error.error_type,
            errorMessage=error.message,
            output=list(error.output),
        )

    def close(self) -> None:
        self._printer.close()


def _access_json(record: AccessRecord) -> str:
    value = {
        "event": "request",
        "function": record.function,
        "method": record.method,
        "path": record.path,
        "status": record.status,
        "durationMs": round(record.duration * 1000, 3),
        "bytes": record.sent,
        "environment": record.environment_id,
        "requestId": record.request_id,
        "note": record.note,
    }
    return orjson.dumps(value).decode() + "\n"
