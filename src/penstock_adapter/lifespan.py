"""The lifespan of an ASGI app: started before the first poll, ended after the last answer.

https://asgi.readthedocs.io/en/latest/specs/lifespan.html
"""

import asyncio

from penstock_adapter.asgi_exchange import App, Message


class StartupError(Exception):
    """The app said that it cannot start; the text is what it said, mostly a traceback."""


class Lifespan:
    """`startup` and `shutdown` are each called once. The `scope["state"]` of each request is a copy of `state`."""

    def __init__(self, app: App) -> None:
        self.state: dict[str, object] = {}
        self._app = app
        self._events: asyncio.Queue[Message] = asyncio.Queue()
        self._told: asyncio.Future[str | None] | None = None
        self._task: asyncio.Task[None] | None = None

    async def startup(self) -> bool:
        """Whether the app has a lifespan: one without raises of itself, which is no error. Raises StartupError."""
        self._task = asyncio.get_running_loop().create_task(self._run())
        failure = await self._ask("lifespan.startup")
        if failure is not None:
            raise StartupError(failure)
        return not self._task.done()

    async def shutdown(self) -> None:
        """What goes wrong now is for the app to tell."""
        if self._task and not self._task.done():
            await self._ask("lifespan.shutdown")
            await self._task

    async def _ask(self, event: str) -> str | None:
        """None when the app said that it is done, or ended; else its reason."""
        self._told = asyncio.get_running_loop().create_future()
        self._events.put_nowait({"type": event})
        return await self._told

    async def _run(self) -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self.state}
        try:
            await self._app(scope, self._events.get, self._send)
        except Exception:  # as uvicorn's `auto` takes it: an app that knows no lifespan says so this way
            self._tell(None)
        else:
            self._tell(None)

    async def _send(self, message: Message) -> None:
        kind = message["type"]
        if kind in ("lifespan.startup.failed", "lifespan.shutdown.failed"):
            self._tell(message.get("message", ""))
        elif kind in ("lifespan.startup.complete", "lifespan.shutdown.complete"):
            self._tell(None)
        else:
            raise RuntimeError(f"Unexpected ASGI message '{kind}' in a lifespan.")

    def _tell(self, failure: str | None) -> None:
        if self._told and not self._told.done():
            self._told.set_result(failure)
