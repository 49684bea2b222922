"""The execution environments of one function version: as many as wanted are kept Ready."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from enum import StrEnum

from penstock.control_plane.instances import Instances, LiveInstance, Seat
from penstock.control_plane.replacement import (
    GiveUp,
    ReplacementPolicy,
    after_death,
    after_failed_start,
)
from penstock.environment.environment import Environment
from penstock.environment.spec import EnvironmentSpec
from penstock.model.capacity import VersionState, version_state
from penstock.model.clock import Clock
from penstock.model.errors import StartError
from penstock.model.function import Function
from penstock.placement import Size
from penstock.router import Router
from penstock.telemetry.log_writer import LogWriter


class Happening(StrEnum):
    STARTING = "starting"
    READY = "ready"
    DIED = "died"
    WORKER_DIED = "worker-died"
    """One worker process of an environment: the rest of it serves on, with a slot less."""
    START_FAILED = "start-failed"
    DRAINING = "draining"
    """It takes no more requests, and ends when those it has are over."""
    STOPPED = "stopped"


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
    """`failed` is set when the function is given up: no environment serves and none can be started. `launched(worked)`
    is called after each attempt to add an environment.
    """

    def __init__(
        self,
        spec: EnvironmentSpec,
        instances: Instances,
        router: Router,
        writer: LogWriter,
        clock: Clock,
        on_event: Callable[[FleetEvent], None],
        policy: ReplacementPolicy | None = None,
    ) -> None:
        self.wanted = spec.function.min_environments
        self.failed: asyncio.Future[StartError] = asyncio.get_running_loop().create_future()
        self._spec = spec
        self._instances = instances
        self._router = router
        self._writer = writer
        self._clock = clock
        self._on_event = on_event
        self._policy = policy or ReplacementPolicy()
        self._failures = 0
        self._ready_since: dict[str, float] = {}
        self._seats: dict[str, Seat] = {}
        self._coming: set[asyncio.Task[None]] = set()
        self._ending: set[asyncio.Task[None]] = set()
        self._closed = False
        self._reached = False
        self.launched: Callable[[bool], None] = lambda worked: None
        function = spec.function
        self.version = f"{function.name}:{function.version}"
        self._size = Size(function.vcpus, function.memory_mib)

    @property
    def ready(self) -> int:
        return len(self._router.targets)

    @property
    def coming(self) -> int:
        """Environments on their way, those that wait for another attempt included."""
        return len(self._coming)

    @property
    def environments(self) -> tuple[Environment, ...]:
        """Those that serve."""
        return tuple(seat.environment for seat in self._seats.values() if seat.environment is not None)

    @property
    def function(self) -> Function:
        return self._spec.function

    @property
    def state(self) -> VersionState:
        """Of the version."""
        return version_state(
            deactivated=self.wanted == 0,
            environments=len(self._seats) + len(self._ending),
            reached_minimum=self._reached,
            failed=self.failed.done(),
        )

    def scale(self, wanted: int) -> None:
        """Have `wanted` environments from now on: more are started, or the emptiest instances' are drained."""
        self.wanted = wanted
        there = self.ready + self.coming
        for _ in range(wanted - there):
            self._keep(self._coming, self._grow())
        if there > wanted and self.ready > wanted:
            for environment_id in self._instances.choose_leaving(self.version, self.ready - wanted):
                self._drain(self._seats[environment_id])

    def leave(self, live: LiveInstance) -> None:
        """Move off an instance: for each environment there a new one is brought up first."""
        for seat in list(self._seats.values()):
            if seat.live is live:
                self._keep(self._ending, self._move(seat))

    def _keep(self, tasks: "set[asyncio.Task[None]]", work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    async def _grow(self) -> None:
        try:
            await self._start_one()
        except StartError as error:
            self._tell(Happening.START_FAILED, error=error)
            self.launched(False)
        else:
            self.launched(True)

    async def _move(self, seat: Seat) -> None:
        try:
            await self._start_one()
        except StartError as error:
            self._tell(Happening.START_FAILED, error=error)
        if seat.environment is not None and seat.environment.environment_id in self._seats:
            self._drain(seat)

    def _drain(self, seat: Seat) -> None:
        environment = seat.environment
        assert environment is not None
        seat.leaving = True
        self._router.remove(environment)
        del self._seats[environment.environment_id]
        del self._ready_since[environment.environment_id]
        self._tell(Happening.DRAINING, environment)
        self._keep(self._ending, self._end(seat, environment, self._spec.function.timeout_s))

    def _drain_all(self) -> None:
        for seat in list(self._seats.values()):
            self._drain(seat)

    async def _end(self, seat: Seat, environment: Environment, drain: float) -> None:
        await seat.agent.stop(environment, drain)
        self._instances.release(seat)
        self._tell(Happening.STOPPED, environment)

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
        seat = await self._instances.acquire(self.version, self._size)
        try:
            environment = await seat.agent.start(self._spec, self._writer, self._died)
        except BaseException:
            self._instances.release(seat)
            raise
        seat.environment = environment
        self._seats[environment.environment_id] = seat
        self._ready_since[environment.environment_id] = self._clock.monotonic()
        self._router.add(environment)
        self._reached = self._reached or self.ready >= self._spec.function.min_environments
        if task := asyncio.current_task():
            self._coming.discard(task)  # it is there now
        self._tell(Happening.READY, environment)
        environment.on_worker_death = self._worker_died
        if environment.slots < self._spec.function.max_concurrency:  # while it became Ready
            self._worker_died(environment)

    def _worker_died(self, environment: Environment) -> None:
        self._tell(Happening.WORKER_DIED, environment)

    def _died(self, environment: Environment, error: StartError) -> None:
        """Out of the router before the next request can be routed; then replaced."""
        seat = self._seats.pop(environment.environment_id, None)
        if seat is None:
            return  # it was leaving
        self._router.remove(environment)
        seat.environment = None
        self._instances.release(seat)
        now = self._clock.monotonic()
        lived = now - self._ready_since.pop(environment.environment_id, now)
        self._tell(Happening.DIED, environment, error)
        if self._closed:
            return
        self._keep(self._ending, seat.agent.stop(environment, 0.0))
        replace, self._failures = after_death(self._policy, lived, self._failures)
        self._keep(self._coming, self._replace(replace.wait))

    async def _replace(self, wait: float) -> None:
        while True:
            await asyncio.sleep(wait)
            if self.ready + self.coming > self.wanted:  # fewer are wanted meanwhile
                return
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
                return

    async def retire(self) -> None:
        """Take no more requests, let the open ones end, at most as long as one may last, and end every environment."""
        self._closed = True
        self.wanted = 0
        self._drain_all()
        coming = list(self._coming)
        for task in coming:
            task.cancel()
        await asyncio.gather(*coming, return_exceptions=True)
        self._drain_all()  # one may have become Ready meanwhile
        while self._ending:
            await asyncio.gather(*self._ending, return_exceptions=True)

    async def close(self) -> None:
        """Start no more environments. Those that run are the agent's to end."""
        self._closed = True
        tasks = [*self._coming, *self._ending]
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
