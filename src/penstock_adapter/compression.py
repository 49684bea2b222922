"""Compression of buffered answers (AWS_LWA_ENABLE_COMPRESSION): which responses, and a body on its way through gzip.

Which ones is the default rule of tower-http, as LWA has it: https://docs.rs/tower-http/0.6.8/tower_http/compression/
LWA offers Brotli as well and prefers it where a client likes both alike; the standard library has gzip alone, so gzip
is what such a client gets.
"""

import asyncio
import re
import zlib
from collections.abc import Callable, Sequence

from penstock_adapter.http_answer import ResponseHeaders

# A response known to be shorter is left alone.
MIN_BYTES = 32
_NEVER = (b"application/grpc", b"image/", b"text/event-stream")
_BUT_ALWAYS = b"image/svg+xml"
# Level 6 and a gzip header around it: flate2's default, which tower-http takes.
_LEVEL = 6
_GZIP_WINDOW = zlib.MAX_WBITS | 16
# Measured at level 6 on JSON: 16 KiB take 0.3 ms, 256 KiB 7 ms, 6 MiB 160 ms. Every slot waits while the event loop
# compresses, so more than this at a time goes to a thread: zlib lets go of the interpreter while it works.
INLINE_BYTES = 16 * 1024

_WEIGHT = re.compile(r"[qQ]=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)")


def accepts_gzip(accept_encoding: Sequence[str]) -> bool:
    """Whether a client likes gzip (or x-gzip) and likes it no less than the body as it is.

    Codings that are not known, `*` among them, and weights that are none are passed over.
    """
    gzip, identity = 0.0, 0.0
    for part in (part for value in accept_encoding for part in value.split(",")):
        coding, semicolon, parameter = part.partition(";")
        weight = _WEIGHT.fullmatch(parameter.strip())
        if semicolon and weight is None:
            continue
        liking = float(weight[1]) if weight else 1.0
        name = coding.strip().lower()
        if name in ("gzip", "x-gzip"):
            gzip = max(gzip, liking)
        elif name == "identity":
            identity = max(identity, liking)
    return gzip > 0 and gzip >= identity


def is_compressible(headers: ResponseHeaders, *, bodiless: bool) -> bool:
    """Whether a response may be compressed. Names in lower case; one of unknown length may, `bodiless` may not."""
    fields = dict(reversed(headers))  # of a name that comes twice the first counts
    if bodiless or b"content-encoding" in fields or b"content-range" in fields:
        return False
    content_type = fields.get(b"content-type", b"")
    if content_type.startswith(_NEVER) and content_type != _BUT_ALWAYS:
        return False
    length = fields.get(b"content-length", b"")
    return not (length.isdigit() and len(length) < 9 and int(length) < MIN_BYTES)


def varying(headers: ResponseHeaders) -> list[tuple[bytes, bytes]]:
    """The headers of what may be compressed, whether it is or not: caches must know."""
    told = any(name == b"vary" and b"accept-encoding" in value.lower() for name, value in headers)
    return [*headers] if told else [*headers, (b"vary", b"accept-encoding")]


def compressed(headers: ResponseHeaders) -> list[tuple[bytes, bytes]]:
    """`varying` headers of what is compressed; the content encoding makes the answer's body base64."""
    kept = [pair for pair in varying(headers) if pair[0] not in (b"accept-ranges", b"content-length")]
    return [*kept, (b"content-encoding", b"gzip")]


class GzipBody:
    """One body, compressed piece by piece as it comes: no more than a read of it is ever held uncompressed.

    `go_on` is called when a thread that `work` told of is done. `done` is called once after `end`, there and then or
    later, with the whole. `size` is what has become of the body so far; past `limit` nothing is kept or compressed.
    """

    def __init__(self, limit: int, go_on: Callable[[], None], done: Callable[[bytes], None]) -> None:
        self.size = 0
        self._limit = limit
        self._go_on = go_on
        self._done = done
        self._compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP_WINDOW)
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
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
        """Nobody wants it any more: nothing is called from here on."""
        self._go_on = _nothing
        self._done = _nothing

    def _finish(self) -> None:
        self._last = True
        if self._waiting_bytes > INLINE_BYTES:
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


def _squeeze(compressor: "zlib._Compress", pieces: list[bytes], last: bool) -> bytes:
    done = [compressor.compress(piece) for piece in pieces]
    if last:
        done.append(compressor.flush())
    return b"".join(done)


def _nothing(*_: bytes) -> None:
    """What is called when nobody listens."""
