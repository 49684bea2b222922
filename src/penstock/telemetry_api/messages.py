"""Answers of the Telemetry API. Texts as AWS's emulator gives them, and unlike there always sound JSON:
https://github.com/aws/aws-lambda-runtime-interface-emulator (internal/lambda-managed-instances)
"""

from typing import Final

import orjson

from penstock.wire.http_messages import response

PREFIX: Final = b"/2022-07-01/telemetry"

_JSON: Final = b"application/json"

# The emulator leaves the type to be guessed. What it answers is JSON, so that is said.
SUBSCRIBED: Final = response(200, _JSON, b'"OK"')


def invalid(message: str) -> bytes:
    """What was sent is no subscription."""
    return response(400, _JSON, orjson.dumps({"errorType": "ValidationError", "errorMessage": message}))


def _refusal(status: int, error_type: str, message: str) -> bytes:
    body = orjson.dumps({"errorMessage": message, "errorType": error_type}, option=orjson.OPT_APPEND_NEWLINE)
    return response(status, _JSON, body)


CLOSED: Final = _refusal(403, "Telemetry.SubscriptionClosed", "Telemetry API subscription is closed")
# A second subscription of one extension, and a body over the limit.
INTERNAL_ERROR: Final = _refusal(500, "InternalServerError", "Internal Server Error")
