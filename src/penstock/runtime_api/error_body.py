"""What a runtime says of an error. The bytes go to the caller as they are; this is for logs and terminals.

AWS's clients post `{"errorType": ..., "errorMessage": ..., "stackTrace": [...]}`:
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html#runtimes-api-initerror
"""

from dataclasses import dataclass

import orjson


@dataclass(frozen=True, slots=True)
class ErrorBody:
    text: str
    """`ValueError: what it said`, in one piece; the whole body when it is of another shape."""
    stack: tuple[str, ...] | None
    """The lines of the stack trace; None when the runtime keeps none."""


def read(body: bytes, error_type: str) -> ErrorBody:
    """`error_type` is what the error is called already, and left out of the text."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        value = None
    if not isinstance(value, dict):
        return ErrorBody(body.decode("utf-8", "replace"), None)
    parts = (value.get("errorType"), value.get("errorMessage"))
    text = ": ".join(part for part in parts if isinstance(part, str) and part not in ("", error_type))
    trace = value.get("stackTrace")
    if not isinstance(trace, list):
        return ErrorBody(text, None)
    return ErrorBody(text, tuple(line for frame in trace for line in str(frame).splitlines()))
