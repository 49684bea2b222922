"""A fleet that grows from three environments to six once every slot is taken, and a steady load meanwhile."""

import asyncio
from collections import Counter
from pathlib import Path
from time import monotonic
from typing import Final

from bench.harness import Up, get, percentile, up
from bench.peers.project import build
from penstock.cli.control import ask
from penstock.cli.settings import default_stack_name, state_folder

ROUNDS: Final = 3
# A third more than three environments have slots: the rest is refused at once.
REQUESTS: Final = 4 * 64
_WANTED: Final = 6
_HELD: Final = "/stream?chunks=100&gap=0.05"
_LIMIT_S: Final = 30.0


async def run() -> list[str]:
    project = await build()
    template = project.template("in_process")
    state = state_folder(template, default_stack_name(template))
    times: list[float] = []
    answers: Counter[int] = Counter()
    for _ in range(ROUNDS):
        async with up(template, "--scaling", "--max-environments", str(_WANTED), "--no-access-log") as platform:
            took, seen = await _round(platform, state)
            times.append(took)
            answers += seen
    return [
        f"from {REQUESTS} requests for three times 64 slots to {_WANTED} environments that serve: "
        f"p50 {percentile(times, 0.5):.2f} s, max {max(times):.2f} s (n={len(times)})",
        f"every answer of a steady load meanwhile: {dict(sorted(answers.items()))}",
    ]


async def _round(platform: Up, state: Path) -> tuple[float, Counter[int]]:
    began = monotonic()
    streams = [asyncio.ensure_future(get(platform.host, platform.port, _HELD)) for _ in range(REQUESTS)]
    over = asyncio.Event()
    steady = asyncio.ensure_future(_steady(platform, over))
    try:
        while await asyncio.to_thread(_ready, state) < _WANTED:
            if monotonic() - began > _LIMIT_S:
                raise SystemExit(f"there are no {_WANTED} environments after {_LIMIT_S:g} s")
            await asyncio.sleep(0.05)
        took = monotonic() - began
        held = await asyncio.gather(*streams)
    finally:
        over.set()
    answers = await steady
    answers.update(answer.status for answer in held)
    return took, answers


async def _steady(platform: Up, over: asyncio.Event) -> Counter[int]:
    answers: Counter[int] = Counter()
    while not over.is_set():
        answers[(await get(platform.host, platform.port, "/json")).status] += 1
        await asyncio.sleep(0.02)
    return answers


def _ready(state: Path) -> int:
    (function,) = ask(state, {"ask": "status"})["functions"]
    return int(function["ready"])
