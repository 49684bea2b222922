"""What a concurrent request takes of MemorySize, and whether that holds at the maximum. Pure."""

from dataclasses import dataclass
from typing import Final

from penstock.check.findings import Finding, Kind
from penstock.check.measured import Measured
from penstock.check.numbers import Line, fit_line
from penstock.model.limits import MIB

MARGIN: Final = 0.9
"""`assumed`: so much of MemorySize may be needed; the rest is for what no check drives."""


@dataclass(frozen=True, slots=True)
class MemoryNeed:
    """Bytes. `per_request` is what one more request at a time takes; `at_maximum` what the configured concurrency does,
    `seen` when it was driven, else from the line through the levels. `most_requests` fit into `MARGIN` of MemorySize;
    None when they take nothing that could be seen.
    """

    base: float
    per_request: float
    at_maximum: float
    most_requests: int | None
    seen: bool


def measure_need(measured: Measured) -> MemoryNeed | None:
    """None where memory could not be read."""
    points = [(level.concurrency, level.peak_bytes) for level in measured.levels if level.peak_bytes is not None]
    if not points:
        return None
    environment = measured.environment
    line = fit_line(points)
    if line.slope < 0:  # nothing was added: what was held at first came from elsewhere
        line = Line(max(peak for _, peak in points), 0.0)
    highest, peak = points[-1]
    seen = highest >= environment.max_concurrency
    at_maximum = peak if seen else max(peak, line.at(environment.max_concurrency))
    room = MARGIN * environment.memory_bytes
    if not environment.shares_process:
        # Every slot's process is there from the start, however many requests come.
        each = at_maximum / environment.max_concurrency
        return MemoryNeed(0.0, each, at_maximum, int(room / each) if each else None, seen)
    most = max(0, int((room - line.base) / line.slope)) if line.slope > 0 else None
    return MemoryNeed(line.base, line.slope, at_maximum, most, seen)


def judge_memory(measured: Measured, need: MemoryNeed | None) -> list[Finding]:
    out = [level for level in measured.levels if "OutOfMemory" in level.died]
    size = measured.environment.memory_bytes
    most = measured.environment.max_concurrency
    advice = "raise MemorySize or lower PerExecutionEnvironmentMaxConcurrency"
    if out:
        text = f"MemorySize does not hold: {mb(size)} were too little for {out[0].concurrency} requests at once"
        return [Finding(Kind.MEMORY, text, advice)]
    if need is None or need.at_maximum <= MARGIN * size:
        return []
    how = "took" if need.seen else "would take"
    text = f"{most} requests at once {how} {mb(need.at_maximum)} of {mb(size)}"
    if need.at_maximum > size:
        return [Finding(Kind.MEMORY, f"MemorySize does not hold: {text}", advice)]
    return [Finding(Kind.MEMORY, f"MemorySize only just holds: {text}", advice, mild=True)]


def mb(size: float) -> str:
    """As AWS counts: 1 MB is 1,024 KB."""
    return f"{size / MIB:,.1f} MB" if size < 100 * MIB else f"{size / MIB:,.0f} MB"
