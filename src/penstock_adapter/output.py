"""Lines on stdout, which Lambda keeps as the extension's log: plain text, or one JSON object a line.

JSON fields are those of Lambda's own application logs, so a line can be matched to its request:
https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-logformat.html
"""

import sys
import time
from collections.abc import Callable

from penstock_adapter.codec import dumps

_LEVELS = {"TRACE": 0, "DEBUG": 1, "INFO": 2, "WARN": 3, "ERROR": 4}


def _to_stdout(line: str) -> None:
    sys.stdout.write(line)
    sys.stdout.flush()


class Output:
    """Writes lines of `level` (TRACE, DEBUG, INFO, WARN, ERROR; unknown means INFO) and above."""

    def __init__(
        self, level: str = "INFO", *, as_json: bool = False, write: Callable[[str], None] = _to_stdout
    ) -> None:
        self._threshold = _LEVELS.get(level.upper(), _LEVELS["INFO"])
        self._as_json = as_json
        self._write = write

    def info(self, message: str, request_id: str = "") -> None:
        self._line("INFO", message, request_id)

    def warn(self, message: str, request_id: str = "") -> None:
        self._line("WARN", message, request_id)

    def error(self, message: str, request_id: str = "") -> None:
        self._line("ERROR", message, request_id)

    def _line(self, level: str, message: str, request_id: str) -> None:
        if _LEVELS[level] < self._threshold:
            return
        if self._as_json:
            stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            fields = {"timestamp": stamp, "level": level, "message": message}
            if request_id:
                fields["requestId"] = request_id
            self._write(dumps(fields).decode() + "\n")
        else:
            self._write(f"{level} {f'RequestId: {request_id} ' if request_id else ''}{message}\n")
