"""What a function answered, read as an HTTP response, and its head as bytes. Pure.

https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html#urls-payloads
"""

import base64
import binascii
import re
from email.utils import formatdate
from functools import lru_cache
from typing import Final

import orjson

from penstock.wire.http_messages import status_line
from penstock.wire.prelude import Prelude, PreludeError, read_prelude

# Headers that belong to the connection come out renamed, as API Gateway does. The list for Function URLs is not
# published; these were observed, and `transfer-encoding` would break the framing.
# https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-known-issues.html
_REMAPPED: Final = frozenset(
    {"connection", "content-length", "date", "server", "transfer-encoding", "www-authenticate"}
)

# RFC 9110 section 5.6.2. A name that is no token cannot be sent, and must not become lines of its own.
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")

_NO_BODY_STATUSES: Final = frozenset({204, 304})


class BadResponseError(ValueError):
    """The function's result cannot be an HTTP response; the caller gets 502."""


def read_buffered(payload: bytes) -> tuple[Prelude, bytes]:
    """A buffered result as status, headers and body.

    An object with `statusCode` is a response; anything else is a 200 whose body is the JSON itself, a bare string
    without its quotes (observed). Raises BadResponseError.
    """
    try:
        value = orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        raise BadResponseError(f"the result is not JSON: {error}") from None
    if not isinstance(value, dict) or "statusCode" not in value:
        return Prelude(200, (), ()), value.encode() if isinstance(value, str) else _compact(value)
    try:
        return read_prelude(value), _read_body(value.get("body"), encoded=bool(value.get("isBase64Encoded")))
    except PreludeError as error:
        raise BadResponseError(str(error)) from None


def _compact(value: object) -> bytes:
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError as error:  # nested deeper than orjson writes, though it reads it
        raise BadResponseError(f"the result cannot be written as JSON: {error}") from None


def _read_body(body: object, *, encoded: bool) -> bytes:
    if body is None:
        return b""
    if not isinstance(body, str):
        raise BadResponseError(f"body is {type(body).__name__}, not a string")
    if not encoded:
        return body.encode()
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        raise BadResponseError("isBase64Encoded is true but body is not base64") from None


def has_body(method: bytes, status: int) -> bool:
    """RFC 9110 section 6.4.1: responses to HEAD, 204 and 304 end with their head."""
    return method != b"HEAD" and status not in _NO_BODY_STATUSES


def build_head(
    prelude: Prelude, default_type: str, request_id: str, trace_id: str, epoch: float, framing: bytes
) -> bytes:
    """Status line and headers, without the empty line that ends them. `framing` is whole header lines."""
    lines = [
        f"date: {_http_date(int(epoch))}\r\nx-amzn-requestid: {request_id}\r\nx-amzn-trace-id: {trace_id}\r\n",
    ]
    typed = False
    for name, value in prelude.headers:
        if not _TOKEN.fullmatch(name):
            continue
        lower = name.lower()
        typed = typed or lower == "content-type"
        shown = f"x-amzn-remapped-{lower}" if lower in _REMAPPED else name
        lines.append(f"{shown}: {_clean(value)}\r\n")
    lines.extend(f"set-cookie: {_clean(cookie)}\r\n" for cookie in prelude.cookies)
    if not typed:
        lines.append(f"content-type: {default_type}\r\n")
    return status_line(prelude.status) + _encode("".join(lines)) + framing


def _encode(text: str) -> bytes:
    """Latin-1, which is what header bytes stand for (RFC 9110 section 5.5), where the text has no other letters."""
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace")


def _clean(value: str) -> str:
    """A header value cannot hold line ends: a function's text must not become headers of its own."""
    return value.replace("\r", " ").replace("\n", " ").replace("\0", " ")


@lru_cache(maxsize=1)
def _http_date(epoch: int) -> str:
    return formatdate(epoch, usegmt=True)
