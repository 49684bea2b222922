"""The AWS-compatible port: a request to any service becomes a call of its operation, and the answer goes back."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path
from typing import Final, cast

from penstock.aws_api.protocol.answers import Reply, write_answer
from penstock.aws_api.protocol.codec import Asked, Codec
from penstock.aws_api.protocol.errors import write_error
from penstock.aws_api.protocol.head import Form, Head, bucket_in_host, read_head
from penstock.aws_api.protocol.intake import MAX_OBJECT_BYTES, Intake
from penstock.aws_api.protocol.models import Models
from penstock.aws_api.protocol.sending import Flow, respond, send
from penstock.aws_api.protocol.shapes import ServiceModel
from penstock.aws_api.protocol.signatures import verify
from penstock.aws_api.protocol.wording import bad_signature, fault, no_room, unknown_operation
from penstock.aws_api.service import Answer, Context, Dispatcher, ServiceError
from penstock.invoke_api.refusal import RefusalError
from penstock.model import ids
from penstock.model.clock import Clock
from penstock.wire.exchange import DISCARD, Discard, Exchange
from penstock.wire.http_messages import response
from penstock.wire.http_server import HttpConnection
from penstock.wire.signature_errors import SignatureError, missing
from penstock.wire.sigv4 import Verifier

_TEXT: Final = b"text/plain; charset=utf-8"


class AwsDoor:
    """Serves what `dispatcher` offers at the moment. It stands behind `guarded`, as every door of the port must.

    With a `verifier`, which takes any service and region, each request must be signed. `cache` is a folder for pruned
    service models and for large bodies while they are handled. `on_fault` is told in one line of what went wrong here.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        clock: Clock,
        region: str,
        account_id: str,
        *,
        cache: Path,
        verifier: Verifier | None = None,
        on_fault: Callable[[str], None] = lambda text: None,
        max_object_bytes: int = MAX_OBJECT_BYTES,
    ) -> None:
        self._dispatcher = dispatcher
        self._clock = clock
        self._region = region
        self._account_id = account_id
        self._verifier = verifier
        self._on_fault = on_fault
        self._max_object_bytes = max_object_bytes
        self._cache = cache
        self._models = Models(cache)
        self._codecs: dict[str, Codec] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._about = f"AWS-compatible endpoint of Penstock: region {region}, account {account_id}\n".encode()

    # --- one request ---

    def open_exchange(self, connection: HttpConnection) -> Exchange:
        head = read_head(connection)
        if head.method in ("GET", "HEAD") and head.target == "/" and not head.service:
            connection.respond(response(200, _TEXT, self._about, self._extra()))  # somebody looks what is here
            return DISCARD
        exchange = _Call(self, connection, head, ids.request_id())
        try:
            exchange.intake = self._intake(head)
        except ServiceError as error:
            exchange.refuse(error)
            return DISCARD
        return exchange

    def _intake(self, head: Head) -> Intake:
        """Raises ServiceError."""
        with suppress(OSError):  # small bodies do without the folder
            self._cache.mkdir(parents=True, exist_ok=True)
        hashed = self._verifier is not None
        return Intake(head, self._cache, max_object_bytes=self._max_object_bytes, hashed=hashed)

    def start(self, call: "_Call", head: Head, intake: Intake) -> None:
        """The request is complete."""
        call.task = asyncio.get_running_loop().create_task(self._serve(call, head, intake))
        self._tasks.add(call.task)
        call.task.add_done_callback(self._tasks.discard)
        call.task.add_done_callback(lambda _: intake.close())

    async def _serve(self, call: "_Call", head: Head, intake: Intake) -> None:
        try:
            reply = await self._reply(call, head, intake)
            call.sending = True
            if call.flow.gone:
                await _drop(reply)
            else:
                await send(call.flow, reply, self._extra(), lambda error: self._tell(head, "", error))
        except asyncio.CancelledError:
            call.cut()
            raise
        except Exception as error:  # nothing was sent yet: what is sent later has its errors in it
            self._tell(head, "", error)
            call.refuse(fault(head.form))

    async def _reply(self, call: "_Call", head: Head, intake: Intake) -> Reply:
        model: ServiceModel | None = None
        form = head.form
        try:
            self._verify(head, intake)
            service, model, asked = self._read(head, intake)
            if self._verifier is not None and not head.signed_service and not asked.operation.unsigned:
                raise bad_signature(form, missing())
            return await self._call(call, head, service, model, asked)
        except (ServiceError, RefusalError) as error:
            return write_error(form, model, as_service_error(error), call.request_id)

    async def _call(self, call: "_Call", head: Head, service: str, model: ServiceModel, asked: Asked) -> Reply:
        operation = asked.operation
        try:
            answer = await self._dispatcher.call(service, operation.name, asked.params, self._context(call, head))
            return write_answer(head.form, model, operation, cast("Answer", answer or {}), call.request_id)
        except (ServiceError, RefusalError):
            raise
        except Exception as error:
            self._tell(head, f"{service}.{operation.name}", error)
            raise fault(head.form) from None

    def _read(self, head: Head, intake: Intake) -> tuple[str, ServiceModel, Asked]:
        """Raises ServiceError."""
        service = head.service
        codec = self._codec(service) if service in self._dispatcher.services else None
        asked = codec.read(head.form, head, intake.file) if codec else None
        if codec is None or asked is None:
            known = ", ".join(sorted(self._dispatcher.services)) or "nothing"
            raise unknown_operation(head.form, head.wanted(intake.content()), service, known)
        return service, codec.model, asked

    def _codec(self, service: str) -> Codec:
        found = self._codecs.get(service)
        if found is None:
            offered = frozenset(self._dispatcher.services[service].operations)
            found = self._codecs[service] = Codec(self._models.load(service, offered), offered)
        return found

    def _verify(self, head: Head, intake: Intake) -> None:
        """Raises ServiceError. What is not signed is looked at again when its operation is known."""
        if self._verifier is None or not head.signed_service:
            return
        try:
            verify(self._verifier, intake, self._clock.epoch())
        except SignatureError as error:
            raise bad_signature(head.form, error, linked=head.linked) from None

    def _context(self, call: "_Call", head: Head) -> Context:
        host = head.field(b"host")
        bucket = bucket_in_host(head.host) if head.form is Form.S3 else ""
        scheme = "https" if call.flow.connection.transport.get_extra_info("sslcontext") else "http"
        return Context(
            region=head.region or self._region,
            account_id=self._account_id,
            request_id=call.request_id,
            endpoint=f"{scheme}://{host[len(bucket) + 1 :] if bucket else host}",
            access_key_id=head.access_key_id,
        )

    def _extra(self) -> bytes:
        return f"date: {formatdate(self._clock.epoch(), usegmt=True)}\r\n".encode()

    def _tell(self, head: Head, what: str, error: Exception) -> None:
        place = what or f"{head.service or 'a request'} {head.wanted(b'')}".strip()
        text = " ".join(str(error).split())
        self._on_fault(f"{place}: {type(error).__name__}: {text}"[:1000])

    def refusal(self, head: Head, error: ServiceError | OSError, request_id: str) -> tuple[Reply, bytes]:
        """An answer of the door's own, and header lines for it."""
        if isinstance(error, OSError):
            self._tell(head, "", error)
            error = no_room(head.form)
        return write_error(head.form, None, error, request_id), self._extra()

    # --- all of them ---

    @property
    def open_requests(self) -> int:
        return len(self._tasks)

    async def drain(self) -> None:
        """Returns when the requests under way have been answered; streams of events may never be."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    async def close(self) -> None:
        """Ends what is still under way: answers are cut, and their sources told."""
        tasks = set(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Call(Discard):
    """Takes the body, and stands for the client until its answer is complete."""

    def __init__(self, door: AwsDoor, connection: HttpConnection, head: Head, request_id: str) -> None:
        self._door = door
        self._head = head
        self.request_id = request_id
        self.flow = Flow(connection)
        self.intake: Intake | None = None
        self.task: asyncio.Task[None] | None = None
        self.sending = False

    def body(self, chunk: bytes) -> None:
        if self.intake is not None:
            try:
                self.intake.feed(chunk)
            except (ServiceError, OSError) as error:
                self.refuse(error)

    def end(self) -> None:
        intake = self.intake
        if intake is None:
            return
        try:
            head = intake.finish(self.flow.connection.trailers)
        except (ServiceError, OSError) as error:
            self.refuse(error)
            return
        self.intake = None
        if not head.service:
            head = replace(head, known=head.service_with(intake.content()))
        self._door.start(self, head, intake)

    def refuse(self, error: ServiceError | OSError) -> None:
        """What still arrives of the request is thrown away, and the connection closes."""
        self._drop_intake()
        self.flow.connection.keep_alive = False
        reply, extra = self._door.refusal(self._head, error, self.request_id)
        respond(self.flow, reply, extra)

    def cut(self) -> None:
        """There will be no answer, or no more of it."""
        if not self.flow.gone:
            self.flow.connection.cut(framed=not self.flow.connection.http_1_0)

    def lost(self) -> None:
        """An operation goes on, as on AWS; what is being sent ends."""
        self._drop_intake()
        self.flow.leave()
        if self.sending and self.task is not None:
            self.task.cancel()

    def pause_writing(self) -> None:
        self.flow.pause()

    def resume_writing(self) -> None:
        self.flow.resume()

    def _drop_intake(self) -> None:
        if self.intake is not None:
            self.intake.close()
            self.intake = None


def as_service_error(error: ServiceError | RefusalError) -> ServiceError:
    """A refusal of the invocation doors, in the form of a service's."""
    if isinstance(error, ServiceError):
        return error
    members = {"Reason": error.reason} if error.reason else {}
    return ServiceError(error.error_type, error.message, error.status, members)


async def _drop(reply: Reply) -> None:
    """Nobody is there to take it: its source is told."""
    close = getattr(getattr(reply.body, "events", None), "aclose", None)
    if close is not None:
        await close()
