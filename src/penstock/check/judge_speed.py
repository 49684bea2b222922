"""Requests that hold up the event loop, or wait for each other. Pure."""

from typing import Final

from penstock.check.findings import Finding, Kind
from penstock.check.inside.penstock_probe.loop_watch import BLOCKED_S
from penstock.check.measured import Level, Measured
from penstock.check.numbers import percentile

LATENCY_FACTOR: Final = 5.0
"""`assumed`: at p95 a request may take so many times what it takes alone."""
LATENCY_FLOOR_S: Final = 0.1
"""`assumed`: and never minds this much, as what a person does not notice."""
_BLOCKS: Final = 2
_BLOCKS_SHARE: Final = 0.1
"""A single one may be the machine's: so many, and so many for each request, are the app's (assumed)."""


def p95(level: Level) -> float | None:
    """Seconds; None when no answer was as it should be."""
    return percentile(level.durations, 0.95) if level.durations else None


def is_slow(level: Level, alone: Level, factor: float) -> bool:
    """Whether requests take more than `factor` times what they take alone."""
    here, there = p95(level), p95(alone)
    return here is not None and there is not None and here > max(LATENCY_FLOOR_S, factor * there)


def judge_loop(measured: Measured) -> list[Finding]:
    """From the first level: with one request at a time, whatever holds up the loop is one step of it."""
    loop = measured.levels[0].loop
    if loop is None:
        return []
    late = [delay for delay in loop.delays if delay > BLOCKED_S]
    if len(late) < max(_BLOCKS, _BLOCKS_SHARE * len(measured.levels[0].answers)):
        return []
    place = max(loop.blocks, key=lambda one: sum(loop.blocks[one]), default="")
    where = f": {place}" if place else ""
    typical = percentile(late, 0.5) * 1000
    text = f"one request alone holds up the event loop {len(late)} times, for {typical:.0f} ms at p50{where}"
    return [Finding(Kind.LOOP, text, "await what takes long, or give it a thread (asyncio.to_thread)")]


def judge_latency(measured: Measured, factor: float) -> list[Finding]:
    alone = measured.levels[0]
    slow = [level for level in measured.levels[1:] if is_slow(level, alone, factor)]
    if not slow:
        return []
    before, here = p95(alone) or 0.0, p95(slow[0]) or 0.0
    seen = f"{before * 1000:,.0f} ms alone, {here * 1000:,.0f} ms at {slow[0].concurrency} at once"
    text = f"requests wait for each other: p95 is {seen}"
    return [Finding(Kind.LATENCY, text, "lower PerExecutionEnvironmentMaxConcurrency, or look for what they wait for")]
