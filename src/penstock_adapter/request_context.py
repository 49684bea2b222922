"""Which request the running code works for: a context variable, and a field of every log record."""

import logging
from contextvars import ContextVar
from typing import Final

request_id: Final[ContextVar[str]] = ContextVar("penstock_request_id", default="")
"""The id of the invocation that the current task works for; empty outside of one."""


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
