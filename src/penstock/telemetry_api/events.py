"""Events as subscribers get them, and those kept for subscribers still to come."""

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import orjson

from penstock.model.limits import MIB
from penstock.telemetry.records import EventType, logs_dropped, timestamp

Category: TypeAlias = Literal["platform", "function", "extension"]
TelemetryEventType: TypeAlias = EventType | Literal["platform.telemetrySubscription"]
Content: TypeAlias = Mapping[str, object] | str

# Of lines written during init, this much is kept for extensions that subscribe later (assumed: the service says only
# that it buffers).
MAX_BACKLOG_BYTES: Final = 4 * MIB
MAX_BACKLOG_LINES: Final = 10_000
BACKLOG_FULL: Final = "Some logs were dropped because too many were written before the subscription"


def category_of(event_type: TelemetryEventType) -> Category | None:
    """None for an event of our own: extensions made for AWS know nothing of it."""
    if event_type == "function" or event_type == "extension":
        return event_type
    return "platform" if event_type.startswith("platform.") else None


def encode(event_type: TelemetryEventType, record: Content, time: float) -> bytes:
    """One event as a JSON object without a newline. `time` in epoch seconds."""
    value = {"time": timestamp(time), "type": event_type, "record": record}
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:
        # Lone surrogates, as in the name of a file that is not UTF-8: orjson refuses them, JSON escapes them.
        return json.dumps(value).encode()


def telemetry_subscription(name: str, types: Collection[Category]) -> dict[str, object]:
    return {"name": name, "state": "Subscribed", "types": list(types)}


@dataclass(slots=True)
class Dropped:
    """What a subscriber did not get, and the last reason why."""

    size: int = 0
    records: int = 0
    reason: str = ""

    def add(self, size: int, records: int, reason: str) -> None:
        """`size` in bytes."""
        self.size += size
        self.records += records
        self.reason = reason

    def encode(self, time: float) -> bytes:
        return encode("platform.logsDropped", logs_dropped(self.size, self.records, self.reason), time)


class Backlog:
    """Everything since the environment began, for each who subscribes during init.

    Lines are bounded: the first ones stay, later ones are counted. Platform events are few and always stay, because
    a late subscriber must see `platform.initStart` however much was written.
    """

    def __init__(self) -> None:
        self._events: list[tuple[Category, bytes]] = []
        self._lines = 0
        self._bytes = 0
        self._dropped: dict[Category, Dropped] = {"function": Dropped(), "extension": Dropped()}

    def add(self, category: Category, event: bytes) -> None:
        if category != "platform":
            if self._lines >= MAX_BACKLOG_LINES or self._bytes + len(event) > MAX_BACKLOG_BYTES:
                self._dropped[category].add(len(event), 1, BACKLOG_FULL)
                return
            self._lines += 1
            self._bytes += len(event)
        self._events.append((category, event))

    def replay(self, categories: Collection[Category], time: float) -> Iterator[tuple[Category, bytes]]:
        """In order, and at the end what of these categories is missing."""
        yield from self._events
        missing = Dropped()
        for category, dropped in self._dropped.items():
            if category in categories and dropped.records:
                missing.add(dropped.size, dropped.records, dropped.reason)
        if missing.records:
            yield "platform", missing.encode(time)
