"""A loopback server of plain streams for scripted peers: one coroutine a connection, all gone at the end."""

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from types import TracebackType
from typing import Self, TypeVar

T = TypeVar("T")
# Long enough for a busy machine; a test that waits this long has failed.
PATIENCE_S = 20.0
# The longest line or head a scripted peer takes.
_LIMIT = 2 * 1024 * 1024


async def within(awaitable: Awaitable[T], seconds: float = PATIENCE_S) -> T:
    """The result of `awaitable`, or `TimeoutError`: nothing in a test may hang."""
    async with asyncio.timeout(seconds):
        return await awaitable


class StreamServer:
    """Base of scripted peers. Subclasses say what happens on a connection in `serve`."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        self.host = host
        self.port = port
        self.connections = 0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raise NotImplementedError

    async def start(self) -> Self:
        """Listens, on the same port again after `stop`."""
        self._server = await asyncio.start_server(self._accept, self.host, self.port, limit=_LIMIT)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def stop(self) -> None:
        """Stops listening and drops every connection."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._server is None:  # accepted while stopping
            writer.transport.abort()
            return
        self.connections += 1
        task = asyncio.get_running_loop().create_task(self._run(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        # Here and not in the task, which may be cancelled before it has begun.
        task.add_done_callback(lambda _: writer.transport.abort())

    async def _run(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # The other side may go at any time: what that means is for the test to say.
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            await self.serve(reader, writer)


def parse_head(head: bytes) -> tuple[str, list[tuple[str, str]]]:
    """First line and headers as sent; names in lower case."""
    first, *lines = head.decode("utf-8", "surrogateescape").rstrip("\r\n").split("\r\n")
    fields = (line.partition(":") for line in lines)
    return first, [(name.strip().lower(), value.strip()) for name, _, value in fields]
