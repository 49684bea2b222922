"""What running functions write, read through the API."""

import os
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from penstock.telemetry import records
from support.aws_calls import Calls
from support.logs_rig import ARN, EPOCH_MS, GROUP, OTHER_STREAM, STREAM, LogsRig, logs_rig, messages


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[LogsRig]:
    with logs_rig(tmp_path) as made:
        yield made


async def test_a_group_is_there_with_its_functions_first_line(rig: LogsRig) -> None:
    error = await rig.calls.refused("FilterLogEvents", logGroupName=GROUP)
    assert (error.code, error.message) == (
        "ResourceNotFoundException",
        "The specified log group does not exist.",
    )
    rig.write("hello")
    assert messages(await rig.calls("FilterLogEvents", logGroupName=GROUP)) == ["hello"]
    groups = (await rig.calls("DescribeLogGroups"))["logGroups"]
    assert [one["logGroupName"] for one in groups] == [GROUP]
    assert groups[0]["arn"] == f"arn:aws:logs:us-east-1:123456789012:log-group:{GROUP}:*"
    assert groups[0]["storedBytes"] == rig.path.stat().st_size


async def test_an_event_says_when_and_in_which_stream(rig: LogsRig) -> None:
    rig.write("hello", at_ms=123)
    (event,) = (await rig.calls("FilterLogEvents", logGroupName=GROUP))["events"]
    assert (event["timestamp"], event["logStreamName"]) == (EPOCH_MS + 123, STREAM)
    assert event["ingestionTime"] == EPOCH_MS + 123
    assert len(event["eventId"]) == 56


async def test_platform_events_are_json_lines(rig: LogsRig) -> None:
    record = records.start("request-1", "1", ARN)
    rig.writer.append("platform.start", record, environment="e", log_stream=STREAM, request_id="request-1")
    rig.writer.flush()
    (event,) = (await rig.calls("FilterLogEvents", logGroupName=GROUP))["events"]
    assert orjson.loads(event["message"]) == {
        "time": "2025-11-24T16:00:00.000Z",
        "type": "platform.start",
        "record": record,
    }


async def test_an_empty_line_is_an_event(rig: LogsRig) -> None:
    rig.write("")
    assert messages(await rig.calls("FilterLogEvents", logGroupName=GROUP)) == ["\n"]


async def test_lines_with_escapes_and_other_scripts_come_through(rig: LogsRig) -> None:
    texts = ['{"level": "ERROR", "message": "tab\\t"}', "zwölf Boxkämpfer 🥊", 'a\\b"c', "\x00\x1b[31m"]
    for text in texts:
        rig.write(text)
    assert await rig.found() == texts


async def test_events_are_sorted_by_time_not_by_place_in_the_file(rig: LogsRig) -> None:
    for at_ms in (5, 1, 9, 3, 3, 0):
        rig.write(f"at {at_ms}", at_ms=at_ms)
    assert await rig.found() == ["at 0", "at 1", "at 3", "at 3", "at 5", "at 9"]
    rig.write("late", at_ms=2)
    assert await rig.found() == ["at 0", "at 1", "late", "at 3", "at 3", "at 5", "at 9"]


async def test_streams_of_a_function(rig: LogsRig) -> None:
    rig.write("one", at_ms=10)
    rig.write("two", at_ms=30)
    rig.write("three", at_ms=20, stream=OTHER_STREAM)
    first, second = (await rig.calls("DescribeLogStreams", logGroupName=GROUP))["logStreams"]
    assert [first["logStreamName"], second["logStreamName"]] == [STREAM, OTHER_STREAM]
    assert (first["firstEventTimestamp"], first["lastEventTimestamp"]) == (EPOCH_MS + 10, EPOCH_MS + 30)
    assert first["arn"] == f"arn:aws:logs:us-east-1:123456789012:log-group:{GROUP}:log-stream:{STREAM}"
    latest = await rig.calls("DescribeLogStreams", logGroupName=GROUP, orderBy="LastEventTime", descending=True)
    assert [one["logStreamName"] for one in latest["logStreams"]] == [STREAM, OTHER_STREAM]


async def test_get_log_events_reads_one_stream(rig: LogsRig) -> None:
    rig.write("one", at_ms=1)
    rig.write("other", at_ms=2, stream=OTHER_STREAM)
    rig.write("two", at_ms=3)
    answer = await rig.calls("GetLogEvents", logGroupName=GROUP, logStreamName=STREAM)
    assert messages(answer) == ["one", "two"]
    error = await rig.calls.refused("GetLogEvents", logGroupName=GROUP, logStreamName="nobody")
    assert (error.code, error.message) == ("ResourceNotFoundException", "The specified log stream does not exist.")


