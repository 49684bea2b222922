"""All slots of one adapter, and what they share: the Runtime API, and whether it is there.

What is to be done with an invocation is the business of an `InvocationHandler`, one for each slot.
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

from penstock_adapter.endpoint import Endpoint
from penstock_adapter.invocation import Invocation
from penstock_adapter.link_client import LinkClient
from penstock_adapter.output import Output
from penstock_adapter.runtime_slot import RuntimeSlot
from penstock_adapter.runtime_wire import next_ahead_request, next_request

# How long the Runtime API may stay away (`assumed`).
GONE_AFTER_S = 10.0


class InvocationHandler(Protocol):
    """What a slot asks of the mode the adapter runs in. Every method returns at once."""

    def invoke(self, invocation: Invocation) -> None:
        """Start working; answer through the slot, now or later, exactly once."""

    def pause(self) -> None:
        """The Runtime API reads more slowly than the answer comes: produce nothing until `resume`."""

    def resume(self) -> None:
        """Go on."""

    def abandon(self) -> None:
        """Nobody takes the rest of the answer any more: stop working and call nothing on the slot."""


class RuntimeClient:
    """All slots of one adapter. `on_gone` is called once, with a reason, when the Runtime API is away for good."""

    def __init__(
        self,
        api: Endpoint,
        concurrency: int,
        new_handler: Callable[[RuntimeSlot], InvocationHandler],
        output: Output,
        on_gone: Callable[[str], None],
        *,
        polls_ahead: bool = False,
        linked: bool = False,
        brief: bool = False,
    ) -> None:
        """`polls_ahead`: the Runtime API takes the next poll together with the end of an answer, and may answer both
        together. Ours does; of AWS's nothing is known. `linked`: it may be asked to carry all slots on one connection.
        `brief`: it takes the brief form on a connection of any kind, and not on a link alone.
        """
        self.api = api
        self.output = output
        self.polls_ahead = polls_ahead
        # The same bytes for every poll: our platform knows them again without parsing.
        self.poll = next_ahead_request(api) if polls_ahead else next_request(api)
        self.brief_poll = next_ahead_request(api, brief=True)
        self.brief = brief
        self.draining = False
        self._on_gone = on_gone
        self._on_drained: Callable[[], None] | None = None
        self._away_since: float | None = None
        self._link = LinkClient(api) if linked and polls_ahead else None
        self._slots = [RuntimeSlot(self, new_handler) for _ in range(concurrency)]

    def start(self) -> None:
        """Connects every slot and polls."""
        for slot in self._slots:
            slot.connect()

    def drain(self, on_drained: Callable[[], None]) -> None:
        """Polls no more; calls `on_drained` once every invocation in hand has been answered."""
        self.draining = True
        self._on_drained = on_drained
        for slot in self._slots:
            slot.stop_if_idle()
        self.slot_stopped()

    def close(self) -> None:
        """Drops every connection at once."""
        for slot in self._slots:
            slot.close()
        if self._link is not None:
            self._link.close()

    async def connect(self, slot: RuntimeSlot) -> None:
        """Joins a slot to the Runtime API. Raises OSError."""
        if self._link is not None:
            await self._link.connect(slot)
        else:
            await asyncio.get_running_loop().create_connection(lambda: slot, self.api.host, self.api.port)

    def slot_stopped(self) -> None:
        if self._on_drained and all(slot.stopped for slot in self._slots):
            self._on_drained()
            self._on_drained = None

    def connected(self) -> None:
        self._away_since = None

    def connect_failed(self, error: OSError, now: float) -> None:
        if self._away_since is None:
            self._away_since = now
            self.output.warn(f"cannot reach the Runtime API at {self.api.netloc}: {error}")
        elif now - self._away_since >= GONE_AFTER_S:
            self._on_gone(f"the Runtime API at {self.api.netloc} is gone: {error}")
