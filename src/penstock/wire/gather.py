"""One read, one write: what handling one incoming read writes leaves each connection in a single piece.

A read often carries several chunks of a response, or a whole one with its end; uvloop hands every `write` to the
kernel at once, and on loopback each costs as much as parsing a request. Nothing waits: the writes leave when the read
is handled.
"""

import asyncio
import threading
from collections.abc import Callable
from typing import Final


class _Gathering:
    """The reads being handled (a handler may feed itself once more) and who has something to send after them."""

    __slots__ = ("depth", "outboxes")

    def __init__(self) -> None:
        self.depth = 0
        self.outboxes: list[Outbox] = []


class _Threads(threading.local):
    """One for each thread: an event loop handles one read at a time, and a test run may have several."""

    def __init__(self) -> None:
        self.gathering = _Gathering()


_THREADS: Final = _Threads()


class Outbox:
    """Writes for one transport, always in the thread it was made in."""

    __slots__ = ("_gathering", "_held", "_large", "_parts", "_transport")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._gathering = _THREADS.gathering  # what a thread has for itself is slow to come by
        self._parts: list[bytes] = []
        self._held = False
        self._large = False

    def write_large(self, *parts: bytes) -> None:
        """The same for so many bytes that joining them would cost more than handing them over one by one."""
        self._large = True
        if not self._gathering.depth:
            self._parts += parts
            self.flush()
            return
        if not self._parts or self._held:
            self._held = False
            self._gathering.outboxes.append(self)
        self._parts += parts

    def write(self, data: bytes) -> None:
        """Send `data` when the read that is being handled is done, or now when none is."""
        if not self._gathering.depth:
            if self._parts:
                self._parts.append(data)
                self.flush()
            else:
                self._transport.write(data)
            return
        if not self._parts or self._held:
            self._held = False
            self._gathering.outboxes.append(self)
        self._parts.append(data)

    def hold(self) -> None:
        """Keep what was gathered so far until something else is written."""
        self._held = True

    def flush_gathered(self) -> None:
        """Send what was gathered, unless it is held."""
        if not self._held:
            self.flush()

    def flush(self) -> None:
        """Send now what was gathered: before the transport is closed or told anything else."""
        self._held = False
        if self._parts:
            parts, self._parts = self._parts, []
            large, self._large = self._large, False
            if self._transport.is_closing():
                return
            if large:
                self._transport.writelines(parts)
            else:
                self._transport.write(parts[0] if len(parts) == 1 else b"".join(parts))


def handle_read(handle: Callable[[bytes], None], data: bytes) -> None:
    """Run `handle(data)` and then send what it caused to be written."""
    gathering = _THREADS.gathering
    gathering.depth += 1
    try:
        handle(data)
    finally:
        gathering.depth -= 1
        if not gathering.depth and gathering.outboxes:
            outboxes, gathering.outboxes = gathering.outboxes, []
            for outbox in outboxes:
                outbox.flush_gathered()
