"""What an app sends, checked: a message that cannot become a response is told to the app in one clear line. Pure.

https://asgi.readthedocs.io/en/latest/specs/www.html#response-start-send-event; where that is silent, what uvicorn does.
"""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final, NamedTuple, TypeAlias, cast

from penstock_adapter.http_answer import prelude

HeaderPairs: TypeAlias = tuple[tuple[bytes, bytes], ...]

# RFC 9110, sections 5.1 and 5.5: a name is a token, and nothing in a value may end its line.
_is_token: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+").fullmatch
_control_in: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]").search

# An app has few kinds of head, and sends each again and again: those up to this size are worth keeping, so many at a
# time. Both `assumed`.
_REPEATED_BYTES: Final = 512
_HEADS_KEPT: Final = 256


class Head(NamedTuple):
    """`http.response.start`, checked: names in lower case, the content-length if there is one, and the prelude."""

    status: int
    headers: HeaderPairs
    length: int | None
    prelude: bytes


_kept: Final[dict[tuple[object, ...], Head]] = {}


def read_head(message: Mapping[str, object]) -> Head:
    """What `http.response.start` says. Raises TypeError or ValueError with what is wrong.

    No message shows a value: it may be a cookie.
    """
    status = message.get("status")
    pairs = _pairs(message.get("headers", ()))
    key = (status, pairs)
    try:
        known = _kept.get(key)
    except TypeError:  # a header in a list, or in bytes that can change
        return _read(status, pairs)
    if known is not None:
        return known
    head = _read(status, pairs)
    if _is_repeated(head.headers):
        if len(_kept) >= _HEADS_KEPT:
            _kept.clear()
        _kept[key] = head
    return head


def read_body(message: Mapping[str, object]) -> bytes:
    """The body of `http.response.body`. Raises TypeError."""
    return _as_bytes(message.get("body", b""), "body")


def _pairs(headers: object) -> tuple[object, ...]:
    if type(headers) is list or isinstance(headers, Iterable):
        return tuple(headers)
    raise TypeError(f"ASGI headers must be pairs of name and value, not {type(headers).__name__}")


def _read(status: object, pairs: tuple[object, ...]) -> Head:
    checked = _status(status)
    headers = tuple([_header(pair) for pair in pairs])
    return Head(checked, headers, _content_length(headers), prelude(checked, headers))


def _is_repeated(headers: HeaderPairs) -> bool:
    """A head with a cookie is one client's alone."""
    return (
        sum(_REPEATED_BYTES + 1 if name == b"set-cookie" else len(value) for name, value in headers) <= _REPEATED_BYTES
    )


def _status(status: object) -> int:
    if not isinstance(status, int):
        raise TypeError(f"ASGI status must be an int, not {type(status).__name__}")
    if not 200 <= status <= 599:
        raise ValueError(f"ASGI status must be from 200 to 599, not {status:d}")
    return int(status)


def _header(pair: object) -> tuple[bytes, bytes]:
    try:
        name, value = cast("tuple[object, object]", pair)
    except (TypeError, ValueError) as error:
        raise TypeError(f"ASGI headers must be pairs of name and value: {error}") from error
    known = _lower(_as_bytes(name, "header name"))
    checked = _as_bytes(value, "header value")
    if _control_in(checked):
        raise ValueError(f"Invalid HTTP header value of {known.decode()}: a control byte")
    return known, checked


def _content_length(headers: HeaderPairs) -> int | None:
    for name, value in headers:
        if name == b"content-length":
            if not value.isdigit():
                raise ValueError("ASGI header content-length is not a number")
            return int(value)
    return None


def _as_bytes(value: object, what: str) -> bytes:
    if type(value) is bytes:
        return value
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    raise TypeError(f"ASGI {what} must be bytes, not {type(value).__name__}")


@lru_cache(maxsize=1024)
def _lower(name: bytes) -> bytes:
    if not _is_token(name):
        raise ValueError(f"Invalid HTTP header name: {name[:100]!r}")
    return name.lower()
