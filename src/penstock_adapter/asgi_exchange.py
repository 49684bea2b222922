"""In-process mode: each invocation is one call of the ASGI app in this very process, answered as it sends.

What the app sends in one turn of the event loop leaves in one write, and the last of it together with the next poll.
https://asgi.readthedocs.io/en/latest/specs/www.html
"""

import asyncio
import sys
import traceback
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final, TypeAlias

from penstock_adapter.asgi_scope import build_scope
from penstock_adapter.http_answer import buffered_answer, error_status_message, repeated_prelude
from penstock_adapter.http_event import EventError, HttpRequest, read_event
from penstock_adapter.invocation import Invocation, env_config
from penstock_adapter.options import InvokeMode, Options
from penstock_adapter.output import Output
from penstock_adapter.request_context import request_id
from penstock_adapter.runtime_client import RuntimeSlot

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

# Bytes the app may send within one turn of the loop before they are written: the mark asyncio and uvicorn use.
_GATHERED_BYTES: Final = 64 * 1024
_TEXT_500: Final = ([(b"content-type", b"text/plain; charset=utf-8")], b"Internal Server Error")

BAD_EVENT: Final = "Runtime.UnmarshalError"
ERROR_STATUS: Final = "Function.ErrorStatusCode"
APP_FAILED: Final = "Function.AppError"


class AsgiMode:
    """What all calls share. `state` is what the lifespan left for `scope["state"]`, None without a lifespan."""

    def __init__(self, app: App, options: Options, output: Output, state: dict[str, object] | None) -> None:
        self.app = app
        self.options = options
        self.output = output
        self.state = state
        self.config = env_config(options.facts)
        self.streaming = options.invoke_mode is InvokeMode.RESPONSE_STREAM

    def new_handler(self, slot: RuntimeSlot) -> "AsgiExchange":
        return AsgiExchange(self, slot)


class AsgiExchange:
    """Hands each of a slot's invocations to a call of its own: what an app does late meets no other request."""

    __slots__ = ("_call", "_mode", "_slot")

    def __init__(self, mode: AsgiMode, slot: RuntimeSlot) -> None:
        self._mode = mode
        self._slot = slot
        self._call: AsgiCall | None = None

    def invoke(self, invocation: Invocation) -> None:
        mode, slot = self._mode, self._slot
        try:
            request = read_event(invocation, mode.options.rules, mode.config)
        except EventError as error:
            slot.post_error(BAD_EVENT, str(error))
            return
        slot.hold()
        self._call = AsgiCall(mode, slot, invocation, request)
        self._call.start()

    def pause(self) -> None:
        if self._call:
            self._call.pause()

    def resume(self) -> None:
        if self._call:
            self._call.resume()

    def abandon(self) -> None:
        if self._call:
            self._call.disconnect()


