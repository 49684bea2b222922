"""All APIs of one environment behind one address, without sockets: bytes in by hand, time by hand, dispatch by hand."""

import asyncio
import errno
import socket
from collections.abc import Callable
from pathlib import Path

from penstock.environment.apis import EnvironmentApis
from penstock.model.invocation import Invocation
from penstock.runtime_api.exchanges import Poll
from penstock.runtime_api.running import Outcome
from penstock.wire.http_server import HttpConnection
from support.clock import DeferringClock
from support.functions import function
from support.runtime_rig import ARN
from support.sink import RecordingSink
from support.transport import FakeTransport, Peer


class ListenedPeer(Peer):
    """A client whose connection its listener knows of, as if it had been accepted."""

    def __init__(self, accept: Callable[[], HttpConnection]) -> None:
        self.transport = FakeTransport()
        self.losses = 0
        self.connection = accept()
        self.transport.protocol = self.connection
        self.connection.connection_made(self.transport)
        self._inbox = []


async def no_network() -> socket.socket:
    raise OSError(errno.ENETDOWN, "no network")


class ApisRig:
    """Must be made and used inside a running event loop: telemetry has tasks."""

    def __init__(self) -> None:
        self.clock = DeferringClock()
        self.sinks: dict[str, RecordingSink] = {}
        self.started: list[str] = []
        self.ended: list[str] = []
        self.peers: list[Peer] = []
        self.apis = EnvironmentApis(
            function(Path("/code")),
            "123456789012",
            self.clock,
            self,
            on_change=lambda: None,
            on_error=lambda *_: None,
            open_socket=no_network,
        )

    # --- InvocationObserver ---

    def invocation_started(self, invocation: Invocation) -> None:
        self.started.append(invocation.request_id)

    def invocation_ended(self, invocation: Invocation, outcome: Outcome) -> None:
        self.ended.append(invocation.request_id)

    # --- the test's side ---

    def connect(self) -> Peer:
        peer = ListenedPeer(self.apis._listener.accept)
        self.peers.append(peer)
        return peer

    def invoke(self, request_id: str, timeout: int = 3) -> RecordingSink | None:
        """The sink of the invocation, or None when it was refused."""
        sink = RecordingSink()
        now = self.clock.monotonic()
        epoch_ms = int((self.clock.epoch() + timeout) * 1000)
        made = Invocation(request_id, ARN, lambda: b'{"n":1}', sink, now + timeout, epoch_ms, timeout)
        return sink if self.apis.runtime.invoke(made) else None

    @property
    def connections(self) -> set[HttpConnection]:
        return self.apis._listener._connections

    @property
    def parked(self) -> int:
        """Connections on which a worker waits in `/next`, counted one by one."""
        exchanges = [connection._exchange for connection in self.connections]
        return sum(isinstance(one, Poll) and one._parked for one in exchanges)

    async def settle(self) -> None:
        """Let the tasks of the Telemetry API go as far as they can."""
        for _ in range(4):
            await asyncio.sleep(0)
