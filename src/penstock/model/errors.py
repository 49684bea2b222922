"""The error tree. Three faults, each mapped once to HTTP by the door that answers.

PenstockError
├── UserError             the person at the keyboard: template, flags, files; one line, exit code 2
├── StartError            a function that cannot start; carries its own last output lines, exit code 1
└── InvocationError       one invocation failed; travels to the caller as an AWS error type
    ├── FunctionError     the function's fault (502 at a Function URL, 200 + FunctionError at Invoke)
    ├── ThrottleError     no capacity right now (429)
    └── PlatformError     ours (500)
"""

from dataclasses import dataclass
from pathlib import Path

import orjson


class PenstockError(Exception):
    """Base of all errors raised on purpose."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a user's file something stands. `line` counts from 1."""

    file: Path
    line: int | None = None

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else str(self.file)


class UserError(PenstockError):
    """Bad input, told in one line: what, where, and what is allowed."""

    def __init__(self, message: str, place: Place | None = None) -> None:
        super().__init__(f"{place}: {message}" if place else message)
        self.message = message
        self.place = place


class StartError(PenstockError):
    """An environment that could not start. `error_type` is AWS's; `output` the function's own last lines."""

    def __init__(self, error_type: str, message: str, output: tuple[str, ...] = ()) -> None:
        super().__init__(f"{error_type}: {message}" if message else error_type)
        self.error_type = error_type
        self.message = message
        self.output = output


class InvocationError(PenstockError):
    """One failed invocation.

    `error_type` and `message` in AWS's words. `body` is what the caller of Invoke receives: the runtime's own
    bytes when it posted some, else the JSON object `{"errorType", "errorMessage"}` without an empty message,
    as AWS's emulator renders it (aws-lambda-runtime-interface-emulator, lambda-managed-instances).
    """

    def __init__(self, error_type: str, message: str = "", body: bytes | None = None) -> None:
        super().__init__(f"{error_type}: {message}" if message else error_type)
        self.error_type = error_type
        self.message = message
        self._body = body

    @property
    def body(self) -> bytes:
        if self._body is not None:
            return self._body
        value = {"errorType": self.error_type}
        if self.message:
            value["errorMessage"] = self.message
        return orjson.dumps(value)


class FunctionError(InvocationError):
    """The function failed: it posted an error, timed out, crashed, or answered what cannot be read."""


class ThrottleError(InvocationError):
    """Every environment is busy. Nothing is queued."""

    def __init__(self) -> None:
        # LMI's own text is unpublished; this is TooManyRequestsException's, from botocore's model and AWS's samples.
        super().__init__("TooManyRequestsException", "Rate Exceeded.")


class PlatformError(InvocationError):
    """Penstock's fault."""
