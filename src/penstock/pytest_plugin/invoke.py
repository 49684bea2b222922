"""An invocation without HTTP, as the Invoke API makes one: an event in, a payload out."""

import asyncio
from dataclasses import dataclass

import orjson

from penstock.invoke_api.error_body import UNHANDLED, error_body
from penstock.model.errors import FunctionError, InvocationError, ThrottleError
from penstock.model.invocation import Source
from penstock.model.limits import MAX_BUFFERED_RESPONSE_BYTES


@dataclass(frozen=True, slots=True)
class InvokeAnswer:
    """What a caller of Invoke gets: https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html

    `function_error` is empty when the function succeeded; else `payload` is the error as JSON.
    """

    status_code: int
    payload: bytes
    request_id: str
    function_error: str = ""

    def json(self) -> object:
        """The payload, read. Raises ValueError when it is not JSON, as that of a stream."""
        value: object = orjson.loads(self.payload)
        return value


class EventSink:
    """A `Sink` that collects the whole answer; what a streaming function writes as well, its prelude with the rest."""

    def __init__(self, request_id: str) -> None:
        self.request_id = request_id
        self._parts: list[bytes] = []
        self._size = 0
        self._answered: asyncio.Future[InvokeAnswer] = asyncio.get_running_loop().create_future()

    async def answer(self) -> InvokeAnswer:
        return await self._answered

    def throttled(self) -> InvokeAnswer:
        """Every slot was busy."""
        return InvokeAnswer(429, ThrottleError().body, self.request_id)

    def begin(self, content_type: str, *, streaming: bool, source: Source) -> None: ...

    def write(self, chunk: bytes) -> None:
        self._size += len(chunk)
        if self._size > MAX_BUFFERED_RESPONSE_BYTES:
            self._parts = []
        else:
            self._parts.append(chunk)

    def finish(self) -> None:
        if self._size > MAX_BUFFERED_RESPONSE_BYTES:
            limit = MAX_BUFFERED_RESPONSE_BYTES
            message = f"Response payload size exceeded maximum allowed payload size ({limit} bytes)."
            self.fail(FunctionError("Function.ResponseSizeTooLarge", message))
        else:
            self._set(InvokeAnswer(200, b"".join(self._parts), self.request_id))

    def fail(self, error: InvocationError) -> None:
        body = error_body(error, self.request_id)
        if isinstance(error, FunctionError):
            self._set(InvokeAnswer(200, body, self.request_id, UNHANDLED))
        else:
            self._set(InvokeAnswer(500, body, self.request_id))

    def _set(self, answer: InvokeAnswer) -> None:
        if not self._answered.done():
            self._answered.set_result(answer)
