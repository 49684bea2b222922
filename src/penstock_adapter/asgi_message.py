"""What an app sends, checked: a message that cannot become a response is told to the app in one clear line. Pure.

https://asgi.readthedocs.io/en/latest/specs/www.html#response-start-send-event; where that is silent, what uvicorn does.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final, TypeAlias

HeaderPairs: TypeAlias = list[tuple[bytes, bytes]]

# RFC 9110, sections 5.1 and 5.5: a name is a token, and nothing in a value may end its line.
_is_token: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+").fullmatch
_control_in: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]").search


def read_status(message: Mapping[str, object]) -> int:
    """The status of `http.response.start`. Raises TypeError or ValueError with what is wrong."""
    status = message.get("status")
    if not isinstance(status, int):
        raise TypeError(f"ASGI status must be an int, not {type(status).__name__}")
    if not 200 <= status <= 599:
        raise ValueError(f"ASGI status must be from 200 to 599, not {status:d}")
    return int(status)


def read_headers(message: Mapping[str, object]) -> HeaderPairs:
    """The headers of `http.response.start`, names in lower case. Raises TypeError or ValueError with what is wrong.

    No message shows a value: it may be a cookie.
    """
    given = message.get("headers", ())
    try:
        pairs = [(name, value) for name, value in given]  # type: ignore[attr-defined]  # whatever the app has sent
    except (TypeError, ValueError) as error:
        raise TypeError(f"ASGI headers must be pairs of name and value: {error}") from error
    return [
        (_lower(_as_bytes(name, "header name")), _checked(_as_bytes(value, "header value"), name))
        for name, value in pairs
    ]


def read_body(message: Mapping[str, object]) -> bytes:
    """The body of `http.response.body`. Raises TypeError."""
    return _as_bytes(message.get("body", b""), "body")


def content_length(headers: HeaderPairs) -> int | None:
    """What the response says of its length, None if nothing. Raises ValueError for what is not a length."""
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


def _checked(value: bytes, name: object) -> bytes:
    if _control_in(value):
        raise ValueError(f"Invalid HTTP header value of {name!r}: a control byte")
    return value
