"""CloudFormation, as a service of the endpoint."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from penstock.aws_api.cloudformation import limits
from penstock.aws_api.cloudformation.engine.engine import Engine
from penstock.aws_api.cloudformation.operations.change_sets import ChangeSetOperations
from penstock.aws_api.cloudformation.operations.desk import Desk
from penstock.aws_api.cloudformation.operations.looking import LookingOperations
from penstock.aws_api.cloudformation.operations.stacks import StackOperations
from penstock.aws_api.cloudformation.operations.templates import TemplateOperations
from penstock.aws_api.cloudformation.repository import Repository
from penstock.aws_api.service import Dispatcher, Operation
from penstock.aws_api.store import Store
from penstock.model.clock import Clock


class CloudFormationService:
    """Start it after the services it calls: what was cut off goes on at once."""

    name = "cloudformation"

    def __init__(
        self,
        store: Store,
        clock: Clock,
        dispatcher: Dispatcher,
        *,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        head_start: float = limits.HEAD_START_SECONDS,
    ) -> None:
        """`sleep` is waited for between two looks at a resource; an answer waits `head_start` seconds at most for the
        operation it has begun."""
        self._repository = Repository(store, clock)
        self._engine = Engine(self._repository, dispatcher, clock, sleep, head_start)
        desk = Desk(self._repository, self._engine, dispatcher)
        self._operations: dict[str, Operation] = {
            **StackOperations(desk).operations,
            **ChangeSetOperations(desk).operations,
            **LookingOperations(desk).operations,
            **TemplateOperations(desk).operations,
        }

    @property
    def operations(self) -> Mapping[str, Operation]:
        return self._operations

    async def start(self) -> None:
        self._repository.forget_old()
        self._engine.resume()

    async def settled(self) -> None:
        """Returns when no operation runs."""
        await self._engine.settled()

    async def close(self) -> None:
        await self._engine.close()
