"""The sink of a Function URL request: what the function writes becomes an HTTP response as it comes."""

from collections.abc import Callable
from enum import Enum, auto
from typing import Final

from penstock.function_url.cors import TWICE
from penstock.function_url.refusals import BAD_GATEWAY, RESERVED_HEADER, Refusal
from penstock.function_url.response import (
    BadResponseError,
    ReservedHeaderError,
    build_head,
    has_body,
    length_line,
    read_buffered,
)
from penstock.model.clock import Clock
from penstock.model.errors import InvocationError
from penstock.model.invocation import Source
from penstock.model.limits import MAX_BUFFERED_RESPONSE_BYTES
from penstock.wire.http_messages import LAST_CHUNK, chunk
from penstock.wire.http_server import HttpConnection
from penstock.wire.prelude import CONTENT_TYPE as PRELUDE_TYPE
from penstock.wire.prelude import Prelude, PreludeError, PreludeReader

_CHUNKED: Final = b"transfer-encoding: chunked\r\n"
_DEFAULT_PRELUDE: Final = Prelude(200, (), ())


class Phase(Enum):
    WAITING = auto()
    """The function has not begun to answer."""
    BUFFERED = auto()
    """The answer is collected: it is buffered, or the URL's invoke mode is."""
    PRELUDE = auto()
    """A stream, its prelude not complete yet."""
    STREAMING = auto()
    """The head is out; bytes go to the client as they come."""
    OVER = auto()
    """The invocation ended, or the answer was refused; what the function still writes is dropped."""


