"""A check from its first request to its last: warm up, then level after level, looking on."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from penstock.check.answers import Answer
from penstock.check.levels import look_times, rounds
from penstock.check.load import Address, Budget, Load
from penstock.check.measured import Environment, Level, LoopDelays, Measured, Sighting
from penstock.check.probes import Probes
from penstock.check.sampler import ReadUsage, Sampler
from penstock.check.target import Target
from penstock.check.tokens import Tokens
from penstock.model.clock import Clock
from penstock.model.errors import UserError

_REST_S: Final = 0.5
_MOST_RESTS: Final = 10
_FIRST_LOOK_S: Final = 0.1
_WARM_UP: Final = 2
"""Rounds: what the first requests import and open is not theirs alone."""
_SPARE_S: Final = 10.0
"""On top of the function's timeout, until its answer is not waited for any more."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is checked. `deaths` is filled by whoever sees its environment die, with the reason."""

    environment: Environment
    address: Address
    timeout_s: float
    read_usage: ReadUsage
    deaths: Sequence[str]


@dataclass(frozen=True, slots=True)
class Plan:
    """`seconds` a level lasts at least, where `requests` does not say how many there are."""

    targets: Sequence[Target]
    levels: Sequence[int]
    seconds: float
    requests: int | None = None


class Check:
    """`progress` is told what is done now."""

    def __init__(
        self,
        subject: Subject,
        plan: Plan,
        tokens: Tokens,
        probes: Probes,
        clock: Clock,
        progress: Callable[[str], None],
    ) -> None:
        self._subject = subject
        self._plan = plan
        self._probes = probes
        self._clock = clock
        self._progress = progress
        self._load = Load(subject.address, plan.targets, tokens, clock, subject.timeout_s + _SPARE_S)
        self._sampler = Sampler(subject.read_usage, clock)
        self._sightings: list[Sighting] = []

    async def run(self) -> Measured:
        """Drive the function through all levels, or up to the one that ends its environment.

        Raises UserError for a path that answers 4xx to every request: nothing can be learned from it.
        """
        await self._warm_up()
        idle = await self._idle()
        await self._look(0)
        levels: list[Level] = []
        for concurrency in self._plan.levels:
            self._progress(f"{concurrency} {'request' if concurrency == 1 else 'requests'} at once")
            levels.append(await self._level(concurrency))
            if concurrency == 1:
                self._check_targets(levels[0].answers)
            if levels[-1].died:
                break
        names = [target.name for target in self._plan.targets]
        processes = len({sighting.process for sighting in self._sightings})
        return Measured(self._subject.environment, names, levels, idle, self._sightings, processes)

    async def _warm_up(self) -> None:
        self._progress("warming up")
        count = _WARM_UP * len(self._plan.targets)
        await self._load.run(1, Budget(count, count, 0.0), self._lives)

    async def _idle(self) -> float:
        """Seconds of work a second with nothing to do, our own looking on included, once that falls no more: an
        environment is Ready with its first worker, and others may still start.
        """
        async with self._watched():
            least = await self._rest()
            for _ in range(_MOST_RESTS):
                here = await self._rest()
                if here >= least:
                    break
                least = here
        return least

    async def _rest(self) -> float:
        before = await self._sampler.look()
        began = self._clock.monotonic()
        await asyncio.sleep(_REST_S)
        after = await self._sampler.look()
        passed = self._clock.monotonic() - began
        return max(0.0, after.cpu_s - before.cpu_s) / passed if before and after else 0.0

    async def _level(self, concurrency: int) -> Level:
        fewest, most = rounds(concurrency, len(self._plan.targets), self._plan.requests)
        budget = Budget(fewest, most, self._plan.seconds)
        async with self._watched() as seen:
            before = await self._sampler.look()
            self._sampler.start()
            looked = self._probes.worked
            over = asyncio.Event()
            looking = asyncio.get_running_loop().create_task(self._look_on(concurrency, over))
            try:
                answers, seconds = await self._load.run(concurrency, budget, self._lives)
            finally:
                over.set()
                await looking
                await self._sampler.stop()
            after = await self._sampler.look()
            looked = self._probes.worked - looked
        await self._look(concurrency)
        died = self._subject.deaths  # one that died while it was warmed up counts as well: no level follows
        return Level(
            concurrency,
            seconds,
            tuple(answers),
            max(0.0, after.cpu_s - before.cpu_s - looked) if before and after and not died else None,
            self._sampler.peak,
            seen[0] if seen else None,
            died[0] if died else "",
        )

    def _lives(self) -> bool:
        return not self._subject.deaths

    @contextlib.asynccontextmanager
    async def _watched(self) -> AsyncIterator[list[LoopDelays]]:
        """Event loops are watched; what was seen is in the list afterwards."""
        seen: list[LoopDelays] = []
        watching = await self._probes.watch()
        try:
            yield seen
        finally:
            found = await self._probes.stop_watching()
            if watching:
                seen.append(found)

    async def _look_on(self, level: int, over: asyncio.Event) -> None:
        """Look into the app while it works. What each slot has to itself need not be looked at so often."""
        if not self._subject.environment.shares_process:
            return
        passed = 0.0
        for at in look_times(_FIRST_LOOK_S, self._plan.seconds):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(over.wait(), at - passed)
            if over.is_set():
                return
            passed = at
            await self._look(level)

    async def _look(self, level: int) -> None:
        for process, slots in (await self._probes.look()).items():
            self._sightings.append(Sighting(process, level, self._load.sent, slots))

    def _check_targets(self, answers: Sequence[Answer]) -> None:
        for index, target in enumerate(self._plan.targets):
            statuses = {answer.status for answer in answers if answer.target == index}
            if statuses and all(400 <= status < 500 for status in statuses):
                told = " or ".join(map(str, sorted(statuses)))
                raise UserError(f"{target.name} is answered with {told} every time: give a request that works (--path)")
