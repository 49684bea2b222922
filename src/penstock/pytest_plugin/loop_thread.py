"""An event loop in a thread of its own, so that a test without `async` can wait for what happens there."""

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable, Coroutine
from typing import Final, TypeVar

from penstock_adapter.event_loop import new_event_loop

T = TypeVar("T")

_END_S: Final = 5.0


class LoopThread:
    """Runs until `close`. The loop is the one the adapter has on Lambda."""

    def __init__(self) -> None:
        self._loop = new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="lambda_app", daemon=True)
        self._thread.start()

    def call(self, work: Coroutine[object, object, T], timeout: float | None = None) -> T:
        """The result of `work`. Raises what it raises, and TimeoutError when the loop did not get to it in time, as
        when something blocks it; RuntimeError after `close`.
        """
        if self._loop.is_closed():
            work.close()
            raise RuntimeError("the test that this client belongs to is over")
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(timeout)
        except concurrent.futures.TimeoutError:
            if future.done():  # its own
                raise
            future.cancel()
            raise TimeoutError("the app's event loop did not come back in time: does something block it?") from None

    def soon(self, callback: Callable[[], object]) -> None:
        """Runs `callback` in the loop, without waiting for it; after `close` nothing is left to run it for."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(callback)

    def close(self) -> None:
        """Cancels what still runs. A loop that is blocked for good is left to the end of the process."""
        try:
            self.call(_cancel_others(self._loop), _END_S)
        except TimeoutError:
            return
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_END_S)
        if not self._thread.is_alive():
            self._loop.close()


async def _cancel_others(loop: asyncio.AbstractEventLoop) -> None:
    others = asyncio.all_tasks(loop) - {asyncio.current_task(loop)}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await loop.shutdown_asyncgens()
    await loop.shutdown_default_executor()
