"""One function brought up to be checked: alone, with the probe inside, and taken down again."""

import asyncio
import os
import signal
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from penstock.check.load import Address
from penstock.check.measured import Environment, Measured
from penstock.check.probes import Probes, probe_variables
from penstock.check.run import Check, Plan, Subject
from penstock.check.tokens import Tokens
from penstock.cli.check_reporter import CheckReporter
from penstock.cli.clock import LoopClock
from penstock.cli.platform import Platform
from penstock.cli.up import UpOptions, platform_settings
from penstock.environment.memory import Usage
from penstock.model.function import AuthType, Function
from penstock.model.limits import MIB
from penstock.packaging import python_runtime
from penstock.template import Stack


class CheckRun:
    """`measured` is there once the check is through. Files are made in `folder`, which stays the caller's."""

    def __init__(
        self, stack: Stack, function: Function, plan: Plan, up: UpOptions, reporter: CheckReporter, folder: Path
    ) -> None:
        self.measured: Measured | None = None
        self._function = function
        self._plan = plan
        self._reporter = reporter
        self._tokens = Tokens(os.urandom(4).hex())
        self._socket = folder / "probes.sock"
        for warning in stack.warnings:
            reporter.warn(warning)
        probed = self._with_probe(function)
        # The others of the template are not started, so that there is nothing to tell of them.
        self._stack = replace(stack, functions=(probed,), warnings=())
        self._settings = replace(platform_settings(up), keep_visible=(folder,), scaling=False, control=False)
        self._error: BaseException | None = None

    def _with_probe(self, function: Function) -> Function:
        """Asked without signatures, with the probe in each of its Python processes."""
        assert function.url is not None
        variables = probe_variables(self._socket, self._tokens.pattern, function.environment)
        return replace(
            function,
            url=replace(function.url, auth_type=AuthType.NONE),
            environment={**function.environment, **variables},
            max_environments=1,  # the one that is measured takes every request
        )

    async def run(self) -> int:
        """Code 1 when the function cannot start. Raises UserError."""
        loop = asyncio.get_running_loop()
        clock = LoopClock(loop)
        platform = Platform(self._stack, self._settings, clock, self._reporter)
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)

        async def beside(urls: Mapping[str, str]) -> None:
            try:
                self.measured = await self._check(urls, platform, clock, probes)
            except Exception as error:  # whoever awaits this one forgets what it raises
                self._error = error
            finally:
                stop.set()

        async with Probes(self._socket) as probes:
            code = await platform.run(stop, beside)
        if self._error:
            raise self._error
        return code

    async def _check(self, urls: Mapping[str, str], platform: Platform, clock: LoopClock, probes: Probes) -> Measured:
        url = urlsplit(urls[self._function.logical_id])

        def usage() -> Usage | None:
            return next((environment.usage() for environment in platform.environments), None)

        subject = Subject(
            Environment(
                self._function.memory_mib * MIB,
                self._function.vcpus,
                self._function.max_concurrency,
                shares_process=not _is_handler(self._function),
            ),
            Address(str(url.hostname), int(url.port or 80)),
            self._function.timeout_s,
            usage,
            self._reporter.deaths,
        )
        return await Check(subject, self._plan, self._tokens, probes, clock, self._reporter.progress).run()


def _is_handler(function: Function) -> bool:
    """Whether AWS's own client runs it, which has a process for each slot."""
    return python_runtime.is_needed(function) and not function.environment.get("AWS_LAMBDA_EXEC_WRAPPER")
