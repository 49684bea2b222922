"""Ten times as many requests as fit: how fast the refusals are, and whether anybody else notices."""

import asyncio
from collections import Counter
from time import sleep
from typing import Final

from bench.harness import TEMPLATE, Up, percentile, spread, up
from bench.open_loop import Call, OpenLoop

SLOTS: Final = 64
WORK_S: Final = 0.2
"""What the template and the app say: one environment takes 320 requests a second."""
CAPACITY: Final = SLOTS / WORK_S
OVERLOAD: Final = 10
CALM: Final = 0.5
"""Of the capacity: the load before and after."""
SECONDS: Final = 8
CALM_SECONDS: Final = 4
FRESH_EVERY: Final = 10
"""One request of so many comes on a connection of its own."""
BURSTS: Final = 4


async def run() -> list[str]:
    async with up(TEMPLATE, "--min-environments", "1") as platform:
        return await asyncio.to_thread(_measure, platform)


def _measure(platform: Up) -> list[str]:
    _offer(platform, CALM, 1)  # warm-up
    before = _offer(platform, CALM, CALM_SECONDS)
    rss = platform.rss()
    over = _offer(platform, OVERLOAD, SECONDS)
    grown = (
        f"{rss / 1e6:.1f} MB before, {platform.rss() / 1e6:.1f} MB after, {platform.peak_rss() / 1e6:.1f} MB at most"
    )
    after = _offer(platform, CALM, CALM_SECONDS)
    return [
        f"capacity {CAPACITY:.0f} requests/s; offered {_rate(over):.0f} requests/s for {SECONDS} s: {_counts(over)}",
        _refused(over),
        f"accepted, beyond the app's {WORK_S * 1000:.0f} ms: {_accepted(over)}",
        f"the same at {CALM:.0%} of the capacity, before: {_accepted(before)}; {_counts(before)}",
        f"and afterwards: {_accepted(after)}; {_counts(after)}",
        f"the platform's memory: {grown}",
        *(f"{OVERLOAD * SLOTS} requests at one moment: {_burst(platform)}" for _ in range(BURSTS)),
    ]


def _offer(platform: Up, times: float, seconds: float) -> list[Call]:
    """So many times the capacity, for so long."""
    loop = OpenLoop(platform.host, platform.port, "/work", fresh_every=FRESH_EVERY)
    try:
        loop.connect(int(SLOTS * min(times, 2)))
        return loop.run(int(CAPACITY * times * seconds), CAPACITY * times)
    finally:
        loop.close()
        sleep(0.5)  # a slot is free again when its worker polls, a moment after the last answer


def _burst(platform: Up) -> str:
    loop = OpenLoop(platform.host, platform.port, "/work")
    try:
        loop.connect(OVERLOAD * SLOTS)
        calls = loop.run(OVERLOAD * SLOTS, 1e9)
    finally:
        loop.close()
        sleep(0.5)
    return f"{_counts(calls)}; {_refused(calls)}"


def _rate(calls: list[Call]) -> float:
    return len(calls) / ((calls[-1].sent_at - calls[0].sent_at) / 1e9)


def _counts(calls: list[Call]) -> str:
    """`{200: 64, 429: 576}`; 0 stands for no answer or half of one."""
    return str(dict(sorted(Counter(call.status if call.whole else 0 for call in calls).items())))


def _refused(calls: list[Call]) -> str:
    times = [call.first_ms for call in calls if call.status == 429]
    return f"refused in {spread(times)}" if times else "nothing was refused"


def _accepted(calls: list[Call]) -> str:
    times = [call.total_ms - WORK_S * 1000 for call in calls if call.status == 200 and call.whole]
    return f"p50 {percentile(times, 0.5):.2f} ms, p99 {percentile(times, 0.99):.2f} ms (n={len(times)})"
