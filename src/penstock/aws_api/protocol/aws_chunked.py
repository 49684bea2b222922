"""The `aws-chunked` coding of S3's uploads, undone as it arrives.

https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html
https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html
"""

import hashlib
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from penstock.aws_api.service import ServiceError

if TYPE_CHECKING:
    from penstock.wire.http_messages import Headers

# A signature is 64 digits; trailers hold a checksum each (assumed).
_MAX_LINE: Final = 1024
_MAX_TRAILERS: Final = 32
_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,12})(?:;chunk-signature=([0-9a-f]{64}))?(?:;[^\r\n]*)?")

Signed = tuple[str, str]
"""A chunk's signature, and the SHA-256 of its content."""


def is_aws_chunked(content_encoding: str, content_sha256: str) -> bool:
    codings = [coding.strip() for coding in content_encoding.lower().split(",")]
    return "aws-chunked" in codings or content_sha256.startswith("STREAMING-")


def without_coding(content_encoding: str) -> str:
    """The codings that belong to the object itself."""
    codings = (coding.strip() for coding in content_encoding.split(","))
    return ",".join(coding for coding in codings if coding.lower() != "aws-chunked")


class ChunkDecoder:
    """`signed` are the chunks with their signatures, when they have any, the empty last one among them; `trailers`
    what followed it.
    """

    def __init__(self) -> None:
        self.signed: list[Signed] = []
        self.trailers: Headers = []
        self.complete = False
        self._line = bytearray()
        self._left = -1  # of the chunk; -1 while its size is not known
        self._ends = False  # the chunk's content is over, its line end is to come
        self._last = False
        self._signature = b""
        self._hash = hashlib.sha256()

    def decode(self, data: bytes) -> Iterator[bytes]:
        """Pieces of the content. Raises ServiceError."""
        at = 0
        while at < len(data):
            if self._left > 0:
                piece = data[at : at + self._left]
                at += len(piece)
                self._left -= len(piece)
                if self._signature:
                    self._hash.update(piece)
                yield piece
                if not self._left:
                    self._end_chunk()
                continue
            end = data.find(b"\n", at)
            self._line += data[at:] if end < 0 else data[at : end + 1]
            at = len(data) if end < 0 else end + 1
            if len(self._line) > _MAX_LINE:
                raise malformed()
            if end >= 0:
                line = bytes(self._line).rstrip(b"\r\n")
                self._line.clear()
                self._take_line(line)

    def _take_line(self, line: bytes) -> None:
        if self.complete or (self._ends and line):
            raise malformed()
        if self._ends:
            self._ends = False
        elif self._last:
            self._take_trailer(line)
        else:
            self._take_size(line)

    def _take_size(self, line: bytes) -> None:
        found = _SIZE.fullmatch(line)
        if found is None:
            raise malformed()
        self._left = int(found[1], 16)
        self._signature = found[2] or b""
        self._hash = hashlib.sha256()
        if not self._left:
            self._last = True
            self._sign()

    def _take_trailer(self, line: bytes) -> None:
        """An empty line ends them."""
        if not line:
            self.complete = True
            return
        name, colon, value = line.partition(b":")
        if not colon or len(self.trailers) >= _MAX_TRAILERS:
            raise malformed()
        self.trailers.append((name.strip().lower(), value.strip()))

    def _end_chunk(self) -> None:
        self._left = -1
        self._ends = True
        self._sign()

    def _sign(self) -> None:
        if self._signature:
            self.signed.append((self._signature.decode(), self._hash.hexdigest()))


def malformed() -> ServiceError:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html"""
    return ServiceError("IncompleteBody", "The request body terminated unexpectedly")
