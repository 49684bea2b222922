"""One call of the app: `receive` and `send` as it knows them, and what becomes of an app that fails.

What the app sends in one turn of the event loop leaves in one write, and the last of it together with the next poll.
https://asgi.readthedocs.io/en/latest/specs/www.html; errors as uvicorn words them.
"""

import asyncio
import sys
import traceback
from collections.abc import Callable
from contextvars import Context
from typing import TYPE_CHECKING, Any, Final, Protocol

from penstock_adapter.app_errors import ClientGoneError, exit_code, tells_of_disconnect
from penstock_adapter.asgi_answer import BODILESS, BufferedAnswer
from penstock_adapter.asgi_message import read_body, read_head
from penstock_adapter.asgi_types import App, Message
from penstock_adapter.http_event import HttpRequest
from penstock_adapter.options import Options
from penstock_adapter.output import Output
from penstock_adapter.request_context import request_id
from penstock_adapter.runtime_slot import RuntimeSlot

if TYPE_CHECKING:
    from collections.abc import Coroutine

# Bytes the app may send within one turn of the loop before they are written: the mark asyncio and uvicorn use.
_GATHERED_BYTES: Final = 64 * 1024
# What a chunk weighs beyond its bytes while it waits: its frame, and the object that holds it (measured on CPython).
_CHUNK_WEIGHT: Final = 64
_ERROR_HEADERS: Final = [(b"content-type", b"text/plain; charset=utf-8")]

APP_FAILED: Final = "Function.AppError"


class CallMode(Protocol):
    """What a call needs of the mode: see `asgi_exchange.AsgiMode`."""

    app: App
    options: Options
    output: Output
    streaming: bool
    context: Context
    on_exit: Callable[[int], None] | None


