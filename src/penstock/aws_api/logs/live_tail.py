"""StartLiveTail: each second what has come since, as it came.

https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_StartLiveTail.html
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

from penstock.aws_api.logs.catalogue import Source
from penstock.aws_api.service import Events
from penstock.model.clock import Clock
from penstock.model.limits import MIB

_INTERVAL_S: Final = 1.0
_SESSION_S: Final = 3 * 3600.0
_MAX_EVENTS: Final = 500
# How much of what comes in one second is looked at; assumed.
_MAX_BYTES: Final = 16 * MIB
_TIMEOUT: Final = "Session timed out"  # assumed


class Groups(Protocol):
    """The groups that are tailed; one may come and go."""

    async def read(self, look: Callable[[str, Sequence[Source]], None]) -> None:
        """Lets `look` see, in a thread, each group's ARN and files, read up to now."""


@dataclass(slots=True)
class LiveTail:
    """`takes` tells of a stream's name, `matches` of a message."""

    groups: Groups
    takes: Callable[[str], bool]
    matches: Callable[[str], bool]
    clock: Clock
    _ends: dict[Path, int] = field(default_factory=dict)
    _results: list[dict[str, Any]] = field(default_factory=list)
    _sampled: bool = False

    async def begin(self) -> None:
        """What is there already is not shown."""

        def look(group: str, sources: Sequence[Source]) -> None:
            for source in sources:
                self._ends[source.index.path] = source.index.end

        await self.groups.read(look)

    async def events(self, start: Mapping[str, Any]) -> Events:
        """`start` is the session's sessionStart."""
        yield {"sessionStart": start}
        until = self.clock.monotonic() + _SESSION_S
        while self.clock.monotonic() < until:
            await _pass(self.clock, _INTERVAL_S)
            self._results, self._sampled = [], False
            await self.groups.read(self._look)
            sampled = self._sampled or len(self._results) > _MAX_EVENTS
            results = self._results[-_MAX_EVENTS:]
            yield {"sessionUpdate": {"sessionMetadata": {"sampled": sampled}, "sessionResults": results}}
        yield {"SessionTimeoutException": {"message": _TIMEOUT}}

    def _look(self, group: str, sources: Sequence[Source]) -> None:
        for source in sources:
            since, end = self._ends.get(source.index.path, 0), source.index.end
            self._ends[source.index.path] = end
            lines, cut = source.index.arrived(since, _MAX_BYTES) if end != since else ([], False)
            self._results += [one for line in lines if (one := self._result(group, source, line)) is not None]
            self._sampled = self._sampled or cut

    def _result(self, group: str, source: Source, line: bytes) -> dict[str, Any] | None:
        head = source.index.form.head(line)
        if head is None:
            return None
        time, _, stream = head
        name = stream if source.names is None else source.names.get(stream)
        if name is None or not self.takes(name) or time <= source.hidden_until(name):
            return None
        body = source.index.form.body(line)
        if body is None or not self.matches(body.message):
            return None
        return {
            "logGroupIdentifier": group,
            "logStreamName": name,
            "message": body.message,
            "timestamp": time,
            "ingestionTime": body.ingested,
        }


async def _pass(clock: Clock, seconds: float) -> None:
    """Let `seconds` of the clock pass."""
    over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def end() -> None:
        if not over.done():
            over.set_result(None)

    timer = clock.call_later(seconds, end)
    try:
        await over
    finally:
        timer.cancel()
