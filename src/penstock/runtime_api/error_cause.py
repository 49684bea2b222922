"""`Lambda-Runtime-Function-XRay-Error-Cause`: what a runtime tells a trace of an error, checked and kept small. Pure.

https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html#api-segmentdocuments-errors
Which parts are kept, and how much of them: https://github.com/aws/aws-lambda-runtime-interface-emulator
(internal/lambda-managed-instances/rapi/model)
"""

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

import orjson

from penstock.model.limits import KIB

MAX_BYTES: Final = 64 * KIB
MAX_TEXT_BYTES: Final = 30 * KIB
# How much of the lists is kept, tried in this order until the whole is small enough; with none of them left the two
# texts are cut as well.
_SHARES: Final = (1.0, 0.8, 0.6, 0.4, 0.2)
_CUT: Final = b"..."


_FRAME: Final[Mapping[str, type]] = {"path": str, "line": int, "label": str}
_EXCEPTION: Final[Mapping[str, type]] = {"message": str, "type": str, "stack": list}
_CAUSE: Final[Mapping[str, type]] = {"exceptions": list, "working_directory": str, "paths": list, "message": str}

_Part: TypeAlias = dict[str, Any]


class _NoCauseError(ValueError):
    """A part has another type than the document says."""


def _read(value: object) -> _Part:
    """Keys that are not known are dropped, and so is null. Raises _NoCauseError.

    By hand: a library for it would take longer to import than most of the platform.
    """
    cause = _part(value, _CAUSE)
    if "exceptions" in cause:
        cause["exceptions"] = [_exception(one) for one in cause["exceptions"]]
    if not all(type(path) is str for path in cause.get("paths", ())):
        raise _NoCauseError
    return cause


def _exception(value: object) -> _Part:
    exception = _part(value, _EXCEPTION)
    if "stack" in exception:
        exception["stack"] = [_part(frame, _FRAME) for frame in exception["stack"]]
    return exception


def _part(value: object, types: Mapping[str, type]) -> _Part:
    if not isinstance(value, dict):
        raise _NoCauseError
    part = {name: value[name] for name in types if value.get(name) is not None}
    if any(type(item) is not types[name] for name, item in part.items()):  # a truth is not a number here
        raise _NoCauseError
    return part


def normalise(value: bytes) -> bytes | None:
    """The cause as JSON of at most `MAX_BYTES`; None when `value` is no cause, which is never an error of its own."""
    try:
        cause = _read(orjson.loads(value))
    except (orjson.JSONDecodeError, _NoCauseError):
        return None
    if not any(cause.values()):
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


def _without_lists(cause: _Part) -> _Part:
    return {
        "exceptions": [],
        "working_directory": crop(cause.get("working_directory", ""), MAX_TEXT_BYTES),
        "paths": [],
        "message": crop(cause.get("message", ""), MAX_TEXT_BYTES),
    }


def _encode(cause: _Part, share: float) -> bytes:
    exceptions, paths = cause.get("exceptions"), cause.get("paths")
    value: dict[str, object] = {
        "exceptions": None if exceptions is None else exceptions[: int(len(exceptions) * share)],
        "working_directory": cause.get("working_directory", ""),
        "paths": None if paths is None else paths[: int(len(paths) * share)],
    }
    if cause.get("message"):
        value["message"] = cause["message"]
    return orjson.dumps(value)
