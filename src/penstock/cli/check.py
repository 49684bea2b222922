"""`penstock check`: bring one function up, drive it at rising concurrency, tell what is not safe, take it down."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import orjson
import typer
import uvloop
from rich.console import Console

from penstock.check.findings import DEFAULT_FAIL_ON, Kind, read_fail_on
from penstock.check.judge_speed import LATENCY_FACTOR
from penstock.check.levels import read_levels
from penstock.check.measured import Measured
from penstock.check.run import Plan
from penstock.check.sizing import Load
from penstock.check.target import Target, TokenPlace, make_targets
from penstock.check.verdict import Rules, judge
from penstock.cli import settings
from penstock.cli.check_report import as_json, print_report
from penstock.cli.check_reporter import CheckReporter
from penstock.cli.check_run import CheckRun
from penstock.cli.open_files import raise_limit
from penstock.cli.up import UpOptions
from penstock.model.errors import UserError
from penstock.model.function import Function
from penstock.template import Stack, load_stack

SECONDS: Final = 3.0
"""Of each level (assumed): a few hundred requests of an ordinary app."""
_INTERRUPTED: Final = 130
_DRAIN_S: Final = 1.0


def check_command(
    arguments: Annotated[
        list[str] | None,
        typer.Argument(metavar="[TEMPLATE]", help="A SAM template; found as by penstock up when there is none."),
    ] = None,
    function: Annotated[str | None, typer.Option(metavar="LOGICAL_ID", help="Which function, of several.")] = None,
    path: Annotated[
        list[str] | None,
        typer.Option(metavar="/x", help="What to ask for; repeatable; {token} becomes the request's token."),
    ] = None,
    method: Annotated[str | None, typer.Option(help="GET by default, or POST with a body.")] = None,
    header: Annotated[
        list[str] | None, typer.Option(metavar="NAME: VALUE", help="Of each request; repeatable; may hold {token}.")
    ] = None,
    body: Annotated[
        str | None, typer.Option(metavar="TEXT or @FILE", help="Of each request; may hold {token}.")
    ] = None,
    token_in: Annotated[
        list[TokenPlace] | None,
        typer.Option(help="Where else the token stands; in a header and a query parameter by default; repeatable."),
    ] = None,
    levels: Annotated[
        str | None, typer.Option(metavar="1,8,...", help="Requests at once; 1, 8, 16, ... up to the configured number.")
    ] = None,
    requests: Annotated[
        int | None, typer.Option(min=1, help="How many on each level; by default as many as come in --seconds.")
    ] = None,
    seconds: Annotated[float, typer.Option(min=0.1, max=3600, help="How long each level lasts at least.")] = SECONDS,
    load: Annotated[
        float | None, typer.Option(metavar="RPS", min=0.001, help="Say how many slots so many requests a second need.")
    ] = None,
    duration_target: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", min=0.001, help="With --load: how long a request takes, if not as measured."),
    ] = None,
    latency_factor: Annotated[
        float, typer.Option(min=1, help="How many times longer than alone requests may take, at p95.")
    ] = LATENCY_FACTOR,
    ignore_state: Annotated[
        list[str] | None, typer.Option(metavar="MODULE.NAME", help="Module state that is meant to be so; repeatable.")
    ] = None,
    fail_on: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND,...", help=f"What gives exit code 1: {', '.join(Kind)}; by default the first four; or none."
        ),
    ] = None,
    parameter_overrides: Annotated[
        list[str] | None, typer.Option(metavar="K=V ...", help="Template parameters, as in sam deploy.")
    ] = None,
    env_vars: Annotated[
        Path | None, typer.Option(metavar="FILE", help="JSON file of environment variables, as in sam local.")
    ] = None,
    layer: Annotated[
        list[str] | None, typer.Option(metavar="ARN=PATH", help="Content of a layer: a folder, zip or binary.")
    ] = None,
    isolated: Annotated[
        bool, typer.Option("--isolated", help="A network of the environment's own, with no way out.")
    ] = False,
    namespaces: Annotated[
        bool, typer.Option(help="Give the environment the real /var/task, /opt and /tmp where the kernel allows it.")
    ] = True,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Find out whether a function is safe for many requests at once, and for how many.

    Exit codes: 0 sound, 1 a fault was found or the function cannot start, 2 bad input.
    """
    given, more_overrides = settings.split_arguments(arguments or [])
    template = settings.find_template(given, Path.cwd())
    stack_name = settings.default_stack_name(template)
    if duration_target is not None and load is None:
        raise UserError("--duration-target says how long the requests of --load take: give both")
    up = UpOptions(
        template=template,
        stack_name=stack_name,
        host="127.0.0.1",
        port=0,
        parameters=settings.read_overrides([*(parameter_overrides or []), *more_overrides]),
        env_vars=settings.read_env_vars(env_vars),
        layers=settings.read_layers(layer or []),
        min_environments=1,
        isolated_network=isolated,
        namespaces=namespaces,
        drain=_DRAIN_S,
        init_timeout=None,
        access_log=False,
    )
    options = CheckOptions(
        up=up,
        function=function,
        targets=make_targets(
            method=method, paths=path or [], headers=header or [], body=_read_body(body), places=token_in or []
        ),
        levels=levels,
        requests=requests,
        seconds=seconds,
        rules=Rules(
            fail_on=DEFAULT_FAIL_ON if fail_on is None else read_fail_on(fail_on),
            ignored_state=frozenset(ignore_state or []),
            latency_factor=latency_factor,
            load=None if load is None else Load(load, duration_target),
        ),
        json=json,
    )
    raise typer.Exit(check(options))