class AsgiCall:
    """One request. The slot is told `release` when the app is done with it, background work included."""

    __slots__ = (
        "_bodiless",
        "_buffered",
        "_complete",
        "_flushing",
        "_gathered",
        "_gone",
        "_length",
        "_loop",
        "_mode",
        "_must_yield",
        "_over",
        "_request",
        "_request_id",
        "_requested",
        "_resumed",
        "_slot",
        "_started",
        "_task",
    )

    def __init__(self, mode: CallMode, slot: RuntimeSlot, request: HttpRequest, invocation_id: str) -> None:
        self._mode = mode
        self._slot = slot
        self._request = request
        self._request_id = invocation_id
        self._loop = asyncio.get_running_loop()
        self._buffered: BufferedAnswer | None = None
        self._length: int | None = None  # what is still to come of the content-length the app announced
        self._gathered = 0
        self._requested = self._started = self._bodiless = self._complete = self._gone = False
        self._flushing = self._must_yield = False
        self._resumed: asyncio.Event | None = None
        self._over: asyncio.Event | None = None  # made for whoever waits for the disconnect
        self._task: asyncio.Task[None] | None = None

    def start(self, scope: dict[str, object]) -> None:
        # What the app sends before it first waits asks for no turn of the loop.
        self._flushing = True
        self._task = _start(self._run(scope), self._loop, self._mode.context.copy())
        self._flush()

    # --- from the slot ---

    def pause(self) -> None:
        if self._resumed is None:
            self._resumed = asyncio.Event()

    def resume(self) -> None:
        waiting, self._resumed = self._resumed, None
        if waiting is not None:
            waiting.set()

    def disconnect(self) -> None:
        """Nobody takes the rest of the answer: the app hears it from its next `receive` or `send`."""
        self._drop_buffered()
        self._leave()

    def cancel(self) -> None:
        """The process ends."""
        self.disconnect()
        if self._task is not None:
            self._task.cancel()

    def _leave(self) -> None:
        self._gone = True
        self.resume()
        self._tell_over()

    def _drop_buffered(self) -> None:
        if self._buffered is not None:
            self._buffered.drop()

    def _tell_over(self) -> None:
        if self._over is not None:
            self._over.set()

    # --- from the app ---

    async def receive(self) -> Message:
        if not (self._complete or self._gone):
            if not self._requested:
                self._requested = True
                return {"type": "http.request", "body": self._request.body, "more_body": False}
            if self._over is None:
                self._over = asyncio.Event()
            await self._over.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        kind = message["type"]
        if self._complete:
            raise RuntimeError(f"Unexpected ASGI message '{kind}' sent, after response already completed.")
        if self._gone:
            raise ClientGoneError("the client is gone")
        if self._started:
            if kind != "http.response.body":
                raise RuntimeError(f"Expected ASGI message 'http.response.body', but got '{kind}'.")
            self._send_body(read_body(message), more=message.get("more_body", False))
        else:
            if kind != "http.response.start":
                raise RuntimeError(f"Expected ASGI message 'http.response.start', but got '{kind}'.")
            self._begin(message)
        if self._resumed is not None and not self._complete:
            await self._resumed.wait()
        elif self._must_yield:  # an app that waits for nothing else must not keep the other slots from their turn
            self._must_yield = False
            await asyncio.sleep(0)

    def _begin(self, message: Message) -> None:
        mode, request = self._mode, self._request
        status, headers, length, prelude = read_head(message)
        self._bodiless = request.method == "HEAD" or status in BODILESS
        self._length = None if self._bodiless else length
        self._started = True
        if mode.streaming and status not in mode.options.error_statuses:
            self._slot.begin_stream(prelude)
            self._flush_soon(0)
        else:
            self._buffered = BufferedAnswer(self._slot, mode.options, request, status, headers, self.pause, self.resume)

    def _send_body(self, body: bytes, *, more: bool) -> None:
        if self._bodiless:
            body = b""
        if self._length is not None:
            if len(body) > self._length:
                raise RuntimeError("Response content longer than Content-Length")
            self._length -= len(body)
        if body and not self._deliver(body):
            return
        if more:
            return
        if self._length:
            raise RuntimeError("Response content shorter than Content-Length")
        self._complete = True
        if self._buffered is None:
            self._slot.end_stream()
        else:
            self._buffered.end()
        self._flush_soon(0)
        self._tell_over()

    def _deliver(self, body: bytes) -> bool:
        """False when there is no use in going on."""
        if self._buffered is None:
            self._slot.send_chunk(body)
            self._flush_soon(len(body) + _CHUNK_WEIGHT)
        elif not self._buffered.add(body):
            self._flush_soon(0)
            self.disconnect()
            return False
        return True

    def _flush_soon(self, weight: int) -> None:
        """At the end of this turn of the loop, or now when much has gathered."""
        self._gathered += weight
        if self._gathered > _GATHERED_BYTES:
            self._gathered = 0
            self._must_yield = True
            self._slot.flush()
        elif not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        self._gathered = 0
        self._slot.flush()

    # --- the call itself ---

    async def _run(self, scope: dict[str, object]) -> None:
        request_id.set(self._request_id)
        try:
            returned: object = await self._mode.app(scope, self.receive, self.send)  # type: ignore[func-returns-value]
        except GeneratorExit:
            raise
        except BaseException as error:  # a call that cancels itself is a failed one too
            self._failed(error)
        else:
            self._ended(returned)
        finally:
            self._leave()  # whatever the app has left running sends nothing into the next invocation
            self._slot.release()

    def _failed(self, error: BaseException) -> None:
        """As uvicorn does: logged with its traceback; a 500 when nothing was sent, else the answer is cut short."""
        if self._gone and tells_of_disconnect(error):
            return
        if isinstance(error, SystemExit | KeyboardInterrupt) and self._mode.on_exit is not None:
            code = error.code if isinstance(error, SystemExit) else 1
            self._mode.output.error(f"the app ended the process: {type(error).__name__}({code})", self._request_id)
            self._mode.on_exit(exit_code(error))
            return
        text = "".join(traceback.format_exception(error))
        self._mode.output.error(f"Exception in ASGI application\n{text}", self._request_id)
        self._cut_short(f"{type(error).__name__}: {error}")

    def _ended(self, returned: object) -> None:
        if returned is not None:
            self._tell(f"ASGI callable should return None, but returned {type(returned).__name__}.")
        if self._complete or self._gone:
            return
        told = f"ASGI callable returned without {'completing' if self._started else 'starting'} response."
        if not self._started:
            self._tell(told)
        self._cut_short(told)

    def _tell(self, message: str) -> None:
        self._mode.output.error(message, self._request_id)

    def _cut_short(self, reason: str) -> None:
        """There is no more to come of an answer, or nothing at all."""
        if self._complete or self._gone:
            return
        if not self._started:
            self._begin({"status": 500, "headers": _ERROR_HEADERS})
            self._send_body(b"Internal Server Error", more=False)
            return
        self._complete = True
        if self._buffered is None:
            self._slot.fail_stream(APP_FAILED, reason)
        else:
            self._drop_buffered()
            self._slot.post_error(APP_FAILED, reason)


def _start(
    work: "Coroutine[Any, Any, None]", loop: asyncio.AbstractEventLoop, context: Context
) -> "asyncio.Task[None]":
    if sys.version_info >= (3, 12):  # the app runs until it first waits, in this very turn of the loop
        return asyncio.Task(work, loop=loop, context=context, eager_start=True)
    return asyncio.Task(work, loop=loop, context=context)
