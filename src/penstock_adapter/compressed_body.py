"""One buffered body on its way through a compressor, without holding up the other slots."""

import asyncio
from collections.abc import Callable
from typing import Final

from penstock_adapter.compression import Coding, Compressor, new_compressor

# Measured with gzip on JSON: 16 KiB take 0.3 ms, 256 KiB 7 ms, 6 MiB 160 ms; Brotli takes as long. Every slot waits
# while the event loop compresses, so more than this goes to a thread: both let go of the interpreter while they work.
INLINE_BYTES: Final = 16 * 1024


class CompressedBody:
    """One body, compressed piece by piece as it comes: no more than a read of it is ever held uncompressed.

    `go_on` is called when a thread that `work` told of is done. `done` is called once after `end`, there and then or
    later, with the whole. `size` is what has become of the body so far; past `limit` nothing is kept or compressed.
    """

    def __init__(self, coding: Coding, limit: int, go_on: Callable[[], None], done: Callable[[bytes], None]) -> None:
        self.size = 0
        self._limit = limit
        self._go_on = go_on
        self._done = done
        self._compressor = new_compressor(coding)
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._bytes = 0
        self._pieces: list[bytes] = []
        self._job: asyncio.Future[bytes] | None = None
        self._ended = False
        self._last = False

    @property
    def busy(self) -> bool:
        """A thread is at work: whoever adds more now keeps it in memory."""
        return self._job is not None

    def add(self, data: bytes) -> None:
        """Another piece of the body."""
        if self.size <= self._limit:
            self._waiting.append(data)
            self._waiting_bytes += len(data)
            self._bytes += len(data)

    def work(self) -> bool:
        """After every read. Whether a thread is now busy, so that the rest of the body had better wait."""
        if self._job is None and self._waiting_bytes > INLINE_BYTES:
            self._begin()
        return self._job is not None

    def end(self) -> None:
        """The body is complete."""
        self._ended = True
        if self._job is None:
            self._finish()

    def drop(self) -> None:
        """Nobody wants it any more: nothing is called from here on, and no thread begins with the rest."""
        self._ended = False
        self._go_on = _nothing
        self._done = _nothing

    def _finish(self) -> None:
        self._last = True
        if self._bytes > INLINE_BYTES:  # Brotli does half its work at the end, for all that went before
            self._begin()
        else:
            self._keep(_squeeze(self._compressor, self._waiting, last=True))
            self._done(b"".join(self._pieces))

    def _begin(self) -> None:
        loop = asyncio.get_running_loop()
        waiting, self._waiting, self._waiting_bytes = self._waiting, [], 0
        self._job = loop.run_in_executor(None, _squeeze, self._compressor, waiting, self._last)
        self._job.add_done_callback(self._worked)

    def _worked(self, job: "asyncio.Future[bytes]") -> None:
        self._job = None
        if job.cancelled():
            return
        self._keep(job.result())
        if self._last:
            self._done(b"".join(self._pieces))
        elif self._ended:
            self._finish()
        else:
            self._go_on()

    def _keep(self, piece: bytes) -> None:
        self.size += len(piece)
        if self.size <= self._limit:
            self._pieces.append(piece)


def _squeeze(compressor: Compressor, pieces: list[bytes], last: bool) -> bytes:
    done = [compressor.process(piece) for piece in pieces]
    if last:
        done.append(compressor.finish())
    return b"".join(done)


def _nothing(*_: bytes) -> None:
    """What is called when nobody listens."""
