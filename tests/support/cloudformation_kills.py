"""A process that dies: between any two writes of the store, and between any two calls of a service."""

import copy
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from penstock.aws_api.store import Store, Table
from support.cloudformation import ClearableStore, Site


class Killed(BaseException):
    """Nothing catches it, as nothing catches SIGKILL."""


class Life:
    """`steps` are commits and calls so far; at `last` the process is dead, and so is all it still tries."""

    def __init__(self) -> None:
        self.steps = 0
        self.last: int | None = None
        self.died = False

    def step(self, _: str = "") -> None:
        if self.last is not None and self.steps >= self.last:
            self.died = True
            raise Killed
        self.steps += 1


class MortalTable(Table):
    """A write outside a transaction is one by itself."""

    def __init__(self, db: sqlite3.Connection, name: str, lone_write: Callable[[], None]) -> None:
        super().__init__(db, name)
        self._lone_write = lone_write

    def put(self, key: str, value: Any) -> None:
        self._lone_write()
        super().put(key, value)

    def delete(self, key: str) -> bool:
        self._lone_write()
        return super().delete(key)


class MortalStore(ClearableStore):
    def __init__(self, life: Life) -> None:
        super().__init__()
        self._life = life

    def table(self, name: str) -> Table:
        return MortalTable(self._db, name, self._lone_write)

    def _lone_write(self) -> None:
        if not self._depth:
            self._life.step()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        outermost = not self._depth
        with super().transaction():
            yield
            if outermost:
                self._life.step()


class MortalSite(Site):
    """One store for all its lives: opening one takes longer than a life."""

    def make_store(self) -> Store:
        self.life = Life()
        self.mortal_store = MortalStore(self.life)
        return self.mortal_store

    def anew(self) -> None:
        """Nothing was ever there."""
        self.mortal_store.clear()
        self.make_services()
        self._begin()

    def _begin(self) -> None:
        self.begin()
        for service in (self.functions, self.iam, self.s3, self.logs):
            service.on_call = self.life.step

    async def kill_after(self, steps: int, operation: str, **params: Any) -> bool:
        """Whether the operation was cut off before it was over. Another process has taken it up then."""
        died = await self.die_after(steps, self.call(operation, **params))
        await self.revive()
        return died

    async def die_after(self, steps: int, act: Awaitable[object]) -> bool:
        """Whether `act`, or what it has begun, was cut off."""
        self.life.last, self.life.died = self.life.steps + steps, False
        with suppress(Killed):
            await act
            await self.cloudformation.settled()
        await self.cloudformation.close()
        died, self.life.last = self.life.died, None
        self._begin()
        return died

    async def revive(self) -> None:
        await self.cloudformation.start()
        await self.cloudformation.settled()

    def picture(self) -> dict[str, Any]:
        """What the services hold, without what only counts how often it was touched."""
        functions = copy.deepcopy(self.functions.functions)
        for function in functions.values():
            del function["revision"], function["published"]
        kept = self.functions
        lambda_state = (
            functions,
            kept.versions,
            kept.aliases,
            kept.urls,
            kept.permissions,
            kept.providers,
            kept.layers,
        )
        return copy.deepcopy(
            {"lambda": lambda_state, "iam": self.iam.roles, "s3": self.s3.buckets, "logs": self.logs.groups}
        )

    def rows(self, table: str) -> int:
        return len(self.store.table(f"cloudformation.{table}").items())
