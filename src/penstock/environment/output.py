"""What a process of the environment writes on stdout and stderr, as lines."""

import asyncio
import os
from collections.abc import Callable
from typing import Final

from penstock.model.limits import KIB

# A longer line is cut into pieces of this size, so that no line stops the reading of the next. CloudWatch Logs takes
# events of 1 MB: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html
MAX_LINE_BYTES: Final = 256 * KIB


class LineReader(asyncio.Protocol):
    """Calls `on_line(line)` for each line, without its end."""

    def __init__(self, on_line: Callable[[bytes], None]) -> None:
        self._on_line = on_line
        self._rest = b""
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        *lines, rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._emit(line)
        while len(rest) > MAX_LINE_BYTES:
            self._on_line(rest[:MAX_LINE_BYTES])
            rest = rest[MAX_LINE_BYTES:]
        self._rest = rest

    def _emit(self, line: bytes) -> None:
        if len(line) <= MAX_LINE_BYTES:
            self._on_line(line.removesuffix(b"\r"))
            return
        for start in range(0, len(line), MAX_LINE_BYTES):
            self._on_line(line[start : start + MAX_LINE_BYTES])

    def connection_lost(self, exc: Exception | None) -> None:
        if self._rest:
            self._emit(self._rest)
            self._rest = b""
        if not self.closed.done():
            self.closed.set_result(None)


async def open_output(on_line: Callable[[bytes], None]) -> tuple[int, LineReader]:
    """A pipe: the write end for a process, and the reader of its lines."""
    read_end, write_end = os.pipe()
    loop = asyncio.get_running_loop()
    try:
        _, reader = await loop.connect_read_pipe(lambda: LineReader(on_line), os.fdopen(read_end, "rb", 0))
    except BaseException:
        os.close(write_end)
        raise
    return write_end, reader
