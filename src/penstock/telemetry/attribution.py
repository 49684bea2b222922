"""Which invocation wrote a line, when many run at once in one environment."""

import re
from collections.abc import Container
from typing import Final

import orjson

# Lambda's own JSON lines say requestId or AWSRequestId; frameworks use the snake forms.
# https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-logformat.html
_KEYS: Final = ("requestId", "AWSRequestId", "request_id", "aws_request_id")
_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def request_id_of(line: str, running: Container[str], only: str | None = None) -> str | None:
    """The request id that `line` belongs to, or None where it cannot be known.

    A JSON object that names one is believed, also after that invocation ended. Else the line must hold exactly one
    of the `running` ids. Else it is `only`: the one invocation that can have written it, when the caller knows.
    """
    if line.lstrip().startswith("{") and (named := _named(line)):
        return named
    found = {match for match in _UUID.findall(line) if match in running}
    if found:
        return found.pop() if len(found) == 1 else None
    return only


def _named(line: str) -> str | None:
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    for key in _KEYS:
        named = value.get(key)
        if isinstance(named, str) and named:
            return named
    return None
