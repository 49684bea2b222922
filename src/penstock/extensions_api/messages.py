"""Answers of the Extensions API. Texts as AWS's emulator gives them:
https://github.com/aws/aws-lambda-runtime-interface-emulator (internal/lambda-managed-instances/rapi)
"""

from typing import Final

import orjson

from penstock.wire.http_messages import response

PREFIX: Final = b"/2020-01-01/extension/"
REGISTER: Final = PREFIX + b"register"
EVENT_NEXT: Final = PREFIX + b"event/next"
INIT_ERROR: Final = PREFIX + b"init/error"
EXIT_ERROR: Final = PREFIX + b"exit/error"

_JSON: Final = b"application/json"


def ok(value: object, extra: bytes = b"") -> bytes:
    return response(200, _JSON, orjson.dumps(value), extra)


def refusal(error_type: str, message: str) -> bytes:
    """Every refusal of this API is a 403."""
    body = orjson.dumps({"errorMessage": message, "errorType": error_type}, option=orjson.OPT_APPEND_NEWLINE)
    return response(403, _JSON, body)


ACCEPTED: Final = response(202, _JSON, b'{"status":"OK"}\n')

EMPTY_NAME: Final = refusal("Extension.InvalidExtensionName", "Empty extension name")
BODY_TOO_LARGE: Final = refusal("InvalidRequestFormat", "http: request body too large")
CONFIGURATION_KEYS: Final = refusal(
    "InvalidRequestFormat", "configurationKeys are deprecated; use environment variables instead"
)
INTERNAL_EVENTS: Final = refusal("Extension.InvalidEventType", "No events allowed for internal extensions")
REGISTRATION_CLOSED: Final = refusal("Extension.RegistrationClosed", "Extension registration closed already")
TOO_MANY: Final = refusal("Extension.TooManyExtensions", "Extension limit (10) reached")
NAME_TAKEN: Final = refusal("Extension.InvalidExtensionState", "Extension with this name already registered")
MISSING_IDENTIFIER: Final = refusal(
    "Extension.MissingExtensionIdentifier", "Missing Lambda-Extension-Identifier header"
)
INVALID_IDENTIFIER: Final = refusal("Extension.InvalidExtensionIdentifier", "Invalid Lambda-Extension-Identifier")
MISSING_ERROR_TYPE: Final = refusal("Extension.MissingHeader", "Lambda-Extension-Function-Error-Type not found")


def unknown_extension(message: str) -> bytes:
    return refusal("Extension.UnknownExtensionIdentifier", message)


def transition_refusal(
    current: str, target: str, extension: str, why: str = "state transition is not allowed"
) -> bytes:
    return refusal(
        "Extension.InvalidExtensionState",
        f"State transition from {current} to {target} failed for extension {extension}. Error: {why}",
    )
