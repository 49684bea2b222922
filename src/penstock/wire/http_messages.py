"""Pieces of HTTP/1.1 responses, built once at import."""

from http import HTTPStatus
from typing import Final, TypeAlias

Headers: TypeAlias = list[tuple[bytes, bytes]]
"""In order, as they came."""

STATUS_LINES: Final[dict[int, bytes]] = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus
}
CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
CLOSE_HEAD_END: Final = b"connection: close\r\n\r\n"
LAST_CHUNK: Final = b"0\r\n\r\n"


def status_line(status: int) -> bytes:
    """The status line with its CRLF; a number without a registered phrase gets an empty one."""
    return STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status


def chunk(data: bytes) -> bytes:
    """One chunk of a chunked body. `data` must not be empty: an empty chunk would end the body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def response(status: int, content_type: bytes, body: bytes, extra: bytes = b"") -> bytes:
    """A complete keep-alive response. `extra` holds whole header lines with their CRLFs."""
    return b"%bcontent-type: %b\r\ncontent-length: %d\r\n%b\r\n%b" % (
        status_line(status),
        content_type,
        len(body),
        extra,
        body,
    )


def plain_response(status: int, body: bytes) -> bytes:
    """A complete text response after which the server closes."""
    return response(status, b"text/plain; charset=utf-8", body, b"connection: close\r\n")


# As Go's net/http words them, which AWS's emulator of the APIs inside an environment is built on.
NOT_FOUND: Final = response(
    404, b"text/plain; charset=utf-8", b"404 page not found\n", b"x-content-type-options: nosniff\r\n"
)
METHOD_NOT_ALLOWED: Final = response(405, b"text/plain; charset=utf-8", b"")
