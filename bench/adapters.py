"""Our adapter and the real Lambda Web Adapter beside the same app, taking turns."""

import asyncio
import os
from dataclasses import dataclass, field

import psutil
from tools.fetching.common import Misplaced, Missing
from tools.fetching.web_adapter import BINARY, find
from tools.fetching.web_adapter import TITLE as NAME

from bench.harness import TEMPLATE, Answer, Up, adapters, cpu_s, get, percentile, spread, up
from bench.overhead import load
from bench.streaming import delays

LAYER = "arn:aws:lambda:us-east-1:753240598075:layer:LambdaAdapterLayerX86:26"
OURS = "penstock_adapter"
ROUNDS = 4
CALLERS = (1, 32)
STREAMS = {1: 4, 20: 2}
"""How many at once, and how often."""


@dataclass(slots=True)
class Load:
    """Of one adapter under so many callers, a round after the other: times in ms, requests/s, CPU in µs a request."""

    times: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        return percentile(self.rates, 0.5)


@dataclass(frozen=True, slots=True)
class Side:
    """One adapter at work, in the only environment of a platform of its own."""

    name: str
    platform: Up
    adapter: psutil.Process

    async def load(self, callers: int, into: Load) -> None:
        before = cpu_s(self.adapter)
        times, rate = await load(self.platform.host, self.platform.port, callers)
        into.times += times
        into.rates.append(rate)
        into.cpu.append((cpu_s(self.adapter) - before) / len(times) * 1e6)

    async def streams(self, count: int) -> list[Answer]:
        return await asyncio.gather(*(get(self.platform.host, self.platform.port, "/stream") for _ in range(count)))


async def run() -> list[str]:
    try:
        binary = find(os.environ)
    except (Missing, Misplaced) as problem:
        return [f"not measured: {problem}"]
    flags = ("--min-environments", "1")
    async with up(TEMPLATE, *flags) as first, up(TEMPLATE, *flags, "--layer", f"{LAYER}={binary}") as second:
        found = {process.name() == BINARY: process for process in adapters()}
        sides = (Side(OURS, first, found[False]), Side(NAME, second, found[True]))
        return [*await _loads(sides), *await _streams(sides)]


async def _loads(sides: tuple[Side, Side]) -> list[str]:
    lines = []
    for callers in CALLERS:
        loads = (Load(), Load())
        for side in sides:
            await side.load(callers, Load())  # warm-up
        for _ in range(ROUNDS):
            for side, into in zip(sides, loads, strict=True):
                await side.load(callers, into)
        for side, one in zip(sides, loads, strict=True):
            lines.append(
                f"{callers} callers, {side.name}: {one.rate:.0f} requests/s, {spread(one.times)}, "
                f"{percentile(one.cpu, 0.5):.0f} µs of the adapter's CPU a request"
            )
        lines.append(f"{callers} callers, ratio: {loads[0].rate / loads[1].rate:.2f} of the real adapter's rate")
    return lines


async def _streams(sides: tuple[Side, Side]) -> list[str]:
    lines = []
    for count, rounds in STREAMS.items():
        answers: tuple[list[Answer], list[Answer]] = ([], [])
        for side in sides:
            await side.streams(1)  # warm-up
        for _ in range(rounds):
            for side, into in zip(sides, answers, strict=True):
                into += await side.streams(count)
        for side, streams in zip(sides, answers, strict=True):
            every = [delay for answer in streams for delay in delays(answer)]
            first = [delays(answer)[0] for answer in streams]
            lines.append(f"first byte, {count} at once, {side.name}: {spread(first)}")
            lines.append(f"every byte, {count} at once, {side.name}: {spread(every)}")
    return lines
