"""Which bytes of an object are asked for."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from penstock.aws_api.s3.errors import invalid_argument, invalid_range
from penstock.aws_api.service import ServiceError

_RANGE: Final = re.compile(r"bytes=(\d*)-(\d*)")
_COPY_RANGE: Final = re.compile(r"bytes=(\d+)-(\d+)")


@dataclass(frozen=True, slots=True)
class Span:
    offset: int
    length: int

    def content_range(self, size: int) -> str:
        return f"bytes {self.offset}-{self.offset + self.length - 1}/{size}"


def span_of(text: str, size: int) -> Span | None:
    """Of a Range header; None where all is to be sent: several ranges at once, or what cannot be read, as RFC 9110
    section 14.2 lets a server do. Raises InvalidRange.
    """
    found = _RANGE.fullmatch(text.strip())
    if not found or found.groups() == ("", ""):
        return None
    first, last = found.groups()
    if not first:
        length = min(int(last), size)
        if not length:
            raise invalid_range(text, size)
        return Span(size - length, length)
    if last and int(last) < int(first):
        return None
    if int(first) >= size:
        raise invalid_range(text, size)
    end = min(int(last), size - 1) if last else size - 1
    return Span(int(first), end - int(first) + 1)


def span_of_part(number: int, sizes: Sequence[int], size: int) -> Span:
    """Of a part of an object that was uploaded in parts; any other is one part. Raises InvalidPartNumber."""
    parts = sizes or (size,)
    if not 1 <= number <= len(parts):
        members = {"PartNumberRequested": str(number), "ActualPartCount": str(len(parts))}
        raise ServiceError("InvalidPartNumber", "The requested partnumber is not satisfiable", 416, members)
    return Span(sum(parts[: number - 1]), parts[number - 1])


def span_to_copy(text: str, size: int) -> Span:
    """Of `x-amz-copy-source-range`. Raises InvalidArgument.
    https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPartCopy.html
    """
    found = _COPY_RANGE.fullmatch(text.strip())
    name = "x-amz-copy-source-range"
    if not found or int(found[2]) < int(found[1]):
        told = (
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the "
            "zero-based offsets of the first and last bytes to copy"
        )
        raise invalid_argument(told, name, text)
    if int(found[2]) >= size:
        raise invalid_argument(f"Range specified is not valid for source object of size: {size}", name, text)
    return Span(int(found[1]), int(found[2]) - int(found[1]) + 1)
