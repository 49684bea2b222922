"""GetLogEvents and FilterLogEvents over the files of a group. Blocking: for a thread."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from penstock.aws_api.logs.catalogue import Source
from penstock.aws_api.logs.tokens import Key, event_token, read_event_token
from penstock.aws_api.logs.view import FOREVER, Event, EventReader, Selection
from penstock.model.limits import MIB

# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html: a page has up to 1 MB
# or 10,000 events, and may be empty while there are more.
MAX_EVENTS: Final = 10_000
_PAGE_BYTES: Final = MIB
# How much one call looks at when few events match; assumed.
_SCAN_BYTES: Final = 16 * MIB
_SCAN_EVENTS: Final = 50_000

Matches = Callable[[str], bool]
_BEGINNING: Final = Key(0, 0, 0)
_END: Final = Key(FOREVER)


@dataclass(frozen=True, slots=True)
class Page:
    """`scanned` is the last event that was looked at, None when it was the last of all."""

    events: list[Event]
    scanned: Key | None


def scan(
    sources: Sequence[Source], selection: Selection, start: Key, *, forward: bool, limit: int, matches: Matches
) -> Page:
    """Up to `limit` events that match, in the order they are met."""
    reader = EventReader(sources, selection)
    events: list[Event] = []
    size = looked = scanned = 0
    last: Key | None = None
    try:
        for key, entry in reader.keys(start, forward=forward):
            if len(events) >= limit or scanned >= _SCAN_BYTES or looked >= _SCAN_EVENTS:
                return Page(events, last)
            looked, scanned = looked + 1, scanned + entry.length
            event = reader.event(key, entry)
            if event is not None and matches(event.message):
                if events and size + event.size > _PAGE_BYTES:
                    return Page(events, last)
                size += event.size
                events.append(event)
            last = key
        return Page(events, None)
    finally:
        reader.close()


@dataclass(frozen=True, slots=True)
class Fetched:
    """By time, with the tokens for both ways."""

    events: list[Event]
    forward: str
    backward: str


def fetch(
    sources: Sequence[Source], selection: Selection, *, token: str | None, from_head: bool, limit: int
) -> Fetched:
    """A page of GetLogEvents. At an end it gives the token that was passed. Raises ServiceError."""
    if token is None:
        start, forward = (_BEGINNING if from_head else _END), from_head
    else:
        start, forward = read_event_token(token)
    page = scan(sources, selection, start, forward=forward, limit=limit, matches=lambda _: True)
    events = page.events if forward else page.events[::-1]
    if not events and page.scanned is not None:  # only lines that are gone
        return Fetched([], event_token(page.scanned, forward=True), event_token(page.scanned, forward=False))
    if not events:
        at = start if token else _BEGINNING
        return Fetched([], event_token(at, forward=True), event_token(at, forward=False))
    return Fetched(events, event_token(events[-1].key, forward=True), event_token(events[0].key, forward=False))


@dataclass(frozen=True, slots=True)
class Found:
    events: list[Event]
    token: str | None


def find(
    sources: Sequence[Source],
    selection: Selection,
    *,
    token: str | None,
    from_head: bool,
    limit: int,
    matches: Matches,
) -> Found:
    """A page of FilterLogEvents: without a token there are no more. Raises ServiceError."""
    start, forward = read_event_token(token) if token else ((_BEGINNING if from_head else _END), from_head)
    page = scan(sources, selection, start, forward=forward, limit=limit, matches=matches)
    return Found(page.events, event_token(page.scanned, forward=forward) if page.scanned else None)
