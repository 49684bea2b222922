"""What the platform tells while a function is checked: what takes time and what goes wrong, on stderr."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape

from penstock.control_plane.fleet import FleetEvent, Happening
from penstock.environment.faults import Fault
from penstock.invoke_api.queued_event import DiscardedEvent, EventAttempt
from penstock.model.errors import StartError
from penstock.telemetry.access import AccessRecord

if TYPE_CHECKING:
    from rich.status import Status


class CheckReporter:
    """A `Reporter`. `deaths` says of each environment that died why, in order; `quiet` leaves out what takes time."""

    def __init__(self, *, quiet: bool, console: Console | None = None) -> None:
        self.deaths: list[str] = []
        self._quiet = quiet
        self._console = console or Console(stderr=True, highlight=False)
        self._status: Status | None = None
        self._told = ""

    def progress(self, text: str) -> None:
        if self._quiet or text == self._told:
            return
        self._told = text
        if not self._console.is_terminal:
            self._say(f"[dim]{escape(text)}[/]")
        elif self._status is None:
            self._status = self._console.status(escape(text))
            self._status.start()
        else:
            self._status.update(escape(text))

    def warn(self, text: str) -> None:
        self._say(f"[yellow]warning[/] {escape(text)}")

    def info(self, text: str) -> None:
        pass

    def fleet(self, event: FleetEvent) -> None:
        if event.happening is Happening.STARTING and not event.ready and not self.deaths:
            self.progress(f"{event.function}: starting an environment")
        elif event.happening is Happening.DIED:
            self.deaths.append(str(event.error))
        elif event.happening is Happening.WORKER_DIED:
            self.deaths.append(f"a worker process died, slots {event.slots}/{event.max_concurrency}")

    def instance(self, event: object) -> None:
        pass

    def scaling(self, event: object) -> None:
        pass

    def fault(self, function: str, environment_id: str, fault: Fault, effect: str) -> None:
        pass

    def event_attempt(self, attempt: EventAttempt) -> None:
        pass

    def event_discarded(self, event: DiscardedEvent) -> None:
        pass

    def serving(self, urls: Mapping[str, str], outputs: Mapping[str, str], aws_endpoint: str | None = None) -> None:
        pass

    def access(self, record: AccessRecord) -> None:
        pass

    def stopping(self, open_requests: int) -> None:
        pass

    def failed(self, function: str, error: StartError) -> None:
        self.close()
        self._say(f"[bold red]error[/]   {function} cannot start: {escape(str(error))}")
        for line in error.output:
            self._say(f"[dim]  | {escape(line)}[/]")

    def close(self) -> None:
        if self._status:
            self._status.stop()
            self._status = None

    def _say(self, markup: str) -> None:
        self._console.print(markup, soft_wrap=True)