async def test_rotation_loses_nothing_that_is_still_on_disk(tmp_path: Path) -> None:
    with logs_rig(tmp_path, rotate_bytes=2000) as rig:
        expected: list[str] = []
        for number in range(40):
            rig.write(f"line {number}", at_ms=number)
            if number % 7 == 0:
                expected = await rig.found()  # the index follows while the file turns
        on_disk = [
            orjson.loads(line)["record"]
            for path in (rig.path.with_name("Fn.jsonl.1"), rig.path)
            for line in path.read_bytes().splitlines()
        ]
        assert 5 < len(on_disk) < 40
        assert await rig.found() == on_disk
        assert expected


async def test_a_file_emptied_by_hand_is_read_anew(rig: LogsRig) -> None:
    rig.write("before, and longer than what comes after it")
    assert len(await rig.found()) == 1
    rig.path.write_bytes(b"")
    assert await rig.found() == []
    rig.write("after")
    assert await rig.found() == ["after"]


async def test_a_file_replaced_under_the_same_inode_is_read_anew(rig: LogsRig) -> None:
    rig.write("before", at_ms=1)
    rig.write("before", at_ms=2)
    assert len(await rig.found()) == 2
    data = rig.path.read_bytes().replace(b"before", b"behind").replace(b".001Z", b".009Z")
    rig.path.write_bytes(data + data)
    assert await rig.found() == ["behind"] * 4


async def test_broken_and_half_written_lines_are_passed_over(rig: LogsRig) -> None:
    rig.write("one")
    with rig.path.open("ab") as file:
        file.write(b'{"time": broken\nnot json\n\n{"time":"2025-99-99T99:99:99.000Z"}\n{"time":"2025-11')
    assert await rig.found() == ["one"]
    with rig.path.open("ab") as file:
        rest = b'-24T16:00:01.000Z","type":"function","environment":"e","logStream":"s","record":"two"}\n'
        file.write(rest)
    assert await rig.found() == ["one", "two"]


async def test_keys_in_another_order_are_understood(rig: LogsRig) -> None:
    rig.write("one")
    value = {"record": "two", "logStream": 'a"b', "environment": "e", "type": "function"}
    with rig.path.open("ab") as file:
        file.write(orjson.dumps({**value, "time": "2025-11-24T16:00:01.5Z"}) + b"\n")
    (_, event) = (await rig.calls("FilterLogEvents", logGroupName=GROUP))["events"]
    assert (event["message"], event["logStreamName"], event["timestamp"]) == ("two", 'a"b', EPOCH_MS + 1500)


async def test_functions_may_share_a_group(rig: LogsRig) -> None:
    rig.write("of the first", at_ms=1)
    second = rig.path.with_name("Second.jsonl")
    second.write_bytes(rig.path.read_bytes().replace(b"of the first", b"of the second"))
    rig.functions.append(rig.functions[0]._replace(path=second, function="second"))
    assert sorted(await rig.found()) == ["of the first", "of the second"]
    ids = {event["eventId"] for event in (await rig.calls("FilterLogEvents", logGroupName=GROUP))["events"]}
    assert len(ids) == 2


async def test_a_functions_group_shows_in_every_region_as_the_function_does(rig: LogsRig) -> None:
    rig.write("hello")
    there = Calls(rig.service, region="eu-west-1")
    (group,) = (await there("DescribeLogGroups"))["logGroups"]
    assert group["logGroupArn"] == f"arn:aws:logs:eu-west-1:123456789012:log-group:{GROUP}"


async def test_a_group_deleted_comes_back_with_the_next_line(rig: LogsRig) -> None:
    rig.write("before", at_ms=-5000)
    later = EPOCH_MS / 1000 - 60

    os.utime(rig.path, (later, later))
    await rig.calls("DeleteLogGroup", logGroupName=GROUP)
    assert (await rig.calls("DescribeLogGroups"))["logGroups"] == []
    rig.write("after", at_ms=10)
    assert await rig.found() == ["after"]
    assert rig.path.read_bytes().count(b"before") == 1


async def test_a_stream_deleted_is_hidden(rig: LogsRig) -> None:
    rig.write("one")
    rig.write("two", stream=OTHER_STREAM)
    await rig.calls("DeleteLogStream", logGroupName=GROUP, logStreamName=STREAM)
    assert await rig.found() == ["two"]
    streams = (await rig.calls("DescribeLogStreams", logGroupName=GROUP))["logStreams"]
    assert [one["logStreamName"] for one in streams] == [OTHER_STREAM]
    rig.write("three", at_ms=1)
    assert await rig.found() == ["two", "three"]


async def test_retention_hides_what_is_older(rig: LogsRig) -> None:
    rig.write("old")
    await rig.calls("PutRetentionPolicy", logGroupName=GROUP, retentionInDays=1)
    rig.clock.advance(23 * 3600)
    assert await rig.found() == ["old"]
    rig.clock.advance(2 * 3600)
    rig.write("new")
    assert await rig.found() == ["new"]
    await rig.calls("DeleteRetentionPolicy", logGroupName=GROUP)
    assert await rig.found() == ["old", "new"]
