"""So many callers at once, each of whom asks, waits for the whole answer and asks again."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from penstock.check.answers import Answer, is_throttled, read_answer
from penstock.check.connection import BrokenError, Connection
from penstock.check.target import Target
from penstock.check.tokens import Tokens
from penstock.model.clock import Clock

# A slot is free again only when its worker asks for the next invocation, a moment after its answer.
_AGAIN_S: Final = 0.005
_REFUSED_S: Final = 10.0
"""`assumed`: slots that are not free for so long after an answer are lost."""


@dataclass(frozen=True, slots=True)
class Address:
    host: str
    port: int

    @property
    def netloc(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(slots=True)
class Budget:
    """At least `fewest` requests; then until `seconds` have passed or there were `most`."""

    fewest: int
    most: int | None
    seconds: float


class Load:
    """Numbers its requests from one level to the next. `patience` is how long an answer may take, in seconds."""

    def __init__(
        self, address: Address, targets: Sequence[Target], tokens: Tokens, clock: Clock, patience: float
    ) -> None:
        self._address = address
        self._targets = targets
        self._tokens = tokens
        self._clock = clock
        self._patience = patience
        self.sent = 0

    async def run(self, concurrency: int, budget: Budget, go_on: Callable[[], bool]) -> tuple[list[Answer], float]:
        """The answers, in the order in which they ended, and how many seconds that took. Ends early when `go_on` says
        so.
        """
        began = self._clock.monotonic()
        answers: list[Answer] = []
        first = self.sent

        def wants_more() -> bool:
            count = self.sent - first
            if not go_on() or (budget.most is not None and count >= budget.most):
                return False
            return count < budget.fewest or (budget.most is None and self._clock.monotonic() < began + budget.seconds)

        async with asyncio.TaskGroup() as callers:
            for _ in range(concurrency):
                callers.create_task(self._call(wants_more, answers))
        return answers, self._clock.monotonic() - began

    async def _call(self, wants_more: Callable[[], bool], answers: list[Answer]) -> None:
        connection = Connection(self._address.host, self._address.port)
        try:
            while wants_more():
                number = self.sent
                self.sent += 1
                answers.append(await self._ask(connection, number))
        finally:
            connection.close()

    async def _ask(self, connection: Connection, number: int) -> Answer:
        index = number % len(self._targets)
        target = self._targets[index]
        request = target.request(self._tokens.make(number), self._address.netloc)
        gives_up = self._clock.monotonic() + _REFUSED_S
        while True:
            began = self._clock.monotonic()
            try:
                reply = await connection.ask(request, target.method, self._patience)
            except BrokenError as error:
                return Answer(index, self._clock.monotonic() - began, 0, str(error))
            ended = self._clock.monotonic()
            if is_throttled(reply) and ended < gives_up:
                await asyncio.sleep(_AGAIN_S)
                continue
            return read_answer(reply, index, number, ended - began, self._tokens)
