"""Log files: written in batches, read while they grow and are rotated."""

import errno
import json
import os
from pathlib import Path

import orjson
import pytest

from penstock.model.limits import KIB
from penstock.telemetry import records
from penstock.telemetry.log_reader import LogReader
from penstock.telemetry.log_writer import LogWriter, rotated
from support.clock import VirtualClock

A = "8f5b2c1e-0d3a-4b7c-9e1f-2a3b4c5d6e7f"
B = "11111111-2222-4333-8444-555555555555"


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(1795415000.0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "stack" / "logs" / "App.jsonl"


def write(writer: LogWriter, *lines: str, request_id: str | None = None) -> None:
    for line in lines:
        writer.append("function", line, environment="e1", log_stream="s1", request_id=request_id)


def texts(reader: LogReader) -> list[object]:
    return [line.record for line in reader.new_lines()]


def all_texts(path: Path, request_id: str | None = None) -> list[object]:
    reader = LogReader(path, request_id)
    try:
        return texts(reader)
    finally:
        reader.close()


def stored(path: Path) -> list[object]:
    return [orjson.loads(line)["record"] for line in path.read_bytes().splitlines()]


def test_line_as_it_stands_in_the_file(path: Path, clock: VirtualClock) -> None:
    writer = LogWriter(path, clock)
    writer.append("platform.start", records.start(A, "1", "arn"), environment="e1", log_stream="s1", request_id=A)
    writer.append("function", "hello", environment="e1", log_stream="s1", time=1795414000.5)
    writer.close()
    first, second = map(orjson.loads, path.read_bytes().splitlines())
    assert first == {
        "time": "2026-11-23T06:23:20.000Z",
        "type": "platform.start",
        "environment": "e1",
        "logStream": "s1",
        "requestId": A,
        "record": {"requestId": A, "version": "1", "functionArn": "arn"},
    }
    assert list(second) == ["time", "type", "environment", "logStream", "record"]
    assert second["time"] == "2026-11-23T06:06:40.500Z"


def test_time_is_when_it_was_appended_not_when_it_was_written(path: Path, clock: VirtualClock) -> None:
    writer = LogWriter(path, clock, flush_seconds=10)
    write(writer, "x")
    clock.advance(10)
    writer.close()
    assert orjson.loads(path.read_bytes())["time"] == "2026-11-23T06:23:20.000Z"


def test_lines_are_gathered_then_written_at_once(path: Path, clock: VirtualClock) -> None:
    writer = LogWriter(path, clock, flush_seconds=0.1)
    write(writer, "one", "two")
    clock.advance(0.05)
    assert not path.exists()
    clock.advance(0.05)
    assert stored(path) == ["one", "two"]
    assert clock.waiting == 0
    write(writer, "three")
    clock.advance(0.1)
    assert stored(path) == ["one", "two", "three"]
    writer.close()


def test_much_at_once_does_not_wait(path: Path, clock: VirtualClock) -> None:
    writer = LogWriter(path, clock)
    write(writer, "x" * (255 * KIB))
    assert not path.exists()
    write(writer, "y" * KIB)
    assert len(stored(path)) == 2
    clock.advance(1)
    assert len(stored(path)) == 2
    writer.close()


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (b"caf\xc3\xa9", "café"),
        (b"bad \xff\xfe", "bad \\xff\\xfe"),
        ("lone \udc80", "lone \udc80"),
        ("line\u2028sep \x00 \x1b[1m", "line\u2028sep \x00 \x1b[1m"),
    ],
)
def test_any_bytes_stay_one_readable_line(path: Path, clock: VirtualClock, record: str | bytes, expected: str) -> None:
    writer = LogWriter(path, clock)
    writer.append("function", record, environment="e1", log_stream="s1")
    write(writer, "after")
    writer.close()
    assert path.read_bytes().count(b"\n") == 2
    assert json.loads(path.read_bytes().splitlines()[0])["record"] == expected


def test_rotation_keeps_one_older_file(path: Path, clock: VirtualClock) -> None:
    writer = LogWriter(path, clock, rotate_bytes=1000)
    for number in range(10):
        write(writer, f"{number}" * 300)
        writer.flush()
    writer.close()
    kept = stored(rotated(path)) + stored(path)
    assert [str(text)[0] for text in kept] == ["6", "7", "8", "9"]
    assert path.stat().st_size <= 1000
    assert sorted(os.listdir(path.parent)) == ["App.jsonl", "App.jsonl.1"]


