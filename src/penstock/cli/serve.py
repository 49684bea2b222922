"""`penstock serve`: an AWS-compatible endpoint that takes deployments, until Ctrl-C."""

import asyncio
import contextlib
import shutil
import signal
import socket
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import uvloop

from penstock.aws_api.store import Store
from penstock.cli.addresses import Addresses, url_of
from penstock.cli.answers import Answers
from penstock.cli.aws_endpoint import AwsEndpoint
from penstock.cli.clock import LoopClock
from penstock.cli.control import ControlServer
from penstock.cli.keys import load_keys, make_keys
from penstock.cli.machine import Machine
from penstock.cli.open_files import raise_limit
from penstock.cli.platform import make_function_url, settle_collector
from penstock.cli.platform_settings import PlatformSettings
from penstock.cli.reporter import Reporter
from penstock.cli.security import SERVICE, must_sign
from penstock.wire.sigv4 import Verifier


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """`settings.aws_port` is where it serves. `keep`: the folder `settings.state` outlives the process."""

    settings: PlatformSettings
    region: str
    account_id: str
    keep: bool


def serve(options: ServeOptions, reporter: Reporter) -> int:
    """Run until a signal; the exit code. Raises UserError for bad input."""
    raise_limit()
    try:
        return uvloop.run(_run(options, reporter))
    finally:
        reporter.close()
        if not options.keep:
            shutil.rmtree(options.settings.state, ignore_errors=True)


async def _run(options: ServeOptions, reporter: Reporter) -> int:
    server = _Server(options, reporter)
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()

    def ask_to_stop() -> None:
        if stop.is_set():
            server.hurry()
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ask_to_stop)
    return await server.run(stop)


class _Server:
    def __init__(self, options: ServeOptions, reporter: Reporter) -> None:
        self._options = options
        self._reporter = reporter
        self._settings = options.settings
        self._endpoint: AwsEndpoint | None = None

    def hurry(self) -> None:
        """Wait no longer for open requests."""
        if self._endpoint:
            self._endpoint.hurry()

    async def run(self, stop: asyncio.Event) -> int:
        settings, options = self._settings, self._options
        addresses = Addresses(settings.host)
        assert settings.aws_port is not None
        sock = addresses.bind(settings.aws_port, "the AWS API", "--port")
        work_root = Path(tempfile.mkdtemp(prefix="penstock-"))
        clock = LoopClock(asyncio.get_running_loop())
        machine = Machine(options.region, options.account_id, settings, clock, self._reporter, work_root)
        try:
            self._endpoint = self._make_endpoint(sock, machine)
            await self._endpoint.start()
            await self._endpoint.serve()
            await self._serve(machine, stop)
        except OSError as error:  # another program began to listen meanwhile
            raise addresses.refusal(settings.aws_port, "the AWS API", "--port", error) from None
        finally:
            await self._close(machine)
            addresses.close()
            shutil.rmtree(work_root, ignore_errors=True)
        return 0

    def _make_endpoint(self, sock: socket.socket, machine: Machine) -> AwsEndpoint:
        options, settings = self._options, self._settings
        store = Store(settings.state)  # the first that writes there: it may be in use
        path = settings.keys or settings.state / "credentials"
        if settings.keys is None:
            make_keys(path)
        verifier = Verifier(load_keys(path, options.account_id, options.region), service=SERVICE, region=options.region)
        if must_sign(settings):
            self._reporter.info(f"Requests must be signed with the keys in {path}")
        make_door = partial(make_function_url, machine, verifier)
        return AwsEndpoint(sock, machine, store, make_door, verifier)

    async def _serve(self, machine: Machine, stop: asyncio.Event) -> None:
        assert self._endpoint is not None
        self._reporter.serving({}, {}, url_of(self._endpoint.sock))
        settle_collector()
        control = ControlServer(self._settings.state, Answers(machine.scaling, machine.clock, self._reporter).answer)
        await control.start()
        deciding = asyncio.ensure_future(machine.scaling.run())
        stopped = asyncio.ensure_future(stop.wait())
        try:
            await asyncio.wait([deciding, stopped], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (deciding, stopped):
                task.cancel()
            await asyncio.gather(deciding, stopped, return_exceptions=True)
            await control.close()
        if not deciding.cancelled():
            deciding.result()  # it never ends by itself: a fault of ours

    async def _close(self, machine: Machine) -> None:
        endpoint = self._endpoint
        if endpoint is None:
            return
        self._reporter.stopping(endpoint.open_requests)
        await endpoint.drain(self._settings.drain)
        await endpoint.stop()
        await machine.close()
        await endpoint.close()


def state_folder(given: Path | None) -> tuple[Path, bool]:
    """Where everything is kept, for its user's eyes only, and whether it outlives the process. Raises OSError."""
    if given is None:
        return Path(tempfile.mkdtemp(prefix="penstock-state-")), False
    given.mkdir(parents=True, exist_ok=True, mode=0o700)
    with contextlib.suppress(FileExistsError), (given / ".gitignore").open("x") as file:
        file.write("*\n")
    return given.absolute(), True
