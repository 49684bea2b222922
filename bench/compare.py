"""The same FastAPI app through every path a user can take, in one run: each round takes all sides in turn."""

import argparse
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Final

import uvloop

from bench.harness import machine, percentile
from bench.peers.load import first_bytes, load, tool
from bench.peers.machine import Others
from bench.peers.project import Project, build
from bench.peers.sides import BARE, CHUNKS, JSON, STREAM, Side, sides

ROUNDS: Final = 5
SECONDS: Final = 2  # whole ones: wrk takes no others
CALLERS: Final = (1, 32, 64)
FIRST_BYTE_CALLERS: Final = 64
PACED: Final = "/stream?chunks=20&gap=0.02"
"""What a model's answer looks like: the machine is idle most of the time, so the first byte is not a queue's length."""


@dataclass(frozen=True, slots=True)
class Plan:
    """`rounds` of `seconds` for each side, endpoint and number of callers; sides whose name holds one of `only`."""

    rounds: int = ROUNDS
    seconds: int = SECONDS
    callers: tuple[int, ...] = CALLERS
    only: tuple[str, ...] = ()

    def takes(self, name: str) -> bool:
        return name == BARE or not self.only or any(word in name for word in self.only)


@dataclass(slots=True)
class Row:
    """One side under one load: what each round gave, in the order of the rounds."""

    values: list[float] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)
    """Of all processes of the side together, for each answer."""
    refused: int = 0
    broken: int = 0


async def run(plan: Plan | None = None) -> list[str]:
    plan = plan or Plan()
    project = await build()
    opening, lines = await sides(project)
    lines.append(_conditions(project, plan))
    async with AsyncExitStack() as stack:
        ready = []
        for name, one in opening.items():
            if plan.takes(name):
                side = await stack.enter_async_context(one)
                await side.check()
                ready.append(side)
        for callers in plan.callers:
            lines += await _rates(ready, JSON, callers, plan)
            lines += await _rates([side for side in ready if side.streams], STREAM, callers, plan)
        lines += await _first_bytes([side for side in ready if side.streams], plan)
    return lines


def _conditions(project: Project, plan: Plan) -> str:
    return (
        f"load: {tool()}; {plan.rounds} rounds of {plan.seconds} s; the app on Python {project.python_version} on "
        f"every side; ratios are of the same round's bare uvicorn, median (least to most)"
    )


async def _rates(ready: Sequence[Side], path: str, callers: int, plan: Plan) -> list[str]:
    rows = {side.name: Row() for side in ready}
    others = Others()
    for side in ready:
        await load(side.url + path, callers, 1)  # warm-up
    for number in range(plan.rounds):
        for side in _turned(ready, number):
            others.begin()
            before = side.cpu_s()
            found = await load(side.url + path, callers, plan.seconds)
            used = side.cpu_s() - before
            others.end(used)
            row = rows[side.name]
            row.values.append(found.rate)
            row.cpu_us.append(used / max(found.answers, 1) * 1e6)
            row.refused += found.refused
            row.broken += found.broken
    return [*_rate_table(rows, path, callers), "", f"Others used {others} of the machine meanwhile."]


def _turned(ready: Sequence[Side], by: int) -> list[Side]:
    """Each round begins with another side: none always runs behind the same neighbour's aftermath."""
    by %= len(ready)
    return [*ready[by:], *ready[:by]]


def _rate_table(rows: dict[str, Row], path: str, callers: int) -> list[str]:
    each, unit = (CHUNKS, "chunks/s") if path == STREAM else (1, "requests/s")
    lines = [
        "",
        f"| `{path}`, callers: {callers} | {unit} | of bare uvicorn | CPU a request | refused | broken |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for name, row in rows.items():
        rate = percentile(row.values, 0.5) * each
        ratio = ratios(row.values, rows[BARE].values)
        cpu = percentile(row.cpu_us, 0.5)
        lines.append(f"| {name} | {rate:,.0f} | {ratio} | {cpu:,.0f} µs | {row.refused} | {row.broken} |")
    return lines


def ratios(values: Sequence[float], bare: Sequence[float]) -> str:
    """Of each round's value to the same round's bare one: median (least to most)."""
    every = [one / other for one, other in zip(values, bare, strict=True) if other]
    if not every:
        return "none"
    return f"{percentile(every, 0.5):.2f} ({min(every):.2f} to {max(every):.2f})"


async def _first_bytes(ready: Sequence[Side], plan: Plan) -> list[str]:
    lines = []
    for path in (PACED, JSON):
        p50 = {side.name: Row() for side in ready}
        p99 = {side.name: Row() for side in ready}
        for number in range(plan.rounds):
            for side in _turned(ready, number):
                found = await first_bytes(side.url + path, FIRST_BYTE_CALLERS, plan.seconds)
                p50[side.name].refused += found.failed
                if found.times:
                    p50[side.name].values.append(percentile(found.times, 0.5))
                    p99[side.name].values.append(percentile(found.times, 0.99))
        lines += _first_byte_table(p50, p99, path)
    return lines


def _first_byte_table(p50: dict[str, Row], p99: dict[str, Row], path: str) -> list[str]:
    lines = [
        "",
        f"| first byte, `{path}`, callers: {FIRST_BYTE_CALLERS} | p50 | p99 | p99 beyond bare uvicorn's | refused |",
        "|---|--:|--:|--:|--:|",
    ]
    for name, row in p99.items():
        if not row.values:
            lines.append(f"| {name} | none | none | none | {p50[name].refused} |")
            continue
        beyond = percentile(row.values, 0.5) - percentile(p99[BARE].values, 0.5)
        lines.append(
            f"| {name} | {percentile(p50[name].values, 0.5):.2f} ms | {percentile(row.values, 0.5):.2f} ms "
            f"({min(row.values):.2f} to {max(row.values):.2f}) | {beyond:+.2f} ms | {p50[name].refused} |"
        )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.compare", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--seconds", type=int, default=SECONDS)
    parser.add_argument("--callers", type=int, nargs="+", default=CALLERS)
    parser.add_argument("--only", nargs="+", default=(), metavar="WORD", help="sides whose name holds one of these")
    told = parser.parse_args()
    plan = Plan(told.rounds, told.seconds, tuple(told.callers), tuple(told.only))
    print(machine())
    for line in uvloop.run(run(plan)):
        print(line)


if __name__ == "__main__":
    main()
