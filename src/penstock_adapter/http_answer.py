"""The app's HTTP response becomes what Lambda takes: a prelude before a stream, or one JSON object. Pure.

Shapes: https://docs.aws.amazon.com/apigateway/latest/developerguide/response-transfer-mode-lambda.html (prelude) and
the two pages named in `http_event`. The rule for text or base64 is LWA's (lambda_http, src/response.rs).
"""

import re
from binascii import b2a_base64
from collections.abc import Sequence
from typing import Final

from penstock_adapter.codec import dumps, loads
from penstock_adapter.http_event import EventKind

ResponseHeaders = Sequence[tuple[bytes, bytes]]

# 6 MB and the service's slack: a longer body cannot become an answer, so no more of it is kept.
# https://github.com/aws/aws-lambda-runtime-interface-emulator (max payload size)
MAX_BUFFERED_BYTES: Final = 6 * 1024 * 1024 + 100

# `Function.` names survive the service's check of error types.
ERROR_STATUS: Final = "Function.ErrorStatusCode"
TOO_LARGE: Final = "Function.ResponseSizeTooLarge"

# These describe one connection, not the response: RFC 9110, section 7.6.1.
_HOP_BY_HOP = frozenset(
    (b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade")
)
_TEXT_TYPES = ("text", "application/json", "application/javascript", "application/xml", "application/yaml")
_TEXT_SUFFIXES = ("+xml", "+yaml", "+json")
_CHARSET = re.compile(r"""(;\s*charset\s*=\s*)("?)([^";\s]+)\2""", re.IGNORECASE)


def _text(value: bytes) -> str:
    """A header value. UTF-8 where it is that, else byte for byte, so that nothing a server may send is lost."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _split(headers: ResponseHeaders) -> tuple[dict[str, list[str]], list[str]]:
    """End-to-end headers (lower-case names, every value), and cookies apart."""
    fields: dict[str, list[str]] = {}
    cookies: list[str] = []
    for name, value in headers:
        if name == b"set-cookie":
            cookies.append(_text(value))
        elif name not in _HOP_BY_HOP:
            fields.setdefault(name.decode("latin-1"), []).append(_text(value))
    return fields, cookies


def _joined(fields: dict[str, list[str]]) -> dict[str, str]:
    """One value a name: a list in a header is the same as the header twice (RFC 9110, section 5.3)."""
    return {name: values[0] if len(values) == 1 else ", ".join(values) for name, values in fields.items()}


def prelude(status: int, headers: ResponseHeaders) -> bytes:
    """JSON that goes before the eight NUL bytes of a streamed response. Header names must be lower-case."""
    fields, cookies = _split(headers)
    joined = _joined(fields)
    joined.setdefault("content-type", "application/octet-stream")
    return dumps({"statusCode": status, "headers": joined, "cookies": cookies})


def buffered_answer(kind: EventKind, status: int, headers: ResponseHeaders, body: bytes) -> bytes:
    """The JSON a buffered invocation answers with, in the form `kind` of event expects."""
    fields, cookies = _split(headers)
    text = _as_text(fields, body)
    if kind is EventKind.PASS_THROUGH:
        return _pass_through(text)
    answer: dict[str, object] = {"statusCode": status}
    everything = fields | {"set-cookie": cookies} if cookies else fields
    if kind is EventKind.HTTP_V2:
        answer["headers"] = _joined(fields)
        answer["multiValueHeaders"] = {}
    elif kind is EventKind.REST_V1:
        answer["headers"] = {}
        answer["multiValueHeaders"] = everything
    else:
        answer["statusDescription"] = _status_description(status)
        # A load balancer reads one map or the other; only one cookie fits into the first.
        answer["headers"] = _joined(fields) | ({"set-cookie": cookies[0]} if cookies else {})
        answer["multiValueHeaders"] = everything
    answer["body"] = b2a_base64(body, newline=False).decode() if text is None else text
    answer["isBase64Encoded"] = text is None
    if kind is EventKind.HTTP_V2:
        answer["cookies"] = cookies
    return dumps(answer)


def error_status_message(status: int, body: bytes) -> str:
    """The error message of a response whose status counts as a function error: JSON text, as LWA writes it."""
    return dumps({"statusCode": status, "body": body.decode("utf-8", "replace")}).decode()


def too_large_message(length: int) -> str:
    """The error message of a body of more than `MAX_BUFFERED_BYTES`, in the words of the service.

    https://github.com/aws/aws-lambda-runtime-interface-emulator (lambda-managed-instances)
    """
    return f"Response payload size ({length} bytes) exceeded maximum allowed payload size ({MAX_BUFFERED_BYTES} bytes)."


def _pass_through(text: str | None) -> bytes:
    """A JSON body is the result itself; anything else has no place in an answer that is not HTTP."""
    if text is None:
        return b"null"
    try:
        loads(text)
    except ValueError:
        return b"null"
    return text.encode()


def _status_description(status: int) -> str:
    from http import HTTPStatus  # only load balancers pay for the import

    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def _as_text(fields: dict[str, list[str]], body: bytes) -> str | None:
    """The body as text, or None when it must go as base64.

    Another charset than UTF-8 is decoded, and the content type then says what the body has become. Bytes that do
    not decode go as base64: the client gets what the app wrote.
    """
    content_type = fields.get("content-type", [""])[0]
    if "content-encoding" in fields or not _is_text_type(fields, content_type):
        return None
    charset = _CHARSET.search(content_type)
    try:
        if charset is None or charset[3].lower() in ("utf-8", "utf8"):
            return body.decode()
        text = body.decode(charset[3])
    except (UnicodeDecodeError, LookupError):
        return _utf8_or_none(body)
    fields["content-type"] = [_CHARSET.sub(r"\1utf-8", content_type), *fields["content-type"][1:]]
    fields.pop("content-length", None)
    return text


def _utf8_or_none(body: bytes) -> str | None:
    try:
        return body.decode()
    except UnicodeDecodeError:
        return None


def _is_text_type(fields: dict[str, list[str]], content_type: str) -> bool:
    if not content_type or content_type.startswith(_TEXT_TYPES):
        return True
    mime = content_type.partition(";")[0].strip()
    return mime.endswith(_TEXT_SUFFIXES) or fields.get("x-lambda-http-content-encoding") == ["text"]
