"""`Lambda-Runtime-Function-XRay-Error-Cause`: what a runtime tells a trace of an error, checked and kept small. Pure.

https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html#api-segmentdocuments-errors
Which parts are kept, and how much of them: https://github.com/aws/aws-lambda-runtime-interface-emulator
(internal/lambda-managed-instances/rapi/model)
"""

from typing import Final

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError

from penstock.model.limits import KIB

MAX_BYTES: Final = 64 * KIB
MAX_TEXT_BYTES: Final = 30 * KIB
# How much of the lists is kept, tried in this order until the whole is small enough; with none of them left the two
# texts are cut as well.
_SHARES: Final = (1.0, 0.8, 0.6, 0.4, 0.2)
_CUT: Final = b"..."


class _Part(BaseModel):
    # Strict: a number is not a text. Keys that are not known are dropped.
    model_config = ConfigDict(strict=True, frozen=True)


class _Frame(_Part):
    path: str | None = None
    line: int | None = None
    label: str | None = None


class _Exception(_Part):
    message: str | None = None
    type: str | None = None
    stack: list[_Frame] | None = None


class _Cause(_Part):
    exceptions: list[_Exception] | None = None
    working_directory: str | None = None
    paths: list[str] | None = None
    message: str | None = None

    @property
    def says_something(self) -> bool:
        return bool(self.exceptions or self.working_directory or self.paths or self.message)


def normalise(value: bytes) -> bytes | None:
    """The cause as JSON of at most `MAX_BYTES`; None when `value` is no cause, which is never an error of its own."""
    try:
        cause = _Cause.model_validate(orjson.loads(value))
    except (orjson.JSONDecodeError, ValidationError):
        return None
    if not cause.says_something:
        return None
    for share in _SHARES:
        encoded = _encode(cause, share)
        if len(encoded) <= MAX_BYTES:
            return encoded
    return _encode(_without_lists(cause), 1.0)


def crop(text: str, size: int) -> str:
    """`text` in at most `size` bytes of UTF-8; where something is missing it ends in three dots."""
    encoded = text.encode()
    if len(encoded) <= size:
        return text
    return (encoded[: size - len(_CUT)] + _CUT).decode("utf-8", "ignore")


def _without_lists(cause: _Cause) -> _Cause:
    return _Cause(
        exceptions=[],
        working_directory=crop(cause.working_directory or "", MAX_TEXT_BYTES),
        paths=[],
        message=crop(cause.message or "", MAX_TEXT_BYTES),
    )


def _encode(cause: _Cause, share: float) -> bytes:
    exceptions, paths = cause.exceptions, cause.paths
    value: dict[str, object] = {
        "exceptions": None
        if exceptions is None
        else [one.model_dump(exclude_none=True) for one in exceptions[: int(len(exceptions) * share)]],
        "working_directory": cause.working_directory or "",
        "paths": None if paths is None else paths[: int(len(paths) * share)],
    }
    if cause.message:
        value["message"] = cause.message
    return orjson.dumps(value)
