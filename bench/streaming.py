"""How long a byte takes from the app's write to the client, and whether any chunk is held back."""

import asyncio

from bench.harness import TEMPLATE, Answer, get, spread, up

WRITES = 60
STREAMS = 20


async def run() -> list[str]:
    async with up(TEMPLATE) as platform:
        await get(platform.host, platform.port, "/stream")  # warm-up
        alone = [await get(platform.host, platform.port, "/stream") for _ in range(3)]
        together = await asyncio.gather(*(get(platform.host, platform.port, "/stream") for _ in range(STREAMS)))
    return [
        f"first byte, one stream: {spread(_first(alone))}",
        f"every byte, one stream: {spread(_all(alone))}",
        f"first byte, {STREAMS} streams at once: {spread(_first(together))}",
        f"every byte, {STREAMS} streams at once: {spread(_all(together))}",
        f"chunks: {WRITES} writes 50 ms apart arrived as {sorted({_chunks(one) for one in [*alone, *together]})}",
    ]


def delays(answer: Answer) -> list[float]:
    """Milliseconds between each write and its arrival; the app writes its clock's time into every chunk."""
    return [(at - int(data)) / 1e6 for at, data in answer.reads if len(data) == 20]


def _first(answers: list[Answer]) -> list[float]:
    return [delays(answer)[0] for answer in answers]


def _all(answers: list[Answer]) -> list[float]:
    return [delay for answer in answers for delay in delays(answer)]


def _chunks(answer: Answer) -> int:
    return sum(len(data) == 20 for _, data in answer.reads)
