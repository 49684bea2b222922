"""The client's side of one answer, whoever gives it: the door itself, or the function through one of the two sinks."""

import base64
from collections.abc import Callable
from typing import Final

from penstock.invoke_api.refusal import RefusalError
from penstock.model.clock import Clock
from penstock.telemetry.log_tail import LogTails
from penstock.wire.aws_errors import error_response
from penstock.wire.http_messages import response, status_line
from penstock.wire.http_server import HttpConnection

_JSON: Final = b"application/json"
_CLOSE: Final = b"connection: close\r\n"
# The service sends Retry-After with TooManyRequestsException (botocore's model); in Managed Instances nothing says how
# long a worker will be busy, so the shortest wait is named (assumed).
_RETRY_AFTER: Final = b"retry-after: 1\r\n"


class Reply:
    """`on_end(status, body bytes sent, note)` is called once. After that, or once `gone`, nothing is sent: the
    connection is no longer this answer's.
    """

    __slots__ = ("_clock", "_on_end", "_tails", "connection", "gone", "note", "request_id", "trace_id")

    def __init__(
        self,
        connection: HttpConnection,
        clock: Clock,
        on_end: Callable[[int, int, str], None],
        request_id: str,
        trace_id: str,
    ) -> None:
        self.connection = connection
        self.request_id = request_id
        self.trace_id = trace_id
        self.gone = False
        self.note = ""
        self._clock = clock
        self._on_end = on_end
        self._tails: LogTails | None = None

    # --- the end of the request's log ---

    def follow(self, tails: LogTails) -> None:
        """The caller wants the tail of the log."""
        self._tails = tails
        tails.follow(self.request_id)

    def when_logged(self, send: Callable[[str], None]) -> None:
        """Call `send(log result)`, which is base64; with an empty one, at once, unless the tail was asked for.

        What the function wrote before it ended its answer is in a pipe already: what is to happen soon comes before
        the next look at the sockets, so what that puts off comes after it.
        """
        tails = self._tails
        if tails is None:
            send("")
            return
        take = tails.take
        self._clock.call_soon(
            lambda: self._clock.call_soon(lambda: send(base64.b64encode(take(self.request_id)).decode()))
        )

    # --- answers ---

    def head_fields(self) -> bytes:
        return f"x-amzn-requestid: {self.request_id}\r\nx-amzn-trace-id: {self.trace_id}\r\n".encode("latin-1")

    def refuse(self, refusal: RefusalError, note: str = "") -> None:
        """An answer of the door's own. `note` is for the access record, which else shows the type."""
        extra = b"" if self.connection.keep_alive else _CLOSE
        if refusal.reason:
            extra += _RETRY_AFTER
        answer = error_response(
            refusal.status,
            refusal.error_type,
            refusal.message,
            request_id=self.request_id,
            reason=refusal.reason,
            extra=extra,
        )
        self.write(answer)
        self.end(refusal.status, len(answer) - answer.index(b"\r\n\r\n") - 4, note or refusal.error_type)

    def respond(self, status: int, body: bytes, fields: bytes = b"", note: str = "") -> None:
        """A complete answer; `fields` are whole header lines."""
        closing = b"" if self.connection.keep_alive else _CLOSE
        self.write(response(status, _JSON, body, self.head_fields() + fields + closing))
        self.end(status, len(body), note)

    def no_content(self) -> None:
        """204, whose head must not declare a length (RFC 9110 section 8.6)."""
        self.write(status_line(204) + self.head_fields() + self.connection.end_of_head)
        self.end(204, 0, "")

    def write(self, data: bytes) -> None:
        if not self.gone:
            self.connection.write(data)

    def end(self, status: int, sent: int, note: str) -> None:
        """The answer is complete."""
        if self._tails is not None:
            self._tails.take(self.request_id)
        if not self.gone:
            self.gone = True
            self.connection.finish()
        self._on_end(status, sent, note or self.note)

    def client_left(self) -> None:
        self.gone = True
        self.note = "client left"
