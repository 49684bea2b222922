"""What a caller says in headers, and the payload. Pure; everything raises RefusalError in the words of the Lambda API.

https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html, botocore's model lambda/2015-03-31
"""

import base64
import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import orjson

from penstock.invoke_api.refusal import RefusalError, validation_error
from penstock.model.limits import MIB
from penstock.wire.http_messages import Headers

MAX_CLIENT_CONTEXT_BYTES: Final = 3_583
"""Of base64."""
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MAX_EVENT_BYTES: Final = 1 * MIB

NO_PAYLOAD: Final = b"{}"
"""What a function sees when the caller sent nothing."""


class InvocationType(StrEnum):
    REQUEST_RESPONSE = "RequestResponse"
    EVENT = "Event"
    DRY_RUN = "DryRun"


# In the order of the model's enums, as the texts of errors list them.
_INVOKE_TYPES: Final = (InvocationType.EVENT, InvocationType.REQUEST_RESPONSE, InvocationType.DRY_RUN)
_STREAM_TYPES: Final = (InvocationType.REQUEST_RESPONSE, InvocationType.DRY_RUN)
_LOG_TYPES: Final = ("None", "Tail")

# Both need a function that was made for it, which no function on a capacity provider here is; texts assumed.
_UNSUPPORTED: Final = {
    b"x-amz-tenant-id": "The invoked function is not enabled with tenancy configuration.",
    b"x-amz-durable-execution-name": "The invoked function is not enabled with durable configuration.",
}


@dataclass(slots=True)
class Parameters:
    """`client_context` is JSON text in ASCII, on one line, or empty."""

    invocation_type: InvocationType = InvocationType.REQUEST_RESPONSE
    tail: bool = False
    client_context: str = ""


def read_parameters(headers: Headers, *, streaming: bool) -> Parameters:
    """Of Invoke, or with `streaming` of InvokeWithResponseStream."""
    parameters = Parameters()
    for name, value in headers:
        if not name.startswith(b"x-amz-"):
            continue
        if name == b"x-amz-invocation-type":
            parameters.invocation_type = _invocation_type(value.decode("latin-1"), streaming=streaming)
        elif name == b"x-amz-log-type":
            parameters.tail = _is_tail(value.decode("latin-1"))
        elif name == b"x-amz-client-context":
            parameters.client_context = _client_context(value)
        elif name in _UNSUPPORTED:
            raise RefusalError(400, "InvalidParameterValueException", _UNSUPPORTED[name])
    return parameters


def _invocation_type(value: str, *, streaming: bool) -> InvocationType:
    allowed = _STREAM_TYPES if streaming else _INVOKE_TYPES
    for invocation_type in allowed:
        if value == invocation_type:
            return invocation_type
    raise validation_error("invocationType", value, f"Member must satisfy enum value set: [{', '.join(allowed)}]")


def _is_tail(value: str) -> bool:
    if value not in _LOG_TYPES:
        raise validation_error("logType", value, f"Member must satisfy enum value set: [{', '.join(_LOG_TYPES)}]")
    return value == "Tail"


def _client_context(value: bytes) -> str:
    if len(value) > MAX_CLIENT_CONTEXT_BYTES:  # the text is assumed
        message = f"Client context must be at most {MAX_CLIENT_CONTEXT_BYTES} bytes when Base64-encoded."
        raise RefusalError(400, "InvalidRequestContentException", message)
    if not value:
        return ""
    try:
        context = orjson.loads(base64.b64decode(value, validate=True))
        if isinstance(context, dict):
            # A header for the runtime: no line ends, no letters that need an encoding.
            return json.dumps(context, separators=(",", ":"))
    except (ValueError, RecursionError):
        pass
    message = "Client context must be a valid Base64-encoded JSON object."
    raise RefusalError(400, "InvalidRequestContentException", message)


def read_payload(body: bytes) -> bytes:
    """The event: `body`, which must be JSON, or an empty object for none."""
    if not body:
        return NO_PAYLOAD
    try:
        orjson.loads(body)
    except orjson.JSONDecodeError as error:
        message = f"Could not parse request body into json: Could not parse payload into json: {error}"
        raise RefusalError(400, "InvalidRequestContentException", message) from None
    return body


def too_large(limit: int) -> RefusalError:
    """The service has been seen to name the type RequestEntityTooLargeException; clients know the one of the model."""
    message = f"Request must be smaller than {limit} bytes for the InvokeFunction operation"
    return RefusalError(413, "RequestTooLargeException", message)


def require_event_size(payload: bytes) -> None:
    if len(payload) > MAX_EVENT_BYTES:
        message = (
            f"{len(payload)} byte payload is too large for the Event invocation type (limit {MAX_EVENT_BYTES} bytes)"
        )
        raise RefusalError(413, "RequestTooLargeException", message)
