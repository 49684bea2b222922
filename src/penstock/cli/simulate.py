"""`penstock simulate`: what a template would do under traffic, and what it would cost, in virtual time."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Final

import orjson
import typer
from rich.console import Console

from penstock.cli import settings
from penstock.cli.simulate_function import Overrides, choose, overridden
from penstock.cli.simulate_progress import progress
from penstock.cli.simulate_report import print_report, print_sweep
from penstock.model.errors import UserError
from penstock.model.function import Function
from penstock.model.limits import MAX_CONCURRENCY, MAX_ENVIRONMENTS, MAX_MAX_VCPU, MIN_MAX_VCPU
from penstock.model.pricing import SAVINGS_PLANS
from penstock.scaler import LaunchDelays
from penstock.simulate.cost import Comparison, monthly_cost
from penstock.simulate.page import as_page
from penstock.simulate.plan import Plan, Settings
from penstock.simulate.profile import Durations, Fixed, Lognormal, Profile
from penstock.simulate.run import simulate
from penstock.simulate.summary import as_json
from penstock.simulate.sweep import Point, Row, grid, point_of, ranked, sweep
from penstock.simulate.traffic_text import read_traffic
from penstock.simulate.units import read_duration, show_duration
from penstock.template import load_stack

_DAY_S: Final = 24 * 3600.0
_LONGEST_S: Final = 366 * _DAY_S
_DURATION_S: Final = 0.2
# assumed, as of an app that waits for others most of the time.
_CPU_SHARE: Final = 0.05


def simulate_command(
    arguments: Annotated[
        list[str] | None,
        typer.Argument(metavar="[TEMPLATE]", help="A SAM template; found as by penstock up when there is none."),
    ] = None,
    traffic: Annotated[
        str,
        typer.Option(
            metavar="KIND:...",
            help="constant:1000, ramp:10..1000/1h, spike:100,x10@30m/5m, daily:200..2000, waves:250/30s, csv:FILE of "
            "second,rps, or log:PATH of a real run, such as .penstock/STACK/logs.",
        ),
    ] = "daily:200..2000",
    length: Annotated[
        str | None, typer.Option("--for", metavar="24h", help="How long; as long as the file or log, else 24 hours.")
    ] = None,
    duration: Annotated[
        str | None, typer.Option(metavar="200ms", help="Of a request, its stream included: the median.")
    ] = None,
    duration_p99: Annotated[
        str | None, typer.Option(metavar="800ms", help="The 99th percentile; without it all last the same.")
    ] = None,
    cpu: Annotated[
        str | None, typer.Option(metavar="10ms", help="vCPU time of a request; a twentieth of its duration if unsaid.")
    ] = None,
    request_memory: Annotated[
        float, typer.Option(min=0, metavar="MB", help="Memory that a request holds while it lasts.")
    ] = 0.0,
    function: Annotated[str | None, typer.Option(metavar="LOGICAL_ID", help="Which function, of several.")] = None,
    concurrency: Annotated[
        int | None, typer.Option(min=1, max=MAX_CONCURRENCY, help="In place of PerExecutionEnvironmentMaxConcurrency.")
    ] = None,
    memory: Annotated[int | None, typer.Option(min=1, metavar="MB", help="In place of MemorySize.")] = None,
    max_vcpu: Annotated[
        int | None, typer.Option(min=MIN_MAX_VCPU, max=MAX_MAX_VCPU, help="In place of MaxVCpuCount.")
    ] = None,
    target_cpu: Annotated[
        float | None, typer.Option(min=1, max=100, help="In place of AverageCPUUtilization, in percent.")
    ] = None,
    min_environments: Annotated[
        int | None, typer.Option("--min", min=0, max=MAX_ENVIRONMENTS, help="In place of MinExecutionEnvironments.")
    ] = None,
    max_environments: Annotated[
        int | None, typer.Option("--max", min=0, max=MAX_ENVIRONMENTS, help="In place of MaxExecutionEnvironments.")
    ] = None,
    launch_delay: Annotated[
        str | None, typer.Option(metavar="90s", help="Until a new instance is there; AWS's one to two minutes.")
    ] = None,
    tick: Annotated[str, typer.Option(metavar="15s", help="From one decision of the scaler to the next.")] = "15s",
    cold: Annotated[
        bool, typer.Option("--cold", help="Begin with the least environments, not with those the load wants by then.")
    ] = False,
    attempts: Annotated[
        int,
        typer.Option(min=1, max=10, help="How often a refused client tries; AWS's SDKs 3 times. By events only."),
    ] = 1,
    by_events: Annotated[
        bool | None, typer.Option("--events/--rates", help="Follow each request, or rates; chosen by their number.")
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same run.")] = 0,
    compare: Annotated[bool, typer.Option("--sweep", help="See what other settings would do.")] = False,
    sweep_max_vcpu: Annotated[
        str | None, typer.Option(metavar="20,40", help="For --sweep, in place of its own choice.")
    ] = None,
    sweep_concurrency: Annotated[str | None, typer.Option(metavar="16,64", help="The same.")] = None,
    sweep_target_cpu: Annotated[str | None, typer.Option(metavar="50,70", help="The same, in percent.")] = None,
    allow_throttles: Annotated[
        float, typer.Option(min=0, max=100, metavar="PERCENT", help="For --sweep: how many may be refused.")
    ] = 0.0,
    lambda_memory: Annotated[
        int | None,
        typer.Option(min=128, max=10240, metavar="MB", help="Of ordinary Lambda; MemorySize if unsaid."),
    ] = None,
    free_tier: Annotated[bool, typer.Option("--free-tier", help="Ordinary Lambda with its free tier.")] = False,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a page with plots, all in one file.")] = None,
    parameter_overrides: Annotated[
        list[str] | None, typer.Option(metavar="K=V ...", help="Template parameters, as in sam deploy.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Simulate a template under traffic: environments, instances, refusals and cost, without running anything."""
    given, more_overrides = settings.split_arguments(arguments or [])
    changes = Overrides(concurrency, memory, max_vcpu, target_cpu, min_environments, max_environments)
    chosen = _load(given, [*(parameter_overrides or []), *more_overrides], function, changes)
    comes = read_traffic(traffic, chosen.logical_id)
    durations = _durations(duration, duration_p99, comes.durations)
    cpu_s = durations.mean * _CPU_SHARE if cpu is None else 0.0 if cpu == "0" else read_duration(cpu, "--cpu")
    delays = LaunchDelays.aws()
    if launch_delay is not None:
        seconds = 0.0 if launch_delay in ("0", "0s") else read_duration(launch_delay, "--launch-delay")
        delays = replace(delays, instance_s=seconds)
    most_events = {None: Settings().most_events, True: 2**62, False: -1}[by_events]
    run_settings = Settings(read_duration(tick, "--tick"), delays, seed, cold, attempts, most_events)
    how_long = read_duration(length, "--for") if length else comes.length or _DAY_S
    if how_long > _LONGEST_S:
        raise UserError(f"--for: {length} is too long; allowed: up to 366d")
    plan = Plan.of(chosen, comes.traffic, Profile(durations, cpu_s, request_memory), how_long, run_settings)
    if attempts > 1 and not plan.by_events:
        raise UserError(f"--attempts: only with --events; here {plan.expected_requests:,.0f} requests come, too many")
    comparison = Comparison(durations.mean, lambda_memory or chosen.memory_mib, chosen.architecture, free_tier)
    points = grid(
        point_of(plan),
        [int(one) for one in _numbers(sweep_max_vcpu, "--sweep-max-vcpu", MIN_MAX_VCPU, MAX_MAX_VCPU)],
        [int(one) for one in _numbers(sweep_concurrency, "--sweep-concurrency", 1, MAX_CONCURRENCY)],
        _numbers(sweep_target_cpu, "--sweep-target-cpu", 1, 100),
    )
    wants_sweep = compare or any((sweep_max_vcpu, sweep_concurrency, sweep_target_cpu))
    _run(_Wanted(chosen, plan, comparison, points if wants_sweep else (), allow_throttles / 100, html, json, traffic))


