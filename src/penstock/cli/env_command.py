"""`penstock env`: what AWS's tools need to find a running `penstock serve`."""

import configparser
import shlex
from pathlib import Path
from typing import Annotated

import typer

from penstock.cli.settings import default_region
from penstock.model.errors import UserError


def env_command(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the endpoint.")] = 4566,
    host: Annotated[str, typer.Option(help="Address of the endpoint.")] = "127.0.0.1",
    region: Annotated[str | None, typer.Option(help="The region that is served.")] = None,
    state: Annotated[
        Path | None, typer.Option(metavar="DIR", help="What penstock serve was given: its keys are there.")
    ] = None,
) -> None:
    """Print the variables that point AWS's tools at penstock serve: eval "$(penstock env)"."""
    key_id, secret = _key(state)
    shown = f"[{host}]" if ":" in host else host
    variables = {
        "AWS_ENDPOINT_URL": f"http://{shown}:{port}",
        "AWS_ACCESS_KEY_ID": key_id,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_DEFAULT_REGION": region or default_region(),
    }
    for name, value in variables.items():
        typer.echo(f"export {name}={shlex.quote(value)}")


def _key(state: Path | None) -> tuple[str, str]:
    """On this machine alone nobody verifies them; AWS's tools want some."""
    if state is None:
        return "penstock", "penstock"
    path = state / "credentials"
    parser = configparser.RawConfigParser()
    if not parser.read(path):
        raise UserError(f"--state {state}: there is no {path.name} file; was penstock serve started with this folder?")
    profile = parser[parser.sections()[0]]
    return profile["aws_access_key_id"], profile["aws_secret_access_key"]
