"""`penstock status`: instances by zone, their environments, slots, CPU and memory of a running `penstock up`."""

import sys
import time
from pathlib import Path
from typing import Annotated, Any, Final

import orjson
import typer
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from penstock.cli import settings
from penstock.cli.control import Values, ask
from penstock.model.limits import MIB

_REFRESH_S: Final = 1.0


def show_status(
    template: Annotated[Path | None, typer.Argument(help="The template that `penstock up` runs.")] = None,
    stack_name: Annotated[str | None, typer.Option(metavar="NAME", help="As given to `penstock up`.")] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Again every second, until Ctrl-C.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object, with AWS's metrics.")] = False,
) -> None:
    """Show instances, environments, slots, CPU and memory of a running `penstock up`."""
    state = state_of(template, stack_name)
    if json:
        sys.stdout.write(orjson.dumps(ask(state, {"ask": "status"}), option=orjson.OPT_INDENT_2).decode() + "\n")
        return
    console = Console(highlight=False)
    if not watch:
        console.print(view(ask(state, {"ask": "status"})))
        return
    try:
        with Live(view(ask(state, {"ask": "status"})), console=console, auto_refresh=False) as live:
            while True:
                time.sleep(_REFRESH_S)
                live.update(view(ask(state, {"ask": "status"})), refresh=True)
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
    table = Table(
        title=f"{provider['logicalId']}: {used} of {provider['maxVCpuCount']} vCPUs, {mode}", title_justify="left"
    )
    for name in ("zone", "instance", "environment", "function", "state"):
        table.add_column(name)
    for name in ("slots", "CPU", "memory"):
        table.add_column(name, justify="right")
    for instance in sorted(provider["instances"], key=lambda one: (one["zone"], one["id"])):
        _add_instance(table, instance)
    return table


def _add_instance(table: Table, instance: Values) -> None:
    name = f"{instance['id']} {instance['type']}"
    if instance["state"] != "running":
        name += f" ({instance['state']})"
    rows = instance["environments"] or [None]
    for number, row in enumerate(rows):
        first = (instance["zone"], name) if number == 0 else ("", "")
        if row is None:
            table.add_row(*first, "", "", "empty", "", "", "", style="dim")
        else:
            table.add_row(*first, *_environment(row))
    table.add_section()


def _environment(row: Values) -> tuple[str | Text, ...]:
    cpu = "" if row["cpu"] is None else f"{row['cpu'] / row['vcpus'] * 100:.0f} %"
    memory = "" if row["memoryBytes"] is None else f"{row['memoryBytes'] / MIB:.0f} of {row['memoryMiB']} MB"
    full = row["slots"] and row["slotsUsed"] >= row["slots"]
    slots = Text(f"{row['slotsUsed']}/{row['slots']}" if row["slots"] else "", style="bold red" if full else "")
    return (row["id"] or "")[:8], row["function"], row["state"].lower(), slots, cpu, memory


def _functions(functions: list[Values]) -> Table:
    table = Table(title="Functions", title_justify="left")
    for name in ("function", "state"):
        table.add_column(name)
    for name in ("ready", "coming", "min", "max", "throttles"):
        table.add_column(name, justify="right")
    table.add_column("by")
    for one in functions:
        bounds = (str(one["min"]), "" if one["max"] is None else str(one["max"]))
        numbers = (str(one["ready"]), str(one["coming"]), *bounds, str(one["metrics"]["Throttles"]))
        table.add_row(one["version"], one["state"], *numbers, _reasons(one["metrics"]))
    return table


def _reasons(metrics: dict[str, Any]) -> str:
    names = ("ConcurrencyThrottles", "CPUThrottles", "MemoryThrottles", "DiskThrottles")
    return ", ".join(f"{name} {metrics[name]}" for name in names if metrics[name])
