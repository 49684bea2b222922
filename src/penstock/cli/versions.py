"""Runs published versions of functions: the `Host` of the Lambda service."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from penstock.cli.machine import Machine
from penstock.cli.served import Served, log_path, package_function
from penstock.control_plane.autoscaler import Autoscaler
from penstock.control_plane.scaling_config import ScalingConfig
from penstock.function_url import FunctionUrl
from penstock.model.capacity import VersionState
from penstock.model.errors import StartError, UserError
from penstock.model.function import CapacityProvider, Function
from penstock.placement import NoRoom
from penstock.router import Router
from penstock.telemetry.log_writer import LogWriter

if TYPE_CHECKING:
    from penstock.control_plane import Fleet
    from penstock.packaging.package import Package

# StateReasonCode for what an environment could not start with.
# https://docs.aws.amazon.com/lambda/latest/api/API_FunctionConfiguration.html (StateReasonCode); which of its values
# AWS gives to which fault is assumed.
_CODES: Final = {
    "Extension": "FunctionError.ExtensionInitError",
    "Runtime.InvalidEntrypoint": "FunctionError.InvalidEntryPoint",
    "Runtime.InvalidWorkingDir": "FunctionError.InvalidWorkingDirectory",
    "Runtime.OutOfMemory": "FunctionError.InitResourceExhausted",
    "Runtime": "FunctionError.RuntimeInitError",
    "Sandbox.Timedout": "FunctionError.InitTimeout",
}
# In the words of StateReasonCode already.
_PLACEMENT: Final = frozenset(("InsufficientCapacity", *(reason.value for reason in NoRoom)))
_CREATING: Final = ("Creating", "The function is being created.")


class RunningVersion:
    """One version from the moment it was asked for. Implements `Running`, and `Scalable` for what may be said of it
    before its environments are there.
    """

    def __init__(self, function: Function, machine: Machine, writer: LogWriter) -> None:
        self.function = function
        self.router = Router()
        self._machine = machine
        self._writer = writer
        self._config = ScalingConfig(function.min_environments, function.max_environments)
        self._package: Package | None = None  # its directories stay on disk only as long as it does
        self._fleet: Fleet | None = None
        self._autoscaler: Autoscaler | None = None
        self._error: StartError | UserError | None = None
        self._coming = asyncio.get_running_loop().create_task(self._come_up())

    # --- Running ---

    @property
    def state(self) -> str:
        if self.error is not None:
            return VersionState.FAILED.value
        return VersionState.PENDING.value if self._fleet is None else self._fleet.state.value

    @property
    def reason(self) -> tuple[str, str] | None:
        error = self.error
        if error is None:
            return _CREATING if self.state == VersionState.PENDING else None
        if isinstance(error, UserError):
            return "FunctionError", error.message
        return failure_code(error.error_type), str(error)

    @property
    def error(self) -> StartError | UserError | None:
        """Why it cannot run."""
        if self._error is None and self._fleet is not None and self._fleet.failed.done():
            return self._fleet.failed.result()
        return self._error

    @property
    def scalable(self) -> "RunningVersion | Autoscaler":
        return self._autoscaler or self

    # --- Scalable, before there is a fleet ---

    @property
    def applied(self) -> ScalingConfig:
        return self._config

    @property
    def requested(self) -> ScalingConfig | None:
        return None

    def put(self, config: ScalingConfig) -> None:
        self._config = config

    # --- its life ---

    async def _come_up(self) -> None:
        machine, function = self._machine, self.function
        try:
            self._package = await package_function(function, machine.settings, machine.reporter)
            config = self._config
            function = replace(function, min_environments=config.minimum, max_environments=config.maximum)
            self._fleet = machine.fleet(function, self._package, self.router, self._writer)
            await self._fleet.start()
            self._autoscaler = machine.autoscaler(self._fleet, self.router)
            if self._config != config:  # said meanwhile
                self._autoscaler.put(self._config)
        except StartError as error:
            self._error = error
            machine.reporter.failed(f"{function.name}:{function.version}", error)
            await self._end()
        except UserError as error:
            self._error = error
            machine.reporter.warn(f"{function.name}:{function.version} cannot start: {error}")

    async def retire(self) -> None:
        """Take no more requests, and end when the open ones are over."""
        self._coming.cancel()
        await asyncio.gather(self._coming, return_exceptions=True)
        await self._end()

    async def _end(self) -> None:
        if self._autoscaler is not None:
            self._machine.scaling.autoscalers.remove(self._autoscaler)
            self._autoscaler = None
        if self._fleet is not None:
            await self._fleet.retire()

    async def stop(self) -> None:
        """At once. Environments that run are the machine's to end."""
        self._coming.cancel()
        await asyncio.gather(self._coming, return_exceptions=True)
        if self._fleet is not None:
            await self._fleet.close()

    def configure(self, provider: CapacityProvider) -> None:
        """The capacity provider says something else from now on."""
        self.function = replace(self.function, capacity_provider=provider)
        if self._autoscaler is not None:
            self._machine.reconfigure(self._autoscaler, provider)


