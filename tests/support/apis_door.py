"""The APIs of one environment on a real socket, with the invocations the test hands out."""

import asyncio
from pathlib import Path
from types import TracebackType
from typing import Self

from penstock.cli.clock import LoopClock
from penstock.environment.apis import EnvironmentApis
from penstock.model.invocation import Invocation
from penstock.runtime_api.bandwidth import Bandwidth
from penstock.runtime_api.running import Outcome
from penstock.wire.http_server import HttpConnection
from penstock.wire.listener import bind
from penstock_adapter.link_transport import LinkTransport
from support.apis_rig import no_network
from support.environment_rig import Sink
from support.functions import function
from support.runtime_rig import ARN
from support.streams import within
from support.url_rig import until


class ApisDoor:
    """`outcomes` tells how each invocation ended."""

    def __init__(self, bandwidth: Bandwidth | None = None) -> None:
        self._clock = LoopClock(asyncio.get_running_loop())
        self.outcomes: list[tuple[str, str]] = []
        self.apis = EnvironmentApis(
            function(Path("/code")),
            "123456789012",
            self._clock,
            self,
            on_change=lambda: None,
            on_error=lambda *_: None,
            open_socket=no_network,
            bandwidth=bandwidth,
        )
        self._sock = bind("127.0.0.1", 0)
        self.port = int(self._sock.getsockname()[1])
        self.address = f"127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        await self.apis.serve(self._sock)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await within(self.apis.close())

    def invocation_started(self, invocation: Invocation) -> None: ...

    def invocation_ended(self, invocation: Invocation, outcome: Outcome) -> None:
        self.outcomes.append((invocation.request_id, outcome.status))

    async def slots(self, count: int) -> None:
        """Return when so many wait."""
        await until(lambda: self.apis.runtime.idle == count)

    def invoke(self, event: bytes, request_id: str = "request-1", timeout_s: int = 30) -> Sink:
        sink = Sink()
        deadline_ms = int((self._clock.epoch() + timeout_s) * 1000)
        deadline = self._clock.monotonic() + timeout_s
        made = Invocation(request_id, ARN, lambda: event, sink, deadline, deadline_ms, timeout_s)
        assert self.apis.runtime.invoke(made)
        return sink

    @property
    def connections(self) -> set[HttpConnection]:
        return self.apis._listener._connections

    @property
    def sockets(self) -> list[HttpConnection]:
        """The connections that were accepted, not those that a link carries."""
        return [one for one in self.connections if not isinstance(one.transport, LinkTransport)]

    @property
    def links(self) -> list[HttpConnection]:
        return [one for one in self.sockets if one.target == b"/penstock/link"]

    def reset_links(self) -> None:
        for link in self.links:
            link.transport.abort()
