"""Errors as AWS's rest-json services render them.

The type is in a header, the text in `message`, or in `Message` for the two exceptions whose shape says so:
https://github.com/boto/botocore/blob/develop/botocore/data/lambda/2015-03-31/service-2.json
"""

from typing import Final

import orjson

from penstock.wire.http_messages import response

_JSON: Final = b"application/json"
# Their member is spelled with a capital in the service model named above.
_CAPITAL: Final = frozenset({"ResourceNotFoundException", "ServiceException"})
# Not modelled: what stands before the service, and says no more than a message.
_UNTYPED: Final = frozenset(
    {
        "AccessDeniedException",
        "ExpiredTokenException",
        "IncompleteSignatureException",
        "InvalidSignatureException",
        "MissingAuthenticationTokenException",
        "UnknownOperationException",
        "UnrecognizedClientException",
    }
)


def error_response(
    status: int, error_type: str, message: str, *, request_id: str, reason: str = "", extra: bytes = b""
) -> bytes:
    """A complete response. `reason` is TooManyRequestsException's; `extra` holds whole header lines."""
    value: dict[str, str] = {}
    if reason:
        value["Reason"] = reason
    if error_type not in _UNTYPED:
        value["Type"] = "User" if status < 500 else "Service"
    value["Message" if error_type in _CAPITAL else "message"] = message
    head = f"x-amzn-errortype: {error_type}\r\nx-amzn-requestid: {request_id}\r\n".encode()
    return response(status, _JSON, orjson.dumps(value), head + extra)
