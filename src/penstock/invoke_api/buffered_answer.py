"""The sink of Invoke: the function's whole answer, then the response."""

from typing import Final

from penstock.invoke_api.error_body import UNHANDLED, error_body
from penstock.invoke_api.refusal import RefusalError
from penstock.invoke_api.reply import Reply
from penstock.model.errors import FunctionError, InvocationError
from penstock.model.invocation import Source
from penstock.model.limits import MAX_BUFFERED_RESPONSE_BYTES

_TOO_LARGE: Final = FunctionError(
    "Function.ResponseSizeTooLarge",
    f"Response payload size exceeded maximum allowed payload size ({MAX_BUFFERED_RESPONSE_BYTES} bytes).",
)
_FUNCTION_ERROR: Final = f"x-amz-function-error: {UNHANDLED}\r\n"


class BufferedAnswer:
    """A `Sink`. What a streaming function writes is collected as well, its prelude with the rest.

    A client that goes away does not stop the function, as on AWS. Nothing needs to pause: an answer is bounded.
    """

    __slots__ = ("_over", "_parts", "_reply", "_size", "_version")

    def __init__(self, reply: Reply, version: str) -> None:
        self._reply = reply
        self._version = version
        self._parts: list[bytes] = []
        self._size = 0
        self._over = False

    # --- the client's side ---

    def client_left(self) -> None:
        self._reply.client_left()
        self._parts = []

    def pause(self) -> None: ...
    def resume(self) -> None: ...

    # --- the function's side (Sink) ---

    def begin(self, content_type: str, *, streaming: bool, source: Source) -> None: ...

    def write(self, chunk: bytes) -> None:
        if self._over:
            return
        self._size += len(chunk)
        if self._size > MAX_BUFFERED_RESPONSE_BYTES:
            self.fail(_TOO_LARGE)  # a stream may be longer; what it still writes is dropped
        elif not self._reply.gone:
            self._parts.append(chunk)

    def finish(self) -> None:
        if not self._over:
            self._over = True
            self._send(b"".join(self._parts))

    def fail(self, error: InvocationError) -> None:
        if self._over:
            return
        self._over = True
        self._parts = []
        if isinstance(error, FunctionError):
            self._send(error_body(error, self._reply.request_id), error)
        else:
            self._reply.refuse(RefusalError(500, "ServiceException", str(error)), str(error))

    def _send(self, body: bytes, error: FunctionError | None = None) -> None:
        def send(log_result: str) -> None:
            fields = f"x-amz-executed-version: {self._version}\r\n"
            if error:
                fields += _FUNCTION_ERROR
            if log_result:
                fields += f"x-amz-log-result: {log_result}\r\n"
            self._reply.respond(200, body, fields.encode(), str(error) if error else "")

        self._reply.when_logged(send)
