"""200 simultaneous requests to three environments of 64 slots: what is too much is refused, at once."""

import asyncio
from collections import Counter

from bench.harness import EXAMPLE, get, percentile, spread, up

REQUESTS = 200
ROUNDS = 3


async def run() -> list[str]:
    lines = []
    async with up(EXAMPLE) as platform:
        await get(platform.host, platform.port, "/health")  # warm-up
        for number in range(1, ROUNDS + 1):
            answers = await asyncio.gather(*(get(platform.host, platform.port, "/") for _ in range(REQUESTS)))
            counts = Counter(answer.status for answer in answers)
            refusals = [(one.ended_at - one.sent_at) / 1e6 for one in answers if one.status == 429]
            served = [(one.ended_at - one.sent_at) / 1e9 for one in answers if one.status == 200]
            lines.append(
                f"round {number}: {dict(sorted(counts.items()))}; refusals {spread(refusals)}; "
                f"streams of {percentile(served, 0.5):.2f} s, p99 {percentile(served, 0.99):.2f} s"
            )
    return lines
