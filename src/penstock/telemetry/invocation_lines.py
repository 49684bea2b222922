"""The two log lines every invocation has, written from templates: most of what a log holds is these.

The same as the general way would write them, `log_writer` with `records.start` and `records.report`, in a third of the
time. Only for what needs no escapes in JSON: ids, ARNs and numbers.
"""

import re
from typing import Final

from penstock.telemetry.records import timestamp

# What stands in ids, ARNs and log streams.
_PLAIN: Final = re.compile(r"[A-Za-z0-9_.:/\[\]$=;@-]*")


def is_plain(text: str) -> bool:
    """Whether `text` is the same in JSON."""
    return _PLAIN.fullmatch(text) is not None


def _milliseconds(seconds: float) -> str:
    """As `round(seconds * 1000, 3)` is written, in half the time."""
    text = f"{seconds * 1000:.3f}"
    return text if text[-1] != "0" else repr(float(text))


class InvocationLines:
    """Those of one environment. All texts must be plain."""

    __slots__ = ("_report", "_start", "_version_and_arn")

    def __init__(self, environment: str, log_stream: str, version: str, function_arn: str) -> None:
        where = f'"environment":"{environment}","logStream":"{log_stream}","requestId":"'
        self._start = f'","type":"platform.start",{where}'
        self._report = f'","type":"platform.report",{where}'
        self._version_and_arn = f'","version":"{version}","functionArn":"{function_arn}"}}}}\n'

    def start(self, epoch: float, request_id: str) -> bytes:
        """`platform.start` of a request that is not sampled. `epoch` in seconds."""
        return (
            f'{{"time":"{timestamp(epoch)}{self._start}{request_id}","record":{{"requestId":"{request_id}'
            f"{self._version_and_arn}"
        ).encode()

    def success(
        self, epoch: float, request_id: str, duration: float, response_latency: float, response_duration: float
    ) -> bytes:
        """`platform.report` of a success, with its two spans. All in seconds; `epoch` is its end."""
        started = epoch - duration
        return (
            f'{{"time":"{timestamp(epoch)}{self._report}{request_id}","record":{{"requestId":"{request_id}",'
            f'"status":"success","metrics":{{"durationMs":{_milliseconds(duration)}}},'
            f'"spans":[{{"name":"responseLatency","start":"{timestamp(started)}",'
            f'"durationMs":{_milliseconds(response_latency)}}},'
            f'{{"name":"responseDuration","start":"{timestamp(started + response_latency)}",'
            f'"durationMs":{_milliseconds(response_duration)}}}]}}}}\n'
        ).encode()
