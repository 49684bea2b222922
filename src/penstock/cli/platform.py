"""Where the rooms are joined: from a template to served doors, and back to nothing."""

import asyncio
import gc
import shutil
import socket
import ssl
import tempfile
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from penstock.cli.addresses import Addresses, url_of
from penstock.cli.answers import Answers
from penstock.cli.control import ControlServer
from penstock.cli.machine import Machine
from penstock.cli.platform_settings import PlatformSettings
from penstock.cli.reporter import Reporter
from penstock.cli.security import make_tls, make_verifier
from penstock.cli.served import Served, join, package_function
from penstock.environment.environment import Environment
from penstock.function_url import FunctionUrl
from penstock.model.clock import Clock
from penstock.model.errors import StartError, UserError
from penstock.model.function import Function
from penstock.router import Router
from penstock.template import Stack
from penstock.wire.timeouts import Timeouts

if TYPE_CHECKING:
    from penstock.cli.aws_endpoint import AwsEndpoint
    from penstock.wire.sigv4 import Verifier

_T = TypeVar("_T")


class Platform:
    def __init__(self, stack: Stack, settings: PlatformSettings, clock: Clock, reporter: Reporter) -> None:
        self._stack = stack
        self._settings = settings
        self._clock = clock
        self._reporter = reporter
        self._machine: Machine | None = None
        self._verifier: Verifier | None = None
        self._served: list[Served] = []
        self._aws: AwsEndpoint | None = None

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

    @property
    def environments(self) -> frozenset[Environment]:
        """Those that run now."""
        return self._machine.environments if self._machine else frozenset()

    def hurry(self) -> None:
        """Wait no longer for open requests."""
        for served in self._served:
            served.hurry()
        if self._aws:
            self._aws.hurry()

    async def _bring_up(self, work_root: Path) -> None:
        settings = self._settings
        functions = reachable(self._stack, self._reporter, aws_port=settings.aws_port is not None)
        addresses = Addresses(settings.host)
        with_url = [function.logical_id for function in functions if function.url]
        sockets = addresses.bind_in_turn(settings.port, with_url, "--port")
        aws_sock = None if settings.aws_port is None else addresses.bind(settings.aws_port, "the AWS API", "--aws-port")
        try:
            self._verifier = make_verifier(
                functions, self._stack.region, self._stack.account_id, settings, self._reporter
            )
            tls = make_tls(self._stack.region, settings, self._reporter)
            packages = await _together(package_function(one, settings, self._reporter) for one in functions)
        except BaseException:
            addresses.close()
            raise
        machine = self._machine = Machine(
            self._stack.region, self._stack.account_id, settings, self._clock, self._reporter, work_root
        )
        make_door = partial(make_function_url, machine, self._verifier)
        if aws_sock:  # first: it counts what the doors tell
            self._aws = _aws_endpoint(aws_sock, machine, make_door, self._verifier)
        for function, package in zip(functions, packages, strict=True):
            self._served.append(join(machine, function, package, sockets.get(function.logical_id), make_door))
        await _together(self._start(served) for served in self._served)
        if self._aws:
            for served in self._served:
                url = url_of(served.public.sock, settings.scheme) if served.public else None
                self._aws.adopt(served, machine.autoscaler(served.fleet, served.router), url)
            await self._aws.start()
        else:
            for served in self._served:
                machine.autoscaler(served.fleet, served.router)
        await self._listen(addresses, tls)

    async def _start(self, served: Served) -> None:
        try:
            await served.fleet.start()
        except StartError as error:
            self._reporter.failed(served.function.logical_id, error)
            raise

    async def _listen(self, addresses: Addresses, tls: ssl.SSLContext | None) -> None:
        """Last of all, so that nobody is refused while environments start."""
        for served in self._served:
            if served.public:
                sock = served.public.sock
                try:
                    await served.public.door.serve(sock, tls)
                except OSError as error:  # another program began to listen meanwhile
                    raise addresses.refusal(_port(sock), served.function.logical_id, "--port", error) from None
        if self._aws:
            try:
                await self._aws.serve()
            except OSError as error:
                raise addresses.refusal(_port(self._aws.sock), "the AWS API", "--aws-port", error) from None

    async def _serve(self, stop: asyncio.Event, on_serving: Callable[[Mapping[str, str]], Awaitable[None]]) -> int:
        scheme = self._settings.scheme
        urls = {one.function.logical_id: url_of(one.public.sock, scheme) for one in self._served if one.public}
        aws_endpoint = url_of(self._aws.sock) if self._aws else None
        machine = self._machine
        assert machine is not None
        machine.tell_notes()
        self._reporter.serving(urls, self._stack.outputs(urls), aws_endpoint)
        settle_collector()
        scaling = machine.scaling
        control = ControlServer(self._settings.state, Answers(scaling, self._clock, self._reporter).answer)
        if self._settings.control:
            await control.start()
        deciding = asyncio.ensure_future(scaling.run())
        beside = asyncio.ensure_future(on_serving(urls))
        stopped = asyncio.ensure_future(stop.wait())
        given_up = [served.fleet.failed for served in self._served]
        waiting: list[asyncio.Future[Any]] = [stopped, deciding, *given_up]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await _cancel(beside, stopped, deciding)
            await control.close()
        if not deciding.cancelled():
            deciding.result()  # it never ends by itself: a fault of ours
        return self._tell_given_up()

    def _tell_given_up(self) -> int:
        code = 0
        for served in self._served:
            if served.fleet.failed.done():
                self._reporter.failed(served.function.logical_id, served.fleet.failed.result())
                code = 1
        return code

    async def _close(self) -> None:
        """Drain, then end: doors first, so that what is in flight keeps its environment."""
        doors: list[Served | AwsEndpoint] = [*self._served, *([self._aws] if self._aws else [])]
        if doors:
            self._reporter.stopping(sum(door.open_requests for door in doors))
        await asyncio.gather(*(door.drain(self._settings.drain) for door in doors))
        if self._aws:
            await self._aws.stop()
        await asyncio.gather(*(served.fleet.close() for served in self._served))
        if self._machine:
            await self._machine.close()
        for door in doors:
            await door.close()


