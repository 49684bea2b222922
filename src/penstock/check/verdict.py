"""All that a run's measurements say. Pure."""

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from typing import Final

from penstock.check.findings import DEFAULT_FAIL_ON, Finding, Kind
from penstock.check.judge_answers import Yardstick, is_sound, judge_answers, take_yardsticks
from penstock.check.judge_memory import MARGIN, MemoryNeed, judge_memory, measure_need
from penstock.check.judge_speed import LATENCY_FACTOR, is_slow, judge_latency, judge_loop, p95
from penstock.check.judge_state import find_changes, judge_state, note_state
from penstock.check.measured import Level, Measured
from penstock.check.numbers import percentile
from penstock.check.sizing import Load, Sizing, size

_LEAST_CPU_S: Final = 0.1
"""The kernel counts by hundredths of a second: less says nothing of one request."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What counts as a fault, and what else is wanted to be known."""

    fail_on: Set[Kind] = DEFAULT_FAIL_ON
    ignored_state: frozenset[str] = frozenset()
    latency_factor: float = LATENCY_FACTOR
    load: Load | None = None


@dataclass(frozen=True, slots=True)
class LevelSummary:
    """Durations in seconds; None where nothing was measured. `cpu_s` is the processor time of one request."""

    concurrency: int
    requests: int
    ok: int
    p50: float | None
    p95: float | None
    rps: float
    peak_bytes: int | None
    cpu_s: float | None
    loop_p95: float | None
    loop_worst: float | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """`largest_safe` is 0 when not even one request at a time is safe; `limited_by` says what keeps it below the
    configured concurrency, empty when nothing does.
    """

    levels: tuple[LevelSummary, ...]
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]
    memory: MemoryNeed | None
    largest_safe: int
    limited_by: str
    sizing: Sizing | None
    failed: bool


def judge(measured: Measured, rules: Rules) -> Verdict:
    """Findings that fail first."""
    yardsticks = take_yardsticks(measured)
    need = measure_need(measured)
    changes = find_changes(measured.sightings)
    state = judge_state(measured, changes, rules.ignored_state)
    findings = [
        *judge_answers(measured, yardsticks),
        *_deaths(measured),
        *judge_memory(measured, need),
        *state,
        *judge_loop(measured),
        *judge_latency(measured, rules.latency_factor),
    ]
    findings.sort(key=lambda finding: not finding.fails(rules.fail_on))
    levels = tuple(_summary(level, measured.idle_cpu) for level in measured.levels)

    def wrong(level: Level) -> str:
        return _wrong(level, measured, yardsticks, rules, stateful=bool(state))

    largest, limited_by = _largest_safe(measured, need, wrong)
    return Verdict(
        levels,
        tuple(findings),
        (*_note_echoes(measured, yardsticks), *note_state(measured, changes, rules.ignored_state)),
        need,
        largest,
        limited_by,
        _sizing(rules, measured, levels, largest),
        any(finding.fails(rules.fail_on) for finding in findings),
    )


def _deaths(measured: Measured) -> list[Finding]:
    advice = "penstock logs shows its last lines"
    return [
        Finding(Kind.ERRORS, f"the environment died at {_requests(level.concurrency)}: {level.died}", advice)
        for level in measured.levels
        if level.died and "OutOfMemory" not in level.died
    ]


def _requests(concurrency: int) -> str:
    return "one request at a time" if concurrency == 1 else f"{concurrency} requests at once"


def _note_echoes(measured: Measured, yardsticks: Sequence[Yardstick]) -> list[str]:
    return [
        f"{name}: answers do not hold their request's token, so one that lacks it cannot be told: put {{token}} where "
        "the app answers with it (--path, --header, --body)"
        for name, yardstick in zip(measured.targets, yardsticks, strict=True)
        if yardstick.holds_none
    ]


def _summary(level: Level, idle_cpu: float) -> LevelSummary:
    durations = level.durations
    delays = level.loop.delays if level.loop else ()
    cpu = None
    if level.cpu_s is not None and level.cpu_s >= _LEAST_CPU_S and level.answers:
        cpu = max(0.0, level.cpu_s - idle_cpu * level.seconds) / len(level.answers)
    return LevelSummary(
        level.concurrency,
        len(level.answers),
        len(durations),
        percentile(durations, 0.5) if durations else None,
        p95(level),
        len(durations) / level.seconds if level.seconds else 0.0,
        level.peak_bytes,
        cpu,
        percentile(delays, 0.95) if delays else None,
        max(delays, default=None),
    )


def _largest_safe(measured: Measured, need: MemoryNeed | None, wrong: Callable[[Level], str]) -> tuple[int, str]:
    """The highest level up to which nothing is wrong, or less where memory allows less; and why it is not more."""
    safe, reason = 0, ""
    for level in measured.levels:
        reason = wrong(level)
        if reason:
            break
        safe = level.concurrency
    if need and need.most_requests is not None and need.most_requests < safe:
        safe, reason = need.most_requests, f"more would take over {MARGIN:.0%} of MemorySize"
    if not reason and safe < measured.environment.max_concurrency:
        reason = "more were not tried"
    return safe, reason


def _wrong(level: Level, measured: Measured, yardsticks: Sequence[Yardstick], rules: Rules, *, stateful: bool) -> str:
    """Why a level is not safe, empty when it is."""
    alone = measured.levels[0]
    if level.died:
        return f"the environment dies at {level.concurrency}"
    if not is_sound(level, yardsticks):
        return f"answers are wrong at {level.concurrency}"
    if stateful and level is not alone:
        return "requests overwrite module state"
    if level is not alone and is_slow(level, alone, rules.latency_factor):
        return f"requests wait for each other at {level.concurrency}"
    if level.peak_bytes is not None and level.peak_bytes > MARGIN * measured.environment.memory_bytes:
        return f"{level.concurrency} take over {MARGIN:.0%} of MemorySize"
    return ""


def _sizing(rules: Rules, measured: Measured, levels: tuple[LevelSummary, ...], largest: int) -> Sizing | None:
    """By the highest level that is safe: what requests take there, they take in an environment that is full."""
    if rules.load is None:
        return None
    safe = [level for level in levels if level.concurrency <= max(largest, 1)] or [levels[0]]
    duration = safe[-1].p95
    if duration is None and rules.load.duration is None:
        return None
    environment = measured.environment
    concurrency = min(max(1, largest), environment.max_concurrency)
    return size(rules.load, duration or 0.0, concurrency, safe[-1].cpu_s, environment.vcpus)
