"""Where the events of one log file are, by time: read once, and extended as the file grows and is rotated.

An event costs 24 bytes here; its text stays in the file. Positions grow in the order events were written, over
rotations too: the upper bits number the file, the lower ones say where in it.
"""

import os
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple, TypeAlias

from penstock.aws_api.logs.lines import LineForm
from penstock.model.limits import MIB
from penstock.telemetry.log_writer import rotated

_CHUNK: Final = MIB
# What has no line end within this many bytes is no log line; assumed.
_LONGEST_LINE: Final = 64 * MIB
_OFFSET_BITS: Final = 40
_OFFSETS: Final = (1 << _OFFSET_BITS) - 1
# How much of a file's beginning tells it from one that was given the same inode.
_HEAD_BYTES: Final = 128

LAST_POSITION: Final = (1 << 63) - 1
_Identity: TypeAlias = tuple[int, int]


class Entry(NamedTuple):
    """An event in a file. `time` in epoch milliseconds, `stream` its number in `LogIndex.streams`."""

    time: int
    position: int
    stream: int
    length: int


@dataclass(slots=True)
class StreamFacts:
    """What is in the file of one stream; times in epoch milliseconds, 0 when there is nothing."""

    name: str
    events: int = 0
    first: int = 0
    last: int = 0
    ingested: int = 0

    def add(self, time: int) -> None:
        if time > self.last:
            self.last = time
        if time < self.first or not self.events:
            self.first = time
        self.events += 1


@dataclass(slots=True)
class _Part:
    """One file: the log itself, or what it was before it was rotated. Read up to `end`."""

    number: int
    path: Path
    head: bytes
    end: int = 0