def _aws_endpoint(
    sock: socket.socket,
    machine: Machine,
    make_door: Callable[[Function, Router], FunctionUrl],
    verifier: "Verifier | None",
) -> "AwsEndpoint":
    """Of which nothing is kept. Imported late: most of the time nobody wants one."""
    from penstock.aws_api.store import Store
    from penstock.cli.aws_endpoint import AwsEndpoint

    return AwsEndpoint(sock, machine, Store(), make_door, verifier)


def settle_collector() -> None:
    """What was made so far lives as long as the process: the collector need not look at it again."""
    gc.collect()
    gc.freeze()
    # A full collection over ten thousand open streams takes a third of a second; what a request makes is freed when
    # it ends, without the collector.
    gc.set_threshold(10_000, 50, 1_000)


def make_function_url(machine: Machine, verifier: "Verifier | None", function: Function, router: Router) -> FunctionUrl:
    settings = machine.settings
    return FunctionUrl(
        function,
        router,
        machine.clock,
        machine.region,
        machine.url_over,
        verifier=verifier,
        hosts=machine.hosts,
        cancel_on_disconnect=settings.cancel_on_disconnect,
        timeouts=Timeouts(),
    )


def reachable(stack: Stack, reporter: Reporter, *, aws_port: bool) -> tuple[Function, ...]:
    """The functions that can be reached. Raises UserError when there is none."""
    for warning in stack.warnings:
        reporter.warn(warning)
    functions = tuple(function for function in stack.functions if function.url or aws_port)
    if not functions:
        raise UserError("no function of this template has a FunctionUrlConfig; --aws-port serves them to AWS clients")
    for function in stack.functions:
        if function not in functions:
            told = "has no FunctionUrlConfig and is not started: nothing could reach it without --aws-port"
            reporter.warn(f"{function.logical_id} {told}")
    return functions


def _port(sock: socket.socket) -> int:
    port: int = sock.getsockname()[1]
    return port


async def _unless(stop: asyncio.Event, work: Coroutine[object, object, None]) -> bool:
    """Wait for `work`; when `stop` comes first, cancel it and return False."""
    working = asyncio.ensure_future(work)
    stopped = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait([stopped, working], return_when=asyncio.FIRST_COMPLETED)
    finally:
        await _cancel(stopped, working)
    if stop.is_set() and working.cancelled():
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
