"""The body of a request as it arrives: small ones in memory, large ones in a file without a name."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Final

from penstock.aws_api.protocol.aws_chunked import ChunkDecoder, Signed, is_aws_chunked, malformed, without_coding
from penstock.aws_api.protocol.checksums import SHA_256_HEADER, Checksums
from penstock.aws_api.protocol.head import Form, Head
from penstock.aws_api.protocol.wording import too_large
from penstock.model.limits import MIB
from penstock.wire.http_messages import Headers

_IN_MEMORY: Final = MIB
_GIB: Final = 1024 * MIB

# The largest object that one PUT makes: https://docs.aws.amazon.com/AmazonS3/latest/userguide/upload-objects.html
MAX_OBJECT_BYTES: Final = 5 * _GIB

# Lambda's: 50 MB of zip file, in Base64 (https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html); the
# number is the one in AWS's own error text. Logs: a batch has 1 MiB of text, each byte of which JSON may write as six
# (https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html). Other services: a
# template in the body has 51,200 bytes, PutMetricData 1 MB (assumed to be the largest of the rest).
_MAX_BYTES: Final = {"lambda": 70_167_211, "logs": 6 * MIB}


class Intake:
    """Takes the body piece by piece. `signed`, `sha256` and `head` are for who verifies the signature."""

    def __init__(self, head: Head, folder: Path, *, max_object_bytes: int, hashed: bool) -> None:
        """Large bodies go to a file in `folder`. Raises ServiceError."""
        self._form = head.form
        s3 = self._form is Form.S3
        self.head = head
        self._limit = max_object_bytes if s3 else _MAX_BYTES.get(head.service, MIB)
        declared = head.field(SHA_256_HEADER.encode())
        coded = s3 and is_aws_chunked(head.field(b"content-encoding"), declared)
        self._decoder = ChunkDecoder() if coded else None
        sent = {name.decode("latin-1"): value.decode("latin-1") for name, value in head.headers} if s3 else {}
        trailing = [name.strip().lower() for name in sent.get("x-amz-trailer", "").split(",")] if coded else []
        length = _length(sent.get("x-amz-decoded-content-length") if coded else head.field(b"content-length"))
        self._expected = length if coded else None
        if length is not None and length > self._limit:
            raise too_large(self._form, self._limit)
        self._checksums = Checksums(sent, trailing, hashed=hashed and not coded)
        self._size = 0
        self.file: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY, dir=str(folder))  # noqa: SIM115

    def feed(self, chunk: bytes) -> None:
        """Raises ServiceError, and OSError when there is no room on the disk."""
        if self._decoder is None:
            self._take(chunk)
            return
        for piece in self._decoder.decode(chunk):
            self._take(piece)

    def _take(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size > self._limit:
            raise too_large(self._form, self._limit)
        self._checksums.update(piece)
        self.file.write(piece)

    def finish(self, trailers: Headers) -> Head:
        """The body is complete, and `file` stands at its beginning. The head as if it had come without the coding.
        Raises ServiceError.
        """
        decoder = self._decoder
        if decoder and (not decoder.complete or self._expected not in (None, self._size)):
            raise malformed()
        trailers = [*trailers, *(decoder.trailers if decoder else ())]
        named = {name.decode("latin-1"): value.decode("latin-1") for name, value in trailers}
        self._checksums.check(named)
        self.file.seek(0)
        return _decoded_head(self.head, named, self._size) if decoder else self.head

    @property
    def sha256(self) -> str:
        """Of the body as it came, in hex; empty when it was not wanted."""
        return self._checksums.sha256

    @property
    def signed(self) -> list[Signed]:
        return self._decoder.signed if self._decoder else []

    def content(self) -> bytes:
        """Of a small body; of a large one its beginning."""
        self.file.seek(0)
        found = self.file.read(_IN_MEMORY)
        self.file.seek(0)
        return found

    def close(self) -> None:
        self.file.close()


def _length(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() and len(text) < 19 else None


def _decoded_head(head: Head, trailers: Mapping[str, str], size: int) -> Head:
    headers: Headers = []
    for name, value in head.headers:
        if name == b"content-encoding":
            value = without_coding(value.decode("latin-1")).encode("latin-1")
            if not value:
                continue
        headers.append((name, str(size).encode() if name == b"content-length" else value))
    checksums = ((n.encode(), v.encode("latin-1")) for n, v in trailers.items() if n.startswith("x-amz-checksum-"))
    return Head(head.method, head.target, [*headers, *checksums])
