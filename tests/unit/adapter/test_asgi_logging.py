"""Log records name their request; text and JSON as AWS's Python runtime writes them."""

import json
import logging
import re
import sys
from collections.abc import Iterator
from contextvars import Context

import pytest

from penstock_adapter.request_context import (
    JsonFormatter,
    name_in_log_records,
    request_id,
    set_up_logging,
    text_formatter,
)


@pytest.fixture
def in_request() -> Iterator[None]:
    before = logging.getLogRecordFactory()
    name_in_log_records()
    token = request_id.set("r1")
    yield
    request_id.reset(token)
    logging.setLogRecordFactory(before)


def record(message: str = "said %s", *args: object, **extra: object) -> logging.LogRecord:
    made = logging.getLogger("app").makeRecord("app", logging.WARNING, "a.py", 3, message, args, None, "f", extra)
    made.created = 1700000000.25
    made.msecs = 250.0
    return made


@pytest.mark.usefixtures("in_request")
class TestRecords:
    def test_the_request_is_a_field_of_every_record(self) -> None:
        assert vars(record("x"))["aws_request_id"] == "r1"
        assert Context().run(lambda: vars(record("x"))["aws_request_id"]) == ""

    def test_text(self) -> None:
        assert text_formatter().format(record("said %s", "so")) == "[WARNING]\t2023-11-14T22:13:20.250Z\tr1\tsaid so"

    def test_json(self) -> None:
        assert json.loads(JsonFormatter().format(record("said %s", "so", shop=7))) == {
            "timestamp": "2023-11-14T22:13:20.250Z",
            "level": "WARNING",
            "message": "said so",
            "logger": "app",
            "requestId": "r1",
            "shop": 7,
        }

    def test_json_of_an_error(self) -> None:
        made = record("failed")
        try:
            raise LookupError("no such thing")
        except LookupError:
            made.exc_info = sys.exc_info()
        told = json.loads(JsonFormatter().format(made))
        assert (told["errorType"], told["errorMessage"]) == ("LookupError", "no such thing")
        assert told["location"] == "a.py:f:3"
        assert re.search(r"test_asgi_logging.*in test_json_of_an_error", told["stackTrace"][0])

    def test_json_of_what_is_none(self) -> None:
        told = json.loads(JsonFormatter().format(record("\ud800", thing=object())))
        assert told["message"] == "?"
        assert told["thing"].startswith("'<object") or told["thing"].startswith("<object")


def test_a_record_without_the_field_is_written_as_well() -> None:
    assert text_formatter().format(record("x")) == "[WARNING]\t2023-11-14T22:13:20.250Z\t\tx"
    assert "requestId" not in json.loads(JsonFormatter().format(record("x")))


@pytest.mark.parametrize(
    ("level", "number"),
    [("", logging.WARNING), ("TRACE", logging.DEBUG), ("debug", logging.DEBUG), ("FATAL", logging.CRITICAL), ("x", 30)],
)
def test_the_root_logger(level: str, number: int, capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    handlers, before = list(root.handlers), root.level
    try:
        set_up_logging(level, as_json=False)
        assert root.level == number
        root.critical("written")
    finally:
        root.handlers[:] = handlers
        root.setLevel(before)
    assert re.fullmatch(r"\[CRITICAL]\t[-0-9T:.]+Z\t\twritten\n", capsys.readouterr().out)
