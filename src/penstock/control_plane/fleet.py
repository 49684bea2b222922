"""The execution environments of one function version: as many as wanted are kept Ready."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from penstock.agent import Agent
from penstock.control_plane.replacement import (
    GiveUp,
    ReplacementPolicy,
    after_death,
    after_failed_start,
)
from penstock.environment.environment import Environment
from penstock.environment.spec import EnvironmentSpec
from penstock.model.clock import Clock
from penstock.model.errors import StartError
from penstock.router import Router
from penstock.telemetry.log_writer import LogWriter


class Happening(StrEnum):
    STARTING = "starting"
    READY = "ready"
    DIED = "died"
    WORKER_DIED = "worker-died"
    """One worker process of an environment: the rest of it serves on, with a slot less."""
    START_FAILED = "start-failed"


@dataclass(frozen=True, slots=True)
class FleetEvent:
    """`ready` of `wanted` environments serve now. `environment` is None while one is only being started; `slots` is
    what it has of `max_concurrency` at this moment.
    """

    function: str
    happening: Happening
    ready: int
    wanted: int
    environment: Environment | None = None
    error: StartError | None = None
    slots: int = 0
    max_concurrency: int = 0


class Fleet:
    """`failed` is set when the function is given up: no environment serves and none can be started."""

    def __init__(
        self,
        spec: EnvironmentSpec,
        agent: Agent,
        router: Router,
        writer: LogWriter,
        clock: Clock,
        on_event: Callable[[FleetEvent], None],
        policy: ReplacementPolicy | None = None,
    ) -> None:
        self.wanted = spec.function.min_environments
        self.failed: asyncio.Future[StartError] = asyncio.get_running_loop().create_future()
        self._spec = spec
        self._agent = agent
        self._router = router
        self._writer = writer
        self._clock = clock
        self._on_event = on_event
        self._policy = policy or ReplacementPolicy()
        self._failures = 0
        self._ready_since: dict[str, float] = {}
        self._replacing: set[asyncio.Task[None]] = set()
        self._closed = False

    @property
    def ready(self) -> int:
        return len(self._router.targets)

    async def start(self) -> None:
        """Bring up all wanted environments at once. Raises the StartError of the first that cannot start; those that
        had become Ready are the agent's to end."""
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self.wanted):
                    group.create_task(self._start_one())
        except* StartError as failures:
            self._failures = len(failures.exceptions)
            self.failed.set_result(_first(failures))
        if self.failed.done():
            raise self.failed.result()

    async def _start_one(self) -> None:
        self._tell(Happening.STARTING)
        environment = await self._agent.start(self._spec, self._writer, self._died)
        self._ready_since[environment.environment_id] = self._clock.monotonic()
        self._router.add(environment)
        self._tell(Happening.READY, environment)
        environment.on_worker_death = self._worker_died
        if environment.slots < self._spec.function.max_concurrency:  # while it became Ready
            self._worker_died(environment)

    def _worker_died(self, environment: Environment) -> None:
        self._tell(Happening.WORKER_DIED, environment)

    def _died(self, environment: Environment, error: StartError) -> None:
        """Out of the router before the next request can be routed; then replaced."""
        self._router.remove(environment)
        now = self._clock.monotonic()
        lived = now - self._ready_since.pop(environment.environment_id, now)
        self._tell(Happening.DIED, environment, error)
        if self._closed:
            return
        replace, self._failures = after_death(self._policy, lived, self._failures)
        task = asyncio.get_running_loop().create_task(self._replace(environment, replace.wait))
        self._replacing.add(task)
        task.add_done_callback(self._replacing.discard)

    async def _replace(self, lost: Environment, wait: float) -> None:
        while True:
            await asyncio.sleep(wait)
            try:
                await self._start_one()
            except StartError as error:
                self._failures += 1
                self._tell(Happening.START_FAILED, error=error)
                decision = after_failed_start(self._policy, self._failures, self.ready)
                if isinstance(decision, GiveUp):
                    if not self.failed.done():
                        self.failed.set_result(error)
                    return
                wait = decision.wait
            else:
                break
        await self._agent.stop(lost, 0.0)

    async def close(self) -> None:
        """Start no more environments. Those that run are the agent's to end."""
        self._closed = True
        tasks = list(self._replacing)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _tell(
        self, happening: Happening, environment: Environment | None = None, error: StartError | None = None
    ) -> None:
        function = self._spec.function
        event = FleetEvent(
            function.logical_id,
            happening,
            self.ready,
            self.wanted,
            environment,
            error,
            slots=environment.slots if environment else 0,
            max_concurrency=function.max_concurrency,
        )
        self._on_event(event)


def _first(failures: BaseExceptionGroup[StartError]) -> StartError:
    first = failures.exceptions[0]
    return first if isinstance(first, StartError) else _first(first)
