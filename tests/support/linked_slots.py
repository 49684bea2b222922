"""Slots of the adapter and a Runtime API, joined by a link in memory; both the handlers and the time are the test's."""

import asyncio
from typing import TYPE_CHECKING, cast

from penstock.model.limits import MAX_RUNTIME_HEADER_BYTES
from penstock.runtime_api.brief import BriefConnection
from penstock.wire.http_server import HttpConnection
from penstock.wire.link import _ServerLink
from penstock_adapter.endpoint import Endpoint
from penstock_adapter.invocation import Invocation
from penstock_adapter.link import Link
from penstock_adapter.memory_pipe import MemoryTransport, connect
from penstock_adapter.output import Output
from penstock_adapter.runtime_client import RuntimeClient
from penstock_adapter.runtime_slot import RuntimeSlot
from support.link_rig import turns
from support.runtime_rig import RuntimeRig
from support.sink import RecordingSink
from support.streams import within

if TYPE_CHECKING:
    from penstock_adapter.link_client import LinkClient


class ScriptedHandler:
    """Answers nothing by itself. `told` is what it heard beside invocations."""

    def __init__(self, slot: RuntimeSlot) -> None:
        self.slot = slot
        self.invocations: list[Invocation] = []
        self.told: list[str] = []

    def invoke(self, invocation: Invocation) -> None:
        self.slot.hold()
        self.invocations.append(invocation)

    def pause(self) -> None:
        self.told.append("pause")

    def resume(self) -> None:
        self.told.append("resume")

    def abandon(self) -> None:
        self.told.append("abandon")

    def answer(self, body: bytes = b"fine", prelude: bytes = b"{}") -> None:
        """The whole of it in one turn, as most apps do."""
        self.slot.begin_stream(prelude)
        if body:
            self.slot.send_chunk(body)
        self.slot.end_stream()
        self.slot.release()


class LinkedSlots:
    """Stands for the `LinkClient` of its `client` too. `linked` may become False: what is connected then is plain.
    `said` is what the slots wrote, as it came to the platform.
    """

    def __init__(self, count: int = 1) -> None:
        self.platform = RuntimeRig()
        self.linked = True
        self.links = 0
        self.said: list[bytes] = []
        self.lines: list[str] = []
        self.connections: set[HttpConnection] = set()
        self.handlers: list[ScriptedHandler] = []
        self._link: Link | None = None
        self.client = RuntimeClient(
            Endpoint("127.0.0.1", 9001),
            count,
            self._new_handler,
            Output(write=self.lines.append),
            self.lines.append,
            polls_ahead=True,
            linked=True,
        )
        self.client._link = cast("LinkClient", self)
        for slot in self.client._slots:
            slot._retry_s = 0.0

    def _new_handler(self, slot: RuntimeSlot) -> ScriptedHandler:
        self.handlers.append(ScriptedHandler(slot))
        return self.handlers[-1]

    async def connect(self, protocol: asyncio.Protocol) -> None:
        assert isinstance(protocol, RuntimeSlot)
        if not self.linked:
            connect(protocol, self._accept(HttpConnection))
        else:
            if self._link is None or self._link.closing:
                self.links += 1
                self._link = Link()
                connect(self._link, _ServerLink(lambda: self._accept(BriefConnection), lambda _: None))
            self._link.open(protocol)

    def close(self) -> None:
        if self._link is not None:
            self._link.close()

    def _accept(self, kind: type[HttpConnection]) -> HttpConnection:
        said = self.said

        class Heard(kind):  # type: ignore[valid-type,misc]
            __slots__ = ()

            def data_received(self, data: bytes) -> None:
                said.append(data)
                super().data_received(data)

        made: HttpConnection = Heard(
            self.platform.api.open_exchange, MAX_RUNTIME_HEADER_BYTES, self.connections.add, self.connections.discard
        )
        return made

    # --- the test's side ---

    async def start(self) -> "LinkedSlots":
        self.client.start()
        await turns()
        assert self.platform.api.idle == len(self.handlers)
        self.said.clear()
        return self

    async def lose_link(self) -> None:
        assert self._link is not None
        cast("MemoryTransport", self._link._transport).abort()
        await turns()

    async def invoke(self, request_id: str = "r1", seconds: int = 3) -> RecordingSink:
        """Hand an invocation to a slot, which has it then."""
        sink = RecordingSink()
        assert self.platform.api.invoke(self.platform.invocation(request_id, sink, seconds))
        await turns()
        return sink

    async def polling(self, count: int) -> None:
        """Return when so many slots wait for an invocation."""

        async def look() -> None:
            while self.platform.api.idle < count:  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0)

        await within(look())

    @property
    def handler(self) -> ScriptedHandler:
        [handler] = self.handlers
        return handler

    async def stop(self) -> None:
        self.client.close()
        await turns()
        assert self.connections == set()
