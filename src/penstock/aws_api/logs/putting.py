"""PutLogEvents: which events of a batch are taken, and how they are kept."""

import os
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, NamedTuple

from penstock.aws_api.logs.errors import invalid
from penstock.aws_api.logs.lines import PutLines
from penstock.aws_api.logs.view import EVENT_OVERHEAD
from penstock.model.limits import MIB
from penstock.telemetry.log_writer import rotated

# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html
_MAX_BATCH_BYTES: Final = MIB
_MAX_BATCH_EVENTS: Final = 10_000
_MAX_SPAN_MS: Final = 24 * 3600 * 1000
_MAX_AHEAD_MS: Final = 2 * 3600 * 1000
_MAX_AGE_MS: Final = 14 * _MAX_SPAN_MS
# A group's file is rotated, and what was rotated before is gone. AWS has no bound; assumed.
ROTATE_BYTES: Final = 256 * MIB


class PutEvent(NamedTuple):
    """`time` in epoch milliseconds."""

    time: int
    message: str


class Batch(NamedTuple):
    """What is taken, and `rejectedLogEventsInfo` about the rest."""

    events: list[PutEvent]
    rejected: dict[str, int]


def judge(given: Sequence[Any], now_ms: int, retention_days: int | None) -> Batch:
    """`given` as the API has it: `{timestamp, message}` each. Raises ServiceError when the batch is refused."""
    events = [PutEvent(int(one["timestamp"]), str(one["message"])) for one in given]
    _check(events)
    oldest = now_ms - _MAX_AGE_MS
    expired = now_ms - retention_days * _MAX_SPAN_MS if retention_days else 0
    newest = now_ms + _MAX_AHEAD_MS
    too_old = sum(one.time < oldest for one in events)
    too_expired = sum(one.time < expired for one in events)
    in_time = sum(one.time <= newest for one in events)
    rejected: dict[str, int] = {}
    if too_old:
        rejected["tooOldLogEventEndIndex"] = too_old
    if too_expired > too_old:
        rejected["expiredLogEventEndIndex"] = too_expired
    if in_time < len(events):
        rejected["tooNewLogEventStartIndex"] = in_time
    taken = events[max(too_old, too_expired) : in_time]
    if taken and taken[-1].time - taken[0].time > _MAX_SPAN_MS:
        raise invalid("The batch of log events in a single PutLogEvents request cannot span more than 24 hours.")
    return Batch(taken, rejected)


def _check(events: Sequence[PutEvent]) -> None:
    """In the words of AWS as far as they are known from clients' bug reports; else assumed."""
    if not 1 <= len(events) <= _MAX_BATCH_EVENTS:
        raise invalid(
            "1 validation error detected: Value at 'logEvents' failed to satisfy constraint: Member must have length "
            f"less than or equal to {_MAX_BATCH_EVENTS} and greater than or equal to 1"
        )
    if any(not one.message for one in events):
        raise invalid("Log event message must be non-empty.")
    size = sum(len(one.message.encode("utf-8", "replace")) + EVENT_OVERHEAD for one in events)
    if size > _MAX_BATCH_BYTES:
        raise invalid(f"Upload too large: {size} bytes exceeds limit of {_MAX_BATCH_BYTES}")
    if any(before.time > after.time for before, after in pairwise(events)):
        raise invalid("Log events in a single PutLogEvents request must be in chronological order.")


def keep(path: Path, stream: str, events: Sequence[PutEvent], now_ms: int) -> None:
    """Append to the group's file, in one write. What is written stays when this process is killed. Raises OSError."""
    data = b"".join(PutLines.written(one.time, now_ms, stream, _sound(one.message)) for one in events)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if path.exists() and path.stat().st_size + len(data) > ROTATE_BYTES:
        os.replace(path, rotated(path))
    file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        size = os.fstat(file).st_size
        if size and os.pread(file, 1, size - 1) != b"\n":
            data = b"\n" + data  # a write that was cut off must not take the next line with it
        view = memoryview(data)
        while view:
            view = view[os.write(file, view) :]
    finally:
        os.close(file)


def _sound(message: str) -> str:
    """Lone surrogates are no text, and UTF-8 has no form for them."""
    return message.encode("utf-8", "replace").decode()
