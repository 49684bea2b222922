"""The two forms a line of a log file has: written for a running function, or by PutLogEvents."""

import re
from datetime import datetime
from typing import Final, NamedTuple, Protocol, TypeAlias

import orjson

from penstock.telemetry import log_reader

# Both are written with their keys in this order, so that most lines need not be parsed to be found.
_FUNCTION_HEAD: Final = re.compile(
    rb'\{"time":"([0-9T:-]{19})\.([0-9]{3})Z","type":"[^"\\]*","environment":"[^"\\]*","logStream":"([^"\\]*)"'
)
_PUT_HEAD: Final = re.compile(rb'\{"t":([0-9]+),"i":([0-9]+),"s":"([0-9a-f]+)",')


Head: TypeAlias = tuple[int, int, str]
"""The event's time and when it was ingested, in epoch milliseconds, and what names its log stream in the file."""


class Body(NamedTuple):
    """`ingested` in epoch milliseconds."""

    message: str
    ingested: int


class LineForm(Protocol):
    """Both are None for what is no line of this form, such as one cut off by a crash."""

    def head(self, raw: bytes) -> Head | None: ...

    def body(self, raw: bytes) -> Body | None: ...


class FunctionLines:
    """Lines as `telemetry.log_writer` describes them.

    A line a process wrote is the message, as it was. A platform event is `{"time", "type", "record"}`, as Lambda writes
    it: https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-logformat.html
    """

    def __init__(self) -> None:
        self._second = b""
        self._epoch_ms = 0
        self._raw_stream, self._stream = b"", ""

    def head(self, raw: bytes) -> Head | None:
        found = _FUNCTION_HEAD.match(raw)
        if found is None:
            return self._slow_head(raw)
        second, milliseconds, raw_stream = found.groups()
        if second != self._second:
            try:
                self._epoch_ms = _epoch_ms(second.decode())
            except ValueError:
                return None
            self._second = second
        if raw_stream != self._raw_stream:
            self._raw_stream, self._stream = raw_stream, raw_stream.decode("utf-8", "backslashreplace")
        time = self._epoch_ms + int(milliseconds)
        return time, time, self._stream

    def _slow_head(self, raw: bytes) -> Head | None:
        """The keys in another order, or a text with escapes."""
        line = log_reader.parse(raw)
        try:
            time = round(datetime.fromisoformat(line.time).timestamp() * 1000) if line else 0
        except (TypeError, ValueError):
            return None
        return (time, time, line.log_stream) if line else None

    def body(self, raw: bytes) -> Body | None:
        line, head = log_reader.parse(raw), self.head(raw)
        if line is None or head is None:
            return None
        if isinstance(line.record, dict):
            event = {"time": line.time, "type": line.type, "record": line.record}
            return Body(orjson.dumps(event).decode(), head[0])
        # An event's message has at least one character.
        return Body(line.record or "\n", head[0])


class PutLines:
    """Lines of PutLogEvents: `{"t": time, "i": ingested, "s": stream, "m": message}`. `s` numbers one stream for good,
    so that what was in a stream that is deleted does not come back with its name.
    """

    def head(self, raw: bytes) -> Head | None:
        found = _PUT_HEAD.match(raw)
        return (int(found[1]), int(found[2]), found[3].decode()) if found and raw.endswith(b"}") else None

    def body(self, raw: bytes) -> Body | None:
        try:
            value = orjson.loads(raw)
            return Body(str(value["m"]), int(value["i"]))
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
            return None

    @staticmethod
    def written(time: int, ingested: int, stream: str, message: str) -> bytes:
        """One line with its end. `message` must have no lone surrogates."""
        return orjson.dumps({"t": time, "i": ingested, "s": stream, "m": message}, option=orjson.OPT_APPEND_NEWLINE)


def _epoch_ms(second: str) -> int:
    return int(datetime.fromisoformat(f"{second}+00:00").timestamp()) * 1000
