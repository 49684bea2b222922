"""How fast a streamed response comes out of an environment: at once up to a burst, from then on at a rate.

On AWS the first 6 MB are uncapped and the rest comes at 2 MBps at most:
https://docs.aws.amazon.com/lambda/latest/dg/configuration-response-streaming.html#config-rs-write-functions
As a token bucket with these sizes: https://github.com/aws/aws-lambda-runtime-interface-emulator
"""

from dataclasses import dataclass
from typing import Final

from penstock.model.clock import Clock, Timer
from penstock.model.invocation import Source
from penstock.model.limits import MIB


@dataclass(frozen=True, slots=True)
class Bandwidth:
    """`burst` in bytes, `rate` in bytes per second."""

    burst: int
    rate: int


AWS: Final = Bandwidth(burst=6 * MIB, rate=2 * MIB)


class TokenBucket:
    """Full at first, and filled again with time. What was taken beyond what it held must be waited for. Pure."""

    def __init__(self, bandwidth: Bandwidth, now: float) -> None:
        self._bandwidth = bandwidth
        self._tokens = float(bandwidth.burst)
        self._filled = now

    def take(self, size: int, now: float) -> float:
        """Seconds to wait before any more is taken; 0 when there was enough."""
        filled = self._tokens + (now - self._filled) * self._bandwidth.rate
        self._tokens = min(filled, self._bandwidth.burst) - size
        self._filled = now
        return max(0.0, -self._tokens / self._bandwidth.rate)


class Pacer:
    """Pauses a source once it was faster than allowed. Itself the source that a full sink pauses."""

    def __init__(self, source: Source, bandwidth: Bandwidth, clock: Clock) -> None:
        self._source = source
        self._bucket = TokenBucket(bandwidth, clock.monotonic())
        self._clock = clock
        self._timer: Timer | None = None
        self._sink_is_full = False

    def relayed(self, size: int) -> None:
        """So many bytes went on their way: nothing more is read before the rate allows it."""
        wait = self._bucket.take(size, self._clock.monotonic())
        if wait > 0:
            self.cancel()
            self._timer = self._clock.call_later(wait, self._go_on)
            self._source.pause_reading()

    def _go_on(self) -> None:
        self._timer = None
        if not self._sink_is_full:
            self._source.resume_reading()

    def pause_reading(self) -> None:
        self._sink_is_full = True
        self._source.pause_reading()

    def resume_reading(self) -> None:
        self._sink_is_full = False
        if self._timer is None:
            self._source.resume_reading()

    def end(self) -> None:
        """All was relayed: what comes next is not held back."""
        if self._timer is not None:
            self.cancel()
            self._go_on()

    def cancel(self) -> None:
        """Forget what was to be waited for. What is paused stays so."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
