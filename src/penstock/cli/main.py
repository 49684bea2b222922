"""The `penstock` command. Exit codes: 0, 1 when a function cannot start, 2 for bad input."""

import sys
from importlib import import_module
from typing import Annotated, Final, NoReturn

import typer
from typer._click import Command, Context
from typer.core import TyperGroup
from typer.exceptions import TyperException
from typer.main import get_command

from penstock import __version__
from penstock.model.errors import UserError

# A command's module is imported when it is asked for: all of them take longer than any one takes to begin.
_COMMANDS: Final = {
    "up": "up_command:up_command",
    "serve": "serve_command:serve_command",
    "env": "env_command:env_command",
    "logs": "logs:show_logs",
    "status": "status:show_status",
    "fault": "fault:commands",
    "check": "check:check_command",
    "simulate": "simulate:simulate_command",
    "layer": "layer:commands",
}


class _Commands(TyperGroup):
    def list_commands(self, ctx: Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: Context, cmd_name: str) -> Command | None:
        where = _COMMANDS.get(cmd_name)
        if where is None:
            return None
        module, _, attribute = where.partition(":")
        found = getattr(import_module(f"penstock.cli.{module}"), attribute)
        if not isinstance(found, typer.Typer):
            single = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
            single.command(cmd_name)(found)
            found = single
        command = get_command(found)
        command.name = cmd_name
        return command


app = typer.Typer(
    name="penstock",
    cls=_Commands,
    help="Lambda Managed Instances on any machine: a SAM template in, streaming Function URLs out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"penstock {__version__}")
        raise typer.Exit


@app.callback()
def _penstock(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Entry point of the `penstock` script."""
    try:
        sys.exit(app(standalone_mode=False))
    except UserError as error:
        _refuse(str(error))
    except TyperException as error:
        # Empty when nothing was asked for and the help was shown.
        _refuse(" ".join(error.format_message().split()))
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(0)


def _refuse(message: str) -> NoReturn:
    """Bad input is one line, whoever found it: Typer alone would draw a box."""
    if message:
        typer.echo(f"penstock: {message}", err=True)
    sys.exit(2)