def test_later_run_appends(path: Path, clock: VirtualClock) -> None:
    for line in ("one", "two"):
        writer = LogWriter(path, clock)
        write(writer, line)
        writer.close()
    assert stored(path) == ["one", "two"]


def test_removed_file_is_begun_anew(path: Path, clock: VirtualClock) -> None:
    writer = LogWriter(path, clock)
    write(writer, "one")
    writer.flush()
    path.unlink()
    path.parent.rmdir()
    write(writer, "two")
    writer.close()
    assert stored(path) == ["two"]


def test_half_a_line_of_a_crash_does_not_take_the_next_one_with_it(path: Path, clock: VirtualClock) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(b'{"time": "2026')
    writer = LogWriter(path, clock)
    write(writer, "whole")
    writer.close()
    assert all_texts(path) == ["whole"]


def test_what_cannot_be_written_is_counted_and_told(
    path: Path, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = LogWriter(path, clock)

    def full(_fd: int, _data: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        write(writer, "lost", "lost too")
        clock.advance(1)
    write(writer, "kept")
    writer.close()
    reader = LogReader(path)
    told, kept = reader.new_lines()
    reader.close()
    assert told.type == "platform.logsDropped"
    assert isinstance(told.record, dict)
    assert told.record["droppedRecords"] == 2
    assert kept.record == "kept"


def test_no_file_is_no_lines(path: Path) -> None:
    assert all_texts(path) == []


def test_reader_gives_each_line_once_as_they_come(path: Path, clock: VirtualClock) -> None:
    writer, reader = LogWriter(path, clock), LogReader(path)
    assert texts(reader) == []
    write(writer, "one")
    writer.flush()
    assert texts(reader) == ["one"]
    assert texts(reader) == []
    write(writer, "two", "three")
    writer.close()
    assert texts(reader) == ["two", "three"]
    reader.close()


def test_half_written_line_is_given_when_it_is_whole(path: Path, clock: VirtualClock) -> None:
    writer = LogWriter(path, clock)
    write(writer, "one", "two")
    writer.close()
    whole = path.read_bytes()
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        expected = whole[:cut].count(b"\n")
        reader = LogReader(path)
        assert len(texts(reader)) == expected
        with path.open("ab") as file:
            file.write(whole[cut:])
        assert len(texts(reader)) == 2 - expected
        reader.close()


@pytest.mark.parametrize(("every", "expected"), [(1, "012345678"), (2, "01234567"), (3, "124578")])
def test_rotation_loses_only_what_is_no_longer_there(
    path: Path, clock: VirtualClock, every: int, expected: str
) -> None:
    """Each write rotates, so that two writes back is as far as there is anything to read."""
    writer, reader, seen = LogWriter(path, clock, rotate_bytes=1), LogReader(path), ""
    for number in range(9):
        write(writer, str(number))
        writer.flush()
        if number % every == every - 1:
            seen += "".join(map(str, texts(reader)))
    writer.close()
    reader.close()
    assert seen == expected


def test_lines_written_between_the_last_read_and_the_rotation(path: Path, clock: VirtualClock) -> None:
    writer, reader = LogWriter(path, clock), LogReader(path)
    write(writer, "one")
    writer.flush()
    assert texts(reader) == ["one"]
    write(writer, "two")
    writer.flush()
    path.rename(rotated(path))
    write(writer, "three")
    writer.close()
    assert texts(reader) == ["two", "three"]
    reader.close()


def test_emptied_file_is_read_from_its_start(path: Path, clock: VirtualClock) -> None:
    writer, reader = LogWriter(path, clock), LogReader(path)
    write(writer, "a long first line")
    writer.flush()
    assert len(texts(reader)) == 1
    os.truncate(path, 0)
    assert texts(reader) == []
    write(writer, "x")
    writer.close()
    assert texts(reader) == ["x"]
    reader.close()


def test_only_one_request_by_its_first_characters(path: Path, clock: VirtualClock) -> None:
    writer = LogWriter(path, clock)
    write(writer, "mine", request_id=A)
    write(writer, "theirs", request_id=B)
    write(writer, f"tells of {A}", request_id=B)
    write(writer, f"unknown {A}")
    writer.close()
    for wanted in (A, A[:8]):
        assert all_texts(path, wanted) == ["mine"]


def test_lines_that_are_none_are_passed_over(path: Path, clock: VirtualClock) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(b'\n{"time": "x"}\n[1]\n3\nnull\nnot json\n')
    writer = LogWriter(path, clock)
    write(writer, "one")
    writer.close()
    assert all_texts(path) == ["one"]
