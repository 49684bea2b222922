"""StartLiveTail, second by second."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.model import StructureShape

from support.aws_calls import check_answer, model_of
from support.logs_rig import EPOCH_MS, GROUP, OTHER_STREAM, STREAM, LogsRig, logs_rig
from support.streams import within

ARN = f"arn:aws:logs:us-east-1:123456789012:log-group:{GROUP}"


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[LogsRig]:
    with logs_rig(tmp_path) as made:
        yield made


class Session:
    """A tail whose seconds pass when the test says so."""

    def __init__(self, rig: LogsRig, events: AsyncGenerator[Any, None]) -> None:
        self._rig = rig
        self._events = events

    async def next(self, seconds: float = 1) -> dict[str, Any]:
        """The next event; it must fit the model."""
        coming = await self.waiting()
        self._rig.clock.advance(seconds)
        event: dict[str, Any] = await within(coming)
        shape = model_of("logs").shape_for("StartLiveTailResponseStream")
        assert isinstance(shape, StructureShape)
        (name,) = event
        check_answer(shape.members[name], event[name], name)
        return event

    async def waiting(self) -> "asyncio.Future[Any]":
        """The next event, which is there or waits for the clock."""
        clock = self._rig.clock
        clock.waited_for.clear()
        coming = asyncio.ensure_future(anext(self._events))
        waits = asyncio.ensure_future(clock.waited_for.wait())
        await within(asyncio.wait({coming, waits}, return_when=asyncio.FIRST_COMPLETED))
        waits.cancel()
        return coming

    async def results(self) -> list[str]:
        update = (await self.next())["sessionUpdate"]
        return [one["message"] for one in update["sessionResults"]]

    async def close(self) -> None:
        await self._events.aclose()


async def tailing(rig: LogsRig, **params: Any) -> Session:
    answer = await rig.calls("StartLiveTail", **{"logGroupIdentifiers": [ARN], **params})
    return Session(rig, answer["responseStream"])


async def test_what_comes_is_shown_once_a_second(rig: LogsRig) -> None:
    rig.write("before")
    session = await tailing(rig)
    start = (await session.next(0))["sessionStart"]
    assert start["logGroupIdentifiers"] == [ARN]
    assert await session.results() == []
    rig.write("one", at_ms=5)
    rig.write("late", at_ms=1)
    update = (await session.next())["sessionUpdate"]
    assert update == {
        "sessionMetadata": {"sampled": False},
        "sessionResults": [
            {
                "logGroupIdentifier": ARN,
                "logStreamName": STREAM,
                "message": message,
                "timestamp": EPOCH_MS + at_ms,
                "ingestionTime": EPOCH_MS + at_ms,
            }
            for message, at_ms in (("one", 5), ("late", 1))
        ],
    }
    assert await session.results() == []
    await session.close()


async def test_patterns_and_streams_choose(rig: LogsRig) -> None:
    rig.write("before")
    session = await tailing(rig, logStreamNames=[STREAM], logEventFilterPattern="ERROR")
    prefixed = await tailing(rig, logStreamNamePrefixes=["2025/11/24/fn[1]b", "nobody"])
    await session.next(0)
    await prefixed.next(0)
    rig.write("ERROR here")
    rig.write("fine here")
    rig.write("ERROR there", stream=OTHER_STREAM)
    assert await session.results() == ["ERROR here"]
    assert await prefixed.results() == ["ERROR there"]
    await session.close()
    await prefixed.close()


async def test_more_than_500_events_are_sampled(rig: LogsRig) -> None:
    rig.write("before")
    session = await tailing(rig)
    await session.next(0)
    for number in range(501):
        rig.writer.append("function", str(number), environment="e", log_stream=STREAM)
    rig.writer.flush()
    update = (await session.next())["sessionUpdate"]
    assert update["sessionMetadata"] == {"sampled": True}
    assert len(update["sessionResults"]) == 500
    await session.close()


async def test_a_tail_follows_rotation_and_new_files(tmp_path: Path) -> None:
    with logs_rig(tmp_path, rotate_bytes=1000) as rig:
        rig.write("before")
        session = await tailing(rig)
        await session.next(0)
        shown: list[str] = []
        for number in range(12):
            rig.write(f"line {number}")
            shown += await session.results()
        assert rig.path.with_name("Fn.jsonl.1").exists()
        assert shown == [f"line {number}" for number in range(12)]
        await session.close()


async def test_a_session_ends_after_three_hours(rig: LogsRig) -> None:
    rig.write("before")
    session = await tailing(rig)
    await session.next(0)
    await session.next(3 * 3600)
    assert list(await session.next()) == ["SessionTimeoutException"]
    with pytest.raises(StopAsyncIteration):
        await session.next()


async def test_closing_leaves_no_timer(rig: LogsRig) -> None:
    rig.write("before")
    session = await tailing(rig)
    await session.next(0)
    waiting = await session.waiting()
    assert rig.clock.waiting == 1
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert rig.clock.waiting == 0


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"logGroupIdentifiers": [f"{ARN}x"]}, "ResourceNotFoundException"),
        ({"logGroupIdentifiers": [f"{ARN}:*"]}, "InvalidParameterException"),
        ({"logStreamNames": ["a"], "logStreamNamePrefixes": ["a"]}, "InvalidParameterException"),
        ({"logEventFilterPattern": "{"}, "InvalidParameterException"),
        ({"logGroupIdentifiers": [ARN, GROUP], "logStreamNames": ["a"]}, "InvalidParameterException"),
    ],
)
async def test_what_is_refused(rig: LogsRig, params: dict[str, Any], code: str) -> None:
    rig.write("before")
    error = await rig.calls.refused("StartLiveTail", **{"logGroupIdentifiers": [ARN], **params})
    assert error.code == code
