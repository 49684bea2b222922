"""The life of an external extension that subscribes to nothing: it registers and waits for ever, or says what is wrong.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html
"""

import asyncio
import socket

from penstock_adapter.codec import dumps
from penstock_adapter.endpoint import Endpoint
from penstock_adapter.registration import RegistrationError

# One of the examples of AWS's page, named above.
CONFIG_INVALID = "Extension.ConfigInvalid"
# For one answer over loopback when all that is left is to say goodbye; `assumed`.
_GOODBYE_S = 2.0


async def stay_registered(connection: socket.socket, api: Endpoint) -> None:
    """Reads the answer on the socket of `send_registration`, then holds one `event/next` open.

    With no events subscribed it blocks for the life of the environment; an answer, whatever it says, just ends the
    wait, as in LWA. Raises `RegistrationError` when registration is refused or either connection breaks.
    """
    try:
        identifier = await _read_identifier(connection)
        await _ask(api, "GET", "event/next", f"lambda-extension-identifier: {identifier}\r\n")
    except OSError as error:
        raise RegistrationError(f"lost the Extensions API at {api.netloc}: {error}") from error


async def tell_init_error(connection: socket.socket, api: Endpoint, error_type: str, message: str) -> None:
    """Reads the answer on the socket of `send_registration`, then reports that this extension cannot start.

    `error_type` has the form `Extension.Reason`. Who cannot be told within two seconds finds out by our exit.
    """
    body = dumps({"errorMessage": message, "errorType": error_type, "stackTrace": []})
    try:
        async with asyncio.timeout(_GOODBYE_S):
            identifier = await _read_identifier(connection)
            fields = (
                f"lambda-extension-identifier: {identifier}\r\nlambda-extension-function-error-type: {error_type}\r\n"
                f"content-type: application/json\r\ncontent-length: {len(body)}\r\n"
            )
            await _ask(api, "POST", "init/error", fields, body)
    except (OSError, RegistrationError):  # TimeoutError is an OSError
        pass


async def _read_identifier(connection: socket.socket) -> str:
    reader, writer = await asyncio.open_connection(sock=connection)
    status, headers = await _read_head(reader, writer, "register")
    identifier = headers.get("lambda-extension-identifier")
    if status != 200 or not identifier:
        raise RegistrationError(f"the Extensions API refused to register us: status {status}")
    return identifier


async def _ask(api: Endpoint, method: str, what: str, fields: str, body: bytes = b"") -> None:
    """One request on a connection of its own; what is answered is of no account."""
    reader, writer = await asyncio.open_connection(api.host, api.port)
    head = f"{method} /2020-01-01/extension/{what} HTTP/1.1\r\nhost: {api.netloc}\r\n{fields}\r\n"
    writer.write(head.encode() + body)
    await _read_head(reader, writer, what)


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
