"""What a caller of Invoke reads of a failed invocation."""

from typing import Final

import orjson

from penstock.model.errors import InvocationError

# How the caller is told of any error: `Handled` is history.
# https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html#lambda-Invoke-response-FunctionError
UNHANDLED: Final = "Unhandled"


def error_body(error: InvocationError, request_id: str) -> bytes:
    """JSON: the runtime's own bytes when it posted some. A timeout names the request, as callers on AWS see it:
    https://docs.aws.amazon.com/lambda/latest/dg/troubleshooting-invocation.html
    """
    if error.error_type != "Sandbox.Timedout":
        return error.body
    message = f"RequestId: {request_id} Error: {error.message}"
    return orjson.dumps({"errorType": error.error_type, "errorMessage": message})