class AsgiCall:
    """One request: `receive` and `send` as the app knows them."""

    __slots__ = (
        "_body",
        "_complete",
        "_disconnected",
        "_flushing",
        "_gathered",
        "_gone",
        "_headers",
        "_invocation",
        "_loop",
        "_mode",
        "_request",
        "_requested",
        "_resumed",
        "_slot",
        "_started",
        "_status",
        "_streaming",
        "_task",
    )

    def __init__(self, mode: AsgiMode, slot: RuntimeSlot, invocation: Invocation, request: HttpRequest) -> None:
        self._mode = mode
        self._slot = slot
        self._invocation = invocation
        self._request = request
        self._loop = asyncio.get_running_loop()
        self._status = 0
        self._headers: list[tuple[bytes, bytes]] = []
        self._body: list[bytes] = []
        self._gathered = 0
        self._requested = self._started = self._streaming = self._complete = self._gone = self._flushing = False
        self._resumed: asyncio.Future[None] | None = None
        self._disconnected: asyncio.Future[None] | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        # What the app sends before it first waits need not ask the loop for a turn.
        self._flushing = True
        self._task = _start(self._run(), self._loop)
        self._flush()

    # --- from the slot ---

    def pause(self) -> None:
        if self._resumed is None:
            self._resumed = self._loop.create_future()

    def resume(self) -> None:
        waiting, self._resumed = self._resumed, None
        if waiting and not waiting.done():
            waiting.set_result(None)

    def disconnect(self) -> None:
        """Nobody takes the rest of the answer: the app hears it from its next `receive` or `send`."""
        self._gone = True
        self.resume()
        self._tell_disconnect()

    def _tell_disconnect(self) -> None:
        if self._disconnected and not self._disconnected.done():
            self._disconnected.set_result(None)

    # --- from the app ---

    async def receive(self) -> Message:
        if not self._requested:
            self._requested = True
            return {"type": "http.request", "body": self._request.body, "more_body": False}
        if not (self._complete or self._gone):
            if self._disconnected is None:
                self._disconnected = self._loop.create_future()
            await self._disconnected
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if self._gone:
            raise OSError("the client is gone")  # as the standard asks for since spec_version 2.4
        kind = message["type"]
        if not self._status:
            if kind != "http.response.start":
                raise RuntimeError(f"Expected ASGI message 'http.response.start', but got '{kind}'.")
            self._begin(message)
        elif self._complete:
            raise RuntimeError(f"Unexpected ASGI message '{kind}' sent, after response already completed.")
        elif kind != "http.response.body":
            raise RuntimeError(f"Expected ASGI message 'http.response.body', but got '{kind}'.")
        elif self._streaming:
            self._stream(message)
        else:
            self._collect(message)
        if self._resumed is not None:
            await self._resumed

    def _begin(self, message: Message) -> None:
        self._status = message["status"]
        self._headers = [(bytes(name).lower(), bytes(value)) for name, value in message.get("headers", ())]
        self._streaming = self._mode.streaming and self._status not in self._mode.options.error_statuses
        if self._streaming:
            self._slot.begin_stream(repeated_prelude(self._status, self._headers))
            self._flush_soon(0)

    def _stream(self, message: Message) -> None:
        body = message.get("body", b"")
        if body and self._request.method != "HEAD":
            self._slot.send_chunk(bytes(body))
        if message.get("more_body", False):
            self._flush_soon(len(body))
        else:
            self._complete = True
            self._slot.end_stream()
            self._flush_soon(len(body))
            self._tell_disconnect()

    def _collect(self, message: Message) -> None:
        body = message.get("body", b"")
        if body and self._request.method != "HEAD":
            self._body.append(bytes(body))
        if not message.get("more_body", False):
            self._complete = True
            self._answer()
            self._flush_soon(0)
            self._tell_disconnect()

    def _answer(self) -> None:
        body = b"".join(self._body)
        if self._status in self._mode.options.error_statuses:
            self._slot.post_error(ERROR_STATUS, error_status_message(self._status, body))
        else:
            self._slot.post_response(buffered_answer(self._request.kind, self._status, self._headers, body))

    def _flush_soon(self, size: int) -> None:
        """At the end of this turn of the loop, or now when much has gathered."""
        self._gathered += size
        if self._gathered > _GATHERED_BYTES:
            self._gathered = 0
            self._slot.flush()
        elif not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        self._gathered = 0
        self._slot.flush()

    # --- the call itself ---

    async def _run(self) -> None:
        request_id.set(self._invocation.request_id)
        try:
            await self._mode.app(self._scope(), self.receive, self.send)
        except Exception as error:
            self._failed(error)
        else:
            if not (self._complete or self._gone):
                self._unfinished()
        finally:
            self._slot.release()

    def _scope(self) -> dict[str, object]:
        scope = build_scope(self._request, self._mode.options.rules.base_path, self._mode.state)
        scope["aws.event"] = self._request.event
        scope["aws.context"] = self._invocation
        return scope

    def _failed(self, error: Exception) -> None:
        """As uvicorn does: logged with its traceback; a 500 when nothing was sent, else the answer is cut short."""
        if self._gone:
            return
        text = "".join(traceback.format_exception(error))
        self._mode.output.error(f"Exception in ASGI application\n{text}", self._invocation.request_id)
        if not self._status:
            self._internal_server_error()
        elif self._streaming and not self._complete:
            self._slot.fail_stream(APP_FAILED, f"{type(error).__name__}: {error}")
        elif not self._complete:
            self._slot.post_error(APP_FAILED, f"{type(error).__name__}: {error}")

    def _unfinished(self) -> None:
        if not self._status:
            self._mode.output.error("ASGI callable returned without starting response.", self._invocation.request_id)
            self._internal_server_error()
            return
        told = "ASGI callable returned without completing response."
        if self._streaming:
            self._slot.fail_stream(APP_FAILED, told)
        else:
            self._slot.post_error(APP_FAILED, told)

    def _internal_server_error(self) -> None:
        headers, body = _TEXT_500
        self._begin({"status": 500, "headers": headers})
        message = {"body": body}
        if self._streaming:
            self._stream(message)
        else:
            self._collect(message)


if sys.version_info >= (3, 12):

    def _start(work: Any, loop: asyncio.AbstractEventLoop) -> "asyncio.Task[None]":
        """The app runs until it first waits, in this very turn of the loop."""
        return asyncio.Task(work, loop=loop, eager_start=True)

else:

    def _start(work: Any, loop: asyncio.AbstractEventLoop) -> "asyncio.Task[None]":
        return loop.create_task(work)
