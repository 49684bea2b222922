"""`penstock fault`: break something of a running `penstock up` on purpose, to see what becomes of it."""

from pathlib import Path
from typing import Annotated

import typer

from penstock.cli.control import ask
from penstock.cli.status import state_of

commands = typer.Typer(no_args_is_help=True, help="Break something of what is running on purpose.")

_Template = Annotated[Path | None, typer.Option("--template", "-t", help="The template that `penstock up` runs.")]
_StackName = Annotated[str | None, typer.Option(metavar="NAME", help="As given to `penstock up`.")]
_State = Annotated[Path | None, typer.Option(metavar="DIR", help="As given to `penstock serve`.")]


@commands.callback()
def fault() -> None:
    """Break something of a running `penstock up` or `penstock serve` on purpose."""


@commands.command("instance")
def lose_instance(
    instance: Annotated[str, typer.Argument(help="Its id, or the beginning of it, as `penstock status` shows it.")],
    template: _Template = None,
    stack_name: _StackName = None,
    state: _State = None,
) -> None:
    """Lose an instance: its environments die together, and the fleet heals."""
    answer = ask(state or state_of(template, stack_name), {"ask": "lose-instance", "instance": instance})
    typer.echo(f"{answer['instance']} is lost, with {answer['environments']} environments")


@commands.command("rotate")
def rotate_instance(
    instance: Annotated[str, typer.Argument(help="Its id, or the beginning of it, as `penstock status` shows it.")],
    template: _Template = None,
    stack_name: _StackName = None,
    state: _State = None,
) -> None:
    """Replace an instance as AWS does after 14 days: what is on it comes up elsewhere first, and then drains."""
    answer = ask(state or state_of(template, stack_name), {"ask": "rotate-instance", "instance": instance})
    typer.echo(f"{answer['instance']} is being replaced")
