"""Requests and answers of the Runtime API, as bytes built at import, and the rules for error types.

Shapes as AWS's emulator renders them: https://github.com/aws/aws-lambda-runtime-interface-emulator
(internal/lambda-managed-instances): JSON ends with a newline, error objects hold errorMessage then errorType.
"""

import re
from typing import Final

from penstock.model.invocation import Invocation
from penstock.model.limits import MAX_BUFFERED_RESPONSE_BYTES
from penstock.wire.http_messages import response

PREFIX: Final = b"/2018-06-01"
PING: Final = PREFIX + b"/ping"
NEXT: Final = PREFIX + b"/runtime/invocation/next"
INVOCATION: Final = PREFIX + b"/runtime/invocation/"
INIT_ERROR: Final = PREFIX + b"/runtime/init/error"

# Not one of the service's: our adapter polls together with the end of an answer, and takes its status with the event.
AHEAD: Final = (b"penstock-ahead", b"1")
# The same on a link, where event and answer may have the brief form, see `brief`.
AHEAD_BRIEF: Final = (b"penstock-ahead", b"brief")

_JSON: Final = b"application/json"


def error_response(status: int, error_type: str, message: str) -> bytes:
    body = f'{{"errorMessage":"{message}","errorType":"{error_type}"}}\n'
    return response(status, _JSON, body.encode())


ACCEPTED: Final = response(202, _JSON, b'{"status":"OK"}\n')
PONG: Final = response(200, b"text/plain; charset=utf-8", b"pong")
INVALID_REQUEST_ID: Final = error_response(400, "InvalidRequestID", "Invalid request ID")
INVALID_RESPONSE_MODE: Final = error_response(400, "InvalidFunctionResponseMode", "Invalid function response mode")
INVOKE_TIMEOUT: Final = error_response(410, "InvokeTimeout", "Invoke timeout")
# Not one of the service's, which never cancels. 410 is what a runtime hears when an answer is no longer wanted.
CANCELLED: Final = error_response(410, "InvokeCancelled", "Invoke cancelled")
TOO_LARGE: Final = error_response(
    413, "RequestEntityTooLarge", f"Exceeded maximum allowed payload size ({MAX_BUFFERED_RESPONSE_BYTES} bytes)."
)
INTERNAL_ERROR: Final = error_response(500, "InternalServerError", "Internal Server Error")
INIT_ERROR_TWICE: Final = error_response(
    403,
    "InvalidStateTransition",
    "State transition from InitError to InitError failed for runtime. Error: state transition is not allowed",
)

# A type is kept when it holds this pattern anywhere (unanchored in the emulator as well).
_KNOWN_TYPE: Final = re.compile(r"(Runtime|Function)\.[A-Z][a-zA-Z]+")


def normalise_error_type(value: str) -> str:
    """What the service makes of `Lambda-Runtime-Function-Error-Type`."""
    if _KNOWN_TYPE.search(value):
        return value
    return "Function.Unknown" if value.startswith("Function.") else "Runtime.Unknown"


def next_response(invocation: Invocation, attempt_id: str, event: bytes) -> bytes:
    """The answer to a parked poll: head and event in one piece.

    Optional headers are left out when empty: older Rust runtimes parse an empty one as JSON and die.
    Content-Type is always there: without it awslambdaric crashes.
    """
    head = (
        "HTTP/1.1 200 OK\r\n"
        f"content-type: {invocation.content_type}\r\n"
        f"content-length: {len(event)}\r\n"
        f"lambda-runtime-aws-request-id: {invocation.request_id}\r\n"
        f"lambda-runtime-invocation-id: {attempt_id}\r\n"
        f"lambda-runtime-deadline-ms: {invocation.deadline_ms}\r\n"
        f"lambda-runtime-invoked-function-arn: {invocation.function_arn}\r\n"
    )
    if invocation.trace_id:
        head += f"lambda-runtime-trace-id: {invocation.trace_id}\r\n"
    if invocation.client_context:
        head += f"lambda-runtime-client-context: {invocation.client_context}\r\n"
    if invocation.cognito_identity:
        head += f"lambda-runtime-cognito-identity: {invocation.cognito_identity}\r\n"
    return b"%b\r\n%b" % (head.encode(), event)
