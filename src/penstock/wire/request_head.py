"""What is refused of a request's head that the parser lets pass. Pure.

Two readers that take the same bytes for different requests are how one request is smuggled inside another: what is
open to two readings is refused, as RFC 9112 asks for. tests/conformance/http_requests.yaml lists every shape.
"""

from typing import Final

from penstock.wire.http_messages import plain_response

BAD_REQUEST: Final = plain_response(400, b"Bad Request")
REQUEST_TIMEOUT: Final = plain_response(408, b"Request Timeout")
HEADERS_TOO_LARGE: Final = plain_response(431, b"Request Header Fields Too Large")
NOT_IMPLEMENTED: Final = plain_response(501, b"Not Implemented")
VERSION_NOT_SUPPORTED: Final = plain_response(505, b"HTTP Version Not Supported")

# Each costs many times its bytes. Enough for real clients (assumed; Node takes as many:
# https://nodejs.org/api/http.html#servermaxheaderscount).
MAX_HEADERS: Final = 2000

# A host and a port (RFC 9110 section 7.2); `@` is left out: a user is no part of it (RFC 9110 section 4.2.4).
_HOST: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,;=%:[]"
_STARTS: Final = (b"/", b"http://", b"https://")

# The headers that decide how a request is read.
WATCHED: Final = frozenset({b"expect", b"host", b"transfer-encoding", b"upgrade"})


def is_host(value: bytes) -> bool:
    """Whether nothing stands in it that no Host field may hold."""
    return not value.translate(None, _HOST)


def refusal(method: bytes, version: str, target: bytes, hosts: int, coding: bytes) -> bytes | None:
    """The answer to a head that must be refused, or None.

    `hosts` counts the Host fields; `coding` is the value of Transfer-Encoding, empty without one.
    """
    if version not in ("1.1", "1.0"):  # RFC 9110 section 15.6.6
        return VERSION_NOT_SUPPORTED
    if hosts > 1 or (not hosts and version == "1.1"):  # RFC 9112 section 3.2
        return BAD_REQUEST
    if coding and version == "1.0":  # RFC 9112 section 6.1: its framing is faulty
        return BAD_REQUEST
    if coding and coding.lower() != b"chunked":  # RFC 9112 section 6.1: a coding that is not understood
        return NOT_IMPLEMENTED
    if method == b"CONNECT":  # RFC 9110 section 9.1: a method that is not implemented
        return NOT_IMPLEMENTED
    if target.startswith(_STARTS) or (target == b"*" and method == b"OPTIONS"):
        return None
    return BAD_REQUEST  # RFC 9112 section 3.2: none of the four forms


def origin_form(target: bytes) -> tuple[bytes, bytes]:
    """The authority and the origin-form of an absolute-form target, which servers take (RFC 9112 section 3.2.2)."""
    rest = target.partition(b"://")[2]
    end = min((at for at in (rest.find(b"/"), rest.find(b"?")) if at >= 0), default=len(rest))
    path = rest[end:]
    return rest[:end], path if path.startswith(b"/") else b"/" + path
