"""The sink of InvokeWithResponseStream: what the function writes becomes events as it comes.

`PayloadChunk` holds raw bytes, a prelude with the rest; `InvokeComplete` is always the last event and tells the error.
https://docs.aws.amazon.com/lambda/latest/api/API_InvokeWithResponseStream.html
"""

from typing import Final

import orjson

from penstock.invoke_api.error_body import UNHANDLED, error_body
from penstock.invoke_api.refusal import RefusalError
from penstock.invoke_api.reply import Reply
from penstock.model.errors import FunctionError, InvocationError
from penstock.model.invocation import Source
from penstock.wire.event_stream import CONTENT_TYPE, MAX_PAYLOAD_BYTES, EventType
from penstock.wire.http_messages import LAST_CHUNK, status_line

_CHUNK: Final = EventType("PayloadChunk", "application/octet-stream")
_COMPLETE: Final = EventType("InvokeComplete", "application/json")
_HEAD: Final = b"%bcontent-type: %b\r\n" % (status_line(200), CONTENT_TYPE)
_CHUNKED: Final = b"transfer-encoding: chunked\r\n"


class StreamAnswer:
    """A `Sink`. A client that goes away does not stop the function, as on AWS: what it still writes is dropped."""

    __slots__ = ("_begun", "_chunked", "_over", "_paused", "_reply", "_sent", "_source", "_version")

    def __init__(self, reply: Reply, version: str) -> None:
        self._reply = reply
        self._version = version
        # Events tell their own length and which is the last: the end of the connection need say nothing more.
        self._chunked = not reply.connection.http_1_0
        self._source: Source | None = None
        self._begun = self._paused = self._over = False
        self._sent = 0

    # --- the client's side ---

    def client_left(self) -> None:
        self._reply.client_left()
        self.resume()

    def pause(self) -> None:
        """The client reads more slowly than the function writes."""
        if self._source and not self._over and not self._reply.gone:
            self._paused = True
            self._source.pause_reading()

    def resume(self) -> None:
        if self._source and self._paused:
            self._paused = False
            self._source.resume_reading()

    # --- the function's side (Sink) ---

    def begin(self, content_type: str, *, streaming: bool, source: Source) -> None:
        self._source = source
        self._send_head()
        if self._reply.connection.writing_paused:  # the client has not taken the answer before this one yet
            self.pause()

    def write(self, chunk: bytes) -> None:
        if self._reply.gone:
            return
        self._sent += len(chunk)
        if len(chunk) <= MAX_PAYLOAD_BYTES:
            self._reply.write(self._frame(_CHUNK, chunk))
        else:
            for start in range(0, len(chunk), MAX_PAYLOAD_BYTES):
                self._reply.write(self._frame(_CHUNK, chunk[start : start + MAX_PAYLOAD_BYTES]))

    def finish(self) -> None:
        self._complete("", {})

    def fail(self, error: InvocationError) -> None:
        """The status is 200 also when the function fails before it wrote anything: the stream is there to say so
        (assumed, as is `Unhandled` for every error of the function's).
        """
        if isinstance(error, FunctionError):
            details = error_body(error, self._reply.request_id).decode("utf-8", "replace")
            self._complete(str(error), {"ErrorCode": UNHANDLED, "ErrorDetails": details})
        elif self._begun:
            self._complete(str(error), {"ErrorCode": "ServiceException", "ErrorDetails": str(error)})
        else:
            self._over = True
            self._reply.refuse(RefusalError(500, "ServiceException", str(error)), str(error))

    # --- bytes to the client ---

    def _send_head(self) -> None:
        self._begun = True
        reply = self._reply
        version = f"x-amz-executed-version: {self._version}\r\n".encode()
        framing = _CHUNKED if self._chunked else b""
        reply.write(b"".join((_HEAD, reply.head_fields(), version, framing, reply.connection.end_of_head)))

    def _frame(self, event_type: EventType, payload: bytes) -> bytes:
        return event_type.http_chunk(payload) if self._chunked else event_type.message(payload)

    def _complete(self, note: str, value: dict[str, str]) -> None:
        self._over = True
        self.resume()

        def send(log_result: str) -> None:
            if log_result:
                value["LogResult"] = log_result
            if not self._begun:
                self._send_head()
            last = self._frame(_COMPLETE, orjson.dumps(value))
            self._reply.write(last + LAST_CHUNK if self._chunked else last)
            self._reply.end(200, self._sent, note)

        self._reply.when_logged(send)
