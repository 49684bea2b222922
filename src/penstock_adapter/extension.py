"""The life of an external extension that subscribes to nothing: register once, then wait for ever.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html
"""

import asyncio
import socket

from penstock_adapter.endpoint import Endpoint
from penstock_adapter.registration import RegistrationError


async def stay_registered(connection: socket.socket, api: Endpoint) -> None:
    """Reads the answer on the socket of `send_registration`, then holds one `event/next` open.

    With no events subscribed it blocks for the life of the environment; an answer, whatever it says, just ends the
    wait, as in LWA. Raises `RegistrationError` when registration is refused or either connection breaks.
    """
    try:
        reader, writer = await asyncio.open_connection(sock=connection)
        status, headers = await _read_head(reader, writer, "register")
        identifier = headers.get("lambda-extension-identifier")
        if status != 200 or not identifier:
            raise RegistrationError(f"the Extensions API refused to register us: status {status}")
        reader, writer = await asyncio.open_connection(api.host, api.port)
        writer.write(
            f"GET /2020-01-01/extension/event/next HTTP/1.1\r\nhost: {api.netloc}\r\n"
            f"lambda-extension-identifier: {identifier}\r\n\r\n".encode()
        )
        await _read_head(reader, writer, "event/next")
    except OSError as error:
        raise RegistrationError(f"lost the Extensions API at {api.netloc}: {error}") from error


async def _read_head(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, what: str
) -> tuple[int, dict[str, str]]:
    """Status and headers (lower-case names) of one answer; the connection is closed, its body unread."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        raise RegistrationError(f"the Extensions API closed the connection during {what}") from error
    except asyncio.LimitOverrunError as error:
        raise RegistrationError(f"the Extensions API sent a head without end during {what}") from error
    finally:
        writer.transport.abort()
    status_line, *lines = head.decode("latin-1").split("\r\n")
    parts = status_line.split(" ")
    status = int(parts[1]) if len(parts) > 1 and parts[1].isdigit() else 0
    fields = (line.partition(":") for line in lines)
    return status, {name.strip().lower(): value.strip() for name, _, value in fields}
