"""The requests of the Runtime API that take more than a look: a parked poll, a response, an error."""

import base64
import binascii
from collections.abc import Callable

from penstock.model.errors import FunctionError
from penstock.model.limits import MAX_BUFFERED_RESPONSE_BYTES, MAX_STREAMED_RESPONSE_BYTES
from penstock.runtime_api import messages
from penstock.runtime_api.bandwidth import Pacer
from penstock.runtime_api.running import Running
from penstock.wire.exchange import Discard
from penstock.wire.http_server import HttpConnection


class Poll(Discard):
    """A worker waiting in `/next`: a free slot. It is parked once its request is complete. `brief`: it takes an event
    in the brief form.
    """

    __slots__ = ("_gone", "_park", "_parked", "brief", "connection")

    def __init__(
        self,
        connection: HttpConnection,
        park: Callable[["Poll"], None],
        gone: Callable[["Poll"], None],
        *,
        brief: bool = False,
    ) -> None:
        self.connection = connection
        self.brief = brief
        self._park = park
        self._gone = gone
        self._parked = False

    def end(self) -> None:
        self._parked = True
        self._park(self)

    def take(self) -> bool:
        """Leave the waiting ones for an invocation; False when the worker hung up this very moment."""
        self._parked = False
        return self.connection.answerable

    def lost(self) -> None:
        if self._parked:
            self._gone(self)


class BodyStart(Discard):
    """A request of which the first `limit` bytes are enough: the rest is thrown away."""

    __slots__ = ("_body", "_complete", "_limit")

    def __init__(self, complete: Callable[[bytes], None], limit: int) -> None:
        self._complete = complete
        self._limit = limit
        self._body = bytearray()

    def body(self, chunk: bytes) -> None:
        self._body += chunk[: self._limit - len(self._body)]

    def end(self) -> None:
        self._complete(bytes(self._body))


class ResponsePost(Discard):
    """`POST /response`: every chunk goes into the sink as it arrives, or as a streamed response's `pacer` allows."""

    __slots__ = ("_connection", "_limit", "_pacer", "_running", "_sink", "_size")

    def __init__(
        self,
        connection: HttpConnection,
        running: Running,
        content_type: str,
        *,
        streaming: bool,
        pacer: Pacer | None = None,
    ) -> None:
        self._connection = connection
        self._running = running
        self._sink = running.invocation.sink
        self._size = 0
        self._limit = MAX_STREAMED_RESPONSE_BYTES if streaming else MAX_BUFFERED_RESPONSE_BYTES
        self._pacer = pacer
        running.respond(self)
        self._sink.begin(content_type, streaming=streaming, source=pacer or connection)

    def body(self, chunk: bytes) -> None:
        self._size += len(chunk)
        if self._size > self._limit:
            message = f"Response payload size exceeded maximum allowed payload size ({self._limit} bytes)."
            self._running.fail(FunctionError("Function.ResponseSizeTooLarge", message), messages.TOO_LARGE)
        else:
            self._sink.write(chunk)
            if self._pacer:
                self._pacer.relayed(len(chunk))

    def end(self) -> None:
        if self._pacer:
            self._pacer.end()
        error = _trailer_error(self._connection)
        if error:
            self._running.fail(error, messages.ACCEPTED)
        else:
            self._running.finish()
            self._connection.respond(messages.ACCEPTED)

    def lost(self) -> None:
        """The body stopped short of its end: nobody may take it for whole."""
        if self._pacer:
            self._pacer.cancel()
        self._running.fail(FunctionError("Runtime.TruncatedResponse"))

    def superseded(self, answer: bytes) -> None:
        if self._pacer:
            self._pacer.cancel()
        if self._connection.answerable:
            self._connection.respond(answer)
            self._connection.resume_reading()


def _trailer_error(connection: HttpConnection) -> FunctionError | None:
    """A mid-stream error told in trailers, announced or not. An empty type is no error; bad base64 no details."""
    if not connection.trailers:
        return None
    trailers = dict(connection.trailers)
    error_type = trailers.get(b"lambda-runtime-function-error-type", b"").decode("latin-1")
    if not error_type:
        return None
    try:
        body = base64.b64decode(trailers.get(b"lambda-runtime-function-error-body", b""), validate=True)
    except binascii.Error:
        body = b""
    return FunctionError(messages.normalise_error_type(error_type), body=body)
