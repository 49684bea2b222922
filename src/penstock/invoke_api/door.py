"""The invocations of the AWS-compatible port. Who listens there is somebody else."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from penstock.invoke_api.directory import Directory, EventInvoker
from penstock.invoke_api.exchange import InvokeExchange
from penstock.invoke_api.operations import read_call
from penstock.model.clock import Clock
from penstock.telemetry.access import AccessRecord
from penstock.telemetry.log_tail import LogTails
from penstock.wire.exchange import Exchange
from penstock.wire.http_server import HttpConnection
from penstock.wire.open_requests import OpenRequests

if TYPE_CHECKING:
    from penstock.wire.sigv4 import Verifier


class InvokeApi:
    """Invoke, InvokeWithResponseStream and InvokeAsync; every other request goes to `other`.

    `on_access` is told of every invocation when its answer is over. With a `verifier` each request must be signed.
    Without `events` nothing asynchronous is accepted. `log_tails` are those that the environments' logs tell.
    `cancel_on_disconnect`: a client that leaves ends its invocation; on AWS, and without it, the function goes on.
    """

    def __init__(
        self,
        directory: Directory,
        clock: Clock,
        region: str,
        account_id: str,
        on_access: Callable[[AccessRecord], None],
        *,
        other: Callable[[HttpConnection], Exchange],
        verifier: "Verifier | None" = None,
        events: EventInvoker | None = None,
        log_tails: LogTails | None = None,
        cancel_on_disconnect: bool = False,
    ) -> None:
        self.directory = directory
        self.clock = clock
        self.region = region
        self.account_id = account_id
        self.verifier = verifier
        self.events = events
        self.log_tails = LogTails() if log_tails is None else log_tails
        self.cancel_on_disconnect = cancel_on_disconnect
        self.open: OpenRequests[InvokeExchange] = OpenRequests()
        self._on_access = on_access
        self._other = other

    def open_exchange(self, connection: HttpConnection) -> Exchange:
        call = read_call(connection.method, connection.target)
        if call is None:
            return self._other(connection)
        exchange = InvokeExchange(self, connection, call)
        self.open.now.add(exchange)
        return exchange

    def ended(self, exchange: InvokeExchange, record: AccessRecord) -> None:
        """An exchange is over."""
        self.open.ended(exchange)
        self._on_access(record)

    @property
    def open_requests(self) -> int:
        return len(self.open.now)
