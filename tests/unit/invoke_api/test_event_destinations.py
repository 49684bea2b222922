"""Destinations as files."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.invoke_api.destinations import Destinations


@pytest.fixture
def troubles() -> list[str]:
    return []


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("arn:aws:sqs:us-east-1:123456789012:jobs", "jobs.jsonl"),
        ("arn:aws:sns:us-east-1:123456789012:alarms", "alarms.jsonl"),
        ("arn:aws:s3:::bucket", "bucket.jsonl"),
        ("arn:aws:events:us-east-1:123456789012:event-bus/default", "event-bus-default.jsonl"),
        ("arn:aws:lambda:us-east-1:123456789012:function:app:live", "function-app-live.jsonl"),
        ("arn:aws:sqs:us-east-1:123456789012:../../etc/passwd", "etc-passwd.jsonl"),
        ("arn:aws:sqs:us-east-1:123456789012:", "destination.jsonl"),
        ("app.undelivered", "app.undelivered.jsonl"),
    ],
)
def test_the_file_of_a_destination(tmp_path: Path, name: str, file: str) -> None:
    destinations = Destinations(tmp_path / "d", lambda trouble: pytest.fail(trouble))
    destinations.append(name, b"{}")
    assert destinations.path(name) == tmp_path / "d" / file
    assert [path.name for path in (tmp_path / "d").iterdir()] == [file]


@settings(deadline=None)
@given(st.text())
def test_no_name_leads_elsewhere(name: str) -> None:
    path = Destinations(Path("/d"), print).path(f"arn:aws:sqs:r:1:{name}")
    assert path.parent == Path("/d")
    assert len(os.fsencode(path.name)) <= 250
    assert not path.name.startswith(".")


def test_lines_follow_each_other(tmp_path: Path, troubles: list[str]) -> None:
    destinations = Destinations(tmp_path, troubles.append)
    destinations.append("q", b"1")
    destinations.append("q", b"2")
    assert destinations.path("q").read_bytes() == b"1\n2\n"
    assert destinations.path("q").stat().st_mode & 0o777 == 0o600


def test_a_line_broken_off_does_not_take_the_next(tmp_path: Path, troubles: list[str]) -> None:
    destinations = Destinations(tmp_path, troubles.append)
    destinations.path("q").write_bytes(b"1\n{bro")
    destinations.append("q", b"2")
    assert destinations.path("q").read_bytes() == b"1\n{bro\n2\n"


def test_a_large_file_is_rotated(tmp_path: Path, troubles: list[str]) -> None:
    destinations = Destinations(tmp_path, troubles.append, rotate_bytes=10)
    for number in range(7):
        destinations.append("q", b"%d23" % number)
    assert destinations.path("q").read_bytes() == b"623\n"
    assert (tmp_path / "q.jsonl.1").read_bytes() == b"423\n523\n"
    destinations.append("q", b"a line above the limit")
    assert destinations.path("q").read_bytes() == b"a line above the limit\n"
    assert not troubles


def test_what_cannot_be_written_is_told(tmp_path: Path, troubles: list[str]) -> None:
    (tmp_path / "file").write_bytes(b"")
    destinations = Destinations(tmp_path / "file", troubles.append)
    destinations.append("arn:aws:sqs:r:1:q", b"{}")
    (trouble,) = troubles
    assert trouble.startswith("a record for arn:aws:sqs:r:1:q is lost: cannot write ")
    assert "\n" not in trouble


def test_a_directory_in_its_place_is_told(tmp_path: Path, troubles: list[str]) -> None:
    destinations = Destinations(tmp_path, troubles.append)
    destinations.path("q").mkdir()
    destinations.append("q", b"{}")
    assert "Is a directory" in troubles[0]
