"""Operations on log streams, and PutLogEvents."""

import asyncio

from penstock.aws_api.logs import checks, errors, putting
from penstock.aws_api.logs.answers import stream_answer
from penstock.aws_api.logs.catalogue import Catalogue, Group
from penstock.aws_api.logs.files import Files
from penstock.aws_api.logs.tokens import list_token, read_list_token
from penstock.aws_api.logs.view import StreamView, streams_of
from penstock.aws_api.service import Answer, Call, Operation, ServiceError
from penstock.model.clock import Clock

# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_DescribeLogStreams.html
_DESCRIBED = 50
# The answer still has one, and nobody looks at it any more: it is always the same. Assumed.
_SEQUENCE_TOKEN = "4" * 56


class StreamOperations:
    def __init__(self, catalogue: Catalogue, files: Files, clock: Clock) -> None:
        self._catalogue = catalogue
        self._files = files
        self._clock = clock

    @property
    def operations(self) -> dict[str, Operation]:
        return {
            "CreateLogStream": self.create,
            "DeleteLogStream": self.delete,
            "DescribeLogStreams": self.describe,
            "PutLogEvents": self.put,
        }

    async def create(self, call: Call) -> Answer:
        name = checks.stream_name(call.params)
        group = self._files.group(call.context.region, checks.group_name(call.params))
        if name in await self._streams(group):
            raise errors.stream_exists()
        group = self._files.group(group.region, group.name)
        with self._catalogue.store.transaction():
            record = self._catalogue.ensure_record(group)
            if self._catalogue.stream(record, name):
                raise errors.stream_exists()
            self._catalogue.make_stream(record, name, self._now_ms())
        return {}

    async def delete(self, call: Call) -> Answer:
        name = checks.stream_name(call.params)
        group = self._files.group(call.context.region, checks.group_name(call.params))
        if name not in await self._streams(group):
            raise errors.no_stream()
        self._catalogue.delete_stream(group, name, self._now_ms())
        return {}

    async def describe(self, call: Call) -> Answer:
        params = call.params
        prefix, by_time = params.get("logStreamNamePrefix") or "", params.get("orderBy") == "LastEventTime"
        if params.get("orderBy") not in (None, "LogStreamName", "LastEventTime"):
            raise errors.constraint(
                params["orderBy"], "orderBy", "satisfy enum value set: [LogStreamName, LastEventTime]"
            )
        if prefix and by_time:
            # As observed on AWS: https://github.com/getmoto/moto (moto/logs/models.py).
            raise errors.invalid("Cannot order by LastEventTime with a logStreamNamePrefix.")
        limit = checks.limit(params, _DESCRIBED)
        group = self._files.group(call.context.region, checks.named_group(params))
        there = (await self._streams(group)).values()
        ordered = sorted(
            ((_order(one, by_time), one) for one in there if one.name.startswith(prefix)),
            key=lambda pair: pair[0],
            reverse=bool(params.get("descending")),
        )
        if params.get("nextToken"):
            last = read_list_token(str(params["nextToken"]))
            ordered = [pair for pair in ordered if (pair[0] < last if params.get("descending") else pair[0] > last)]
        page = ordered[:limit]
        token = {"nextToken": list_token(page[-1][0])} if len(ordered) > limit else {}
        return {"logStreams": [stream_answer(call.context, group.name, one) for _, one in page], **token}

    async def put(self, call: Call) -> Answer:
        params = call.params
        name = checks.stream_name(params)
        group = self._files.group(call.context.region, checks.group_name(params))
        stream = self._catalogue.stream(group.record, name) if group.record else None
        if stream is None:
            if name not in await self._streams(group):
                raise errors.no_stream()
            record = self._catalogue.ensure_record(group)
            stream = self._catalogue.stream(record, name) or self._catalogue.make_stream(record, name, self._now_ms())
        record = self._catalogue.ensure_record(group)
        now_ms = self._now_ms()
        batch = putting.judge(params["logEvents"], now_ms, record["retention"])
        if batch.events:
            try:
                putting.keep(self._catalogue.file_of(record), stream["id"], batch.events, now_ms)
            except OSError as error:
                told = f"The log events could not be kept: {error.strerror}"
                raise ServiceError("ServiceUnavailableException", told, 500) from None
        answer: Answer = {"nextSequenceToken": _SEQUENCE_TOKEN}
        if batch.rejected:
            answer["rejectedLogEventsInfo"] = batch.rejected
        return answer

    async def _streams(self, group: Group) -> dict[str, StreamView]:
        async with self._files.reading(group) as sources:
            return await asyncio.to_thread(streams_of, sources, self.made(group))

    def made(self, group: Group) -> dict[str, StreamView]:
        """Those made through the API, without what they hold."""
        if group.record is None:
            return {}
        made = self._catalogue.streams(group.record)
        return {name: StreamView(name, int(record["created"])) for name, record in made.items()}

    def _now_ms(self) -> int:
        return int(self._clock.epoch() * 1000)


def _order(stream: StreamView, by_time: bool) -> str:
    """Sorts as the streams do, and tells where a page ended."""
    return f"{stream.last or 0:020}/{stream.name}" if by_time else stream.name
