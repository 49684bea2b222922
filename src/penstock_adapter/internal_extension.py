"""Registering as an internal extension: Lambda sends SIGTERM to a runtime only where there is an extension.

It must be done before the first poll of the runtime, and subscribes to nothing.
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html#runtimes-lifecycle-shutdown
"""

import asyncio
import socket
from collections.abc import Callable
from typing import Final

from penstock_adapter.endpoint import Endpoint

# A loopback API answers at once or never; `assumed`.
_PATIENCE_S: Final = 5.0


async def hold_registration(connection: socket.socket, api: Endpoint, registered: Callable[[], None]) -> str:
    """Reads the answer on the socket of `send_registration`, calls `registered` whatever it was, and waits for an event
    for as long as the environment lives. Returns why it no longer does; empty when that is of no concern.
    """
    try:
        try:
            async with asyncio.timeout(_PATIENCE_S):
                head = await _head(*await asyncio.open_connection(sock=connection))
        finally:
            registered()
        identifier = _identifier(head)
        if not identifier:
            return f"the Extensions API refused to register us: {head.partition(chr(13))[0] or 'no answer'}"
        reader, writer = await asyncio.open_connection(api.host, api.port)
        writer.write(
            f"GET /2020-01-01/extension/event/next HTTP/1.1\r\nhost: {api.netloc}\r\n"
            f"lambda-extension-identifier: {identifier}\r\n\r\n".encode()
        )
        await _head(reader, writer)  # there is no event to come: the platform closes the connection at the end
    except (OSError, TimeoutError) as error:
        return f"the Extensions API at {api.netloc} failed: {error or type(error).__name__}"
    return ""


async def _head(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
    """What an answer begins with; empty when there is none. The connection is closed."""
    try:
        return (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        return ""
    finally:
        writer.transport.abort()


def _identifier(head: str) -> str:
    status_line, *lines = head.split("\r\n")
    fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return fields.get("lambda-extension-identifier", "") if " 200" in status_line else ""
