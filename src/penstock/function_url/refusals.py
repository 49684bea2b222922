"""Answers of the door's own, in place of the function's. All of them but ids and dates is built once. Pure."""

from typing import Final

from penstock.function_url.response import date_line
from penstock.wire.http_messages import status_line

_CLOSE: Final = b"connection: close\r\n"


class Refusal:
    """`note` is what the access record says of it; `error_type` becomes the header SDKs read the exception from."""

    __slots__ = ("_head", "body", "note", "status")

    def __init__(self, status: int, body: bytes, note: str, error_type: str = "") -> None:
        self.status = status
        self.body = body
        self.note = note
        kind = b"x-amzn-errortype: %b\r\n" % error_type.encode() if error_type else b""
        self._head = b"%bcontent-type: application/json\r\ncontent-length: %d\r\n%bx-amzn-requestid: " % (
            status_line(status),
            len(body),
            kind,
        )

    def head(self, request_id: str, epoch: float, extra: bytes, *, closing: bool) -> bytes:
        """The whole head. `epoch` in seconds; `extra` is whole header lines."""
        end = _CLOSE if closing else b""
        return b"%b%b\r\n%b%b%b\r\n" % (self._head, request_id.encode(), date_line(epoch), extra, end)


# Body and content type as observed; https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html says 502 for
# function errors.
BAD_GATEWAY: Final = Refusal(502, b"Internal Server Error", "")
# A header that only AWS may set (observed: https://zenn.dev/ashphy/scraps/5d70402729657f).
RESERVED_HEADER: Final = Refusal(500, b"Internal Server Error", "")
# TooManyRequestsException as the Lambda API words it (botocore's model); the URL's own body is unpublished (assumed).
THROTTLED: Final = Refusal(
    429,
    b'{"Reason":"ConcurrentInvocationLimitExceeded","Type":"User","message":"Rate Exceeded."}',
    "every environment is busy",
    "TooManyRequestsException",
)
TOO_LARGE: Final = Refusal(413, b'{"message":"Request Entity Too Large"}', "request over 6 MB")  # assumed
# A Function URL answers requests; nothing in AWS's pages makes a WebSocket of one, so the body is ours.
WEBSOCKET: Final = Refusal(
    400,
    b'{"message":"Function URLs do not support WebSocket: use response streaming or server-sent events."}',
    "WebSocket refused: a Function URL serves HTTP only",
)
# As observed for a deleted URL or one that never was.
UNKNOWN_URL: Final = Refusal(403, b'{"Message":null}', "no such Function URL", "AccessDeniedException")
# Answered without the function; content type and empty body as observed (see cors.py).
PREFLIGHT: Final = Refusal(200, b"", "")
