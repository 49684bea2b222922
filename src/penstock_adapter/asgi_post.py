"""An empty POST to the app in this process: the same hook as `app_post` calls, without a web server."""

import asyncio

from penstock_adapter.asgi_message import read_head
from penstock_adapter.asgi_scope import ScopeMaker
from penstock_adapter.asgi_types import App, Message
from penstock_adapter.http_event import EventKind, HttpRequest
from penstock_adapter.init_error import stack_of
from penstock_adapter.snapstart import HookError


async def post_empty(app: App, scopes: ScopeMaker, path: str) -> int:
    """The status of the answer once the app has returned, background work included. Raises HookError."""
    call = _Call()
    request = HttpRequest(EventKind.PASS_THROUGH, "POST", path, {}, b"", {})
    try:
        await app(scopes.scope(request), call.receive, call.send)
    except Exception as error:
        raise HookError(f"{type(error).__name__}: {error}", stack_of(error)) from error
    if not call.over.is_set():
        raise HookError("ASGI callable returned without completing response.")
    return call.status


class _Call:
    """`receive` and `send` of the one request; `over` once the answer is complete."""

    def __init__(self) -> None:
        self.status = 0
        self.over = asyncio.Event()
        self._requested = False

    async def receive(self) -> Message:
        if not self._requested:
            self._requested = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self.over.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        kind = message["type"]
        expected = "http.response.body" if self.status else "http.response.start"
        if kind != expected or self.over.is_set():
            raise RuntimeError(f"Unexpected ASGI message '{kind}' sent in answer to a SnapStart hook.")
        if not self.status:
            self.status = read_head(message).status
        elif not message.get("more_body", False):
            self.over.set()