class LogIndex:
    """The log at `path` and its rotated part. Every method reads files and may take a while: not for the event loop."""

    def __init__(self, path: Path, form: LineForm) -> None:
        self.path = path
        self.form = form
        self.streams: list[StreamFacts] = []
        self._numbers: dict[str, int] = {}
        self._parts: dict[_Identity, _Part] = {}
        self._next_part = 0
        self._times, self._positions = array("q"), array("q")
        self._streams, self._lengths = array("I"), array("I")
        self._sorted = 0

    def __len__(self) -> int:
        return len(self._times)

    @property
    def end(self) -> int:
        """The position after everything that was read."""
        part = self._newest()
        return (part.number << _OFFSET_BITS | part.end) if part else 0

    @property
    def first_time(self) -> int | None:
        return self._times[0] if self._times else None

    def refresh(self) -> None:
        """Read what was written since the last time, and forget what is gone."""
        for _ in range(3):
            newest = self._newest()
            seen = {identity for path in (rotated(self.path), self.path) if (identity := self._follow(path))}
            if newest is None or any(self._parts[identity] is newest for identity in seen):
                break  # else it was rotated while it was looked for
        gone = [identity for identity in self._parts if identity not in seen]
        if gone:
            self._forget({self._parts.pop(identity).number for identity in gone})

    def forward(self, after: tuple[int, int], until: int, wanted: Sequence[bool]) -> Iterator[Entry]:
        """By time: events behind `after` (time, position), before the time `until`, of the streams that are wanted."""
        times, positions = self._times, self._positions
        index = bisect_left(times, after[0])
        while index < len(times) and times[index] == after[0] and positions[index] <= after[1]:
            index += 1
        for at in range(index, len(times)):
            if times[at] >= until:
                return
            if wanted[self._streams[at]]:
                yield Entry(times[at], positions[at], self._streams[at], self._lengths[at])

    def backward(self, before: tuple[int, int], since: int, wanted: Sequence[bool]) -> Iterator[Entry]:
        """The latest first: events before `before` (time, position), not older than `since`."""
        times, positions = self._times, self._positions
        index = bisect_left(times, before[0])
        while index < len(times) and times[index] == before[0] and positions[index] < before[1]:
            index += 1
        for at in range(index - 1, -1, -1):
            if times[at] < since:
                return
            if wanted[self._streams[at]]:
                yield Entry(times[at], positions[at], self._streams[at], self._lengths[at])

    def arrived(self, since: int, most_bytes: int) -> tuple[list[bytes], bool]:
        """The lines at positions from `since` on, as they were written. Of more than `most_bytes` only the latest, and
        then True.
        """
        lines: list[bytes] = []
        room, cut = most_bytes, False
        for part in sorted(self._parts.values(), key=lambda one: one.number, reverse=True):
            start = since & _OFFSETS if part.number == since >> _OFFSET_BITS else 0
            if part.number < since >> _OFFSET_BITS or start >= part.end:
                continue
            length = min(part.end - start, room)
            cut = cut or length < part.end - start
            room -= length
            lines[:0] = self._lines_of(part, part.end - length, length, whole=length == part.end - start)
        return lines, cut

    def open(self) -> "OpenLog":
        """To read texts; to be closed."""
        return OpenLog({part.number: part.path for part in self._parts.values()}, dict(self._identities()))

    def _identities(self) -> Iterator[tuple[int, _Identity]]:
        for identity, part in self._parts.items():
            yield part.number, identity

    def _newest(self) -> _Part | None:
        return max(self._parts.values(), key=lambda part: part.number, default=None)

    def _lines_of(self, part: _Part, start: int, length: int, *, whole: bool) -> list[bytes]:
        with suppress(FileNotFoundError), part.path.open("rb") as file:
            lines = os.pread(file.fileno(), length, start).split(b"\n")
            return [line for line in (lines if whole else lines[1:]) if line]
        return []

    def _follow(self, path: Path) -> _Identity | None:
        """Read on in the file at `path`, whichever it is now."""
        with suppress(FileNotFoundError), path.open("rb") as file:
            status = os.fstat(file.fileno())
            identity = (status.st_dev, status.st_ino)
            head = os.pread(file.fileno(), _HEAD_BYTES, 0)
            part = self._parts.get(identity)
            if part and (status.st_size < part.end or not head.startswith(part.head)):
                self._forget({self._parts.pop(identity).number})  # emptied by hand, or another file by now
                part = None
            if part is None:
                part = self._parts[identity] = _Part(self._next_part, path, b"")
                self._next_part += 1
            part.path, part.head = path, head
            self._read(file, part)
            return identity
        return None

    def _read(self, file: BinaryIO, part: _Part) -> None:
        size = _CHUNK
        while data := os.pread(file.fileno(), size, part.end):
            complete = data.rfind(b"\n") + 1
            if complete == 0:
                if len(data) < size:
                    return  # half written: the rest is yet to come
                part.end, size = (part.end + size, _CHUNK) if size >= _LONGEST_LINE else (part.end, size * 2)
                continue
            offset = part.end
            for raw in data[: complete - 1].split(b"\n"):
                self._add(raw, part.number << _OFFSET_BITS | offset)
                offset += len(raw) + 1
            part.end, size = offset, _CHUNK
            self._sort()

    def _add(self, raw: bytes, position: int) -> None:
        head = self.form.head(raw)
        if head is None:
            return
        time, ingested, stream = head
        number = self._numbers.get(stream)
        if number is None:
            number = self._numbers[stream] = len(self.streams)
            self.streams.append(StreamFacts(stream))
        facts = self.streams[number]
        facts.add(time)
        if ingested > facts.ingested:
            facts.ingested = ingested
        self._times.append(time)
        self._positions.append(position)
        self._streams.append(number)
        self._lengths.append(len(raw))

    def _sort(self) -> None:
        """Put the new events where their time says. Most come in order, and few are far from it."""
        times, before = self._times, self._sorted
        self._sorted = len(times)
        if all(times[at - 1] <= times[at] for at in range(max(before, 1), len(times))):
            return
        start = bisect_left(times, min(times[before:]), 0, before)
        order = sorted(range(start, len(times)), key=times.__getitem__)
        for column in (self._times, self._positions, self._streams, self._lengths):
            column[start:] = array(column.typecode, [column[at] for at in order])

    def _forget(self, parts: set[int]) -> None:
        kept = [at for at, position in enumerate(self._positions) if position >> _OFFSET_BITS not in parts]
        for column in (self._times, self._positions, self._streams, self._lengths):
            column[:] = array(column.typecode, [column[at] for at in kept])
        self._sorted = len(kept)
        for facts in self.streams:
            facts.events = facts.first = facts.last = 0
        for at in range(len(self._times)):
            self.streams[self._streams[at]].add(self._times[at])


class OpenLog:
    """The files of a log while texts are read from them."""

    def __init__(self, paths: dict[int, Path], identities: dict[int, _Identity]) -> None:
        self._files: dict[int, BinaryIO] = {}
        for number, path in paths.items():
            for there in (path, rotated(path)):  # it may have been rotated a moment ago
                with suppress(FileNotFoundError):
                    file = there.open("rb")
                    status = os.fstat(file.fileno())
                    if (status.st_dev, status.st_ino) == identities[number]:
                        self._files[number] = file
                        break
                    file.close()

    def read(self, entry: Entry) -> bytes | None:
        """The line of an event; None when its file is gone."""
        file = self._files.get(entry.position >> _OFFSET_BITS)
        return os.pread(file.fileno(), entry.length, entry.position & _OFFSETS) if file else None

    def close(self) -> None:
        for file in self._files.values():
            file.close()
