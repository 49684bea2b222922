"""One invocation by the API: read the request whole, check it, hand it to the router or to who takes events."""

from typing import TYPE_CHECKING, Final

from penstock.invoke_api.buffered_answer import BufferedAnswer
from penstock.invoke_api.directory import Invocable
from penstock.invoke_api.function_names import FunctionName, not_found, read_function_name, require_here
from penstock.invoke_api.operations import Call, Operation
from penstock.invoke_api.parameters import (
    InvocationType,
    Parameters,
    read_parameters,
    read_payload,
    require_event_size,
    too_large,
)
from penstock.invoke_api.refusal import RefusalError
from penstock.invoke_api.reply import Reply
from penstock.invoke_api.stream_answer import StreamAnswer
from penstock.model import ids
from penstock.model.errors import PlatformError
from penstock.model.invocation import Invocation
from penstock.model.limits import MAX_REQUEST_BYTES
from penstock.telemetry.access import AccessRecord
from penstock.wire.exchange import Discard
from penstock.wire.http_server import HttpConnection
from penstock.wire.sigv4 import SignatureError
from penstock.wire.trace_header import trace_header

if TYPE_CHECKING:
    from penstock.invoke_api.door import InvokeApi

# Text and reason as seen on AWS for a function whose concurrency is used up; those of Managed Instances are
# unpublished: https://docs.aws.amazon.com/lambda/latest/dg/troubleshooting-invocation.html
_THROTTLED: Final = RefusalError(
    429, "TooManyRequestsException", "Rate Exceeded.", reason="ConcurrentInvocationLimitExceeded"
)


class InvokeExchange(Discard):
    """Reads the request; from then on the answer is the sink's."""

    __slots__ = (
        "_answer",
        "_call",
        "_connection",
        "_door",
        "_epoch",
        "_function",
        "_headers",
        "_invocation",
        "_method",
        "_parts",
        "_reply",
        "_size",
        "_started",
        "_target",
    )

    def __init__(self, door: "InvokeApi", connection: HttpConnection, call: Call) -> None:
        self._door = door
        self._connection = connection
        self._call = call
        self._method = connection.method
        self._target = connection.target
        self._headers = connection.headers
        self._parts: list[bytes] = []
        self._size = 0
        self._epoch, self._started = door.clock.epoch(), door.clock.monotonic()
        self._function = ""
        self._invocation: Invocation | None = None
        self._answer: BufferedAnswer | StreamAnswer | None = None
        request_id = ids.request_id()
        trace_id = trace_header(connection.headers, self._epoch, request_id)
        self._reply = Reply(connection, door.clock, self._record, request_id, trace_id)

    # --- the request ---

    def body(self, chunk: bytes) -> None:
        self._size += len(chunk)
        if self._size > MAX_REQUEST_BYTES:
            self._parts = []
            self._connection.keep_alive = False
            self._reply.refuse(too_large(MAX_REQUEST_BYTES))
        else:
            self._parts.append(chunk)

    def end(self) -> None:
        self._epoch, self._started = self._door.clock.epoch(), self._door.clock.monotonic()
        body = b"".join(self._parts)
        self._parts = []
        try:
            self._verify(body)
            self._dispatch(body)
        except SignatureError as error:
            refusal = RefusalError(error.status, error.error_type, error.message)
            self._reply.refuse(refusal, error.hint)
        except RefusalError as refusal:
            self._reply.refuse(refusal)

    def lost(self) -> None:
        answer, invocation = self._answer, self._invocation
        if answer is None or invocation is None:
            self._record(0, 0, "client left before its request was complete")
            return
        answer.client_left()
        if self._door.cancel_on_disconnect and invocation.cancel:
            invocation.cancel(PlatformError("Client.Disconnected", "the client left before its answer was complete"))

    def pause_writing(self) -> None:
        if self._answer:
            self._answer.pause()

    def resume_writing(self) -> None:
        if self._answer:
            self._answer.resume()

    # --- the invocation ---

    def _verify(self, body: bytes) -> None:
        """Raises SignatureError."""
        if self._door.verifier:
            self._door.verifier.verify(
                method=self._method, target=self._target, headers=self._headers, body=body, now=self._epoch
            )

    def _dispatch(self, body: bytes) -> None:
        """Raises RefusalError."""
        operation = self._call.operation
        streaming = operation is Operation.INVOKE_WITH_RESPONSE_STREAM
        parameters = read_parameters(self._headers, streaming=streaming)
        name = read_function_name(self._call.label, self._call.qualifier)
        require_here(name, self._door.region, self._door.account_id)
        invocable = self._door.directory.find(name.name, name.qualifier)
        if invocable is None:
            raise not_found(name, self._door.region, self._door.account_id)
        self._function = invocable.function.logical_id
        payload = read_payload(body)
        if operation is Operation.INVOKE_ASYNC or parameters.invocation_type is InvocationType.EVENT:
            self._accept(invocable, payload, parameters)
        elif parameters.invocation_type is InvocationType.DRY_RUN:
            self._reply.no_content()
        else:
            answer = (StreamAnswer if streaming else BufferedAnswer)(self._reply, invocable.version)
            self._invoke(invocable, name, payload, parameters, answer)

    def _accept(self, invocable: Invocable, payload: bytes, parameters: Parameters) -> None:
        require_event_size(payload)
        reply, events = self._reply, self._door.events
        if events is None:
            raise RefusalError(500, "ServiceException", "asynchronous invocations are not served here")
        if not events.accept(invocable, payload, parameters.client_context, reply.trace_id, reply.request_id):
            reply.refuse(_THROTTLED, "the queue of events is full")
            return
        reply.respond(202, b"")

    def _invoke(
        self,
        invocable: Invocable,
        name: FunctionName,
        payload: bytes,
        parameters: Parameters,
        answer: BufferedAnswer | StreamAnswer,
    ) -> None:
        function, reply = invocable.function, self._reply
        timeout = function.timeout_s
        self._answer = answer
        self._invocation = Invocation(
            request_id=reply.request_id,
            # A function sees the qualifier it was called by.
            function_arn=f"{function.arn}:{name.qualifier}" if name.qualifier else function.arn,
            event=lambda: payload,
            sink=answer,
            deadline=self._started + timeout,
            deadline_ms=int((self._epoch + timeout) * 1000),
            timeout_s=timeout,
            trace_id=reply.trace_id,
            client_context=parameters.client_context,
        )
        if parameters.tail:
            reply.follow(self._door.log_tails)
        if not invocable.router.route(self._invocation):
            reply.refuse(_THROTTLED, invocable.router.note)

    def _record(self, status: int, sent: int, note: str) -> None:
        record = AccessRecord(
            function=self._function,
            method=self._method.decode("latin-1"),
            path=self._target.decode("latin-1").partition("?")[0],
            status=status,
            duration=self._door.clock.monotonic() - self._started,
            sent=sent,
            environment_id=self._invocation.environment_id if self._invocation else "",
            request_id=self._reply.request_id,
            note=note,
        )
        self._door.ended(self, record)
