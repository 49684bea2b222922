"""An answer on its way to the client, as fast as the client takes it."""

import asyncio
from collections.abc import Callable
from typing import IO, Final

from penstock.aws_api.protocol.answers import Reply
from penstock.aws_api.protocol.events import EventBody
from penstock.aws_api.protocol.wording import fault
from penstock.aws_api.service import FilePart, ServiceError
from penstock.wire.http_messages import LAST_CHUNK, Headers, status_line
from penstock.wire.http_server import HttpConnection

# Read from a file at once (assumed).
_PIECE: Final = 256 * 1024
# Answers without a body, and so without its length: RFC 9110 section 8.6.
_BODILESS: Final = frozenset({204, 304})
_LENGTH: Final = b"content-length"

OnFault = Callable[[Exception], None]


class Flow:
    """Whether the client takes more, and whether it is still there."""

    def __init__(self, connection: HttpConnection) -> None:
        self.connection = connection
        self.gone = False
        self._open = asyncio.Event()
        self._open.set()

    def pause(self) -> None:
        self._open.clear()

    def resume(self) -> None:
        self._open.set()

    def leave(self) -> None:
        self.gone = True
        self._open.set()

    async def ready(self) -> bool:
        """Waits until the client takes more; false when it is gone."""
        if self.connection.writing_paused and not self.gone:
            self._open.clear()
        # Other connections get their turn, too, however fast this client reads.
        await asyncio.sleep(0) if self._open.is_set() else await self._open.wait()
        return not self.gone


def respond(flow: Flow, reply: Reply, extra: bytes) -> None:
    """An answer whose body is there. `extra` holds whole header lines."""
    body = reply.body if isinstance(reply.body, bytes) and reply.status not in _BODILESS else b""
    if not flow.gone:
        flow.connection.respond(_head(flow.connection, reply, extra, len(body)) + body)


async def send(flow: Flow, reply: Reply, extra: bytes, on_fault: OnFault) -> None:
    """Any answer. Raises OSError when a file is not there, before anything was sent."""
    if isinstance(reply.body, EventBody):
        await _send_events(flow, reply, reply.body, extra, on_fault)
    elif isinstance(reply.body, FilePart) and flow.connection.method != b"HEAD":
        with reply.body.path.open("rb") as file:
            await _send_file(flow, reply, file, reply.body, extra, on_fault)
    elif isinstance(reply.body, FilePart):
        if not flow.gone:
            flow.connection.respond(_head(flow.connection, reply, extra, reply.body.length))
    else:
        respond(flow, reply, extra)


async def _send_file(
    flow: Flow, reply: Reply, file: IO[bytes], part: FilePart, extra: bytes, on_fault: OnFault
) -> None:
    file.seek(part.offset)
    left = part.length
    if flow.gone:
        return
    flow.connection.write(_head(flow.connection, reply, extra, left))
    while left and await flow.ready():
        try:
            piece = file.read(min(left, _PIECE))
        except OSError as error:
            on_fault(error)
            piece = b""
        if not piece:  # or somebody made the file shorter
            flow.connection.cut(framed=True)
            return
        left -= len(piece)
        flow.connection.write(piece)
    if not left and not flow.gone:
        flow.connection.finish()


async def _send_events(flow: Flow, reply: Reply, body: EventBody, extra: bytes, on_fault: OnFault) -> None:
    connection = flow.connection
    framed = not connection.http_1_0
    try:
        if flow.gone:
            return
        connection.write(_head(connection, reply, extra, None))
        if first := body.first():
            _write(connection, first, framed=framed)
        await _pump(flow, body, on_fault, framed=framed)
        if not flow.gone:
            if framed:
                connection.write(LAST_CHUNK)
            connection.finish()
    finally:
        close = getattr(body.events, "aclose", None)
        if close is not None:
            await close()


async def _pump(flow: Flow, body: EventBody, on_fault: OnFault, *, framed: bool) -> None:
    """Every event; an error is the last of them."""
    try:
        async for event in body.events:
            message = body.event(event)
            if not await flow.ready():
                return
            _write(flow.connection, message, framed=framed)
    except ServiceError as error:
        last = body.error(error)
    except Exception as error:
        on_fault(error)
        last = body.error(fault(body.form))
    else:
        return
    if not flow.gone:
        _write(flow.connection, last, framed=framed)


def _write(connection: HttpConnection, message: bytes, *, framed: bool) -> None:
    if framed:
        connection.write_chunk(message)
    else:
        connection.write(message)


def _head(connection: HttpConnection, reply: Reply, extra: bytes, length: int | None) -> bytes:
    """Without a `length` the body comes in chunks."""
    headers: Headers = [(name, value) for name, value in reply.headers if name != _LENGTH]
    said = dict(reply.headers).get(_LENGTH)
    if length is None:
        headers += [] if connection.http_1_0 else [(b"transfer-encoding", b"chunked")]
    elif reply.status not in _BODILESS:
        # Of what only the head was asked for, the answer knows the length.
        told = said if said is not None and connection.method == b"HEAD" else b"%d" % length
        headers.append((_LENGTH, told))
    lines = b"".join([b"%b: %b\r\n" % header for header in headers])
    return b"".join((status_line(reply.status), lines, extra, connection.end_of_head))
