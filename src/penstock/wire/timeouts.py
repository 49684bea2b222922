"""How long a client may take for each phase of a connection, counted in ticks.

A connection notes at which tick its phase ends and its listener counts the ticks: nothing is armed for a request and
no clock is read. While a function is answering nothing ends: its own deadline bounds that.
"""

import math
from dataclasses import dataclass
from typing import Final

TICK_S: Final = 1.0
NEVER: Final = 1 << 62
"""A tick that does not come."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. What Function URLs allow is unpublished: all are assumed, each after what is named beside it."""

    head: float = 60.0
    """First byte of a request, or the connection itself, until its headers are complete: 408, or nothing when no byte
    came. https://nodejs.org/api/http.html#serverheaderstimeout"""
    request: float = 300.0
    """Headers until the end of the body: 408. https://nodejs.org/api/http.html#serverrequesttimeout"""
    idle: float = 60.0
    """Between requests. https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/config-idle-timeout.html"""
    linger: float = 30.0
    """Our answer is over, and the peer takes nothing of it or does not close. https://nginx.org/r/lingering_time"""
    handshake: float = 10.0
    """TLS, before anything else. Real time, the event loop's own."""


class Deadlines:
    """The tick at which each phase that began now would have lasted too long; one for all connections of a listener.

    A phase that begins between two ticks ends up to one tick late, and never early.
    """

    __slots__ = ("_timeouts", "head", "idle", "linger", "now", "request")

    def __init__(self, timeouts: Timeouts | None) -> None:
        self._timeouts = timeouts
        self.now = -1
        self.head = self.request = self.idle = self.linger = NEVER
        self.tick()

    def tick(self) -> None:
        """One tick has passed."""
        self.now += 1
        if self._timeouts:
            self.head = self._after(self._timeouts.head)
            self.request = self._after(self._timeouts.request)
            self.idle = self._after(self._timeouts.idle)
            self.linger = self._after(self._timeouts.linger)

    def _after(self, seconds: float) -> int:
        return self.now + math.ceil(seconds / TICK_S) + 1
