"""Scalars as text and back. https://smithy.io/2.0/spec/protocol-traits.html#timestampformat-trait"""

import base64
import binascii
import math
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any, Final

from penstock.aws_api.protocol.shapes import Shape
from penstock.aws_api.protocol.unreadable import UnreadableError

ISO_8601: Final = "iso8601"
RFC_822: Final = "rfc822"
UNIX: Final = "unixTimestamp"

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_INTEGER: Final = re.compile(r"[+-]?\d{1,19}")
_NUMBER: Final = re.compile(r"[+-]?\d{1,19}(\.\d*)?([eE][+-]?\d{1,3})?")
_SPECIAL: Final = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


# --- timestamps ---


def from_epoch(seconds: float) -> datetime:
    """To the microsecond. Raises OverflowError, or ValueError for no number."""
    return _EPOCH + timedelta(microseconds=round(seconds * 1_000_000))


def parse_timestamp(text: str) -> datetime:
    """In any of the three formats: no text is in two of them. Raises ValueError or OverflowError."""
    if _NUMBER.fullmatch(text):
        return from_epoch(float(text))
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = parsedate_to_datetime(text)
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def to_moment(value: Any) -> datetime:
    """What botocore takes for a timestamp as well: a datetime, seconds since the epoch, or a text."""
    if isinstance(value, datetime):
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    return from_epoch(value) if isinstance(value, int | float) else parse_timestamp(str(value))


def epoch_of(moment: datetime) -> int | float:
    """Seconds, whole ones as an integer."""
    microseconds = (moment - _EPOCH) // timedelta(microseconds=1)
    return microseconds / 1_000_000 if microseconds % 1_000_000 else microseconds // 1_000_000


def format_timestamp(value: Any, kind: str) -> str:
    """ISO 8601 has milliseconds, as most services write it, and more only where there is more."""
    moment = to_moment(value)
    if kind.lower() == RFC_822:
        return format_datetime(moment, usegmt=True)
    if kind == UNIX:
        return str(epoch_of(moment))
    precision = "microseconds" if moment.microsecond % 1000 else "milliseconds"
    return moment.replace(tzinfo=None).isoformat(timespec=precision) + "Z"


# --- text to value ---


def read_text(shape: Shape, text: str, name: str = "") -> Any:
    """The value of a scalar from a header, a query, or XML. `name` is for the error. Raises UnreadableError."""
    read = _READERS.get(shape.kind)
    if read is None:
        return text
    try:
        return read(text.strip())
    except (ValueError, OverflowError):
        raise UnreadableError(f"{name or shape.name} is no {shape.kind}", name, text) from None


def _integer(text: str) -> int:
    if not _INTEGER.fullmatch(text):
        raise ValueError(text)
    return int(text)


def _float(text: str) -> float:
    if text in _SPECIAL:
        return _SPECIAL[text]
    if not _NUMBER.fullmatch(text):
        raise ValueError(text)
    return float(text)


def _boolean(text: str) -> bool:
    lowered = text.lower()
    if lowered not in ("true", "false"):
        raise ValueError(text)
    return lowered == "true"


def decode_base64(text: str) -> bytes:
    """Raises ValueError."""
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from None


_READERS: Final[dict[str, Callable[[str], Any]]] = {
    "integer": _integer,
    "long": _integer,
    "float": _float,
    "double": _float,
    "boolean": _boolean,
    "blob": decode_base64,
    "timestamp": parse_timestamp,
}


# --- value to text ---


def write_text(shape: Shape, value: Any, timestamps: str = ISO_8601) -> str:
    """`timestamps` is the format where the shape says none."""
    if shape.kind == "timestamp":
        return format_timestamp(value, shape.traits.get("timestampFormat", timestamps))
    if shape.kind == "boolean":
        return "true" if value else "false"
    if shape.kind == "blob":
        return base64.b64encode(value).decode()
    if shape.kind in ("float", "double"):
        return special_float(float(value)) or repr(float(value))
    return str(value)


def special_float(value: float) -> str:
    """How a number is written that JSON has none for, or nothing."""
    if math.isnan(value):
        return "NaN"
    return ("Infinity" if value > 0 else "-Infinity") if math.isinf(value) else ""
