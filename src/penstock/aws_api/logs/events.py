"""Operations that read events: GetLogEvents, FilterLogEvents and StartLiveTail."""

import asyncio
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from penstock.aws_api.logs import checks, errors, filter_pattern, reading
from penstock.aws_api.logs.answers import event_answer, found_answer, group_arn
from penstock.aws_api.logs.catalogue import Catalogue, Group, Source
from penstock.aws_api.logs.files import Files
from penstock.aws_api.logs.live_tail import LiveTail
from penstock.aws_api.logs.streams import StreamOperations
from penstock.aws_api.logs.view import FOREVER, Selection, StreamView, streams_of
from penstock.aws_api.service import Answer, Call, Context, Operation, ServiceError
from penstock.model.clock import Clock

# startFromHead false needs a startTime from 2024 on.
# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html
_DESCENDING_SINCE_MS: Final = 1_704_067_200_000
_MAX_STREAM_NAMES: Final = 100
# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_StartLiveTail.html
_MAX_TAILED_GROUPS: Final = 10


class EventOperations:
    def __init__(self, catalogue: Catalogue, files: Files, streams: StreamOperations, clock: Clock) -> None:
        self._catalogue = catalogue
        self._files = files
        self._streams = streams
        self._clock = clock

    @property
    def operations(self) -> dict[str, Operation]:
        return {"GetLogEvents": self.get, "FilterLogEvents": self.filter, "StartLiveTail": self.tail}

    async def get(self, call: Call) -> Answer:
        params, name = call.params, checks.stream_name(call.params)
        group = self._files.group(call.context.region, checks.named_group(params))
        limit = checks.limit(params, reading.MAX_EVENTS)
        # Events at endTime are not included.
        selection = _selection(params, params.get("endTime"), names=(name,))
        async with self._files.reading(group) as sources:
            if name not in await self._known(group, sources):
                raise errors.no_stream()
            fetched = await asyncio.to_thread(
                reading.fetch,
                sources,
                selection,
                token=params.get("nextToken"),
                from_head=bool(params.get("startFromHead")),
                limit=limit,
            )
        return {
            "events": [event_answer(one) for one in fetched.events],
            "nextForwardToken": fetched.forward,
            "nextBackwardToken": fetched.backward,
        }

    async def filter(self, call: Call) -> Answer:
        params = call.params
        group = self._files.group(call.context.region, checks.named_group(params))
        names, prefix = params.get("logStreamNames"), params.get("logStreamNamePrefix") or ""
        if names and prefix:
            raise errors.invalid("Cannot specify both logStreamNames and logStreamNamePrefix.")  # assumed
        if names and len(names) > _MAX_STREAM_NAMES:
            raise errors.constraint(names, "logStreamNames", f"have length less than or equal to {_MAX_STREAM_NAMES}")
        from_head = params.get("startFromHead", True)
        if not from_head and int(params.get("startTime") or 0) < _DESCENDING_SINCE_MS:
            raise errors.invalid("startTime must be on or after Jan 1, 2024 when startFromHead is false.")  # assumed
        # Events at endTime are included here.
        until = int(params["endTime"]) + 1 if params.get("endTime") is not None else None
        search = partial(
            reading.find,
            selection=_selection(params, until, names=names, prefix=prefix),
            token=params.get("nextToken"),
            from_head=bool(from_head),
            limit=checks.limit(params, reading.MAX_EVENTS),
            matches=pattern(params.get("filterPattern")),
        )
        async with self._files.reading(group) as sources:
            if names and not set(names) <= set(await self._known(group, sources)):
                raise errors.no_stream()
            found = await asyncio.to_thread(search, sources)
        token = {"nextToken": found.token} if found.token else {}
        return {"events": [found_answer(one) for one in found.events], "searchedLogStreams": [], **token}

    async def tail(self, call: Call) -> Answer:
        params, context = call.params, call.context
        identifiers = [str(one) for one in params["logGroupIdentifiers"]]
        if not 1 <= len(identifiers) <= _MAX_TAILED_GROUPS:
            raise errors.constraint(identifiers, "logGroupIdentifiers", f"have up to {_MAX_TAILED_GROUPS} members")
        if any(one.endswith("*") for one in identifiers):
            raise errors.invalid("An ARN of a log group must not end with an asterisk.")  # assumed
        groups = [checks.identified(one, "logGroupIdentifiers") for one in identifiers]
        for name in groups:
            self._files.group(context.region, name)
        names, prefixes = params.get("logStreamNames") or (), params.get("logStreamNamePrefixes") or ()
        _check_tailed_streams(groups, names, prefixes)
        tail = LiveTail(
            _Tailed(self._catalogue, self._files, context, tuple(groups)),
            partial(_takes, frozenset(names), tuple(prefixes)),
            pattern(params.get("logEventFilterPattern")),
            self._clock,
        )
        await tail.begin()
        start: dict[str, Any] = {
            "requestId": context.request_id,
            "sessionId": secrets.token_hex(16),
            "logGroupIdentifiers": identifiers,
            "logEventFilterPattern": params.get("logEventFilterPattern") or "",
        }
        start |= {"logStreamNames": list(names)} if names else {}
        start |= {"logStreamNamePrefixes": list(prefixes)} if prefixes else {}
        return {"responseStream": tail.events(start)}

    async def _known(self, group: Group, sources: Sequence[Source]) -> dict[str, StreamView]:
        return await asyncio.to_thread(streams_of, sources, self._streams.made(group))


def pattern(text: str | None) -> Callable[[str], bool]:
    """Raises ServiceError."""
    try:
        return filter_pattern.parse(text or "")
    except filter_pattern.PatternError as error:
        raise errors.invalid(f"Invalid filter pattern: {error}") from None  # what is behind the colon is ours


def _selection(
    params: Mapping[str, Any], until: int | None, *, names: Sequence[str] | None = None, prefix: str = ""
) -> Selection:
    since = int(params.get("startTime") or 0)
    end = min(until, FOREVER) if until is not None else FOREVER
    return Selection(min(since, FOREVER), end, frozenset(names) if names else None, prefix)


def _check_tailed_streams(groups: Sequence[str], names: Sequence[str], prefixes: Sequence[str]) -> None:
    """The words are assumed."""
    if names and prefixes:
        raise errors.invalid("Cannot specify both logStreamNames and logStreamNamePrefixes.")
    if (names or prefixes) and len(groups) > 1:
        raise errors.invalid("Log streams can be specified for a single log group only.")


def _takes(names: frozenset[str], prefixes: tuple[str, ...], stream: str) -> bool:
    if names:
        return stream in names
    return stream.startswith(prefixes) if prefixes else True


@dataclass(frozen=True, slots=True)
class _Tailed:
    """The groups of a session."""

    catalogue: Catalogue
    files: Files
    context: Context
    names: tuple[str, ...]

    async def read(self, look: Callable[[str, Sequence[Source]], None]) -> None:
        for name in self.names:
            try:
                group = self.files.group(self.context.region, name)
            except ServiceError:
                continue  # it is gone, and may come again
            async with self.files.reading(group) as sources:
                await asyncio.to_thread(look, group_arn(self.context, name), sources)
