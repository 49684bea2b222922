"""The events of a group in one order, over all its files. Blocking: for a thread."""

import heapq
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from penstock.aws_api.logs.catalogue import Source
from penstock.aws_api.logs.index import LAST_POSITION, Entry, OpenLog
from penstock.aws_api.logs.tokens import Key

FOREVER: Final = 1 << 55


class Event(NamedTuple):
    """Times in epoch milliseconds."""

    key: Key
    stream: str
    message: str
    ingested: int

    @property
    def size(self) -> int:
        """As AWS counts it: https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html"""
        return len(self.message.encode()) + EVENT_OVERHEAD


EVENT_OVERHEAD: Final = 26


@dataclass(frozen=True, slots=True)
class Selection:
    """Which events: of the streams named, or with the prefix, or all; `since` <= time < `until`."""

    since: int = 0
    until: int = FOREVER
    names: Collection[str] | None = None
    prefix: str = ""

    def takes(self, name: str) -> bool:
        return name in self.names if self.names is not None else name.startswith(self.prefix)


@dataclass(slots=True)
class StreamView:
    """A stream as it is seen. Times in epoch milliseconds."""

    name: str
    created: int
    first: int | None = None
    last: int | None = None
    ingested: int | None = None

    def saw(self, created: int, first: int, last: int, ingested: int) -> None:
        self.created = min(self.created, created)
        self.first = first if self.first is None else min(self.first, first)
        self.last = last if self.last is None else max(self.last, last)
        self.ingested = ingested if self.ingested is None else max(self.ingested, ingested)


def refresh(sources: Sequence[Source]) -> None:
    for source in sources:
        source.index.refresh()


def streams_of(sources: Sequence[Source], made: dict[str, StreamView]) -> dict[str, StreamView]:
    """By name: `made`, and those that hold events."""
    found = dict(made)
    for source in sources:
        for number, facts in enumerate(source.index.streams):
            name = source.name_of(number)
            hidden = source.hidden_until(name) if name is not None else 0
            if name is None or not facts.events or facts.last <= hidden:
                continue
            first = max(facts.first, hidden + 1)
            view = found.setdefault(name, StreamView(name, first))
            view.saw(view.created if name in made else first, first, facts.last, facts.ingested)
    return found


class EventReader:
    """Reads the events of a selection in order, either way. To be closed."""

    def __init__(self, sources: Sequence[Source], selection: Selection) -> None:
        self._sources = {source.rank: source for source in sources}
        self._selection = selection
        self._files: dict[int, OpenLog] = {}

    def keys(self, start: Key, *, forward: bool) -> Iterator[tuple[Key, Entry]]:
        """Events behind `start`, the oldest first; or those before it, the latest first."""
        each = [self._of(source, start, forward=forward) for source in self._sources.values()]
        return heapq.merge(*each, key=lambda pair: pair[0], reverse=not forward)

    def event(self, key: Key, entry: Entry) -> Event | None:
        """None for what is gone, or no event."""
        source = self._sources[key.rank]
        if key.rank not in self._files:
            self._files[key.rank] = source.index.open()
        raw, name = self._files[key.rank].read(entry), source.name_of(entry.stream)
        body = source.index.form.body(raw) if raw else None
        return Event(key, name, body.message, body.ingested) if body and name is not None else None

    def close(self) -> None:
        for files in self._files.values():
            files.close()

    def _of(self, source: Source, start: Key, *, forward: bool) -> Iterator[tuple[Key, Entry]]:
        selection, names = self._selection, [source.name_of(at) for at in range(len(source.index.streams))]
        wanted = [name is not None and selection.takes(name) for name in names]
        hidden = [-1 if name is None else source.hidden_until(name) for name in names]
        since = max(selection.since, source.hidden_all + 1)
        edge = (start.time, _edge(source.rank, start))
        if forward:
            entries = source.index.forward(max(edge, (since, -1)), selection.until, wanted)
        else:
            entries = source.index.backward(min(edge, (selection.until, -1)), since, wanted)
        for entry in entries:
            if entry.time > hidden[entry.stream]:
                yield Key(entry.time, source.rank, entry.position), entry


def _edge(rank: int, start: Key) -> int:
    """The position `start` stands for in the file `rank`, at the time of `start`."""
    if rank == start.rank:
        return start.position
    return LAST_POSITION if rank < start.rank else -1
