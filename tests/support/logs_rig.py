"""CloudWatch Logs over a store and functions that write, in virtual time."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from penstock.aws_api.logs import FunctionLog, LogsService
from penstock.aws_api.store import Store
from penstock.telemetry.log_writer import LogWriter
from support.aws_calls import Calls
from support.clock import VirtualClock, VirtualTimer

EPOCH_MS = 1_764_000_000_000
GROUP = "/aws/lambda/fn"
ARN = "arn:aws:lambda:us-east-1:123456789012:function:fn"
STREAM = "2025/11/24/fn[1]" + "a" * 32
OTHER_STREAM = "2025/11/24/fn[1]" + "b" * 32


class ToldClock(VirtualClock):
    """Tells when somebody begins to wait."""

    def __init__(self, epoch: float) -> None:
        super().__init__(epoch)
        self.waited_for = asyncio.Event()

    def call_later(self, delay: float, callback: Callable[[], object]) -> VirtualTimer:
        self.waited_for.set()
        return super().call_later(delay, callback)


class LogsRig:
    """`calls` is the API; `write` is a function's line."""

    def __init__(self, folder: Path, rotate_bytes: int = 1 << 30) -> None:
        self.clock = ToldClock(EPOCH_MS / 1000)
        self.store = Store(folder / "state")
        self.path = folder / "logs" / "Fn.jsonl"
        self.writer = LogWriter(self.path, self.clock, rotate_bytes=rotate_bytes)
        self.functions: list[FunctionLog] = [FunctionLog(GROUP, ARN, self.path, EPOCH_MS)]
        self.service = LogsService(self.store, self.clock, self)
        self.calls = Calls(self.service)

    def groups(self) -> Sequence[FunctionLog]:
        return self.functions

    def write(self, text: str, *, at_ms: int | None = None, stream: str = STREAM) -> None:
        """At once, `at_ms` after the beginning."""
        time = None if at_ms is None else (EPOCH_MS + at_ms) / 1000
        self.writer.append("function", text, environment="e" * 32, log_stream=stream, time=time)
        self.writer.flush()

    def close(self) -> None:
        self.writer.close()
        self.store.close()

    async def found(self, **params: Any) -> list[str]:
        """The messages of all pages."""
        messages: list[str] = []
        token: dict[str, str] = {}
        while True:
            page = await self.calls("FilterLogEvents", **{"logGroupName": GROUP, **params, **token})
            messages += [event["message"] for event in page["events"]]
            if "nextToken" not in page:
                return messages
            token = {"nextToken": page["nextToken"]}


@contextmanager
def logs_rig(folder: Path, rotate_bytes: int = 1 << 30) -> Iterator[LogsRig]:
    rig = LogsRig(folder, rotate_bytes)
    try:
        yield rig
    finally:
        rig.close()


def messages(answer: dict[str, Any]) -> list[str]:
    return [event["message"] for event in answer["events"]]
