"""`penstock up`: run a template until Ctrl-C."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import uvloop

from penstock.cli import settings
from penstock.cli.clock import LoopClock
from penstock.cli.open_files import raise_limit
from penstock.cli.platform import Platform
from penstock.cli.platform_settings import PlatformSettings
from penstock.cli.reporter import Reporter
from penstock.cli.scaler_options import scaler_settings
from penstock.environment.faults import Fault
from penstock.runtime_api.bandwidth import Bandwidth
from penstock.scaler import LaunchDelays
from penstock.template import Stack, load_stack


@dataclass(frozen=True, slots=True)
class UpOptions:
    """The command line, checked; see `penstock up --help`."""

    template: Path
    stack_name: str
    host: str
    port: int
    parameters: Mapping[str, str]
    env_vars: Mapping[str, Mapping[str, str]] | None
    layers: Mapping[str, Path]
    min_environments: int | None
    isolated_network: bool
    namespaces: bool
    drain: float
    init_timeout: float | None
    faults: tuple[Fault, ...] = ()
    bandwidth: Bandwidth | None = None
    aws_port: int | None = None
    https: bool = False
    keys: Path | None = None
    cancel_on_disconnect: bool = False
    async_retry_delay: float = 60.0
    access_log: bool = True
    scaling: bool = True
    max_environments: int | None = None
    launch_delays: LaunchDelays = field(default_factory=LaunchDelays.none)
    scale_in: float = 300.0
    enforce_vcpu_share: bool = True


async def _nothing(urls: Mapping[str, str]) -> None:
    pass


def up(
    options: UpOptions,
    reporter: Reporter,
    on_serving: Callable[[Mapping[str, str]], Awaitable[None]] = _nothing,
) -> int:
    """Run until a signal; the exit code. Raises UserError for bad input."""
    stack = load_stack(
        options.template,
        stack_name=options.stack_name,
        parameters=options.parameters,
        env_vars=options.env_vars,
        min_environments=options.min_environments,
        memory=settings.cache_folder() / "transforms",
    )
    raise_limit()
    try:
        return uvloop.run(_run(stack, options, reporter, on_serving))
    finally:
        reporter.close()


async def _run(
    stack: Stack,
    options: UpOptions,
    reporter: Reporter,
    on_serving: Callable[[Mapping[str, str]], Awaitable[None]],
) -> int:
    loop = asyncio.get_running_loop()
    platform = Platform(stack, platform_settings(options), LoopClock(loop), reporter)
    stop = asyncio.Event()

    def ask_to_stop() -> None:
        if stop.is_set():
            platform.hurry()
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ask_to_stop)
    return await platform.run(stop, on_serving)


def platform_settings(options: UpOptions) -> PlatformSettings:
    """Makes the folder for the logs as well."""
    state = settings.state_folder(options.template, options.stack_name)
    state.mkdir(parents=True, exist_ok=True)
    ignore = state.parent / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n")
    return PlatformSettings(
        host=options.host,
        port=options.port,
        cache=settings.cache_folder(),
        state=state,
        layers=options.layers,
        built=settings.is_built(options.template),
        isolated_network=options.isolated_network,
        namespaces=options.namespaces,
        enforce_vcpu_share=options.enforce_vcpu_share,
        drain=options.drain,
        init_timeout=options.init_timeout,
        faults=options.faults,
        bandwidth=options.bandwidth,
        aws_port=options.aws_port,
        https=options.https,
        keys=options.keys,
        cancel_on_disconnect=options.cancel_on_disconnect,
        async_retry_delay=options.async_retry_delay,
        access_log=options.access_log,
        scaling=options.scaling,
        max_environments=options.max_environments,
        launch_delays=options.launch_delays,
        scaler=scaler_settings(options.scale_in),
    )
