"""`penstock status`: instances by zone, their environments, slots, CPU and memory of what is running."""

import sys
import time
from pathlib import Path
from typing import Annotated, Any, Final

import orjson
import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from penstock.cli import settings
from penstock.cli.control import Values, ask
from penstock.model.limits import MIB

_REFRESH_S: Final = 1.0
# Of what is written to a file or a pipe.
_WIDTH: Final = 120
# Enough to tell them apart, and to name one in `penstock fault instance`.
_SHOWN_OF_ID: Final = 10
_SHOWN_OF_NAME: Final = 20


def show_status(
    template: Annotated[Path | None, typer.Argument(help="The template that `penstock up` runs.")] = None,
    stack_name: Annotated[str | None, typer.Option(metavar="NAME", help="As given to `penstock up`.")] = None,
    state: Annotated[Path | None, typer.Option(metavar="DIR", help="As given to `penstock serve`.")] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Again every second, until Ctrl-C.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object, with AWS's metrics.")] = False,
) -> None:
    """Show instances, environments, slots, CPU and memory of a running `penstock up` or `penstock serve`."""
    folder = state or state_of(template, stack_name)
    if json:
        sys.stdout.write(orjson.dumps(ask(folder, {"ask": "status"}), option=orjson.OPT_INDENT_2).decode() + "\n")
        return
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _WIDTH
    if not watch:
        console.print(view(ask(folder, {"ask": "status"})))
        return
    try:
        with Live(view(ask(folder, {"ask": "status"})), console=console, auto_refresh=False) as live:
            while True:
                time.sleep(_REFRESH_S)
                live.update(view(ask(folder, {"ask": "status"})), refresh=True)
    except KeyboardInterrupt:
        raise typer.Exit(0) from None


def state_of(template: Path | None, stack_name: str | None) -> Path:
    """The folder in which the `penstock up` of a template keeps its state. Raises UserError."""
    found = settings.find_template(template, Path.cwd())
    return settings.state_folder(found, stack_name or settings.default_stack_name(found))


def view(status: Values) -> Group:
    """What is shown."""
    return Group(*(_provider(one) for one in status["capacityProviders"]), _functions(status["functions"]))


def _provider(provider: Values) -> Table:
    used = sum(instance["vcpus"] for instance in provider["instances"])
    target = provider["targetCpuPercent"]
    mode = provider["scalingMode"] if target is None else f"{provider['scalingMode']}, target {target:g} % CPU"
    table = _table(f"{provider['logicalId']}: {used} of {provider['maxVCpuCount']} vCPUs, {mode}")
    for name in ("zone", "instance", "type", "environment", "function"):
        table.add_column(name, no_wrap=True)
    for name in ("slots", "CPU", "memory"):
        table.add_column(name, justify="right", no_wrap=True)
    for instance in sorted(provider["instances"], key=lambda one: (one["zone"], one["id"])):
        _add_instance(table, instance)
    return table


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False)


def _add_instance(table: Table, instance: Values) -> None:
    rows = instance["environments"]
    state = "" if instance["state"] == "running" else f" {instance['state']}"
    where = (instance["zone"], instance["id"][:_SHOWN_OF_ID] + state, instance["type"])
    if not rows:
        table.add_row(*where, "empty", style="dim")
    for number, row in enumerate(rows):
        table.add_row(*(where if number == 0 else ("", "", "")), *_environment(row))


def _environment(row: Values) -> tuple[str | Text, ...]:
    name = (row["id"] or "")[:8]
    if row["state"] != "Ready":
        name = f"{name} {row['state'].lower()}".strip()
    cpu = "" if row["cpu"] is None else f"{row['cpu'] / row['vcpus'] * 100:.0f} %"
    memory = "" if row["memoryBytes"] is None else f"{row['memoryBytes'] / MIB:.0f}/{row['memoryMiB']} MB"
    full = row["slots"] and row["slotsUsed"] >= row["slots"]
    slots = Text(f"{row['slotsUsed']}/{row['slots']}" if row["slots"] else "", style="bold red" if full else "")
    return name, _short(row["function"]), slots, cpu, memory


def _short(version: str) -> str:
    """The end of a long name: generated ones differ there."""
    return version if len(version) <= _SHOWN_OF_NAME else f"…{version[1 - _SHOWN_OF_NAME :]}"


def _functions(functions: list[Values]) -> Table:
    table = _table("Functions")
    for name in ("function", "state"):
        table.add_column(name)
    for name in ("ready", "coming", "min", "max", "throttles"):
        table.add_column(name, justify="right")
    table.add_column("by")
    for one in functions:
        bounds = (str(one["min"]), "" if one["max"] is None else str(one["max"]))
        numbers = (str(one["ready"]), str(one["coming"]), *bounds, str(one["metrics"]["Throttles"]))
        table.add_row(_short(one["version"]), one["state"], *numbers, _reasons(one["metrics"]))
    return table


def _reasons(metrics: dict[str, Any]) -> str:
    names = ("ConcurrencyThrottles", "CPUThrottles", "MemoryThrottles", "DiskThrottles")
    return ", ".join(f"{name} {metrics[name]}" for name in names if metrics[name])
