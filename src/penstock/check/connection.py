"""An HTTP/1.1 client as small as it can be: one connection, one request at a time, the whole answer."""

import asyncio
from dataclasses import dataclass
from typing import Final, cast

import httptools

from penstock.model.limits import MIB

MAX_BODY_BYTES: Final = 16 * MIB
"""Of an answer is kept; what comes after it is counted."""


class BrokenError(Exception):
    """No whole answer came; says why in a few words."""


@dataclass(slots=True)
class Reply:
    """`headers` have names in lower case."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes
    size: int
    """Bytes of the whole body."""


class Connection:
    """Opened when it is needed, and again when the server has closed it."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._protocol: _Protocol | None = None

    async def ask(self, request: bytes, method: str, seconds: float) -> Reply:
        """Send a request and wait for its answer, at most so long. Raises BrokenError."""
        try:
            async with asyncio.timeout(seconds):
                protocol = await self._open()
                return await protocol.ask(request, method)
        except TimeoutError:
            self.close()
            raise BrokenError(f"no answer within {seconds:g} s") from None
        except OSError as error:
            self.close()
            raise BrokenError(error.strerror or str(error)) from None
        except BaseException:
            self.close()
            raise

    async def _open(self) -> "_Protocol":
        if self._protocol is None or not self._protocol.is_open:
            loop = asyncio.get_running_loop()
            _, self._protocol = await loop.create_connection(_Protocol, self._host, self._port)
        return self._protocol

    def close(self) -> None:
        if self._protocol:
            self._protocol.close()
            self._protocol = None


class _Protocol(asyncio.Protocol):
    def __init__(self) -> None:
        self.is_open = False
        self._transport: asyncio.Transport | None = None
        self._answered: asyncio.Future[Reply] | None = None

    # --- asyncio's ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self.is_open = True

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False
        if self._answered and not self._answered.done():
            self._answered.set_exception(BrokenError(self._cut()))

    def data_received(self, data: bytes) -> None:
        if self._answered is None or self._answered.done():
            self.close()  # an answer to nothing
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            if not self._answered.done():
                self._answered.set_exception(BrokenError(f"not HTTP: {error}"))
            self.close()

    def eof_received(self) -> bool:
        return False

    # --- ours ---

    async def ask(self, request: bytes, method: str) -> Reply:
        assert self._transport is not None
        self._answered = asyncio.get_running_loop().create_future()
        self._parser = httptools.HttpResponseParser(self)
        self._headless = method == "HEAD"
        self._headers: list[tuple[bytes, bytes]] = []
        self._pieces: list[bytes] = []
        self._kept = 0
        self._size = 0
        self._began = False
        self._transport.write(request)
        return await self._answered

    def close(self) -> None:
        self.is_open = False
        if self._transport:
            self._transport.close()

    def _cut(self) -> str:
        return f"the answer broke off after {self._size} bytes" if self._began else "the connection was closed"

    # --- the parser's ---

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self._began = True
        if self._headless:  # its Content-Length is that of a body which does not come
            self._finish()

    def on_body(self, data: bytes) -> None:
        self._size += len(data)
        if self._kept < MAX_BODY_BYTES:
            self._pieces.append(data)
            self._kept += len(data)

    def on_message_complete(self) -> None:
        self._finish()

    def _finish(self) -> None:
        assert self._answered is not None
        if self._answered.done():
            return
        status = self._parser.get_status_code()
        if self._headless or not self._parser.should_keep_alive():
            self.close()
        self._answered.set_result(Reply(status, self._headers, b"".join(self._pieces), self._size))
