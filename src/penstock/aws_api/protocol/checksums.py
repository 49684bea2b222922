"""What a request says of its body's content, held against the body as it arrives.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html
Of the algorithms, CRC-32C, CRC-64/NVME and the xxHash family are not in Python's standard library: in Python they would
be a hundred times slower than the rest, so what a client says of them is believed.
"""

import base64
import binascii
import hashlib
import zlib
from typing import Final, Protocol

from penstock.aws_api.service import ServiceError

_MD5: Final = "content-md5"
SHA_256_HEADER: Final = "x-amz-content-sha256"


class Digest(Protocol):
    def update(self, data: bytes, /) -> None: ...
    def digest(self) -> bytes: ...


class Crc32:
    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes, /) -> None:
        self._value = zlib.crc32(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(4, "big")


def _md5() -> Digest:
    return hashlib.md5(usedforsecurity=False)


def _sha1() -> Digest:
    return hashlib.sha1(usedforsecurity=False)


_MADE_BY: Final = {
    _MD5: _md5,
    "x-amz-checksum-crc32": Crc32,
    "x-amz-checksum-sha1": _sha1,
    "x-amz-checksum-sha256": hashlib.sha256,
    "x-amz-checksum-sha512": hashlib.sha512,
    "x-amz-checksum-md5": _md5,
}


class Checksums:
    """Those of one body. `sent` are the headers, `trailing` the names of those that follow the body."""

    def __init__(self, sent: dict[str, str], trailing: list[str], *, hashed: bool) -> None:
        """With `hashed` the SHA-256 of the body is made in any case. Raises ServiceError for what is no checksum."""
        self._expected = {name: _decoded(name, value) for name, value in sent.items() if name in _MADE_BY}
        self._trailing = [name for name in trailing if name in _MADE_BY]
        self._made: dict[str, Digest] = {name: _MADE_BY[name]() for name in (*self._expected, *self._trailing)}
        declared = sent.get(SHA_256_HEADER, "")
        self._declared = declared if len(declared) == 64 else ""
        self._sha256 = hashlib.sha256() if hashed or self._declared else None

    def update(self, data: bytes) -> None:
        for digest in self._made.values():
            digest.update(data)
        if self._sha256 is not None:
            self._sha256.update(data)

    @property
    def sha256(self) -> str:
        """In hex; empty when nobody wanted it."""
        return self._sha256.hexdigest() if self._sha256 is not None else ""

    def check(self, trailers: dict[str, str]) -> None:
        """Raises ServiceError when the body is not what was said."""
        expected = self._expected | {n: _decoded(n, trailers[n]) for n in self._trailing if n in trailers}
        for name, value in expected.items():
            if self._made[name].digest() != value:
                raise _bad(name)
        if self._declared and self._declared != self.sha256:
            raise _other_sha256(self._declared, self.sha256)


def _decoded(name: str, value: str) -> bytes:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html (InvalidDigest; InvalidRequest as seen)"""
    try:
        found = base64.b64decode(value, validate=True)
    except binascii.Error:
        found = b""
    if len(found) != len(_MADE_BY[name]().digest()):
        if name == _MD5:
            raise ServiceError("InvalidDigest", "The Content-MD5 you specified is not valid.")
        raise ServiceError("InvalidRequest", f"Value for {name} header is invalid.")
    return found


def _bad(name: str) -> ServiceError:
    if name == _MD5:
        return ServiceError("BadDigest", "The Content-MD5 you specified did not match what we received.")
    algorithm = name.removeprefix("x-amz-checksum-").upper()
    return ServiceError("BadDigest", f"The {algorithm} you specified did not match the calculated checksum.")


def _other_sha256(declared: str, computed: str) -> ServiceError:
    """As seen on AWS: https://github.com/minio/minio/blob/master/cmd/api-errors.go names it as well."""
    members = {"ClientComputedContentSHA256": declared, "S3ComputedContentSHA256": computed}
    text = "The provided 'x-amz-content-sha256' header does not match what was computed."
    return ServiceError("XAmzContentSHA256Mismatch", text, members=members)
