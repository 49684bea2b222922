"""One function as it is served: its package, its environments, its log and its Function URL."""

import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from penstock.cli import workers
from penstock.cli.machine import Machine
from penstock.cli.platform_settings import PlatformSettings
from penstock.cli.reporter import Reporter
from penstock.control_plane import Fleet
from penstock.function_url import FunctionUrl
from penstock.model.function import Function
from penstock.packaging import adapter_layer
from penstock.packaging.package import Package, build_package
from penstock.router import Router
from penstock.telemetry.log_writer import LogWriter


@dataclass(frozen=True, slots=True)
class Public:
    """A function's own listening socket and the door behind it."""

    door: FunctionUrl
    sock: socket.socket


@dataclass(frozen=True, slots=True)
class Served:
    """`public` is None for a function without a Function URL: the Invoke API alone reaches it."""

    function: Function
    package: Package
    """Kept, because its directories stay on disk only as long as it does."""
    router: Router
    fleet: Fleet
    writer: LogWriter
    public: Public | None

    @property
    def open_requests(self) -> int:
        return self.public.door.open_requests if self.public else 0

    async def drain(self, seconds: float) -> None:
        """Take no more requests and let the open ones end, at most so long."""
        if self.public:
            await self.public.door.drain(seconds)

    def hurry(self) -> None:
        """Wait no longer for open requests."""
        if self.public:
            self.public.door.stop_draining()

    async def close(self) -> None:
        """After its environments: what is still open is broken."""
        if self.public:
            await self.public.door.close()
            self.public.sock.close()
        self.writer.close()


def join(
    machine: Machine,
    function: Function,
    package: Package,
    sock: socket.socket | None,
    make_door: Callable[[Function, Router], FunctionUrl],
) -> Served:
    """Everything of one function, not started."""
    router = Router()
    writer = LogWriter(log_path(machine.settings.state, function.logical_id), machine.clock)
    public = Public(make_door(function, router), sock) if sock else None
    fleet = machine.fleet(function, package, router, writer)
    return Served(function, package, router, fleet, writer, public)


async def package_function(function: Function, settings: PlatformSettings, reporter: Reporter) -> Package:
    """Bring the function's code, layers and interpreter onto the disk. Raises UserError."""
    package = await build_package(
        function,
        cache=settings.cache,
        layers=settings.layers,
        built=settings.built,
        progress=reporter.progress,
    )
    for warning in package.warnings:
        reporter.warn(warning)
    if package.runtime_root and not adapter_layer.is_named(function):
        _tell_memory(function, reporter)
    return package


def _tell_memory(function: Function, reporter: Reporter) -> None:
    line = workers.memory_line(function)
    if workers.each_mib(function) < workers.SCARCE_MIB:
        reporter.warn(f"{line}, which is little: lower PerExecutionEnvironmentMaxConcurrency")
    else:
        reporter.info(line)


def log_path(state: Path, logical_id: str) -> Path:
    """The log file of a function."""
    return state / "logs" / f"{logical_id}.jsonl"