class UrlAnswer:
    """A `Sink`. `on_end(status, body bytes sent, note)` is called once. `cors` is header lines every answer gets.

    A client that goes away does not stop the function, as on AWS: what it still writes is dropped.
    https://docs.aws.amazon.com/lambda/latest/dg/configuration-response-streaming.html
    """

    __slots__ = (
        "_chunked",
        "_clock",
        "_collected",
        "_connection",
        "_content_type",
        "_cors",
        "_gone",
        "_has_body",
        "_note",
        "_on_end",
        "_parts",
        "_paused",
        "_phase",
        "_reader",
        "_sent",
        "_source",
        "_status",
        "_streams",
        "request_id",
        "trace_id",
    )

    def __init__(
        self,
        connection: HttpConnection,
        on_end: Callable[[int, int, str], None],
        *,
        streams: bool,
        clock: Clock,
        request_id: str,
        trace_id: str,
        cors: bytes = b"",
    ) -> None:
        self.request_id = request_id
        self.trace_id = trace_id
        self._connection = connection
        self._on_end = on_end
        self._streams = streams
        self._clock = clock
        self._cors = cors
        self._phase = Phase.WAITING
        self._content_type = ""
        self._source: Source | None = None
        self._reader: PreludeReader | None = None
        self._parts: list[bytes] = []
        self._collected = 0
        self._has_body = self._chunked = self._paused = False
        self._gone = False  # the connection is no longer this answer's: the client left, or has all it will get
        self._note = ""
        self._status = 0
        self._sent = 0

    # --- the client's side ---

    def client_left(self) -> None:
        self._gone = True
        self._note = "client left"
        self.resume()

    def pause(self) -> None:
        """The client reads more slowly than the function writes."""
        if self._source and self._phase is not Phase.OVER and not self._gone:
            self._paused = True
            self._source.pause_reading()

    def resume(self) -> None:
        if self._source and self._paused:
            self._paused = False
            self._source.resume_reading()

    def refuse(self, refusal: Refusal, note: str = "", extra: bytes | None = None) -> None:
        """An answer of the door's own, in place of the function's. `extra` replaces the CORS header lines."""
        connection = self._connection
        self._status = refusal.status
        lines = self._cors if extra is None else extra
        head = refusal.head(self.request_id, self._clock.epoch(), lines, closing=not connection.keep_alive)
        body = b"" if connection.method == b"HEAD" else refusal.body
        self._sent = len(body)
        self._write(head + body)
        self._end(note or refusal.note)

    # --- the function's side (Sink) ---

    def begin(self, content_type: str, *, streaming: bool, source: Source) -> None:
        self._source = source
        self._content_type = content_type
        if not (streaming and self._streams):
            self._phase = Phase.BUFFERED
        elif content_type == PRELUDE_TYPE:
            self._phase = Phase.PRELUDE
        else:
            self._send_head(_DEFAULT_PRELUDE, content_type)
        if self._connection.writing_paused:  # the client has not taken the answer before this one yet
            self.pause()

    def write(self, chunk: bytes) -> None:
        phase = self._phase
        if phase is Phase.STREAMING:
            if not self._gone:
                self._relay(chunk)
        elif phase is Phase.PRELUDE:
            self._read_prelude(chunk)
        elif phase is Phase.BUFFERED:
            self._collect(chunk)

    def finish(self) -> None:
        phase = self._phase
        if phase is Phase.STREAMING:
            self._write(LAST_CHUNK if self._chunked else b"")
            self._end("")
        elif phase is Phase.PRELUDE:
            self._bad_gateway("the stream ended inside its prelude")
        elif phase is Phase.BUFFERED:
            self._send_buffered(b"".join(self._parts))

    def fail(self, error: InvocationError) -> None:
        phase = self._phase
        if phase is Phase.STREAMING:
            self._phase = Phase.OVER
            if not self._gone:
                self._connection.cut(framed=self._chunked)
            self.resume()
            self._tell(str(error))
        elif phase is not Phase.OVER:
            self._bad_gateway(str(error))

    # --- bytes to the client ---

    def _collect(self, data: bytes) -> None:
        """A stream may be longer than what a buffered answer may hold."""
        self._collected += len(data)
        if self._collected > MAX_BUFFERED_RESPONSE_BYTES:
            self._parts = []
            self._bad_gateway(f"a buffered response is at most {MAX_BUFFERED_RESPONSE_BYTES} bytes")
        else:
            self._parts.append(data)

    def _read_prelude(self, data: bytes) -> None:
        reader = self._reader = self._reader or PreludeReader()
        try:
            found = reader.feed(data)
        except PreludeError as error:
            self._bad_gateway(f"bad prelude: {error}")
            return
        if found:
            # AWS's Rust adapter always names a type; that a bare prelude gets this one is assumed.
            self._send_head(found[0], "application/octet-stream", found[1])

    def _send_head(self, prelude: Prelude, default_type: str, first: bytes = b"") -> None:
        """The head and the first bytes of the body in one write."""
        connection, status = self._connection, prelude.status
        self._has_body = has_body(connection.method, status)
        self._chunked = self._has_body and not connection.http_1_0
        if self._has_body and not self._chunked:
            connection.keep_alive = False
        framing = _CHUNKED if self._chunked else length_line(status, 0) if status == 205 else b""
        head = self._head(prelude, default_type, framing)
        if not head:
            return
        self._phase = Phase.STREAMING
        self._status = status
        self._write(head + self._frame(first))
        if not self._has_body:
            # The head is the whole answer: the client may send its next request before the function ends.
            self._release()

    def _relay(self, data: bytes) -> None:
        if self._chunked and data:
            self._sent += len(data)
            self._connection.write_chunk(data)
        else:
            self._connection.write(self._frame(data))

    def _frame(self, data: bytes) -> bytes:
        if not data or not self._has_body:
            return b""
        self._sent += len(data)
        return chunk(data) if self._chunked else data

    def _send_buffered(self, payload: bytes) -> None:
        try:
            prelude, body = _split(payload) if self._content_type == PRELUDE_TYPE else read_buffered(payload)
        except BadResponseError as error:
            self._bad_gateway(str(error))
            return
        head = self._head(prelude, "application/json", length_line(prelude.status, len(body)))
        if not head:
            return
        self._status = prelude.status
        if not has_body(self._connection.method, prelude.status):
            body = b""
        self._sent = len(body)
        self._write(head + body)
        self._end("")

    def _head(self, prelude: Prelude, default_type: str, framing: bytes) -> bytes:
        """Empty when the function's answer cannot be one: then it was refused."""
        epoch, cors = self._clock.epoch(), self._cors
        try:
            head = build_head(prelude, default_type, self.request_id, self.trace_id, epoch, framing + cors)
        except ReservedHeaderError as error:
            self.refuse(RESERVED_HEADER, str(error))
            return b""
        except BadResponseError as error:
            self._bad_gateway(str(error))
            return b""
        if cors and any(name.lower() == "access-control-allow-origin" for name, _ in prelude.headers):
            self._note = TWICE
        return head + self._connection.end_of_head

    def _bad_gateway(self, why: str) -> None:
        self.refuse(BAD_GATEWAY, why)

    def _write(self, data: bytes) -> None:
        if data and not self._gone:
            self._connection.write(data)

    def _end(self, note: str) -> None:
        self._phase = Phase.OVER
        self.resume()
        self._release()
        self._tell(note or self._note)

    def _tell(self, note: str) -> None:
        # Whoever is told holds this answer: a circle for each request would be the collector's to find.
        on_end, self._on_end = self._on_end, _nobody
        on_end(self._status, self._sent, note)

    def _release(self) -> None:
        """The client has its whole answer."""
        if not self._gone:
            self._gone = True
            self._connection.finish()


def _nobody(status: int, sent: int, note: str) -> None:
    """Who is told once has been told."""


def _split(payload: bytes) -> tuple[Prelude, bytes]:
    """A streamed answer that was collected, because the URL's invoke mode is BUFFERED."""
    try:
        found = PreludeReader().feed(payload)
    except PreludeError as error:
        raise BadResponseError(f"bad prelude: {error}") from None
    if found is None:
        raise BadResponseError("the stream ended inside its prelude")
    return found
