"""The acts behind faults on purpose, in one environment. Nothing of it exists unless faults were asked for."""

import asyncio
from collections.abc import Callable, Collection
from functools import partial
from typing import Protocol, assert_never

from penstock.environment.endings import RUNTIME
from penstock.environment.faults import Action, Fault, FaultPlan, Moment
from penstock.model.clock import Clock, Timer


class Processes(Protocol):
    """Those of an environment, by name."""

    @property
    def running(self) -> frozenset[str]: ...
    def end(self, names: Collection[str]) -> None:
        """SIGKILL."""

    async def fill_tmp(self) -> str | None:
        """Write to /tmp until nothing more fits; None, or why that is not done."""


class FaultInjector:
    """`stall(request_id)` lets no answer to a request be taken, `cut_subscribers()` breaks what telemetry goes out by.
    `tell(fault, effect)` is called for each fault that happens, with what was done, in words.
    """

    def __init__(
        self,
        plan: FaultPlan,
        processes: Processes,
        clock: Clock,
        *,
        stall: Callable[[str], None],
        cut_subscribers: Callable[[], None],
        tell: Callable[[Fault, str], None],
    ) -> None:
        self._plan = plan
        self._processes = processes
        self._clock = clock
        self._stall = stall
        self._cut_subscribers = cut_subscribers
        self._tell = tell
        self._timers: list[Timer] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def initializing(self) -> None:
        """The runtime was started."""
        self._act(self._plan.reached(Moment.INIT))

    def ready(self) -> None:
        self._act(self._plan.reached(Moment.READY))
        self._timers = [self._clock.call_later(delay, partial(self._lived, delay)) for delay in self._plan.delays]

    def _lived(self, seconds: float) -> None:
        self._act(self._plan.lived(seconds))

    def requested(self, request_id: str) -> None:
        """A worker was given this request."""
        self._act(self._plan.request(), request_id)

    def stop(self) -> None:
        """The environment ends: nothing happens to it any more."""
        for timer in self._timers:
            timer.cancel()
        for task in self._tasks:
            task.cancel()

    def _act(self, faults: list[Fault], request_id: str = "") -> None:
        for fault in faults:
            match fault.action:
                case Action.KILL_RUNTIME:
                    self._kill(fault, self._processes.running & {RUNTIME}, "no runtime runs")
                case Action.KILL_EXTENSION:
                    extensions = self._processes.running - {RUNTIME}
                    wanted = extensions if fault.name is None else extensions & {fault.name}
                    known = ", ".join(sorted(extensions)) or "none"
                    self._kill(fault, wanted, f"no such extension runs; running: {known}")
                case Action.STALL_WORKER:
                    self._stall(request_id)
                    self._tell(fault, f"the answer to request {request_id} is never taken")
                case Action.FILL_TMP:
                    task = asyncio.get_running_loop().create_task(self._fill(fault))
                    self._tasks.add(task)
                    task.add_done_callback(self._tasks.discard)
                case Action.DROP_LOG_SUBSCRIBER:
                    self._cut_subscribers()
                    self._tell(fault, "connections to log subscribers are cut")
                case _:
                    assert_never(fault.action)

    def _kill(self, fault: Fault, names: frozenset[str], nobody: str) -> None:
        self._processes.end(names)
        self._tell(fault, f"killed {', '.join(sorted(names))}" if names else nobody)

    async def _fill(self, fault: Fault) -> None:
        self._tell(fault, await self._processes.fill_tmp() or "/tmp is full")
