"""Reading a function's log file while it grows and is rotated."""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import orjson

from penstock.telemetry.log_writer import rotated


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of the file. `record` is an object for platform events, else the text that was written."""

    raw: bytes
    """As it stands in the file, without the line end."""
    time: str
    type: str
    environment: str
    log_stream: str
    request_id: str | None
    record: dict[str, object] | str


class LogReader:
    """Every complete line of the log at `path`, each once: the rotated file's first.

    With `request_id` only the lines of that request; its first characters are enough.
    """

    def __init__(self, path: Path, request_id: str | None = None) -> None:
        self.path = path
        self._request_id = request_id
        self._file: BinaryIO | None = None

    def new_lines(self) -> Iterator[LogLine]:
        """The lines that came since the last call; all of them at the first. No file is the same as no lines."""
        while True:
            if self._file is not None:
                yield from self._rest()
            following = self._following()
            if following is None:
                return
            if self._file is not None:
                yield from self._rest()  # its last lines: those written since, before it was rotated
            self._open(following)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _following(self) -> Path | None:
        """The file to read after the one that is open, which may be more than one rotation behind."""
        older, newer = _identity(rotated(self.path)), _identity(self.path)
        ours = self._file and _identity(self._file.fileno())
        if ours is not None and ours == newer:
            return None
        if older is not None and ours != older:
            return rotated(self.path)
        return self.path if newer is not None else None

    def _open(self, path: Path) -> None:
        self.close()
        with suppress(FileNotFoundError):
            self._file = path.open("rb")

    def _rest(self) -> Iterator[LogLine]:
        file = self._file
        assert file is not None
        if os.fstat(file.fileno()).st_size < file.tell():
            file.seek(0)  # emptied by hand
        while raw := file.readline():
            if not raw.endswith(b"\n"):
                file.seek(-len(raw), os.SEEK_CUR)  # half written: the rest is yet to come
                return
            line = parse(raw.rstrip(b"\n")) if self._may_match(raw) else None
            if line is not None and self._matches(line):
                yield line

    def _may_match(self, raw: bytes) -> bool:
        return self._request_id is None or self._request_id.encode() in raw

    def _matches(self, line: LogLine) -> bool:
        return self._request_id is None or (line.request_id or "").startswith(self._request_id)


def _identity(file: Path | int) -> tuple[int, int] | None:
    try:
        status = os.stat(file)
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


def parse(raw: bytes) -> LogLine | None:
    """None for what is not a log line, such as one cut off by a crash."""
    try:
        value = orjson.loads(raw)
        record = value["record"]
        return LogLine(
            raw,
            value["time"],
            value["type"],
            value["environment"],
            value["logStream"],
            value.get("requestId"),
            record if isinstance(record, dict) else str(record),
        )
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        return None
