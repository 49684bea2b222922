"""In-process mode as a process: an event loop of its own, the app's life from import to lifespan shutdown, signals."""

import asyncio
import gc
import io
import os
import signal
import socket
import sys
import threading
from collections.abc import Mapping
from typing import Any, Final

from penstock_adapter.app_errors import exit_code
from penstock_adapter.app_interface import as_asgi
from penstock_adapter.asgi_exchange import AsgiMode
from penstock_adapter.asgi_post import post_empty
from penstock_adapter.asgi_scope import ScopeMaker
from penstock_adapter.asgi_types import App
from penstock_adapter.endpoint import Endpoint, OptionError
from penstock_adapter.event_loop import new_event_loop
from penstock_adapter.handler import load_handler
from penstock_adapter.init_error import InitError, report_init_error, stack_of
from penstock_adapter.internal_extension import hold_registration
from penstock_adapter.lifespan import Lifespan
from penstock_adapter.options import Options, read_options
from penstock_adapter.output import Output
from penstock_adapter.request_context import name_in_log_records, set_up_logging
from penstock_adapter.runtime_client import RuntimeClient
from penstock_adapter.snapstart import pass_snapshot
from penstock_adapter.stall_watch import DEFAULT_STALL_S, StallWatch

# Between SIGTERM and SIGKILL the runtime has 300 ms, or 500 ms with internal extensions alone; the whole shutdown has
# 2 s. https://github.com/aws-samples/graceful-shutdown-with-aws-lambda
# Invocations in hand get the first part of it (assumed), so that something is left for the lifespan's shutdown.
DRAIN_S: Final = 0.15
SHUTDOWN_S: Final = 2.0
# An app's threads may hang at the end: they get this long to end, and then the process goes without them.
LEAVE_S: Final = 2.0


