"""The result of a check: a table and a line for each finding, or one JSON object."""

from collections.abc import Iterable, Set
from typing import Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from penstock.check.findings import Finding, Kind
from penstock.check.judge_memory import MemoryNeed, mb
from penstock.check.sizing import HEADROOM, Sizing
from penstock.check.verdict import LevelSummary, Verdict
from penstock.model.function import Function
from penstock.model.limits import MIB

# The two last ones are how long the event loop took to come round.
_COLUMNS: Final = (
    *("at once", "requests", "ok", "p50 ms", "p95 ms", "per second"),
    *("memory MB", "CPU ms each", "loop p95 ms", "worst ms"),
)
_NONE: Final = "n/a"
_WIDE: Final = 200


def print_report(console: Console, function: Function, verdict: Verdict, fail_on: Set[Kind]) -> None:
    if not console.is_terminal:  # a pipe has no width that the table must fit into
        console.width = _WIDE
    console.print(_table(verdict.levels))
    for line in _lines(function, verdict, fail_on):
        console.print(line, soft_wrap=True)


def _table(levels: Iterable[LevelSummary]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in _COLUMNS:
        table.add_column(column, justify="right", no_wrap=True)
    for level in levels:
        table.add_row(
            str(level.concurrency),
            f"{level.requests:,}",
            f"{level.ok:,}",
            _ms(level.p50),
            _ms(level.p95),
            f"{level.rps:,.1f}",
            _NONE if level.peak_bytes is None else f"{level.peak_bytes / MIB:,.1f}",
            _ms(level.cpu_s),
            _ms(level.loop_p95),
            _ms(level.loop_worst),
        )
    return table


def _ms(seconds: float | None) -> str:
    return _NONE if seconds is None else f"{seconds * 1000:,.1f}"


def _lines(function: Function, verdict: Verdict, fail_on: Set[Kind]) -> Iterable[str]:
    """In rich's markup."""
    yield ""
    for finding in verdict.findings:
        style = "[bold red]fault[/]  " if finding.fails(fail_on) else "[yellow]warning[/]"
        yield f"{style} {escape(finding.text)}\n        [dim]{escape(finding.advice)}[/]"
    for note in verdict.notes:
        yield f"[dim]note[/]    {escape(note)}"
    if verdict.memory:
        yield f"[bold]memory[/]  {_memory(function, verdict.memory)}"
    if verdict.sizing:
        yield f"[bold]load[/]    {_load(verdict)}"
    sound = "[bold red]unsafe[/] " if verdict.failed else "[bold green]sound[/]  "
    yield f"{sound} {_safe(function, verdict)}"


def _safe(function: Function, verdict: Verdict) -> str:
    why = f" ({escape(verdict.limited_by)})" if verdict.limited_by else ""
    largest = str(verdict.largest_safe) if verdict.largest_safe else "none"
    name = "PerExecutionEnvironmentMaxConcurrency"
    return f"{function.logical_id}: largest safe {name} is {largest} of {function.max_concurrency}{why}"


def _memory(function: Function, need: MemoryNeed) -> str:
    each = (
        f"{mb(need.per_request)} for each request at a time" if need.base else f"{mb(need.per_request)} for each slot"
    )
    most = f"{function.max_concurrency} at once {'take' if need.seen else 'would take'} {mb(need.at_maximum)}"
    return f"{each}; {most} of {mb(function.memory_mib * MIB)}"


def _load(verdict: Verdict) -> str:
    sizing = verdict.sizing
    assert sizing is not None
    product = f"{sizing.load.rps:g} requests/s x {sizing.duration:.3f} s x {HEADROOM:g}"
    cpu = "" if sizing.vcpus is None else f"; {sizing.vcpus:.2f} processors of this machine's kind at work"
    return f"{product} = {sizing.slots} slots, {sizing.environments} {_environments(sizing)}{cpu}"


def _environments(sizing: Sizing) -> str:
    return "environment" if sizing.environments == 1 else "environments"


def as_json(function: Function, verdict: Verdict, fail_on: Set[Kind]) -> dict[str, object]:
    """Times in milliseconds, sizes in bytes; null where nothing was measured."""
    return {
        "function": function.logical_id,
        "sound": not verdict.failed,
        "largestSafeConcurrency": verdict.largest_safe,
        "configuredConcurrency": function.max_concurrency,
        "limitedBy": verdict.limited_by or None,
        "levels": [_level_json(level) for level in verdict.levels],
        "findings": [_finding_json(finding, fail_on) for finding in verdict.findings],
        "notes": list(verdict.notes),
        "memory": _memory_json(function, verdict.memory),
        "load": _sizing_json(verdict.sizing),
    }


def _level_json(level: LevelSummary) -> dict[str, object]:
    return {
        "concurrency": level.concurrency,
        "requests": level.requests,
        "ok": level.ok,
        "p50Ms": _round(level.p50),
        "p95Ms": _round(level.p95),
        "requestsPerSecond": round(level.rps, 1),
        "peakMemoryBytes": level.peak_bytes,
        "cpuMsPerRequest": _round(level.cpu_s),
        "loopDelayP95Ms": _round(level.loop_p95),
        "loopDelayWorstMs": _round(level.loop_worst),
    }


def _finding_json(finding: Finding, fail_on: Set[Kind]) -> dict[str, object]:
    return {
        "kind": finding.kind,
        "fails": finding.fails(fail_on),
        "text": finding.text,
        "advice": finding.advice,
    }


def _memory_json(function: Function, need: MemoryNeed | None) -> dict[str, object] | None:
    if need is None:
        return None
    return {
        "memorySizeBytes": function.memory_mib * MIB,
        "perRequestBytes": round(need.per_request),
        "atMaximumBytes": round(need.at_maximum),
        "measuredAtMaximum": need.seen,
        "holds": need.at_maximum <= function.memory_mib * MIB,
    }


def _sizing_json(sizing: Sizing | None) -> dict[str, object] | None:
    if sizing is None:
        return None
    return {
        "requestsPerSecond": sizing.load.rps,
        "durationMs": _round(sizing.duration),
        "slots": sizing.slots,
        "environments": sizing.environments,
        "processors": None if sizing.vcpus is None else round(sizing.vcpus, 3),
    }


def _round(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 3)
