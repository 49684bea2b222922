"""Events as they are told, and those kept for subscribers still to come."""

from typing import Any

import orjson
import pytest

from penstock.telemetry import records
from penstock.telemetry_api import events
from penstock.telemetry_api.events import Backlog, Category

NOW = 1_700_000_000.25


def decoded(event: bytes) -> dict[str, Any]:
    value: dict[str, Any] = orjson.loads(event)
    return value


def test_envelope_of_a_line() -> None:
    event = events.encode("function", "a <line> \u00e9", NOW)
    assert event.decode() == '{"time":"2023-11-14T22:13:20.250Z","type":"function","record":"a <line> é"}'


def test_envelope_of_a_platform_event() -> None:
    event = decoded(events.encode("platform.initRuntimeDone", records.init_runtime_done("success"), NOW))
    assert list(event) == ["time", "type", "record"]
    assert event["record"] == {"initializationType": "lambda-managed-instances", "phase": "init", "status": "success"}


def test_a_name_that_is_not_utf_8_is_told_all_the_same() -> None:
    record = records.extension("caf\udce9", "Ready", ())
    assert b'"caf\\udce9"' in events.encode("platform.extension", record, NOW)


@pytest.mark.parametrize(
    ("event_type", "category"),
    [("platform.start", "platform"), ("function", "function"), ("extension", "extension")],
)
def test_categories(event_type: events.TelemetryEventType, category: str) -> None:
    assert events.category_of(event_type) == category


def test_what_is_not_of_aws_is_not_told() -> None:
    ours: Any = "penstock.workerDied"
    assert events.category_of(ours) is None


ALL: frozenset[Category] = frozenset(("platform", "function", "extension"))


def test_backlog_keeps_the_order() -> None:
    backlog = Backlog()
    kept: list[tuple[Category, bytes]] = [("platform", b"1"), ("function", b"2"), ("platform", b"3")]
    for category, event in kept:
        backlog.add(category, event)
    assert list(backlog.replay(ALL, NOW)) == kept


def test_backlog_full_by_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "MAX_BACKLOG_LINES", 2)
    backlog = Backlog()
    for line in (b"1", b"2", b"33", b"444"):
        backlog.add("function", line)
    backlog.add("platform", b"done")
    *kept, (category, dropped) = backlog.replay(ALL, NOW)
    assert kept == [("function", b"1"), ("function", b"2"), ("platform", b"done")]
    assert category == "platform"
    assert decoded(dropped) == {
        "time": "2023-11-14T22:13:20.250Z",
        "type": "platform.logsDropped",
        "record": {"droppedBytes": 5, "droppedRecords": 2, "reason": events.BACKLOG_FULL},
    }


def test_backlog_full_by_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "MAX_BACKLOG_BYTES", 10)
    backlog = Backlog()
    backlog.add("function", b"x" * 9)
    backlog.add("extension", b"yy")
    backlog.add("function", b"z")
    replayed = [event for _, event in backlog.replay(ALL, NOW)]
    assert replayed[:2] == [b"x" * 9, b"z"]
    assert decoded(replayed[2])["record"]["droppedBytes"] == 2


def test_only_what_was_asked_for_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "MAX_BACKLOG_LINES", 0)
    backlog = Backlog()
    backlog.add("function", b"line")
    assert list(backlog.replay(frozenset(("platform", "extension")), NOW)) == []
    assert len(list(backlog.replay(frozenset(("platform", "function")), NOW))) == 1
