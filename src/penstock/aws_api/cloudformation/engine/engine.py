"""The operations that run, one to a stack at most; and what a restart does about those that were cut off."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from penstock.aws_api.cloudformation import texts
from penstock.aws_api.cloudformation.engine import creation, deletion, updating
from penstock.aws_api.cloudformation.engine.run import Run
from penstock.aws_api.cloudformation.exports import export_value
from penstock.aws_api.cloudformation.records import Stack
from penstock.aws_api.cloudformation.repository import Repository
from penstock.aws_api.service import Dispatcher
from penstock.model.clock import Clock

_LOG: Final = logging.getLogger(__name__)
# What a stack is when its operation ended by a fault of ours; a restart does not touch it again.
_FAILED: Final = {
    "CREATE_IN_PROGRESS": "CREATE_FAILED",
    "DELETE_IN_PROGRESS": "DELETE_FAILED",
    "ROLLBACK_IN_PROGRESS": "ROLLBACK_FAILED",
    "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS": "UPDATE_COMPLETE",
    "UPDATE_IN_PROGRESS": "UPDATE_FAILED",
    "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS": "UPDATE_ROLLBACK_COMPLETE",
    "UPDATE_ROLLBACK_IN_PROGRESS": "UPDATE_ROLLBACK_FAILED",
}


class Engine:
    def __init__(
        self,
        repository: Repository,
        dispatcher: Dispatcher,
        clock: Clock,
        sleep: Callable[[float], Awaitable[object]],
        head_start: float,
    ) -> None:
        self._repository = repository
        self._dispatcher = dispatcher
        self._clock = clock
        self._sleep = sleep
        self._head_start = head_start
        self._running: dict[str, tuple[asyncio.Task[None], Run]] = {}

    def export(self, stack: Stack, name: str) -> str | None:
        return export_value(self._repository.stacks(stack.region), name)

    # What an answered call has begun: the stack is kept in its new state before any of these

    async def create(self, stack: Stack) -> None:
        await self._begin(stack, creation.create)

    async def update(self, stack: Stack) -> None:
        await self._begin(stack, updating.update)

    async def delete(self, stack: Stack) -> None:
        """Whatever runs on the stack gives way first."""
        before = self._running.get(stack.id)
        if before is not None:
            before[1].superseded = True
            before[1].stop(texts.CREATION_CANCELLED)
            await asyncio.wait([before[0]])
        await self._begin(stack, deletion.delete)

    async def take_back_creation(self, stack: Stack) -> None:
        await self._begin(stack, creation.take_back)

    async def take_back_update(self, stack: Stack) -> None:
        await self._begin(stack, updating.take_back)

    def cancel(self, stack: Stack, reason: str) -> None:
        """What runs on the stack stops as if it had failed."""
        running = self._running.get(stack.id)
        if running is not None:
            running[1].stop(reason)

    async def settled(self) -> None:
        """Nothing runs any more."""
        while self._running:
            await asyncio.wait([task for task, _ in self._running.values()])

    async def close(self) -> None:
        """What runs is cut off: the next start takes it up."""
        tasks = [task for task, _ in self._running.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _begin(self, stack: Stack, flow: Callable[[Run], Awaitable[None]]) -> None:
        """Answers when the operation is over, or after its head start: most take some milliseconds."""
        run = Run(stack, self._repository, self._dispatcher, self._clock, self._sleep, self.export)
        task = self._spawn(run, flow)
        if self._head_start > 0:
            await asyncio.wait([task], timeout=self._head_start)

    def _spawn(self, run: Run, flow: Callable[[Run], Awaitable[None]]) -> asyncio.Task[None]:
        task = asyncio.create_task(self._whole(run, flow))
        self._running[run.stack.id] = (task, run)
        task.add_done_callback(lambda done: self._over(run.stack.id, done))
        return task

    def _over(self, stack_id: str, task: asyncio.Task[None]) -> None:
        running = self._running.get(stack_id)
        if running is not None and running[0] is task:
            del self._running[stack_id]
        if not task.cancelled():
            # Whatever ended it is not ours to tell: `_whole` has told all that can be.
            task.exception()

    async def _whole(self, run: Run, flow: Callable[[Run], Awaitable[None]]) -> None:
        try:
            await flow(run)
        except Exception:
            # A fault of ours must not leave a stack in progress for ever.
            _LOG.exception("an operation on stack %s failed", run.stack.name)
            if not run.superseded:
                run.end(_FAILED.get(run.stack.status, run.stack.status), "Internal Failure")

    # After a restart

    def resume(self) -> None:
        """Take back, or go on with, what the last run left half done. The services it calls must be ready."""
        for stack in self._repository.stacks():
            if stack.operation is not None and stack.busy:
                run = Run(stack, self._repository, self._dispatcher, self._clock, self._sleep, self.export)
                self._spawn(run, _resumed)


async def _resumed(run: Run) -> None:
    operation = run.stack.operation or {}
    kind, phase = operation.get("kind"), operation.get("phase")
    if phase == "delete":
        await deletion.delete(run)
    elif phase == "cleanup":
        await updating.cleanup(run)
    elif phase == "rollback":
        await (creation.take_back if kind == "create" else updating.take_back)(run)
    else:
        _interrupt(run)
        await (creation.give_up if kind == "create" else updating.give_up)(run)


def _interrupt(run: Run) -> None:
    """What was on its way failed; its id and note stay, since it may be there."""
    run.stop(texts.INTERRUPTED)
    for resource in run.repository.resources(run.stack).values():
        if resource.status.endswith("_IN_PROGRESS"):
            run.fail(resource, resource.status.replace("_IN_PROGRESS", "_FAILED"), texts.INTERRUPTED)
