"""Where the rooms are joined: from a template to served doors, and back to nothing."""

import asyncio
import gc
import shutil
import socket
import ssl
import tempfile
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from penstock.agent import Agent
from penstock.cli.addresses import Addresses, url_of
from penstock.cli.answers import Answers
from penstock.cli.aws_port import AwsPort
from penstock.cli.control import ControlServer
from penstock.cli.memory import cpu_home, memory_home
from penstock.cli.platform_settings import PlatformSettings
from penstock.cli.reporter import Reporter
from penstock.cli.security import make_tls, make_verifier, must_sign
from penstock.cli.served import Joiner, Served, on_access, package_function
from penstock.control_plane.autoscaler import Autoscaler, local_policy
from penstock.control_plane.instances import Instances
from penstock.control_plane.scaling import ScalingLoop
from penstock.control_plane.usage import UsageWatch
from penstock.environment.environment import Environment
from penstock.function_url import FunctionUrl, UrlHosts
from penstock.model.clock import Clock
from penstock.model.errors import StartError, UserError
from penstock.model.function import Function
from penstock.router import Router
from penstock.scaler import policy_of
from penstock.telemetry.log_tail import LogTails
from penstock.template import Stack
from penstock.wire.timeouts import Timeouts

if TYPE_CHECKING:
    from penstock.wire.sigv4 import Verifier

_T = TypeVar("_T")


class Platform:
    def __init__(self, stack: Stack, settings: PlatformSettings, clock: Clock, reporter: Reporter) -> None:
        self._stack = stack
        self._settings = settings
        self._clock = clock
        self._reporter = reporter
        self._instances: dict[str, Instances] = {}
        self._usage = UsageWatch(clock)
        self._hosts = UrlHosts(clock)
        self._log_tails = LogTails()
        self._verifier: Verifier | None = None
        self._served: list[Served] = []
        self._aws_port: AwsPort | None = None

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
        return frozenset(environment for one in self._instances.values() for environment in one.environments)

    def hurry(self) -> None:
        """Wait no longer for open requests."""
        for served in self._served:
            served.hurry()
        if self._aws_port:
            self._aws_port.hurry()

    async def _bring_up(self, work_root: Path) -> None:
        settings = self._settings
        functions = reachable(self._stack, self._reporter, aws_port=settings.aws_port is not None)
        addresses = Addresses(settings.host)
        with_url = [function.logical_id for function in functions if function.url]
        sockets = addresses.bind_in_turn(settings.port, with_url, "--port")
        aws_sock = None if settings.aws_port is None else addresses.bind(settings.aws_port, "the AWS API", "--aws-port")
        try:
            self._verifier = make_verifier(functions, self._stack, settings, self._reporter)
            tls = make_tls(self._stack.region, settings, self._reporter)
            packages = await _together(package_function(one, settings, self._reporter) for one in functions)
        except BaseException:
            addresses.close()
            raise
        memory = memory_home(self._reporter)
        joiner = Joiner(
            self._stack,
            settings,
            self._clock,
            self._reporter,
            self._instances_of,
            work_root,
            memory,
            cpu_home(self._reporter, memory, enforce=settings.enforce_vcpu_share),
            self._log_tails,
            self._make_door,
        )
        for function, package in zip(functions, packages, strict=True):
            self._served.append(joiner.join(function, package, sockets.get(function.logical_id)))
        if aws_sock:
            self._aws_port = self._make_aws_port(aws_sock)
        await _together(self._start(served) for served in self._served)
        await self._listen(addresses, tls)

    def _instances_of(self, function: Function) -> Instances:
        provider = function.capacity_provider
        if provider.arn not in self._instances:
            self._instances[provider.arn] = Instances(
                provider,
                self._stack.region,
                self._clock,
                lambda: Agent(self._clock),
                self._reporter.instance,
                self._settings.launch_delays,
            )
        return self._instances[provider.arn]

    def _make_scaling(self) -> ScalingLoop:
        settings = self._settings
        autoscalers = [
            Autoscaler(
                one.fleet,
                one.router,
                local_policy(policy_of(one.function, settings.scaler), settings.max_environments),
                self._usage,
                self._clock,
                self._reporter.scaling,
            )
            for one in self._served
        ]
        if self._aws_port:
            for autoscaler in autoscalers:
                self._aws_port.add_scalable(autoscaler.fleet.function, autoscaler)
        return ScalingLoop(self._instances.values(), autoscalers, self._usage, self._clock, scaling=settings.scaling)

    def _make_door(self, function: Function, router: Router) -> FunctionUrl:
        return FunctionUrl(
            function,
            router,
            self._clock,
            self._stack.region,
            on_access(self._settings, self._reporter),
            verifier=self._verifier,
            hosts=self._hosts,
            cancel_on_disconnect=self._settings.cancel_on_disconnect,
            timeouts=Timeouts(),
        )

    def _make_aws_port(self, sock: socket.socket) -> AwsPort:
        settings = self._settings
        aws_port = AwsPort(
            sock,
            self._stack,
            settings,
            self._clock,
            self._reporter,
            self._hosts,
            self._log_tails,
            self._verifier if must_sign(settings) else None,
        )
        for served in self._served:
            url = url_of(served.public.sock, settings.scheme) if served.public else None
            aws_port.add(served, url)
        return aws_port

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
        if self._aws_port:
            try:
                await self._aws_port.serve()
            except OSError as error:
                raise addresses.refusal(_port(self._aws_port.sock), "the AWS API", "--aws-port", error) from None

    async def _serve(self, stop: asyncio.Event, on_serving: Callable[[Mapping[str, str]], Awaitable[None]]) -> int:
        scheme = self._settings.scheme
        urls = {one.function.logical_id: url_of(one.public.sock, scheme) for one in self._served if one.public}
        aws_endpoint = url_of(self._aws_port.sock) if self._aws_port else None
        self._tell_notes()
        self._reporter.serving(urls, self._stack.outputs(urls), aws_endpoint)
        # What was made so far lives as long as the process: the collector need not look at it again.
        gc.collect()
        gc.freeze()
        # A full collection over ten thousand open streams takes a third of a second; what a request makes is freed when
        # it ends, without the collector.
        gc.set_threshold(10_000, 50, 1_000)
        scaling = self._make_scaling()
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

    def _tell_notes(self) -> None:
        """What this machine does not allow, once, however many environments met it."""
        notes = dict.fromkeys(note for environment in self.environments for note in environment.notes)
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
        doors: list[Served | AwsPort] = [*self._served, *([self._aws_port] if self._aws_port else [])]
        if doors:
            self._reporter.stopping(sum(door.open_requests for door in doors))
        await asyncio.gather(*(door.drain(self._settings.drain) for door in doors))
        if self._aws_port:
            self._aws_port.close_events()
        await asyncio.gather(*(served.fleet.close() for served in self._served))
        await asyncio.gather(*(one.close() for one in self._instances.values()))
        for door in doors:
            await door.close()


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