@dataclass(frozen=True, slots=True)
class _Wanted:
    function: Function
    plan: Plan
    comparison: Comparison
    points: tuple[Point, ...]
    """Of the sweep; none without it."""
    allowed: float
    """Share of requests that a setting may refuse and still be good."""
    html: Path | None
    json: bool
    traffic: str


def _load(given: Path | None, overrides: list[str], function: str | None, changes: Overrides) -> Function:
    template = settings.find_template(given, Path.cwd())
    stack = load_stack(
        template,
        stack_name=settings.default_stack_name(template),
        parameters=settings.read_overrides(overrides),
        memory=settings.cache_folder() / "transforms",
    )
    return overridden(choose(stack, function), changes)


def _durations(median: str | None, p99: str | None, measured: Durations | None) -> Durations:
    if median is None and p99 is None and measured is not None:
        return measured
    p50 = _DURATION_S if median is None else read_duration(median, "--duration")
    if p99 is None:
        return Fixed(p50)
    longest = read_duration(p99, "--duration-p99")
    if longest < p50:
        raise UserError(f"--duration-p99: {p99} is less than the median, {show_duration(p50)}")
    return Lognormal(p50, longest)


def _numbers(text: str | None, what: str, low: float, high: float) -> list[float]:
    """`16,64`. Raises UserError."""
    if text is None:
        return []
    try:
        numbers = [float(one) for one in text.split(",")]
    except ValueError:
        numbers = []
    if not numbers or not all(low <= one <= high for one in numbers):
        raise UserError(f"{what}: bad value {text!r}; allowed: numbers from {low:g} to {high:g} with commas between")
    return numbers


def _run(wanted: _Wanted) -> None:
    plan = wanted.plan
    with progress("simulating", plan.seconds, quiet=wanted.json) as on_tick:
        result = simulate(plan, on_tick)
    rows = _sweep(wanted) if wanted.points else []
    costs = [monthly_cost(result, wanted.comparison, one) for one in SAVINGS_PLANS[:3]]
    if wanted.html is not None:
        _write(wanted.html, as_page(wanted.function, plan, result, costs, rows, wanted.comparison, wanted.traffic))
    if wanted.json:
        typer.echo(orjson.dumps(as_json(wanted.function, plan, result, costs, rows)))
        return
    console = Console()
    print_report(console, wanted.function, plan, result, costs, wanted.comparison)
    if rows:
        print_sweep(console, plan, rows, wanted.allowed)
    if wanted.html is not None:
        console.print(f"\npage     {wanted.html}", highlight=False, markup=False)


def _sweep(wanted: _Wanted) -> list[Row]:
    done = 0

    def on_row() -> None:
        nonlocal done
        done += 1
        on_done(float(done))

    with progress("other settings", float(len(wanted.points)), quiet=wanted.json) as on_done:
        return ranked(sweep(wanted.plan, wanted.points, wanted.comparison, on_row), wanted.allowed)


def _write(path: Path, page: str) -> None:
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise UserError(f"--html: {path}: {error.strerror}") from None