@dataclass(frozen=True, slots=True)
class _Handle:
    """What the Lambda service holds of a version."""

    version: RunningVersion
    versions: "Versions"

    @property
    def router(self) -> Router:
        return self.version.router

    @property
    def state(self) -> str:
        return self.version.state

    @property
    def reason(self) -> tuple[str, str] | None:
        return self.version.reason

    @property
    def scalable(self) -> RunningVersion | Autoscaler:
        return self.version.scalable

    def retire(self) -> None:
        self.versions.retire(self.version)


@dataclass(frozen=True, slots=True)
class ServedUrl:
    """A Function URL that is reached by its host."""

    address: str
    door: FunctionUrl
    versions: "Versions"

    def point_at(self, function: Function, router: Router) -> None:
        self.door.point_at(self.versions.as_run(function), router)

    def remove(self) -> None:
        self.versions.remove_url(self)


@dataclass(frozen=True, slots=True)
class AdoptedVersion:
    """A version that runs from a template: it ends with the platform."""

    served: Served
    autoscaler: Autoscaler

    @property
    def router(self) -> Router:
        return self.served.router

    @property
    def state(self) -> str:
        return self.served.fleet.state.value

    @property
    def reason(self) -> tuple[str, str] | None:
        failed = self.served.fleet.failed
        return (failure_code(failed.result().error_type), str(failed.result())) if failed.done() else None

    @property
    def scalable(self) -> Autoscaler:
        return self.autoscaler

    def retire(self) -> None:
        """Nobody asks for that: the API does not change such a function."""


@dataclass(frozen=True, slots=True)
class AdoptedUrl:
    """Its Function URL, at a port of its own."""

    address: str

    def point_at(self, function: Function, router: Router) -> None:
        """Nobody asks for that either."""

    def remove(self) -> None: ...


class Versions:
    """`make_door` makes a Function URL's door; `port` is where all of them are reached."""

    def __init__(self, machine: Machine, make_door: Callable[[Function, Router], FunctionUrl], port: int) -> None:
        self._machine = machine
        self._make_door = make_door
        self._port = port
        self._running: set[RunningVersion] = set()
        self._writers: dict[str, LogWriter] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._urls: set[ServedUrl] = set()

    # --- Host ---

    def run(self, function: Function) -> _Handle:
        version = RunningVersion(self.as_run(function), self._machine, self._writer(function.name))
        self._running.add(version)
        return _Handle(version, self)

    def open_url(self, function: Function, router: Router) -> ServedUrl:
        door = self._make_door(function, router)
        url = ServedUrl(f"http://{door.identity.domain_name}:{self._port}/", door, self)
        self._urls.add(url)
        return url

    def configure(self, provider: CapacityProvider) -> None:
        self._machine.instances_of(provider)
        for version in self._running:
            if version.function.capacity_provider.arn == provider.arn:
                version.configure(provider)

    # --- ---

    def as_run(self, function: Function) -> Function:
        """With the least number of environments that the command line asks for."""
        least = self._machine.settings.min_environments
        return function if least is None else replace(function, min_environments=least)

    def _writer(self, name: str) -> LogWriter:
        """One for all versions of a function: they share its log group."""
        if name not in self._writers:
            self._writers[name] = LogWriter(log_path(self._machine.settings.state, name), self._machine.clock)
        return self._writers[name]

    def retire(self, version: RunningVersion) -> None:
        self._keep(self._retire(version))

    async def _retire(self, version: RunningVersion) -> None:
        await version.retire()
        self._running.discard(version)

    def remove_url(self, url: ServedUrl) -> None:
        self._machine.hosts.remove(url.door.identity.url_id)
        self._urls.discard(url)

    def _keep(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    # --- the end ---

    @property
    def open_requests(self) -> int:
        return sum(url.door.open_requests for url in self._urls)

    async def drain(self, seconds: float) -> None:
        """Take no more requests at the Function URLs and let the open ones end, at most so long."""
        await asyncio.gather(*(url.door.drain(seconds) for url in self._urls))

    def hurry(self) -> None:
        for url in self._urls:
            url.door.stop_draining()

    async def stop(self) -> None:
        """Begin nothing more. Environments that run are the machine's to end."""
        for task in list(self._ending):
            task.cancel()
        await asyncio.gather(*self._ending, return_exceptions=True)
        await asyncio.gather(*(version.stop() for version in self._running))

    async def close(self) -> None:
        """After the environments: what is still open is broken."""
        await asyncio.gather(*(url.door.close() for url in self._urls))
        for writer in self._writers.values():
            writer.close()


def failure_code(error_type: str) -> str:
    """The StateReasonCode of a version that could not start."""
    if error_type in _PLACEMENT:
        return error_type
    family = error_type.partition(".")[0]
    return _CODES.get(error_type) or _CODES.get(family) or "FunctionError"
