"""What a function answered, read as an HTTP response, and its head as bytes. Pure.

https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html#urls-payloads
What the page leaves open follows answers captured on AWS (marked observed):
https://github.com/radkawar/stackd (testdata/aws/lambda/url_http_codecs.json).
"""

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
    {
        "connection",
        "content-length",
        "date",
        "server",
        "transfer-encoding",
        "www-authenticate",
        "x-amzn-requestid",
        "x-amzn-trace-id",
    }
)
# A function that sets such a header itself gets 500 (observed: https://zenn.dev/ashphy/scraps/5d70402729657f).
_RESERVED: Final = "x-amzn-remapped-"

# 700 came out as 502 (observed); RFC 9110 section 15 knows no status from 600 on.
_HIGHEST_STATUS: Final = 599

# RFC 9110 section 5.6.2. A name that is no token cannot be sent, and must not become lines of its own.
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")

_NO_BODY_STATUSES: Final = frozenset({204, 205, 304})
_NO_LENGTH_STATUSES: Final = frozenset({204, 304})
_URL_SAFE: Final = bytes.maketrans(b"-_", b"+/")
_NOT_BASE64: Final = re.compile(rb"[^A-Za-z0-9+/]+")


class BadResponseError(ValueError):
    """The function's result cannot be an HTTP response: the caller gets 502."""


class ReservedHeaderError(BadResponseError):
    """The function set a header that only AWS may set: the caller gets 500."""


def read_buffered(payload: bytes) -> tuple[Prelude, bytes]:
    """A buffered result as status, headers and body.

    An object with `statusCode` is a response; anything else is a 200 whose body is the JSON itself, a bare string
    without its quotes, null as `null` (observed). Raises BadResponseError.
    """
    try:
        value = orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        raise BadResponseError(f"the result is not JSON: {error}") from None
    if not isinstance(value, dict) or "statusCode" not in value:
        return Prelude(200, (), ()), value.encode() if isinstance(value, str) else _compact(value)
    try:
        return read_prelude(value), _read_body(value.get("body"), value.get("isBase64Encoded"))
    except PreludeError as error:
        raise BadResponseError(str(error)) from None


def _compact(value: object) -> bytes:
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError as error:  # nested deeper than orjson writes, though it reads it
        raise BadResponseError(f"the result cannot be written as JSON: {error}") from None


def _read_body(body: object, encoded: object) -> bytes:
    """A body that is no string is sent as JSON, and base64 is read as far as it goes (both observed)."""
    if body is None:
        return b""
    if not isinstance(body, str):
        return _compact(body)
    if encoded is True or (isinstance(encoded, str) and encoded.lower() == "true"):
        return _lenient_base64(body.encode())
    return body.encode()


def _lenient_base64(text: bytes) -> bytes:
    """Both alphabets, without what belongs to neither and without a last letter that makes no byte."""
    letters = _NOT_BASE64.sub(b"", text.translate(_URL_SAFE).partition(b"=")[0])
    return binascii.a2b_base64(letters[: len(letters) - (len(letters) % 4 == 1)] + b"==")


def has_body(method: bytes, status: int) -> bool:
    """RFC 9110 section 6.4.1: responses to HEAD, 204 and 304 end with their head; 205 has nothing after it either."""
    return method != b"HEAD" and status not in _NO_BODY_STATUSES


def length_line(status: int, length: int) -> bytes:
    """`Content-Length` of a body that is known; 205 says that it is empty (RFC 9110 section 15.3.6)."""
    if status in _NO_LENGTH_STATUSES:
        return b""
    return b"content-length: %d\r\n" % (0 if status == 205 else length)


def build_head(
    prelude: Prelude, default_type: str, request_id: str, trace_id: str, epoch: float, extra: bytes
) -> bytes:
    """Status line and headers, without the empty line that ends them. `extra` is whole header lines.

    Raises BadResponseError for a status that is none, ReservedHeaderError for a header that is AWS's.
    """
    own = prelude.made.get(default_type)
    if own is None:
        own = _function_lines(prelude, default_type)
        if prelude.repeated:
            prelude.made[default_type] = own
    ours = f"x-amzn-requestid: {request_id}\r\nx-amzn-trace-id: {trace_id}\r\n".encode("latin-1")
    return b"%b%b%b%b" % (own, date_line(epoch), ours, extra)


def _function_lines(prelude: Prelude, default_type: str) -> bytes:
    """The status line and what the function says."""
    if prelude.status > _HIGHEST_STATUS:
        raise BadResponseError(f"statusCode is {prelude.status}, not a number from 200 to {_HIGHEST_STATUS}")
    lines = []
    typed = False
    for name, value in prelude.headers:
        if not _TOKEN.fullmatch(name):
            continue
        lower = name.lower()
        if lower == "content-type":
            typed = True
        elif lower in _REMAPPED:
            name = f"x-amzn-remapped-{lower}"
        elif lower.startswith(_RESERVED):
            raise ReservedHeaderError(f"the function set the reserved header {lower}")
        lines.append(f"{name}: {clean(value)}\r\n")
    lines.extend(f"set-cookie: {clean(cookie)}\r\n" for cookie in prelude.cookies)
    if not typed:
        lines.append(f"content-type: {clean(default_type)}\r\n")
    return status_line(prelude.status) + _encode("".join(lines))


def _encode(text: str) -> bytes:
    """Latin-1, which is what header bytes stand for (RFC 9110 section 5.5), where the text has no other letters."""
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace")


def clean(value: str) -> str:
    """A header value cannot hold line ends: a function's text must not become headers of its own."""
    return value.replace("\r", " ").replace("\n", " ").replace("\0", " ")


def date_line(epoch: float) -> bytes:
    """`Date`, which every answer of a server with a clock has (RFC 9110 section 6.6.1). `epoch` in seconds."""
    return _date_line(int(epoch))


@lru_cache(maxsize=1)
def _date_line(second: int) -> bytes:
    return f"date: {formatdate(second, usegmt=True)}\r\n".encode()
