"""CBOR (RFC 8949), as far as AWS's rpc-v2-cbor protocol needs it.

https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html
"""

import struct
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from penstock.aws_api.protocol.scalars import epoch_of, from_epoch

# As for JSON: no shape is nested as deep (assumed).
_MAX_DEPTH: Final = 100

_UNSIGNED, _NEGATIVE, _BYTES, _TEXT, _ARRAY, _MAP, _TAG, _SIMPLE = range(8)
_INDEFINITE: Final = 31
_BREAK: Final = 0xFF
_EPOCH_TIME: Final = 1  # RFC 8949 section 3.4.2
_FLOATS: Final = {25: ">e", 26: ">f", 27: ">d"}
_CONSTANTS: Final[dict[int, bool | None]] = {20: False, 21: True, 22: None, 23: None}


def dumps(value: Any) -> bytes:
    """None, booleans, integers, floats, texts, bytes, aware datetimes, lists and mappings of these."""
    out = bytearray()
    _write(out, value)
    return bytes(out)


def loads(data: bytes) -> Any:
    """Raises ValueError for what is no CBOR, or more than one item."""
    reader = _Reader(data)
    try:
        value = reader.item(0)
    except (IndexError, struct.error, OverflowError):
        raise ValueError("the CBOR ends early or holds a number too large") from None
    if reader.at != len(data):
        raise ValueError("something follows the CBOR")
    return value


def _head(out: bytearray, major: int, number: int) -> None:
    if number < 24:
        out.append(major << 5 | number)
        return
    for info, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if number < 1 << (8 * size):
            out.append(major << 5 | info)
            out += number.to_bytes(size, "big")
            return
    raise OverflowError(number)


def _write(out: bytearray, value: Any) -> None:
    if value is None or isinstance(value, bool):
        out.append(_SIMPLE << 5 | (22 if value is None else 21 if value else 20))
    elif isinstance(value, int):
        _head(out, _UNSIGNED, value) if value >= 0 else _head(out, _NEGATIVE, -1 - value)
    elif isinstance(value, float):
        out.append(_SIMPLE << 5 | 27)
        out += struct.pack(">d", value)
    elif isinstance(value, datetime):
        _head(out, _TAG, _EPOCH_TIME)
        _write(out, epoch_of(value))
    elif isinstance(value, str | bytes):
        data = value.encode() if isinstance(value, str) else value
        _head(out, _TEXT if isinstance(value, str) else _BYTES, len(data))
        out += data
    elif isinstance(value, dict):
        _head(out, _MAP, len(value))
        for key, each in value.items():
            _write(out, key)
            _write(out, each)
    else:
        _head(out, _ARRAY, len(value))
        for each in value:
            _write(out, each)


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0

    def item(self, depth: int) -> Any:
        if depth > _MAX_DEPTH:
            raise ValueError("the CBOR is nested too deeply")
        major, info = self._data[self.at] >> 5, self._data[self.at] & 31
        self.at += 1
        if major == _SIMPLE:
            return self._simple(info)
        if major in (_BYTES, _TEXT):
            data = self._string(major, info)
            return data.decode() if major == _TEXT else data
        if major == _ARRAY:
            return self._repeat(info, lambda: self.item(depth + 1))
        if major == _MAP:
            return dict(self._repeat(info, lambda: (self._key(), self.item(depth + 1))))
        number = self._number(info)
        if major == _TAG:
            value = self.item(depth + 1)
            return self._moment(value) if number == _EPOCH_TIME else value
        return number if major == _UNSIGNED else -1 - number

    def _key(self) -> str:
        if self._data[self.at] >> 5 != _TEXT:
            raise ValueError("a key of a map in the CBOR is no text")
        return str(self.item(0))

    def _repeat(self, info: int, read: Callable[[], Any]) -> list[Any]:
        if info != _INDEFINITE:
            # Each item has a byte at least: no count makes us reserve what is not there.
            return [read() for _ in range(min(self._number(info), len(self._data) - self.at + 1))]
        found = []
        while not self._ends():
            found.append(read())
        return found

    def _string(self, major: int, info: int) -> bytes:
        if info != _INDEFINITE:
            return self._take(self._number(info))
        parts = []
        while not self._ends():
            head = self._data[self.at]
            self.at += 1
            if head >> 5 != major:
                raise ValueError("a piece of a string is of another type")
            parts.append(self._take(self._number(head & 31)))
        return b"".join(parts)

    def _ends(self) -> bool:
        if self._data[self.at] != _BREAK:
            return False
        self.at += 1
        return True

    def _simple(self, info: int) -> bool | float | None:
        if info in _CONSTANTS:
            return _CONSTANTS[info]
        if info not in _FLOATS:
            raise ValueError(f"CBOR's simple value {info} is not known here")
        layout = _FLOATS[info]
        value: float = struct.unpack(layout, self._take(struct.calcsize(layout)))[0]
        return value

    def _number(self, info: int) -> int:
        if info < 24:
            return info
        if info > 27:
            raise ValueError("a length that CBOR does not have")
        return int.from_bytes(self._take(1 << (info - 24)), "big")

    def _take(self, size: int) -> bytes:
        end = self.at + size
        if end > len(self._data):
            raise IndexError
        data, self.at = self._data[self.at : end], end
        return data

    @staticmethod
    def _moment(value: Any) -> datetime:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError("a time that is no number")
        return from_epoch(value)
