"""The adapter as a whole, in proxy mode: registration, readiness and the slots, on one event loop."""

import asyncio
import socket
from collections.abc import Coroutine
from functools import partial

from penstock_adapter.app_connection import AppPool
from penstock_adapter.app_post import post_empty
from penstock_adapter.extension import stay_registered
from penstock_adapter.init_error import InitError, report_init_error
from penstock_adapter.options import Options
from penstock_adapter.output import Output
from penstock_adapter.proxy import Proxy
from penstock_adapter.readiness import ASYNC_INIT_S, wait_until_ready
from penstock_adapter.registration import RegistrationError
from penstock_adapter.runtime_client import RuntimeClient
from penstock_adapter.snapstart import pass_snapshot
from penstock_adapter.standby import StandBy


class Adapter:
    """`registration` is the socket of `send_registration`; the adapter owns it from here on. With `stand_by` another
    process may poll in its place.
    """

    def __init__(
        self, options: Options, registration: socket.socket, output: Output, stand_by: StandBy | None = None
    ) -> None:
        self._options = options
        self._registration = registration
        self._output = output
        self._stand_by = stand_by
        self._proxy = Proxy(options)
        new_handler = self._proxy.new_handler
        self._client = RuntimeClient(
            options.runtime_api,
            options.concurrency,
            new_handler,
            output,
            self._fail,
            polls_ahead=options.polls_ahead,
            linked=options.linked,
        )
        self._exit: asyncio.Future[int] | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = False
        self._started = False

    async def run(self) -> int:
        """Works until stopped; returns the exit code: 0 after `stop`, 1 when the platform or the app is lost.

        Cancelling it closes everything.
        """
        loop = asyncio.get_running_loop()
        self._exit = loop.create_future()
        for warning in self._options.warnings:
            self._output.warn(warning)
        self._spawn(self._register())
        self._spawn(self._become_ready())
        try:
            if self._stopping:
                self._finish(0)
            return await self._exit
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            self._client.close()
            self._proxy.pool.close()
            self._registration.close()
            if self._stand_by is not None:
                self._stand_by.close()

    def stop(self) -> None:
        """Polls no more and ends when the invocations in hand are answered. A second call ends at once."""
        if self._stopping or not self._started:
            self._finish(0)
        self._stopping = True
        if self._started:
            self._client.drain(lambda: self._finish(0))

    def _spawn(self, work: Coroutine[object, object, None]) -> "asyncio.Task[None]":
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.append(task)
        task.add_done_callback(self._check)
        return task

    def _check(self, task: "asyncio.Task[None]") -> None:
        """A fault of ours must end the process rather than leave it half alive."""
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._fail(f"{type(error).__name__}: {error}")

    async def _register(self) -> None:
        try:
            await stay_registered(self._registration, self._options.extensions_api)
        except RegistrationError as error:
            self._fail(str(error))

    async def _become_ready(self) -> None:
        timeout_s = ASYNC_INIT_S if self._options.async_init else None
        if self._stand_by is not None:
            await self._stand_by.until_ours(lambda: self._spawn(self._await_app()), timeout_s)
        else:
            await asyncio.wait({self._spawn(self._await_app())}, timeout=timeout_s)
        if self._options.snap_start and not await self._pass_snapshot():
            return
        if not self._stopping:
            self._started = True
            self._client.start()

    async def _await_app(self) -> None:
        check = self._options.readiness
        try:
            await wait_until_ready(self._options.app.host, check, self._output)
        except TimeoutError:
            self._fail(f"the app was not ready within {check.timeout_s} seconds")
            return
        self._proxy.app_is_ready()

    async def _pass_snapshot(self) -> bool:
        """Whether this is a restored environment with a working app; if not, the end has begun."""
        if self._exit is None or self._exit.done():  # the app never became ready
            return False
        options = self._options
        app = options.app
        ready = partial(wait_until_ready, app.host, options.readiness, self._output)
        try:
            await pass_snapshot(options, lambda path: post_empty(AppPool(app, 0.0), app, path), ready)
        except InitError as error:
            await asyncio.to_thread(report_init_error, error, options.runtime_api, self._output)
            self._finish(1)
            return False
        return True

    def _fail(self, reason: str) -> None:
        if not self._stopping and self._exit is not None and not self._exit.done():
            self._output.error(reason)
            self._finish(1)

    def _finish(self, code: int) -> None:
        if self._exit is not None and not self._exit.done():
            self._exit.set_result(code)
