"""The AWS-compatible port: invocations, and what the functions look like through the Lambda API."""

import socket

from penstock.cli.platform_settings import PlatformSettings
from penstock.cli.reporter import Reporter
from penstock.cli.served import Served, on_access
from penstock.control_plane.aws_api import AwsApi, guarded
from penstock.control_plane.registry import Registry
from penstock.control_plane.scaling_config import Scalable
from penstock.function_url import UrlHosts
from penstock.invoke_api.destinations import Destinations
from penstock.invoke_api.door import InvokeApi
from penstock.invoke_api.event_queue import EventQueue, QueueSettings
from penstock.invoke_api.retry import RetrySettings
from penstock.model.clock import Clock
from penstock.model.function import Function
from penstock.model.limits import MAX_URL_HEADER_BYTES
from penstock.telemetry.log_tail import LogTails
from penstock.template import Stack
from penstock.wire.exchange import Exchange
from penstock.wire.http_server import HttpConnection
from penstock.wire.listener import BURST_HANDLES, Listener
from penstock.wire.sigv4 import Verifier
from penstock.wire.timeouts import Timeouts


class AwsPort:
    """Function URLs are reached here as well, by their hosts."""

    def __init__(
        self,
        sock: socket.socket,
        stack: Stack,
        settings: PlatformSettings,
        clock: Clock,
        reporter: Reporter,
        hosts: UrlHosts,
        log_tails: LogTails,
        verifier: Verifier | None,
    ) -> None:
        self.sock = sock
        self._clock = clock
        self._hosts = hosts
        self._registry = Registry()
        self._events = EventQueue(
            clock,
            Destinations(settings.state / "destinations", reporter.warn),
            self._registry,
            on_attempt=reporter.event_attempt,
            on_discard=reporter.event_discarded,
            settings=QueueSettings(RetrySettings.of_delay(settings.async_retry_delay)),
        )
        self._reporter = reporter
        aws_api = AwsApi(self._registry, clock, stack.region, stack.account_id, verifier=verifier)
        self._invoke = InvokeApi(
            self._registry,
            clock,
            stack.region,
            stack.account_id,
            on_access(settings, reporter),
            other=aws_api.open_exchange,
            verifier=verifier,
            events=self._events,
            log_tails=log_tails,
            cancel_on_disconnect=settings.cancel_on_disconnect,
        )
        self._behind_guard = guarded(self._invoke.open_exchange, settings.host)
        self._listener = Listener(self._open_exchange, MAX_URL_HEADER_BYTES, Timeouts(), clock)

    def add(self, served: Served, url: str | None) -> None:
        """Show a function."""
        package = served.package
        self._registry.add(
            served.function,
            served.router,
            url=url,
            code_sha256=package.code_sha256,
            code_size=package.code_size,
            last_modified=self._clock.epoch(),
        )

    def add_scalable(self, function: Function, scalable: Scalable) -> None:
        """Let the bounds of a function be changed."""
        self._registry.add_scalable(function.name, scalable)

    async def serve(self) -> None:
        await self._listener.start(self.sock, BURST_HANDLES)

    def _open_exchange(self, connection: HttpConnection) -> Exchange:
        url = self._hosts.find(connection)  # meant for browsers, so before the guard
        return url.open_exchange(connection) if url else self._behind_guard(connection)

    @property
    def open_requests(self) -> int:
        return self._invoke.open_requests

    async def drain(self, seconds: float) -> None:
        """Take no more requests and let what runs end, asynchronous invocations as well, at most `seconds`."""
        await self._invoke.open.drain(self._listener, seconds, self._events.drain(seconds))

    def hurry(self) -> None:
        """Wait no longer for open requests."""
        self._invoke.open.stop_draining()

    def close_events(self) -> None:
        """Before the environments end: events that were not handled are written to files."""
        for event in self._events.close():
            self._reporter.event_discarded(event)

    async def close(self) -> None:
        """Break what is still open."""
        self.close_events()
        await self._listener.close()
        self.sock.close()
