"""The client's end of a connection in memory, read and written with `await`."""

import asyncio
from typing import Final, cast

_MOST_UNREAD: Final = 64 * 1024
"""Bytes that may wait for the client before the other end is asked to pause."""


class ClientStream(asyncio.Protocol):
    """Raises ConnectionError when the connection was reset, TimeoutError after `within` seconds."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._unread = bytearray()
        self._ended = False
        self._error: Exception | None = None
        self._news: asyncio.Future[None] | None = None
        self._writable: asyncio.Future[None] | None = None

    async def read(self, max_bytes: int, within: float | None) -> bytes:
        """At most so many bytes; none at the end."""
        async with asyncio.timeout(within):
            while not (self._unread or self._ended):
                self._news = asyncio.get_running_loop().create_future()
                await self._news
        if not self._unread and self._error:
            raise self._error
        data = bytes(self._unread[:max_bytes])
        del self._unread[:max_bytes]
        if self._transport and len(self._unread) < _MOST_UNREAD:
            self._transport.resume_reading()
        return data

    async def write(self, data: bytes, within: float | None) -> None:
        if self._transport is None or self._transport.is_closing():
            raise self._error or ConnectionResetError("the connection is closed")
        self._transport.write(data)
        if self._writable is not None:
            async with asyncio.timeout(within):
                await asyncio.shield(self._writable)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    @property
    def readable(self) -> bool:
        """Whether a `read` would return at once. On a connection between requests that means that it is over."""
        return bool(self._unread) or self._ended

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._unread += data
        if self._transport and len(self._unread) >= _MOST_UNREAD:
            self._transport.pause_reading()
        self._tell()

    def eof_received(self) -> None:
        self._ended = True
        self._tell()

    def connection_lost(self, error: Exception | None) -> None:
        self._ended = True
        self._error = self._error or error
        self.resume_writing()
        self._tell()

    def pause_writing(self) -> None:
        self._writable = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        writable, self._writable = self._writable, None
        if writable is not None and not writable.done():
            writable.set_result(None)

    def _tell(self) -> None:
        news, self._news = self._news, None
        if news is not None and not news.done():
            news.set_result(None)
