"""A function's log file: one JSON object a line, gathered for a moment, then written at once.

    {"time": "2026-11-23T06:22:16.123Z", "type": "function", "environment": "<id>", "logStream": "...",
     "requestId": "...", "record": "the line"}

`requestId` only where it is known; `record` is an object for platform events, else the line's text.
"""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeAlias

import orjson

from penstock.model.clock import Clock, Timer
from penstock.model.limits import KIB, MIB
from penstock.telemetry import records
from penstock.telemetry.records import EventType

Content: TypeAlias = Mapping[str, object] | str | bytes

_DROPPED: Final = "platform.logsDropped"
_PENDING_BYTES: Final = 256 * KIB
_RECORD_BYTES: Final = 256
"""About what a platform record takes; only lines of text can be large."""


class LogWriter:
    """Appends to `path`. Above `rotate_bytes` the file becomes `<path>.1` and a new one is begun.

    Never raises once made: what cannot be written (disk full, folder gone) is counted, and told as a
    `platform.logsDropped` event when writing works again. Logs must not end a request.
    """

    def __init__(self, path: Path, clock: Clock, *, flush_seconds: float = 0.1, rotate_bytes: int = 64 * MIB) -> None:
        self.path = path
        self._clock = clock
        self._flush_seconds = flush_seconds
        self._rotate_bytes = rotate_bytes
        self._pending: list[_Line | bytes] = []
        self._pending_bytes = 0
        self._timer: Timer | None = None
        self._fd: int | None = None
        self._dropped_bytes = 0
        self._dropped_records = 0

    def append(
        self,
        type: EventType,
        record: Content,
        *,
        environment: str,
        log_stream: str,
        request_id: str | None = None,
        time: float | None = None,
    ) -> None:
        """Keep one record. `time` in epoch seconds, now by default. Nothing is formatted or written here."""
        epoch = self._clock.epoch() if time is None else time
        self._pending.append((epoch, type, environment, log_stream, request_id, record))
        self._added(_RECORD_BYTES if isinstance(record, Mapping) else len(record))

    def append_line(self, line: bytes) -> None:
        """Keep one record that is a whole line already, as `telemetry.invocation_lines` makes it."""
        self._pending.append(line)
        self._added(len(line))

    def _added(self, size: int) -> None:
        self._pending_bytes += size
        if self._pending_bytes >= _PENDING_BYTES:
            self.flush()
        elif self._timer is None:
            self._timer = self._clock.call_later(self._flush_seconds, self.flush)

    def flush(self) -> None:
        """Write what is pending, in one write."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._pending:
            return
        lines, self._pending, self._pending_bytes = self._pending, [], 0
        if self._dropped_records:
            lines.insert(0, self._told_drop(lines[0]))
        data = b"".join(map(_format, lines))
        try:
            self._write(data)
        except OSError:
            self._dropped_bytes += len(data)
            self._dropped_records += len(lines)
        else:
            self._dropped_bytes = self._dropped_records = 0

    def close(self) -> None:
        """Flush and let go of the file. Appending later opens it again."""
        self.flush()
        self._close_file()

    def _told_drop(self, first: "_Line | bytes") -> "_Line":
        dropped = records.logs_dropped(self._dropped_bytes, self._dropped_records, "the log file was not writable")
        if isinstance(first, bytes):
            line = orjson.loads(first)
            return (self._clock.epoch(), _DROPPED, line["environment"], line["logStream"], None, dropped)
        return (first[0], _DROPPED, first[2], first[3], None, dropped)

    def _write(self, data: bytes) -> None:
        fd, size = self._open()
        if size and size + len(data) > self._rotate_bytes:
            os.replace(self.path, rotated(self.path))
            fd, size = self._open()
        if size and os.pread(fd, 1, size - 1) != b"\n":
            data = b"\n" + data  # a write that failed halfway must not take the next line with it
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]

    def _open(self) -> tuple[int, int]:
        """The open file and its size; opened anew when someone removed or rotated the one we have."""
        if self._fd is not None:
            ours = os.fstat(self._fd)
            with suppress(FileNotFoundError):
                if os.path.samestat(ours, os.stat(self.path)):
                    return self._fd, ours.st_size
            self._close_file()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._fd = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        return self._fd, os.fstat(self._fd).st_size

    def _close_file(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


_Line: TypeAlias = tuple[float, EventType, str, str, str | None, Content]


def rotated(path: Path) -> Path:
    """Where the older part of the log at `path` is kept."""
    return path.with_name(f"{path.name}.1")


def _format(line: _Line | bytes) -> bytes:
    if isinstance(line, bytes):
        return line
    epoch, event_type, environment, log_stream, request_id, record = line
    value: dict[str, object] = {
        "time": records.timestamp(epoch),
        "type": event_type,
        "environment": environment,
        "logStream": log_stream,
    }
    if request_id is not None:
        value["requestId"] = request_id
    # Bytes that are no UTF-8 stay readable as \xff.
    value["record"] = record.decode(errors="backslashreplace") if isinstance(record, bytes) else record
    try:
        return orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE)
    except orjson.JSONEncodeError:
        # Lone surrogates in a str, which orjson refuses and JSON escapes.
        return json.dumps(value, default=str).encode() + b"\n"
