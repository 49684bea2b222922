"""What a destination or a dead-letter queue receives of an asynchronous event, as JSON. Pure.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
"""

from dataclasses import dataclass
from typing import Final, TypeAlias

import orjson

from penstock.invoke_api.retry import Condition
from penstock.model.errors import FunctionError, InvocationError, ThrottleError
from penstock.model.limits import KIB, MIB
from penstock.telemetry.records import timestamp

# Lambda leaves a payload out that the destination has no room for; an SQS message holds 1 MiB.
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
MAX_RESPONSE_PAYLOAD: Final = 1 * MIB
# "The first 1 KB of the error message", in the page above.
_MAX_ERROR_MESSAGE: Final = 1 * KIB
# In valid JSON a line break stands between tokens only, so that a space in its place changes nothing.
_ONE_LINE: Final = bytes.maketrans(b"\r\n", b"  ")

_Json: TypeAlias = "str | int | orjson.Fragment | dict[str, _Json]"


@dataclass(frozen=True, slots=True)
class Response:
    """How the last attempt ended. `version` is empty when no function ran; `payload` is None when there is none, or
    it is larger than MAX_RESPONSE_PAYLOAD. `message` is the error's.
    """

    status: int
    version: str = ""
    function_error: bool = False
    payload: bytes | None = None
    message: str = ""


def failure(error: InvocationError, version: str) -> Response:
    """What an error tells its destination. What Lambda writes for those of no function is not published (assumed)."""
    message = error.message or error.error_type
    if isinstance(error, FunctionError):
        body = error.body
        payload = body if len(body) <= MAX_RESPONSE_PAYLOAD else None
        return Response(200, version, function_error=True, payload=payload, message=message)
    return Response(429 if isinstance(error, ThrottleError) else 500, message=message)


def invocation_record(
    *,
    request_id: str,
    function_arn: str,
    condition: Condition,
    invoke_count: int,
    epoch: float,
    request_payload: bytes,
    response: Response | None,
) -> bytes:
    """One line without its end. `function_arn` with its qualifier; `epoch` in seconds; `response` None: never tried.

    A payload that is no JSON becomes a JSON text (assumed).
    """
    record: dict[str, _Json] = {
        "version": "1.0",
        "timestamp": timestamp(epoch),
        "requestContext": {
            "requestId": request_id,
            "functionArn": function_arn,
            "condition": condition.value,
            "approximateInvokeCount": invoke_count,
        },
        "requestPayload": _embedded(request_payload),
    }
    if response is not None:
        record["responseContext"] = _response_context(response)
        if response.payload is not None:
            record["responsePayload"] = _embedded(response.payload)
    return orjson.dumps(record)


def dead_letter(*, request_id: str, request_payload: bytes, condition: Condition, response: Response | None) -> bytes:
    """One line without its end: the event as it came and Lambda's attributes, in the shape of a received SQS message.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html
    """
    message = (response and response.message) or condition.value
    attributes: dict[str, _Json] = {"RequestID": _attribute(request_id)}
    if response is not None:
        attributes["ErrorCode"] = _attribute(str(response.status), "Number")
    attributes["ErrorMessage"] = _attribute(_first_bytes(message, _MAX_ERROR_MESSAGE))
    body = request_payload.decode(errors="backslashreplace")
    return orjson.dumps({"Body": body, "MessageAttributes": attributes})


def _response_context(response: Response) -> dict[str, _Json]:
    context: dict[str, _Json] = {"statusCode": response.status}
    if response.version:
        context["executedVersion"] = response.version
    if response.function_error:
        context["functionError"] = "Unhandled"
    return context


def _attribute(value: str, data_type: str = "String") -> dict[str, _Json]:
    return {"DataType": data_type, "StringValue": value}


def _embedded(payload: bytes) -> "orjson.Fragment | str":
    """The JSON itself, every number as it was written; else its text."""
    try:
        orjson.loads(payload)
    except orjson.JSONDecodeError:
        return payload.decode(errors="backslashreplace")
    return orjson.Fragment(payload.translate(_ONE_LINE))


def _first_bytes(text: str, limit: int) -> str:
    """At most `limit` bytes of UTF-8, no character cut. Lone surrogates, which JSON cannot carry, are escaped."""
    return text.encode(errors="backslashreplace")[:limit].decode(errors="ignore")
