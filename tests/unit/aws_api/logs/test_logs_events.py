"""Events: put, read in pages either way, and searched."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from penstock.aws_api.logs import LogsService, putting, reading
from penstock.aws_api.store import Store
from support.aws_calls import Calls
from support.logs_rig import EPOCH_MS, LogsRig, logs_rig, messages

HOUR_MS = 3600 * 1000


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[LogsRig]:
    with logs_rig(tmp_path) as made:
        yield made


async def put(rig: LogsRig, *events: tuple[int, str], stream: str = "s") -> dict[str, Any]:
    """Each `(milliseconds after the beginning, message)`."""
    if not (await rig.calls("DescribeLogGroups", logGroupNamePrefix="app"))["logGroups"]:
        await rig.calls("CreateLogGroup", logGroupName="app")
    there = (await rig.calls("DescribeLogStreams", logGroupName="app"))["logStreams"]
    if stream not in [one["logStreamName"] for one in there]:
        await rig.calls("CreateLogStream", logGroupName="app", logStreamName=stream)
    given = [{"timestamp": EPOCH_MS + at_ms, "message": message} for at_ms, message in events]
    return await rig.calls("PutLogEvents", logGroupName="app", logStreamName=stream, logEvents=given)


async def get(rig: LogsRig, **params: Any) -> dict[str, Any]:
    return await rig.calls("GetLogEvents", logGroupName="app", logStreamName="s", **params)


async def test_put_needs_group_and_stream(rig: LogsRig) -> None:
    event = {"timestamp": EPOCH_MS, "message": "x"}
    wanted = {"logGroupName": "app", "logStreamName": "s", "logEvents": [event]}
    assert (await rig.calls.refused("PutLogEvents", **wanted)).message == "The specified log group does not exist."
    await rig.calls("CreateLogGroup", logGroupName="app")
    assert (await rig.calls.refused("PutLogEvents", **wanted)).message == "The specified log stream does not exist."


async def test_what_is_put_can_be_got(rig: LogsRig) -> None:
    answer = await put(rig, (0, "one"), (0, "zwölf 🥊"), (5, "three\nlines\n"))
    assert "rejectedLogEventsInfo" not in answer
    rig.clock.advance(1)
    found = await get(rig)
    assert messages(found) == ["one", "zwölf 🥊", "three\nlines\n"]
    assert found["events"][2]["timestamp"] == EPOCH_MS + 5
    assert found["events"][2]["ingestionTime"] == EPOCH_MS
    (stream,) = (await rig.calls("DescribeLogStreams", logGroupName="app"))["logStreams"]
    assert (stream["firstEventTimestamp"], stream["lastEventTimestamp"]) == (EPOCH_MS, EPOCH_MS + 5)
    assert stream["lastIngestionTime"] == EPOCH_MS


async def test_events_out_of_time_are_told(rig: LogsRig) -> None:
    day = 24 * HOUR_MS
    answer = await put(rig, (-15 * day, "too old"), (-1, "taken"), (0, "taken"), (3 * HOUR_MS, "too new"))
    assert answer["rejectedLogEventsInfo"] == {"tooOldLogEventEndIndex": 1, "tooNewLogEventStartIndex": 3}
    assert messages(await get(rig)) == ["taken", "taken"]
    await rig.calls("PutRetentionPolicy", logGroupName="app", retentionInDays=3)
    answer = await put(rig, (-4 * day, "expired"), (0, "taken"))
    assert answer["rejectedLogEventsInfo"] == {"expiredLogEventEndIndex": 1}


@pytest.mark.parametrize(
    ("events", "told"),
    [
        ([(1, "a"), (0, "b")], "Log events in a single PutLogEvents request must be in chronological order."),
        (
            [(-25 * HOUR_MS, "a"), (0, "b")],
            "The batch of log events in a single PutLogEvents request cannot span more than 24 hours.",
        ),
        ([(0, "x" * 600_000), (0, "y" * 500_000)], "Upload too large: 1100052 bytes exceeds limit of 1048576"),
        ([(0, "x")] * 10_001, "less than or equal to 10000"),
    ],
)
async def test_batches_that_are_refused(rig: LogsRig, events: list[tuple[int, str]], told: str) -> None:
    await put(rig, (0, "there"))
    given = [{"timestamp": EPOCH_MS + at_ms, "message": message} for at_ms, message in events]
    error = await rig.calls.refused("PutLogEvents", logGroupName="app", logStreamName="s", logEvents=given)
    assert error.code == "InvalidParameterException"
    assert told in error.message
    assert messages(await get(rig)) == ["there"]


async def test_events_survive_and_a_torn_line_does_not_take_the_next(tmp_path: Path) -> None:
    with logs_rig(tmp_path) as rig:
        await put(rig, (0, "one"), (1, "two"))
        (file,) = (rig.store.files / "logs").glob("*.jsonl")
        file.write_bytes(file.read_bytes()[:-12])
        await put(rig, (2, "three"))
        clock = rig.clock
    store = Store(tmp_path / "state")
    calls = Calls(LogsService(store, clock))
    found = await calls("GetLogEvents", logGroupName="app", logStreamName="s")
    assert messages(found) == ["one", "three"]
    store.close()


async def test_a_groups_file_is_bounded(rig: LogsRig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(putting, "ROTATE_BYTES", 400)
    for number in range(20):
        await put(rig, (number, f"{number:03}"))
    found = messages(await get(rig))
    assert found == [f"{number:03}" for number in range(20 - len(found), 20)]
    assert 5 < len(found) < 20


async def test_reading_forward_from_the_head(rig: LogsRig) -> None:
    await put(rig, *((number, str(number)) for number in range(5)))
    first = await get(rig, startFromHead=True, limit=2)
    second = await get(rig, nextToken=first["nextForwardToken"], limit=2)
    third = await get(rig, nextToken=second["nextForwardToken"], limit=2)
    assert [messages(page) for page in (first, second, third)] == [["0", "1"], ["2", "3"], ["4"]]
    end = await get(rig, nextToken=third["nextForwardToken"], limit=2)
    assert (messages(end), end["nextForwardToken"]) == ([], third["nextForwardToken"])
    await put(rig, (9, "new"))
    assert messages(await get(rig, nextToken=end["nextForwardToken"])) == ["new"]


async def test_reading_backward_from_the_end(rig: LogsRig) -> None:
    await put(rig, *((0, str(number)) for number in range(5)))
    first = await get(rig, limit=2)
    second = await get(rig, nextToken=first["nextBackwardToken"], limit=2)
    third = await get(rig, nextToken=second["nextBackwardToken"], limit=2)
    assert [messages(page) for page in (first, second, third)] == [["3", "4"], ["1", "2"], ["0"]]
    begin = await get(rig, nextToken=third["nextBackwardToken"])
    assert (messages(begin), begin["nextBackwardToken"]) == ([], third["nextBackwardToken"])
    assert messages(await get(rig, nextToken=third["nextForwardToken"], limit=2)) == ["1", "2"]


async def test_an_empty_stream_has_tokens(rig: LogsRig) -> None:
    await put(rig, (0, "elsewhere"), stream="other")
    await rig.calls("CreateLogStream", logGroupName="app", logStreamName="s")
    empty = await get(rig)
    assert messages(empty) == []
    await put(rig, (0, "first"))
    assert messages(await get(rig, nextToken=empty["nextForwardToken"])) == ["first"]


@pytest.mark.parametrize("token", ["x", "f/1", "f/" + "9" * 56, "g/" + "0" * 56])
async def test_foreign_tokens_are_refused(rig: LogsRig, token: str) -> None:
    await put(rig, (0, "x"))
    error = await rig.calls.refused("GetLogEvents", logGroupName="app", logStreamName="s", nextToken=token)
    assert (error.code, error.message) == ("InvalidParameterException", "The specified nextToken is invalid.")


async def test_times_bound_what_is_read(rig: LogsRig) -> None:
    await put(rig, *((number, str(number)) for number in range(6)))
    bounds = {"startTime": EPOCH_MS + 2, "endTime": EPOCH_MS + 4}
    assert messages(await get(rig, **bounds)) == ["2", "3"]
    assert messages(await get(rig, **bounds, startFromHead=True)) == ["2", "3"]
    assert await rig.found(logGroupName="app", **bounds) == ["2", "3", "4"]


async def test_a_page_holds_a_mebibyte(rig: LogsRig) -> None:
    for number in range(3):
        await put(rig, (number, str(number) * 400_000), (number, "small"))
    page = await get(rig, startFromHead=True)
    assert [message[0] for message in messages(page)] == ["0", "s", "1", "s"]
    page = await get(rig)
    assert [message[0] for message in messages(page)] == ["s", "1", "s", "2", "s"]
    assert len(await rig.found(logGroupName="app")) == 6


async def test_streams_are_interleaved_and_chosen(rig: LogsRig) -> None:
    await put(rig, (0, "a0"), (2, "a2"), stream="a/1")
    await put(rig, (1, "b1"), (3, "b3"), stream="b")
    await put(rig, (1, "c1"), stream="a/2")
    assert await rig.found(logGroupName="app", limit=2) == ["a0", "b1", "c1", "a2", "b3"]
    assert await rig.found(logGroupName="app", logStreamNames=["b"]) == ["b1", "b3"]
    assert await rig.found(logGroupName="app", logStreamNamePrefix="a/") == ["a0", "c1", "a2"]
    error = await rig.calls.refused("FilterLogEvents", logGroupName="app", logStreamNames=["b", "nobody"])
    assert error.code == "ResourceNotFoundException"
    both = {"logStreamNames": ["b"], "logStreamNamePrefix": "b"}
    assert (await rig.calls.refused("FilterLogEvents", logGroupName="app", **both)).code == "InvalidParameterException"


async def test_the_latest_first(rig: LogsRig) -> None:
    await put(rig, *((number, str(number)) for number in range(5)))
    since = {"startTime": EPOCH_MS, "startFromHead": False}
    assert await rig.found(logGroupName="app", limit=2, **since) == ["4", "3", "2", "1", "0"]
    error = await rig.calls.refused("FilterLogEvents", logGroupName="app", startFromHead=False)
    assert error.code == "InvalidParameterException"


async def test_a_pattern_chooses_events(rig: LogsRig) -> None:
    await put(rig, (0, '{"level": "ERROR", "x": 4}'), (1, '{"level": "INFO", "x": 9}'), (2, "plain ERROR"))
    assert await rig.found(logGroupName="app", filterPattern="ERROR") == ['{"level": "ERROR", "x": 4}', "plain ERROR"]
    assert await rig.found(logGroupName="app", filterPattern="{ $.x > 3 && $.level != ERROR }") == [
        '{"level": "INFO", "x": 9}'
    ]
    error = await rig.calls.refused("FilterLogEvents", logGroupName="app", filterPattern="{ $.x > }")
    assert error.code == "InvalidParameterException"
    assert error.message.startswith("Invalid filter pattern")


async def test_a_search_looks_at_a_bounded_part_in_one_call(rig: LogsRig, monkeypatch: pytest.MonkeyPatch) -> None:
    await put(rig, *((number, "needle" if number == 9 else "hay") for number in range(12)))
    monkeypatch.setattr(reading, "_SCAN_EVENTS", 4)
    page = await rig.calls("FilterLogEvents", logGroupName="app", filterPattern="needle")
    assert page["events"] == []
    assert "nextToken" in page
    assert await rig.found(logGroupName="app", filterPattern="needle") == ["needle"]


async def test_ids_stay_the_same_and_are_unique(rig: LogsRig) -> None:
    await put(rig, *((0, "same") for _ in range(5)))
    first, second = [
        [event["eventId"] for event in (await rig.calls("FilterLogEvents", logGroupName="app"))["events"]]
        for _ in range(2)
    ]
    assert first == second
    assert len(set(first)) == 5


async def test_group_by_name_or_identifier_but_not_both(rig: LogsRig) -> None:
    await put(rig, (0, "x"))
    arn = "arn:aws:logs:us-east-1:123456789012:log-group:app"
    assert messages(await rig.calls("FilterLogEvents", logGroupIdentifier=arn)) == ["x"]
    for params in ({}, {"logGroupName": "app", "logGroupIdentifier": arn}):
        assert (await rig.calls.refused("FilterLogEvents", **params)).code == "InvalidParameterException"
