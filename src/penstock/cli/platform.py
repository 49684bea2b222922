"""Where the rooms are joined: from a template to served doors, and back to nothing."""

import asyncio
import gc
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from penstock.agent import Agent
from penstock.cli.addresses import Addresses, url_of
from penstock.cli.memory import memory_home
from penstock.cli.platform_settings import PlatformSettings
from penstock.cli.reporter import Reporter
from penstock.cli.served import Joiner, Served, package_function
from penstock.function_url import FunctionUrl
from penstock.model.clock import Clock
from penstock.model.errors import StartError, UserError
from penstock.model.function import AuthType, Function
from penstock.router import Router
from penstock.template import Stack

_T = TypeVar("_T")


class Platform:
    def __init__(self, stack: Stack, settings: PlatformSettings, clock: Clock, reporter: Reporter) -> None:
        self._stack = stack
        self._settings = settings
        self._clock = clock
        self._reporter = reporter
        self._agent = Agent(clock)
        self._served: list[Served] = []

    async def run(self, stop: asyncio.Event, on_serving: Callable[[Mapping[str, str]], Awaitable[None]]) -> int:
        """Bring everything up, serve until `stop` is set or a function is given up, take everything down.

        Returns the exit code: 0, or 1 when a function cannot start. Raises UserError for bad input. `on_serving`
        is awaited beside serving, with the URLs by logical id.
        """
        work_root = Path(tempfile.mkdtemp(prefix="penstock-"))
        try:
            if not await _unless(stop, self._bring_up(work_root)):
                return 0
            return await self._serve(stop, on_serving)
        except StartError:
            return 1  # told where it was met
        finally:
            await self._close()
            shutil.rmtree(work_root, ignore_errors=True)

    def hurry(self) -> None:
        """Wait no longer for open requests."""
        for served in self._served:
            served.hurry()

    async def _bring_up(self, work_root: Path) -> None:
        functions = reachable(self._stack, self._reporter)
        addresses = Addresses(self._settings.host)
        with_url = [function.logical_id for function in functions if function.url]
        sockets = addresses.bind_in_turn(self._settings.port, with_url, "--port")
        try:
            packages = await _together(package_function(one, self._settings, self._reporter) for one in functions)
        except BaseException:
            addresses.close()
            raise
        joiner = Joiner(
            self._stack,
            self._settings,
            self._clock,
            self._reporter,
            self._agent,
            work_root,
            memory_home(self._reporter),
            self._make_door,
        )
        for function, package in zip(functions, packages, strict=True):
            self._served.append(joiner.join(function, package, sockets.get(function.logical_id)))
        await _together(self._start(served) for served in self._served)
        await self._listen(addresses)

    def _make_door(self, function: Function, router: Router) -> FunctionUrl:
        return FunctionUrl(function, router, self._clock, self._stack.region, self._reporter.access)

    async def _start(self, served: Served) -> None:
        try:
            await served.fleet.start()
        except StartError as error:
            self._reporter.failed(served.function.logical_id, error)
            raise

    async def _listen(self, addresses: Addresses) -> None:
        """Last of all, so that nobody is refused while environments start."""
        for served in self._served:
            if served.public:
                sock = served.public.sock
                try:
                    await served.public.door.serve(sock)
                except OSError as error:  # another program began to listen meanwhile
                    port = sock.getsockname()[1]
                    raise addresses.refusal(port, served.function.logical_id, "--port", error) from None

    async def _serve(self, stop: asyncio.Event, on_serving: Callable[[Mapping[str, str]], Awaitable[None]]) -> int:
        urls = {one.function.logical_id: url_of(one.public.sock) for one in self._served if one.public}
        self._tell_notes()
        self._reporter.serving(urls, self._stack.outputs(urls))
        # What was made so far lives as long as the process: the collector need not look at it again.
        gc.collect()
        gc.freeze()
        beside = asyncio.ensure_future(on_serving(urls))
        stopped = asyncio.ensure_future(stop.wait())
        given_up = [served.fleet.failed for served in self._served]
        waiting: list[asyncio.Future[Any]] = [stopped, *given_up]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await _cancel(beside, stopped)
        return self._tell_given_up()

    def _tell_notes(self) -> None:
        """What this machine does not allow, once, however many environments met it."""
        notes = dict.fromkeys(note for environment in self._agent.environments for note in environment.notes)
        for note in notes:
            self._reporter.warn(note)

    def _tell_given_up(self) -> int:
        code = 0
        for served in self._served:
            if served.fleet.failed.done():
                self._reporter.failed(served.function.logical_id, served.fleet.failed.result())
                code = 1
        return code

    async def _close(self) -> None:
        """Drain, then end: doors first, so that what is in flight keeps its environment."""
        if self._served:
            self._reporter.stopping(sum(served.open_requests for served in self._served))
        await asyncio.gather(*(served.drain(self._settings.drain) for served in self._served))
        await asyncio.gather(*(served.fleet.close() for served in self._served))
        await self._agent.close(0.0)
        for served in self._served:
            await served.close()


def reachable(stack: Stack, reporter: Reporter) -> tuple[Function, ...]:
    """The functions that can be reached. Raises UserError when there is none, or one cannot be served as it says."""
    for warning in stack.warnings:
        reporter.warn(warning)
    for function in stack.functions:
        if function.url and function.url.auth_type is AuthType.AWS_IAM:
            raise UserError(
                f"{function.logical_id}: FunctionUrlConfig AuthType AWS_IAM is not checked yet, so the function is not "
                "served; AuthType NONE is",
                function.place,
            )
        if function.url is None:
            reporter.warn(f"{function.logical_id} has no FunctionUrlConfig and is not started: nothing could reach it")
        elif function.url.cors:
            reporter.warn(f"{function.logical_id}: FunctionUrlConfig Cors is not applied yet")
    functions = tuple(function for function in stack.functions if function.url)
    if not functions:
        raise UserError("no function of this template has a FunctionUrlConfig")
    return functions


async def _unless(stop: asyncio.Event, work: Coroutine[object, object, None]) -> bool:
    """Wait for `work`; when `stop` comes first, cancel it and return False."""
    working = asyncio.ensure_future(work)
    stopped = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait([stopped, working], return_when=asyncio.FIRST_COMPLETED)
    finally:
        await _cancel(stopped, working)
    if working.cancelled():
        return False
    working.result()
    return True


async def _together(work: Iterable[Coroutine[object, object, _T]]) -> list[_T]:
    """All results, in order; on the first exception the others are cancelled and waited for."""
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        return await asyncio.gather(*tasks)
    finally:
        await _cancel(*tasks)


async def _cancel(*futures: "asyncio.Future[Any]") -> None:
    for future in futures:
        future.cancel()
    await asyncio.gather(*futures, return_exceptions=True)
