"""The checksums a client gives with an object, and those of an object of several parts.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html
A COMPOSITE checksum is that of the parts' checksums, a FULL_OBJECT one that of the bytes; for CRCs it follows from
those of the parts.
"""

import base64
import binascii
import hashlib
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

COMPOSITE: Final = "COMPOSITE"
FULL_OBJECT: Final = "FULL_OBJECT"
MEMBERS: Final = (
    "ChecksumCRC32",
    "ChecksumCRC32C",
    "ChecksumCRC64NVME",
    "ChecksumSHA1",
    "ChecksumSHA256",
    "ChecksumSHA512",
    "ChecksumMD5",
    "ChecksumXXHASH64",
    "ChecksumXXHASH3",
    "ChecksumXXHASH128",
)
# Reversed polynomials and widths in bits. CRC-32: zlib's; CRC-32C: RFC 3720 appendix B.4; CRC-64/NVME: NVM Express,
# https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html names it.
_CRCS: Final = {
    "ChecksumCRC32": (0xEDB88320, 32),
    "ChecksumCRC32C": (0x82F63B78, 32),
    "ChecksumCRC64NVME": (0x9A6C9329AC4BC9B5, 64),
}


def given(params: Mapping[str, Any]) -> dict[str, str]:
    """Those among an operation's parameters."""
    return {name: params[name] for name in MEMBERS if params.get(name)}


def algorithms(checksums: Mapping[str, str]) -> list[str]:
    """`CRC32` and so on, as a listing names them."""
    return [name.removeprefix("Checksum") for name in MEMBERS if name in checksums]


def type_of(checksums: Mapping[str, str]) -> dict[str, str]:
    """The member ChecksumType: a composite one ends in `-` and the number of parts."""
    if not checksums:
        return {}
    composite = any("-" in text for text in checksums.values())
    return {"ChecksumType": COMPOSITE if composite else FULL_OBJECT}


def default_type(algorithm: str) -> str:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateMultipartUpload.html"""
    return FULL_OBJECT if algorithm == "CRC64NVME" else COMPOSITE


def of_parts(member: str, parts: Sequence[tuple[str, int]], kind: str) -> str | None:
    """The checksum of the whole, from each part's checksum and size; None where it cannot be had."""
    if any(not text for text, _ in parts):
        return None
    raw = [base64.b64decode(text) for text, _ in parts]
    if kind == COMPOSITE:
        digest = _DIGESTS.get(member)
        return None if digest is None else f"{base64.b64encode(digest(b''.join(raw))).decode()}-{len(parts)}"
    if member not in _CRCS:
        return None
    polynomial, width = _CRCS[member]
    values = (int.from_bytes(one, "big") for one in raw)
    whole = combined(zip(values, (size for _, size in parts), strict=True), polynomial, width)
    return base64.b64encode(whole.to_bytes(width // 8, "big")).decode()


def combined(parts: Iterable[tuple[int, int]], polynomial: int, width: int) -> int:
    """The CRC of bytes one after the other, from the CRC and length of each piece.

    A CRC is a polynomial modulo another. Appending n bytes multiplies what came before by x to the power of 8n; the
    start value and the final inversion, being the same for every piece, cancel out.
    """
    whole = 0
    for crc, length in parts:
        whole = _times(whole, _x_to_the(8 * length, polynomial, width), polynomial, width) ^ crc
    return whole


def _x_to_the(power: int, polynomial: int, width: int) -> int:
    """The highest bit stands for x to the power of 0: the polynomials are reversed."""
    result, square = 1 << (width - 1), 1 << (width - 2)
    while power:
        if power & 1:
            result = _times(result, square, polynomial, width)
        square = _times(square, square, polynomial, width)
        power >>= 1
    return result


def _times(a: int, b: int, polynomial: int, width: int) -> int:
    product = 0
    for bit in range(width - 1, -1, -1):
        if a >> bit & 1:
            product ^= b
        b = (b >> 1) ^ polynomial if b & 1 else b >> 1
    return product


def crc(data: bytes, polynomial: int, width: int) -> int:
    """Bit by bit: for the few bytes of the parts' checksums."""
    mask = (1 << width) - 1
    value = mask
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value >> 1) ^ polynomial if value & 1 else value >> 1
    return value ^ mask


def _crc_bytes(member: str) -> Callable[[bytes], bytes]:
    polynomial, width = _CRCS[member]
    return lambda data: crc(data, polynomial, width).to_bytes(width // 8, "big")


_DIGESTS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "ChecksumCRC32": lambda data: zlib.crc32(data).to_bytes(4, "big"),
    "ChecksumCRC32C": _crc_bytes("ChecksumCRC32C"),
    "ChecksumSHA1": lambda data: hashlib.sha1(data, usedforsecurity=False).digest(),
    "ChecksumSHA256": lambda data: hashlib.sha256(data).digest(),
    "ChecksumSHA512": lambda data: hashlib.sha512(data).digest(),
    "ChecksumMD5": lambda data: hashlib.md5(data, usedforsecurity=False).digest(),
}


def md5_matches(content_md5: str, md5: str) -> bool | None:
    """Whether a Content-MD5 header is that of the bytes; None where it is no MD5 at all."""
    try:
        raw = base64.b64decode(content_md5, validate=True)
    except (binascii.Error, ValueError):
        return None
    return raw.hex() == md5 if len(raw) == 16 else None
