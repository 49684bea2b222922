"""In-process mode: each invocation is one call of the ASGI app in this very process, answered as it sends."""

from collections.abc import Callable
from contextvars import copy_context
from typing import Final

from penstock_adapter.asgi_call import AsgiCall
from penstock_adapter.asgi_scope import ScopeMaker
from penstock_adapter.asgi_types import App, Message, Receive, Send
from penstock_adapter.forbidden import forbid
from penstock_adapter.http_event import EventError, load_event, read_request
from penstock_adapter.invocation import Invocation, env_config
from penstock_adapter.lambda_context import LambdaContext
from penstock_adapter.options import InvokeMode, Options
from penstock_adapter.output import Output
from penstock_adapter.runtime_slot import RuntimeSlot

__all__ = ["App", "AsgiExchange", "AsgiMode", "Message", "Receive", "Send"]

BAD_EVENT: Final = "Runtime.UnmarshalError"


class AsgiMode:
    """What all calls share. `state` is what the lifespan left for `scope["state"]`, None for an app without one.

    `on_exit` is called with an exit code when the app ends the process (SystemExit, KeyboardInterrupt); without it,
    that is an error like any other.
    """

    def __init__(
        self,
        app: App,
        options: Options,
        output: Output,
        state: dict[str, object] | None,
        on_exit: Callable[[int], None] | None = None,
    ) -> None:
        self.app = app
        self.options = options
        self.output = output
        self.on_exit = on_exit
        self.streaming = options.invoke_mode is InvokeMode.RESPONSE_STREAM
        # Each call runs in a copy of this: what one request sets, no other may ever see.
        self.context = copy_context()
        self.config = env_config(options.facts)
        self.scopes = ScopeMaker(options.rules.base_path, options.app.netloc, state)
        self._exchanges: list[AsgiExchange] = []

    def new_handler(self, slot: RuntimeSlot) -> "AsgiExchange":
        exchange = AsgiExchange(self, slot)
        self._exchanges.append(exchange)
        return exchange

    def close(self) -> None:
        """Tells the calls that still run that their clients are gone, and cancels them."""
        for exchange in self._exchanges:
            exchange.close()


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
            event = load_event(invocation)
            request = read_request(event, invocation, mode.options.rules, mode.config)
        except EventError as error:
            slot.post_error(BAD_EVENT, str(error))
            return
        if mode.options.hooks.covers(request.target):
            forbid(slot, request, streaming=mode.streaming)
            return
        scope = mode.scopes.scope(request)
        scope["aws.event"] = event
        scope["aws.context"] = LambdaContext(invocation, mode.options.facts)
        slot.hold()
        self._call = AsgiCall(mode, slot, request, invocation.request_id)
        if slot.paused:
            self._call.pause()
        self._call.start(scope)

    def pause(self) -> None:
        if self._call:
            self._call.pause()

    def resume(self) -> None:
        if self._call:
            self._call.resume()

    def abandon(self) -> None:
        if self._call:
            self._call.disconnect()

    def close(self) -> None:
        if self._call:
            self._call.cancel()
