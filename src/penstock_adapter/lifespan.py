"""The lifespan of an ASGI app: started before the first poll, ended after the last answer.

https://asgi.readthedocs.io/en/latest/specs/lifespan.html
"""

import asyncio
import traceback
from collections.abc import Callable
from typing import Final

from penstock_adapter.asgi_types import App, Message
from penstock_adapter.init_error import InitError

STARTUP_FAILED: Final = "Function.StartupFailed"


class StartupError(InitError):
    """The app said that it cannot start. The text is the last line of what it said, mostly a traceback."""

    def __init__(self, said: str) -> None:
        lines = said.strip().splitlines()
        message = lines[-1].strip() if lines else "the app's lifespan startup failed without a message"
        super().__init__(STARTUP_FAILED, message, said.strip().splitlines(keepends=True) if len(lines) > 1 else [])


class Lifespan:
    """`startup` and `shutdown` are each called once. The `scope["state"]` of each request is a copy of `state`.

    `tell` gets a line where the app's lifespan raises after it has begun, which no one else would hear of.
    """

    def __init__(self, app: App, tell: Callable[[str], None] | None = None) -> None:
        self.state: dict[str, object] = {}
        self._app = app
        self._tell_line = tell
        self._events: asyncio.Queue[Message] = asyncio.Queue()
        self._told: asyncio.Future[str | None] | None = None
        self._task: asyncio.Task[None] | None = None
        self._heard = False  # the app has received `lifespan.startup`

    async def startup(self) -> bool:
        """Whether the app has a lifespan: one without raises of itself, which is no error. Raises StartupError."""
        self._task = asyncio.get_running_loop().create_task(self._run())
        failure = await self._ask("lifespan.startup")
        if failure is not None:
            raise StartupError(failure)
        return not self._task.done()

    async def shutdown(self) -> str | None:
        """What the app said of a shutdown that failed; None when all is well."""
        if self._task is None or self._task.done():
            return None
        failure = await self._ask("lifespan.shutdown")
        await self._task
        return failure

    async def _ask(self, event: str) -> str | None:
        """None when the app said that it is done, or ended; else its reason."""
        self._told = asyncio.get_running_loop().create_future()
        self._events.put_nowait({"type": event})
        return await self._told

    async def _run(self) -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self.state}
        try:
            await self._app(scope, self._receive, self._send)
        except (SystemExit, KeyboardInterrupt) as error:
            self._tell(f"{traceback.format_exc()}the app ended the process: {type(error).__name__}({error})")
        except Exception:  # as uvicorn's `auto` takes it: an app that knows no lifespan says so this way
            if self._heard and self._tell_line is not None and self._told is not None:
                self._tell_line(f"the app's lifespan raised, and is over\n{traceback.format_exc()}")
            self._tell(None)
        else:
            self._tell(None)

    async def _receive(self) -> Message:
        message = await self._events.get()
        self._heard = True
        return message

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
