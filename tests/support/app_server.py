"""A scripted web app on a raw socket: a coroutine for each request, which writes what it likes."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

from support.streams import StreamServer, parse_head, within


@dataclass(eq=False)
class AppRequest:
    """A request as it came in; `connection` counts connections from 1."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    connection: int
    _hang_up: bool = field(default=False)

    def values(self, name: str) -> list[str]:
        return [value for known, value in self.headers if known == name]

    async def write(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def respond(self, body: bytes = b"", status: int = 200, headers: str = "") -> None:
        """A whole response with a length; `headers` are lines that end in CRLF."""
        await self.write(f"HTTP/1.1 {status} Some\r\n{headers}content-length: {len(body)}\r\n\r\n".encode() + body)

    async def start_chunks(self, headers: str = "") -> None:
        await self.write(f"HTTP/1.1 200 OK\r\n{headers}transfer-encoding: chunked\r\n\r\n".encode())

    async def chunk(self, data: bytes) -> None:
        """One chunk; an empty one ends the body."""
        await self.write(b"%x\r\n%b\r\n" % (len(data), data))

    async def gone(self) -> None:
        """Waits until the client has closed the connection."""
        with suppress(ConnectionError):
            await within(self.reader.read())

    def hang_up(self) -> None:
        """Closes the connection once the handler returns."""
        self._hang_up = True

    @property
    def hung_up(self) -> bool:
        return self._hang_up


Handler = Callable[[AppRequest], Awaitable[None]]


class AppServer(StreamServer):
    """Calls `handler` for each request; connections are kept alive unless it hangs up."""

    def __init__(self, handler: Handler, port: int = 0) -> None:
        super().__init__(port=port)
        self.handler = handler
        self.requests: list[AppRequest] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = self.connections
        while True:
            first, headers = parse_head(await reader.readuntil(b"\r\n\r\n"))
            method, target, _ = first.split(" ")
            body = await reader.readexactly(int(dict(headers).get("content-length", "0")))
            request = AppRequest(method, target, headers, body, reader, writer, connection)
            self.requests.append(request)
            await self.handler(request)
            if request.hung_up:
                writer.close()
                await writer.wait_closed()
                return
