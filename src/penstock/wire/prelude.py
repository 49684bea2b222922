"""The prelude of a streamed HTTP response: JSON, eight NULs, then the body's raw bytes.

`{"statusCode": 200, "headers": {...}, "multiValueHeaders": {...}, "cookies": [...]}`; every key is optional.
https://docs.aws.amazon.com/apigateway/latest/developerguide/response-transfer-mode-lambda.html
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html#runtimes-custom-response-streaming
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Final

import orjson

CONTENT_TYPE: Final = "application/vnd.awslambda.http-integration-response"
SEPARATOR: Final = b"\0" * 8
# JSON holds no raw NUL, so the first eight are the separator. A prelude is headers: AWS's 1 MB budget (assumed).
MAX_PRELUDE_BYTES: Final = 1024 * 1024


# An app has few kinds of head and sends each again and again: those up to this size are read once (assumed).
_REPEATED_BYTES: Final = 1024
_REPEATED_HEADS: Final = 256

_STATUS_TEXT: Final = re.compile(r"[0-9]{3}")


class PreludeError(ValueError):
    """The bytes are not a prelude; the text says why."""


@dataclass(frozen=True, slots=True)
class Prelude:
    """`headers` in order, names as the function wrote them, one entry per value.

    `repeated`: small, and so one of few; what is made of it may be kept in `made`.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    cookies: tuple[str, ...]
    repeated: bool = field(default=False, compare=False)
    made: dict[str, bytes] = field(default_factory=dict, compare=False, repr=False)


class PreludeReader:
    """Finds the separator wherever the chunks were cut."""

    __slots__ = ("_buffer", "_searched")

    def __init__(self) -> None:
        self._buffer = b""
        self._searched = 0

    def feed(self, data: bytes) -> tuple[Prelude, bytes] | None:
        """The prelude and the first bytes of the body, once the separator is complete; None until then.

        Raises PreludeError when what came before the separator is no prelude, or no separator comes.
        """
        buffer = self._buffer + data if self._buffer else data
        at = buffer.find(SEPARATOR, max(0, self._searched - len(SEPARATOR) + 1))
        if at < 0:
            if len(buffer) > MAX_PRELUDE_BYTES:
                raise PreludeError(f"no separator in the first {MAX_PRELUDE_BYTES} bytes")
            self._buffer, self._searched = buffer, len(buffer)
            return None
        self._buffer = b""
        return parse_prelude(buffer[:at]), buffer[at + len(SEPARATOR) :]


def parse_prelude(data: bytes) -> Prelude:
    """Raises PreludeError when `data` is not a JSON object of the shape above."""
    return _parse_repeated(data) if len(data) <= _REPEATED_BYTES else _parse(data)


@lru_cache(maxsize=_REPEATED_HEADS)
def _parse_repeated(data: bytes) -> Prelude:
    return replace(_parse(data), repeated=True)


def _parse(data: bytes) -> Prelude:
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise PreludeError(f"not JSON: {error}") from None
    if not isinstance(value, dict):
        raise PreludeError("not a JSON object")
    return read_prelude(value)


def read_prelude(value: Mapping[str, object]) -> Prelude:
    """The same from an object already decoded: also the shape of a buffered HTTP response."""
    return Prelude(
        status=_status(value.get("statusCode", 200)),
        headers=_headers(value),
        cookies=_cookies(value.get("cookies")),
    )


def _status(value: object) -> int:
    """A number, or its text ("418"): both are accepted by Function URLs, as observed by third parties.

    1xx are interim: a client would go on waiting for the answer (RFC 9110 section 15.2).
    """
    if isinstance(value, str) and _STATUS_TEXT.fullmatch(value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 200 <= value <= 999:
        raise PreludeError(f"statusCode is {repr(value)[:40]}, not a number from 200 to 999")
    return value


def _headers(value: Mapping[str, object]) -> tuple[tuple[str, str], ...]:
    """Both maps; a name that stands in both counts as `multiValueHeaders` gives it, as API Gateway merges them."""
    single = _header_items(value.get("headers"))
    multi = _header_items(value.get("multiValueHeaders"))
    if not multi:
        return tuple(single)
    taken = {name.lower() for name, _ in multi}
    return (*(item for item in single if item[0].lower() not in taken), *multi)


def _header_items(value: object) -> list[tuple[str, str]]:
    """AWS documents one string a header; its Rust runtime sends a list for several values, so both are read."""
    if value is None:
        return []
    if not isinstance(value, dict):
        raise PreludeError("headers is not an object")
    items: list[tuple[str, str]] = []
    for name, content in value.items():
        if isinstance(content, str):
            items.append((name, content))
        else:
            values = content if isinstance(content, list) else [content]
            items.extend((name, _text(single)) for single in values)
    return items


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    raise PreludeError(f"header value {repr(value)[:40]} is not text")


def _cookies(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(cookie, str) for cookie in value):
        raise PreludeError("cookies is not a list of strings")
    return tuple(value)
