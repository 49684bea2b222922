"""The command line of `penstock serve`."""

import re
from pathlib import Path
from typing import Annotated, Final

import typer

from penstock.cli import options, settings
from penstock.cli.options import Network, StreamBandwidth, VcpuShare
from penstock.cli.platform_settings import PlatformSettings
from penstock.cli.reporter import HumanReporter, JsonReporter
from penstock.cli.scaler_options import scaler_settings
from penstock.cli.serve import ServeOptions, serve, state_folder
from penstock.model.errors import UserError
from penstock.runtime_api.bandwidth import AWS

# https://docs.aws.amazon.com/general/latest/gr/rande.html
_REGION: Final = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")
_ACCOUNT: Final = re.compile(r"\d{12}")


def serve_command(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the AWS-compatible endpoint; 0 picks.")] = 4566,
    state: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Keep everything there; without it all is gone at the end.", file_okay=False),
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address to serve at; on any but this machine's own, requests must be signed.")
    ] = "127.0.0.1",
    region: Annotated[
        str | None, typer.Option(help="The region that is served; AWS_REGION, AWS_DEFAULT_REGION, else us-east-1.")
    ] = None,
    account: Annotated[str, typer.Option(metavar="ID", help="The account's number.")] = "123456789012",
    layer: options.Layers = None,
    min_environments: options.MinEnvironments = None,
    max_environments: options.MaxEnvironments = None,
    scaling: options.Scaling = True,
    launch_delay: options.LaunchDelay = "0",
    scale_in: options.ScaleIn = 300.0,
    network: options.NetworkChoice = Network.HOST,
    namespaces: options.Namespaces = True,
    vcpu_share: options.VcpuShareChoice = VcpuShare.ENFORCE,
    drain: options.Drain = 10.0,
    init_timeout: options.InitTimeout = None,
    bandwidth: options.Bandwidth = StreamBandwidth.UNLIMITED,
    keys: options.Keys = None,
    cancel_on_disconnect: options.CancelOnDisconnect = False,
    async_retry_delay: options.AsyncRetryDelay = 60.0,
    access_log: options.AccessLog = True,
    json: options.Json = False,
) -> None:
    """Serve an AWS-compatible endpoint for sam deploy, the AWS CLI and SDKs, and run what is deployed, until Ctrl-C."""
    served_region = _checked("--region", region or settings.default_region(), _REGION, "a region such as us-east-1")
    account_id = _checked("--account", account, _ACCOUNT, "12 digits")
    given_layers = settings.read_layers(layer or [])
    delays = settings.read_launch_delay(launch_delay)
    folder, keep = _folder(state)
    platform = PlatformSettings(
        host=host,
        port=0,
        cache=settings.cache_folder(),
        state=folder,
        layers=given_layers,
        built=True,
        isolated_network=network is Network.ISOLATED,
        namespaces=namespaces,
        enforce_vcpu_share=vcpu_share is VcpuShare.ENFORCE,
        drain=drain,
        init_timeout=init_timeout,
        bandwidth=AWS if bandwidth is StreamBandwidth.AWS else None,
        aws_port=port,
        keys=keys,
        cancel_on_disconnect=cancel_on_disconnect,
        async_retry_delay=async_retry_delay,
        access_log=access_log,
        scaling=scaling,
        min_environments=min_environments,
        max_environments=max_environments,
        launch_delays=delays,
        scaler=scaler_settings(scale_in),
    )
    serve_options = ServeOptions(platform, served_region, account_id, keep)
    raise typer.Exit(serve(serve_options, JsonReporter() if json else HumanReporter()))


def _checked(flag: str, value: str, pattern: re.Pattern[str], allowed: str) -> str:
    if not pattern.fullmatch(value):
        raise UserError(f"{flag}: bad value {value!r}; allowed: {allowed}")
    return value


def _folder(given: Path | None) -> tuple[Path, bool]:
    try:
        return state_folder(given)
    except OSError as error:
        raise UserError(f"--state {given}: {error.strerror or error}") from None