@dataclass(frozen=True, slots=True)
class CheckOptions:
    """The command line, checked; see `penstock check --help`."""

    up: UpOptions
    function: str | None
    targets: tuple[Target, ...]
    levels: str | None
    requests: int | None
    seconds: float
    rules: Rules
    json: bool


def _read_body(text: str | None) -> str | None:
    if text is None or not text.startswith("@"):
        return text
    try:
        return Path(text[1:]).read_text()
    except OSError as error:
        raise UserError(f"--body: {text[1:]}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UserError(f"--body: {text[1:]} is not text in UTF-8") from None


def check(options: CheckOptions) -> int:
    """The exit code. Raises UserError for bad input."""
    up = options.up
    stack = load_stack(
        up.template,
        stack_name=up.stack_name,
        parameters=up.parameters,
        env_vars=up.env_vars,
        min_environments=up.min_environments,
        memory=settings.cache_folder() / "transforms",
    )
    function = _choose(stack, options.function)
    plan = Plan(
        options.targets, read_levels(options.levels, function.max_concurrency), options.seconds, options.requests
    )
    raise_limit()
    reporter = CheckReporter(quiet=options.json)
    with tempfile.TemporaryDirectory(prefix="penstock-check-") as folder:
        run = CheckRun(stack, function, plan, up, reporter, Path(folder))
        try:
            code = uvloop.run(run.run())
        finally:
            reporter.close()
    if run.measured is None:
        return code or _INTERRUPTED
    return _tell(options, function, run.measured)


def _tell(options: CheckOptions, function: Function, measured: Measured) -> int:
    verdict = judge(measured, options.rules)
    if options.json:
        typer.echo(orjson.dumps(as_json(function, verdict, options.rules.fail_on)))
    else:
        print_report(Console(highlight=False), function, verdict, options.rules.fail_on)
    return 1 if verdict.failed else 0


def _choose(stack: Stack, wanted: str | None) -> Function:
    """The function that is named, else the only one with a Function URL. Raises UserError."""
    with_url = [function for function in stack.functions if function.url]
    known = ", ".join(function.logical_id for function in with_url) or "none"
    found = [function for function in with_url if wanted in (None, function.logical_id)]
    if len(found) == 1:
        return found[0]
    if wanted is not None:
        raise UserError(f"--function: {wanted} is no function with a FunctionUrlConfig; there are: {known}")
    if not with_url:
        raise UserError("no function of this template has a FunctionUrlConfig, by which it could be asked")
    raise UserError(f"several functions have a Function URL: choose one with --function: {known}")
