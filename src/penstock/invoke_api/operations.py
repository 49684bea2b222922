"""Which operation a request line asks for. Pure."""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final
from urllib.parse import parse_qs


class Operation(Enum):
    INVOKE = auto()
    INVOKE_WITH_RESPONSE_STREAM = auto()
    INVOKE_ASYNC = auto()
    """Deprecated: an Event invocation by another path."""


# https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html, .../API_InvokeWithResponseStream.html,
# .../API_InvokeAsync.html, where the path ends with a slash that not every client sends.
_PATHS: Final = (
    (b"/2015-03-31/functions/", b"/invocations", Operation.INVOKE),
    (b"/2021-11-15/functions/", b"/response-streaming-invocations", Operation.INVOKE_WITH_RESPONSE_STREAM),
    (b"/2014-11-13/functions/", b"/invoke-async", Operation.INVOKE_ASYNC),
    (b"/2014-11-13/functions/", b"/invoke-async/", Operation.INVOKE_ASYNC),
)


@dataclass(frozen=True, slots=True)
class Call:
    """`label` is the FunctionName as it stands in the path, `qualifier` the query's, decoded."""

    operation: Operation
    label: str
    qualifier: str | None


def read_call(method: bytes, target: bytes) -> Call | None:
    """None for what is no invocation."""
    if method != b"POST":
        return None
    path, _, query = target.partition(b"?")
    for start, end, operation in _PATHS:
        if path.startswith(start) and path.endswith(end):
            label = path[len(start) : -len(end)]
            return None if b"/" in label or not label else Call(operation, label.decode("latin-1"), _qualifier(query))
    return None


def _qualifier(query: bytes) -> str | None:
    if not query:
        return None
    values = parse_qs(query.decode("latin-1")).get("Qualifier")
    return values[0] if values else None
