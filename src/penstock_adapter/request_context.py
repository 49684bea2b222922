"""Which request the running code works for: a context variable, and a field of every log record."""

import logging
import sys
import time
import traceback
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Final

from penstock_adapter.codec import dumps

request_id: Final[ContextVar[str]] = ContextVar("penstock_request_id", default="")
"""The id of the invocation that the current task works for; empty outside of one."""

# The format and the fields of AWS's Python runtime:
# https://docs.aws.amazon.com/lambda/latest/dg/python-logging.html
# https://github.com/aws/aws-lambda-python-runtime-interface-client (awslambdaric/lambda_runtime_log_utils.py)
_TEXT_FORMAT: Final = "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s"
_TIME_FORMAT: Final = "%Y-%m-%dT%H:%M:%S"
_LEVELS: Final = {"TRACE": logging.DEBUG, "FATAL": logging.CRITICAL, "WARN": logging.WARNING}
# What every record has; all else in one was put there by `extra` and becomes a field of the line.
_USUAL: Final = frozenset(vars(logging.LogRecord("", 0, "", 0, "", None, None))) | {
    "message",
    "asctime",
    "aws_request_id",
}


def name_in_log_records() -> None:
    """Give every record `aws_request_id`, the field AWS's Python runtime gives it, whoever makes the record.

    https://docs.aws.amazon.com/lambda/latest/dg/python-logging.html
    """
    make = logging.getLogRecordFactory()

    def make_with_id(*args: object, **kwargs: object) -> logging.LogRecord:
        record = make(*args, **kwargs)
        record.aws_request_id = request_id.get()
        return record

    logging.setLogRecordFactory(make_with_id)


def set_up_logging(level: str, *, as_json: bool) -> None:
    """Gives the root logger the handler that AWS's Python runtime gives it: lines on stdout, with the request id.

    `level` is AWS_LAMBDA_LOG_LEVEL; empty or unknown leaves Python's default, WARNING.
    """
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter() if as_json else text_formatter())
    root = logging.getLogger()
    root.addHandler(handler)
    number = _LEVELS.get(level.upper()) or logging.getLevelNamesMapping().get(level.upper())
    if number:
        root.setLevel(number)


def text_formatter() -> logging.Formatter:
    """Lines as AWS's Python runtime writes them without AWS_LAMBDA_LOG_FORMAT."""
    formatter = logging.Formatter(_TEXT_FORMAT, _TIME_FORMAT, defaults={"aws_request_id": ""})
    formatter.converter = time.gmtime
    return formatter


class JsonFormatter(logging.Formatter):
    """One JSON object a record, as with AWS_LAMBDA_LOG_FORMAT=JSON. Fields that hold nothing are left out."""

    def format(self, record: logging.LogRecord) -> str:
        stamp = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        fields: dict[str, object] = {
            "timestamp": stamp.replace("+00:00", "Z"),
            "level": record.levelname,
            "message": record.getMessage(),
            "logger": record.name,
            "requestId": getattr(record, "aws_request_id", "") or None,
        }
        if record.exc_info and record.exc_info[0] is not None:
            kind, error, trace = record.exc_info
            fields["stackTrace"] = traceback.format_tb(trace)
            fields["errorType"] = kind.__name__
            fields["errorMessage"] = str(error)
            fields["location"] = f"{record.pathname}:{record.funcName}:{record.lineno}"
        fields |= {name: value for name, value in vars(record).items() if name not in _USUAL and name not in fields}
        return _json({name: value for name, value in fields.items() if value is not None})


def _json(fields: dict[str, object]) -> str:
    try:
        return dumps(fields).decode()
    except (TypeError, ValueError):  # something in `extra` that is no JSON, or a string that is no Unicode
        safe = {name: repr(value).encode("utf-8", "replace").decode() for name, value in fields.items()}
        told = {
            name: _plain(fields[name])
            for name in ("timestamp", "level", "message", "logger", "requestId")
            if name in fields
        }
        return dumps(safe | told).decode()


def _plain(value: object) -> str:
    return str(value).encode("utf-8", "replace").decode()
