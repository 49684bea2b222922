"""The end of one request's own log, for callers of Invoke that ask for it with `LogType=Tail`.

The last 4 KB: https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html#lambda-Invoke-response-LogResult
"""

from collections.abc import Mapping
from typing import Final

from penstock.model.limits import KIB
from penstock.telemetry.records import EventType

MAX_TAIL_BYTES: Final = 4 * KIB


class LogTails:
    """What the requests that are followed have written. False while none is, so that a line of anybody else costs
    one truth test.
    """

    __slots__ = ("_tails",)

    def __init__(self) -> None:
        self._tails: dict[str, bytearray] = {}

    def __bool__(self) -> bool:
        return bool(self._tails)

    def follow(self, request_id: str) -> None:
        self._tails[request_id] = bytearray()

    def add(self, event_type: EventType, record: Mapping[str, object] | str, request_id: str | None) -> None:
        """Keep a record if it belongs to a request that is followed."""
        tail = self._tails.get(request_id) if request_id else None
        if tail is None:
            return
        tail += _text(event_type, record)
        del tail[:-MAX_TAIL_BYTES]

    def take(self, request_id: str) -> bytes:
        """The last MAX_TAIL_BYTES of the request's log, which is followed no longer."""
        return bytes(self._tails.pop(request_id, b""))


def _text(event_type: EventType, record: Mapping[str, object] | str) -> bytes:
    if isinstance(record, str):
        # More than fits is not encoded: a character takes at least one byte.
        return record[-MAX_TAIL_BYTES:].encode("utf-8", "backslashreplace") + b"\n"
    return "".join(f"{line}\n" for line in platform_lines(event_type, record)).encode()


def platform_lines(event_type: EventType, record: Mapping[str, object]) -> tuple[str, ...]:
    """A platform event of a request in the text form of Lambda's logs; nothing for other events.

    https://docs.aws.amazon.com/lambda/latest/dg/python-logging.html#python-logging-output. Managed Instances report
    no billed duration and no memory. A status other than success stands at the end, as the service writes it.
    """
    identity = f"RequestId: {record.get('requestId')}"
    match event_type:
        case "platform.start":
            return (f"START {identity} Version: {record.get('version')}",)
        case "platform.report":
            return (f"END {identity}", f"REPORT {identity}\tDuration: {_duration(record)} ms\t{_outcome(record)}")
        case _:
            return ()


def _duration(record: Mapping[str, object]) -> str:
    metrics = record.get("metrics")
    milliseconds = metrics.get("durationMs") if isinstance(metrics, Mapping) else None
    return f"{milliseconds:.2f}" if isinstance(milliseconds, int | float) else "-"


def _outcome(record: Mapping[str, object]) -> str:
    status, error_type = record.get("status"), record.get("errorType")
    if status == "success":
        return ""
    return f"Status: {status}\t" + (f"Error Type: {error_type}\t" if error_type else "")
