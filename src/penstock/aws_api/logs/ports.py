"""What the service is told about the functions that run, and does not make itself."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol


class FunctionLog(NamedTuple):
    """The log file of one function, as `telemetry.log_writer` writes it, and the group that shows it.

    `function` is the function's name or ARN.
    """

    group: str
    function: str
    path: Path
    created_ms: int


class FunctionLogs(Protocol):
    def groups(self) -> Sequence[FunctionLog]:
        """All there are now. Several functions may share one group; a file need not be there yet."""


class NoFunctions:
    """Nothing runs."""

    def groups(self) -> Sequence[FunctionLog]:
        return ()