def run(environ: Mapping[str, str], api: Endpoint, registration: socket.socket | None) -> int:
    """Runs the app to its end; returns the exit code. `registration` is the socket of `send_registration`."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # what the app prints belongs to the request that it is printed in
    try:
        options = read_options(environ)
    except OptionError as error:
        report_init_error(InitError("Runtime.ConfigInvalid", str(error)), api, Output())
        return 1
    output = Output(options.log_level, as_json=options.log_as_json)
    set_up_logging(environ.get("AWS_LAMBDA_LOG_LEVEL", ""), as_json=options.log_as_json)
    name_in_log_records()
    process = AsgiProcess(options, output, environ.get("_HANDLER", ""), _stall_s(environ, output))
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        try:
            code = runner.run(process.run(registration))
        except (SystemExit, KeyboardInterrupt) as error:  # of a task that the app has made
            output.error(f"the app ended the process: {type(error).__name__}({error})")
            code = exit_code(error)
        _leave_within(LEAVE_S, code)
    return code


def _stall_s(environ: Mapping[str, str], output: Output) -> float:
    text = environ.get("PENSTOCK_STALL_SECONDS", "")
    try:
        value = float(text or DEFAULT_STALL_S)
    except ValueError:
        value = -1.0
    if 0 <= value < threading.TIMEOUT_MAX:
        return value
    output.warn(f"PENSTOCK_STALL_SECONDS={text!r} counts as {DEFAULT_STALL_S}: expected seconds, or 0 for no watch")
    return DEFAULT_STALL_S


async def _at_once() -> None:
    """Ready."""


def _leave_within(seconds: float, code: int) -> None:
    def leave() -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)

    timer = threading.Timer(seconds, leave)
    timer.daemon = True
    timer.start()


class AsgiProcess:
    """The app that `handler` names, from its import to its end, on the running loop."""

    def __init__(self, options: Options, output: Output, handler: str, stall_s: float = DEFAULT_STALL_S) -> None:
        self._options = options
        self._output = output
        self._handler = handler
        self._stalls = StallWatch(stall_s, output.warn)
        self._client: RuntimeClient | None = None
        self._ended: asyncio.Future[int] | None = None
        self._stopping = False
        self._started = False

    async def run(self, registration: socket.socket | None) -> int:
        """Works until stopped; returns the exit code: 0 after `stop`, 1 when init fails or the platform is lost, the
        app's own when it ends the process.
        """
        loop = asyncio.get_running_loop()
        self._ended = loop.create_future()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        for warning in self._options.warnings:
            self._output.warn(warning)
        registered = asyncio.Event()
        holding = loop.create_task(self._hold(registration, registered))
        try:
            app = self._load()
            lifespan = Lifespan(app, self._output.error)
            starting = loop.create_task(self._start(app, lifespan, registered))
            waited: set[asyncio.Future[Any]] = {starting, self._ended}
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
            if not starting.done():  # told to stop before the first poll
                await self._break_off(starting, lifespan)
                return self._ended.result()
            starting.result()
            return await self._serve(app, lifespan)
        except InitError as error:
            report_init_error(error, self._options.runtime_api, self._output)
            return 1
        finally:
            holding.cancel()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)

    def stop(self) -> None:
        """Polls no more, and ends when the invocations in hand are answered or their time is up; again: at once."""
        client, self._client = self._client, None
        if client is None or self._ended is None:
            self._end(0)
            return
        self._stopping = True
        client.drain(lambda: self._end(0))
        asyncio.get_running_loop().call_later(DRAIN_S, self._end, 0)

    async def _start(self, app: App, lifespan: Lifespan, registered: asyncio.Event) -> None:
        await lifespan.startup()
        self._started = True
        await registered.wait()  # internal extensions may register until the first poll
        if self._options.snap_start:
            try:
                await self._pass_snapshot(app, lifespan)
            except InitError:
                await self._shut_down(lifespan)
                raise

    async def _pass_snapshot(self, app: App, lifespan: Lifespan) -> None:
        options = self._options
        scopes = ScopeMaker(options.rules.base_path, options.app.netloc, lifespan.state)
        # There is no port, and so no readiness to ask for: an app that could not go on has not answered its hook.
        await pass_snapshot(options, lambda path: post_empty(app, scopes, path), _at_once)

    async def _break_off(self, starting: "asyncio.Task[None]", lifespan: Lifespan) -> None:
        starting.cancel()
        await asyncio.wait({starting}, timeout=DRAIN_S)
        if self._started:
            await self._shut_down(lifespan)

    async def _hold(self, registration: socket.socket | None, registered: asyncio.Event) -> None:
        if registration is None:
            registered.set()
            return
        wrong = await hold_registration(registration, self._options.extensions_api, registered.set)
        if wrong and not self._stopping:
            self._output.warn(f"{wrong}; at its end the app gets no SIGTERM")

    def _load(self) -> App:
        try:
            return as_asgi(load_handler(self._handler), self._options.concurrency)
        except InitError:
            raise
        except (Exception, SystemExit) as error:  # of a factory
            raise InitError(type(error).__name__, str(error), stack_of(error)) from error

    async def _serve(self, app: App, lifespan: Lifespan) -> int:
        options = self._options
        mode = AsgiMode(app, options, self._output, lifespan.state, self._end)
        client = RuntimeClient(
            options.runtime_api,
            options.concurrency,
            mode.new_handler,
            self._output,
            self._gone,
            polls_ahead=options.polls_ahead,
            linked=options.linked,
        )
        assert self._ended is not None
        self._stalls.start()
        try:
            if not self._ended.done():
                self._client = client
                gc.freeze()  # what the app made so far lives as long as it: the collector need not look at it again
                client.start()
            return await self._ended
        finally:
            client.close()
            mode.close()
            await self._shut_down(lifespan)
            self._stalls.stop()

    async def _shut_down(self, lifespan: Lifespan) -> None:
        try:
            async with asyncio.timeout(SHUTDOWN_S):
                failure = await lifespan.shutdown()
        except TimeoutError:
            failure = f"not done within {SHUTDOWN_S} s"
        if failure is not None:
            self._output.error(f"the app's lifespan shutdown failed: {failure}")

    def _gone(self, reason: str) -> None:
        self._output.error(reason)
        self._end(1)

    def _end(self, code: int) -> None:
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(code)
