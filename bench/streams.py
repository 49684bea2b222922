"""Ten thousand streams open at once through one platform process: one small chunk each every few seconds."""

import asyncio
import re
import resource
from dataclasses import dataclass
from typing import Final

from bench.harness import BARE_RUNTIME, Up, cpu_s, spread, up
from bench.open_loop import Call, OpenLoop

STREAMS: Final = 10_000
OPENED_PER_S: Final = 1_000
CHUNKS: Final = 5
GAP_S: Final = 4
ENVIRONMENTS: Final = 7
"""Of at most 1,600 slots each, the most AWS allows."""
OTHER_FILES: Final = 300
"""What the platform holds besides one connection a stream and one a slot."""

_STAMP: Final = re.compile(rb"14\r\n(\d{20})\r\n")


@dataclass(slots=True)
class _Memory:
    """Resident bytes of the platform: slots alone, with every stream open, and when all have ended."""

    before: int
    full: int = 0
    after: int = 0


async def run() -> list[str]:
    files = _open_files(2 * STREAMS + ENVIRONMENTS + OTHER_FILES)
    slots = -(-min(STREAMS, (files - OTHER_FILES) // 2 - ENVIRONMENTS) // ENVIRONMENTS)
    count = min(STREAMS, slots * ENVIRONMENTS)
    flags = ("--min-environments", str(ENVIRONMENTS), "--parameter-overrides", f"Slots={slots}")
    async with up(BARE_RUNTIME, *flags) as platform:
        memory = _Memory(platform.rss())
        used = cpu_s(platform.process)
        calls = await asyncio.to_thread(_measure, platform, count, memory)
        used = cpu_s(platform.process) - used
        memory.after = platform.rss()
    delays = [_delays(call) for call in calls]
    complete = sum(call.whole and len(found) == CHUNKS for call, found in zip(calls, delays, strict=True))
    if not complete:
        return [f"none of {count:,} streams was complete"]
    seconds = (max(call.ended_at for call in calls) - calls[0].sent_at) / 1e9
    opened = "all open at once" if memory.full else "never all open"
    fewer = (
        "" if count == STREAMS else f"; {STREAMS:,} need more open files than the {files:,} allowed here (ulimit -Hn)"
    )
    return [
        f"complete: {complete:,} of {count:,} streams, {opened}, {CHUNKS} chunks each, {GAP_S} s apart{fewer}",
        _describe(memory, count, slots * ENVIRONMENTS),
        f"chunk delay, write to arrival: {spread([delay for found in delays for delay in found])}",
        f"first byte of a stream: {spread([call.first_ms for call in calls if call.reads])}",
        f"the platform's CPU: {used / seconds * 100:.0f}% of a core",
    ]


def _open_files(wanted: int) -> int:
    """The limit of this process and of those it starts, raised to `wanted` or to what can be had."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(wanted, hard)))
        except (ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def _measure(platform: Up, count: int, memory: _Memory) -> list[Call]:
    loop = OpenLoop(platform.host, platform.port, f"/?chunks={CHUNKS}&gap={GAP_S}")

    def watch() -> None:
        if loop.begun == count and not memory.full:
            memory.full = platform.rss()

    try:
        return loop.run(count, OPENED_PER_S, watch)
    finally:
        loop.close()


def _delays(call: Call) -> list[float]:
    """Milliseconds from the write of each chunk to its arrival."""
    return [(at - int(stamp)) / 1e6 for at, data in call.reads for stamp in _STAMP.findall(data)]


def _describe(memory: _Memory, count: int, slots: int) -> str:
    each = (memory.full - memory.before) / count / 1000
    before, full, after = (value / 1e6 for value in (memory.before, memory.full, memory.after))
    return (
        f"the platform's memory: {each:.1f} kB an open stream "
        f"({before:.0f} MB with {slots:,} slots waiting, {full:.0f} MB all open, {after:.0f} MB afterwards)"
    )
