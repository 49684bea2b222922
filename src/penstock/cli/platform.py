"""Where the rooms are joined: from a template to served Function URLs, and back to nothing."""

import asyncio
import gc
import shutil
import socket
import tempfile
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from penstock.agent import Agent
from penstock.cli import workers
from penstock.cli.memory import memory_home
from penstock.cli.reporter import Reporter
from penstock.control_plane import Fleet
from penstock.environment.faults import Fault, FaultPlan
from penstock.environment.spec import EnvironmentSpec
from penstock.function_url import FunctionUrl
from penstock.model.clock import Clock
from penstock.model.errors import StartError, UserError
from penstock.model.function import AuthType, Function
from penstock.model.limits import MIN_INIT_TIMEOUT_S
from penstock.packaging.package import Package, build_package
from penstock.router import Router
from penstock.runtime_api.bandwidth import Bandwidth
from penstock.telemetry.log_writer import LogWriter
from penstock.template import Stack
from penstock.wire.listener import bind

if TYPE_CHECKING:
    from penstock.environment.memory import CgroupHome

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class PlatformSettings:
    """`port` is the first function's, the next function takes the next one; 0 picks free ones. `drain` and
    `init_timeout` in seconds; no `init_timeout` means AWS's rule.
    """

    host: str
    port: int
    cache: Path
    state: Path
    """Logs are kept below it."""
    layers: Mapping[str, Path]
    built: bool
    isolated_network: bool
    namespaces: bool
    drain: float
    init_timeout: float | None = None
    faults: tuple[Fault, ...] = ()
    """Each happens once to each function."""
    bandwidth: Bandwidth | None = None
    """Of each streamed response; as fast as it can be by default."""


@dataclass(frozen=True, slots=True)
class _Served:
    """One function, from its listening socket to its environments."""

    function: Function
    package: Package
    """Kept, because its directories stay on disk only as long as it does."""
    fleet: Fleet
    door: FunctionUrl
    writer: LogWriter
    sock: socket.socket


class Platform:
    def __init__(self, stack: Stack, settings: PlatformSettings, clock: Clock, reporter: Reporter) -> None:
        self._stack = stack
        self._settings = settings
        self._clock = clock
        self._reporter = reporter
        self._agent = Agent(clock)
        self._served: list[_Served] = []
        self._memory_home: CgroupHome | None = None

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
            served.door.stop_draining()

    async def _bring_up(self, work_root: Path) -> None:
        functions = _servable(self._stack, self._reporter)
        sockets = self._bind(functions)
        try:
            packages = await _together(self._package(function) for function in functions)
        except BaseException:
            for sock in sockets:
                sock.close()
            raise
        self._memory_home = memory_home(self._reporter)
        for function, package, sock in zip(functions, packages, sockets, strict=True):
            self._served.append(self._join(function, package, sock, work_root))
        await _together(self._start(served) for served in self._served)
        for served in self._served:
            try:
                await served.door.serve(served.sock)
            except OSError as error:  # another program began to listen meanwhile
                raise self._port_error(served.function, served.sock.getsockname()[1], error) from None

    def _bind(self, functions: tuple[Function, ...]) -> list[socket.socket]:
        """Taken first of all: a port in use is told before anything is installed."""
        settings = self._settings
        sockets: list[socket.socket] = []
        for index, function in enumerate(functions):
            port = settings.port + index if settings.port else 0
            try:
                sockets.append(bind(settings.host, port))
            except (OSError, OverflowError) as error:
                for sock in sockets:
                    sock.close()
                raise self._port_error(function, port, error) from None
        return sockets

    def _port_error(self, function: Function, port: int, error: Exception) -> UserError:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        return UserError(
            f"cannot serve {function.logical_id} at {self._settings.host} port {port}: {why}; "
            "--port takes another one, 0 picks free ones"
        )

    async def _package(self, function: Function) -> Package:
        settings = self._settings
        package = await build_package(
            function,
            cache=settings.cache,
            layers=settings.layers,
            built=settings.built,
            progress=self._reporter.progress,
        )
        for warning in package.warnings:
            self._reporter.warn(warning)
        if package.runtime_root:
            self._tell_memory(function)
        return package

    def _tell_memory(self, function: Function) -> None:
        line = workers.memory_line(function)
        if workers.each_mib(function) < workers.SCARCE_MIB:
            self._reporter.warn(f"{line}, which is little: lower PerExecutionEnvironmentMaxConcurrency")
        else:
            self._reporter.info(line)

    def _join(self, function: Function, package: Package, sock: socket.socket, work_root: Path) -> _Served:
        settings, clock = self._settings, self._clock
        spec = EnvironmentSpec(
            function=function,
            region=self._stack.region,
            account_id=self._stack.account_id,
            task_root=package.task_root,
            opt_root=package.opt_root,
            lang_root=package.lang_root,
            keep_visible=package.keep_visible,
            work_root=work_root,
            isolated_network=settings.isolated_network,
            namespaces=settings.namespaces,
            init_timeout=settings.init_timeout or max(MIN_INIT_TIMEOUT_S, function.timeout_s),
            memory_home=self._memory_home,
            faults=FaultPlan(settings.faults, partial(self._reporter.fault, function.logical_id))
            if settings.faults
            else None,
            runtime_root=package.runtime_root,
            bandwidth=settings.bandwidth,
        )
        router = Router()
        writer = LogWriter(log_path(settings.state, function.logical_id), clock)
        fleet = Fleet(spec, self._agent, router, writer, clock, self._reporter.fleet)
        door = FunctionUrl(function, router, clock, self._stack.region, self._reporter.access)
        return _Served(function, package, fleet, door, writer, sock)

    async def _serve(self, stop: asyncio.Event, on_serving: Callable[[Mapping[str, str]], Awaitable[None]]) -> int:
        urls = {served.function.logical_id: _url(served.sock) for served in self._served}
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

    async def _start(self, served: _Served) -> None:
        try:
            await served.fleet.start()
        except StartError as error:
            self._reporter.failed(served.function.logical_id, error)
            raise

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
        open_requests = sum(served.door.open_requests for served in self._served)
        if self._served:
            self._reporter.stopping(open_requests)
        drain = self._settings.drain
        await asyncio.gather(*(served.door.drain(drain) for served in self._served))
        await asyncio.gather(*(served.fleet.close() for served in self._served))
        await self._agent.close(0.0)
        for served in self._served:
            await served.door.close()
            served.sock.close()
            served.writer.close()


def log_path(state: Path, logical_id: str) -> Path:
    """The log file of a function."""
    return state / "logs" / f"{logical_id}.jsonl"


def _servable(stack: Stack, reporter: Reporter) -> tuple[Function, ...]:
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


def _url(sock: socket.socket) -> str:
    host, port = sock.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else "127.0.0.1" if host == "0.0.0.0" else host
    return f"http://{shown}:{port}/"


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
