"""The requests of a door that are not over, and the wait for their end."""

import asyncio
from collections.abc import Awaitable
from typing import Final, Generic, TypeVar

from penstock.wire.listener import Listener

_Request = TypeVar("_Request")


class OpenRequests(Generic[_Request]):
    """A function goes on when its client has left: its request is open until its end.

    `now` is the set of them: a door adds to it, which costs no call of ours.
    """

    def __init__(self) -> None:
        self.now: Final[set[_Request]] = set()
        self._idle = asyncio.Event()
        self._waiting: asyncio.Future[list[object]] | None = None

    def ended(self, request: _Request) -> None:
        """A request is over. One that was not open does not count."""
        self.now.discard(request)
        if self._waiting and not self.now:
            self._idle.set()

    async def drain(self, listener: Listener, seconds: float, *others: Awaitable[object]) -> None:
        """Takes no more requests at `listener`, and waits at most `seconds` until the open ones are over, their answers
        out, and `others` done as well. Called once.
        """
        if not self.now:
            self._idle.set()
        waiting = self._waiting = asyncio.gather(self._over(listener), *others)
        listener.stop_accepting()
        await asyncio.wait([waiting], timeout=seconds)
        waiting.cancel()

    def stop_draining(self) -> None:
        """Wait no longer."""
        if self._waiting:
            self._waiting.cancel()

    async def _over(self, listener: Listener) -> None:
        await self._idle.wait()
        await listener.drained()
