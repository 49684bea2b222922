"""An execution environment without processes: the Runtime API and, on connections in memory, the adapter's slots."""

import asyncio
from typing import TYPE_CHECKING, Final

from penstock.model.clock import Clock
from penstock.model.errors import FunctionError
from penstock.model.invocation import Invocation
from penstock.model.limits import MAX_RUNTIME_HEADER_BYTES
from penstock.runtime_api.api import RuntimeApi
from penstock.runtime_api.brief import BriefConnection
from penstock.runtime_api.running import Outcome
from penstock_adapter.asgi_exchange import AsgiMode
from penstock_adapter.asgi_process import DRAIN_S
from penstock_adapter.memory_pipe import connect
from penstock_adapter.runtime_client import RuntimeClient
from penstock_adapter.runtime_slot import RuntimeSlot

if TYPE_CHECKING:
    from penstock.wire.http_server import HttpConnection


class _MemorySlot(RuntimeSlot):
    """A slot whose connection to the Runtime API needs no socket."""

    def __init__(self, client: RuntimeClient, mode: AsgiMode, environment: "MemoryEnvironment") -> None:
        super().__init__(client, mode.new_handler)
        self._environment = environment

    def connect(self) -> None:
        asyncio.get_running_loop().call_soon(self._environment.join, self)


class MemoryEnvironment:
    """The `Target` of a router; its `mode` is how the adapter runs the app. Lives on the running loop."""

    environment_id: Final = "0" * 32

    def __init__(self, mode: AsgiMode, clock: Clock) -> None:
        options = mode.options
        self._api = RuntimeApi(clock, self, on_first_poll=lambda: None, on_init_error=lambda *_: None)
        self._connections: set[HttpConnection] = set()
        self._idle = asyncio.Event()
        client = RuntimeClient(
            options.runtime_api,
            0,  # its own slots would want a socket
            mode.new_handler,
            mode.output,
            mode.output.error,
            polls_ahead=options.polls_ahead,
            brief=options.polls_ahead,
        )
        self._slots = [_MemorySlot(client, mode, self) for _ in range(options.concurrency)]

    async def start(self) -> None:
        """Returns when every slot waits for an invocation."""
        for slot in self._slots:
            slot.connect()
        while self.free_slots < len(self._slots):  # noqa: ASYNC110 - within a few turns of the loop
            await asyncio.sleep(0)

    async def stop(self) -> None:
        """Lets what runs end, for as long as at the end of an environment, and closes every connection."""
        if self._api.running:
            self._idle.clear()
            try:
                async with asyncio.timeout(DRAIN_S):
                    await self._idle.wait()
            except TimeoutError:
                self._api.abort(FunctionError("Runtime.ExitError", "the test is over"))
        for slot in self._slots:
            slot.close()
        while self._connections:  # noqa: ASYNC110 - within a few turns of the loop
            await asyncio.sleep(0)

    def join(self, slot: RuntimeSlot) -> None:
        """Connects a slot to the Runtime API."""
        connection = BriefConnection(
            self._api.open_exchange,
            MAX_RUNTIME_HEADER_BYTES,
            self._connections.add,
            self._connections.discard,
            door=self._api,
        )
        connect(slot, connection)

    # --- the router's Target ---

    @property
    def free_slots(self) -> int:
        return self._api.idle

    @property
    def in_flight(self) -> int:
        return len(self._api.running)

    def invoke(self, invocation: Invocation) -> bool:
        invocation.environment_id = self.environment_id
        return self._api.invoke(invocation)

    # --- the Runtime API's observer ---

    def invocation_started(self, invocation: Invocation) -> None: ...

    def invocation_ended(self, invocation: Invocation, outcome: Outcome) -> None:
        if not self._api.running:
            self._idle.set()
