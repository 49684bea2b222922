"""The command line of `penstock up`."""

from pathlib import Path
from typing import Annotated

import typer

from penstock.cli import options, settings
from penstock.cli.options import Network, StreamBandwidth, VcpuShare
from penstock.cli.reporter import HumanReporter, JsonReporter
from penstock.cli.up import UpOptions
from penstock.cli.up import up as run_up
from penstock.environment.faults import parse_fault
from penstock.runtime_api.bandwidth import AWS


def up_command(
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[TEMPLATE]",
            help="A SAM template; ./template.yaml by default, or .aws-sam/build/template.yaml when that is newer.",
        ),
    ] = None,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of the first Function URL, the next one after it; 0 picks.")
    ] = 3000,
    host: Annotated[str, typer.Option(help="Address to serve at.")] = "127.0.0.1",
    parameter_overrides: Annotated[
        list[str] | None, typer.Option(metavar="K=V ...", help="Template parameters, as in sam deploy.")
    ] = None,
    env_vars: Annotated[
        Path | None, typer.Option(metavar="FILE", help="JSON file of environment variables, as in sam local.")
    ] = None,
    layer: options.Layers = None,
    stack_name: Annotated[str | None, typer.Option(help="AWS::StackName; the folder's name by default.")] = None,
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
    aws_port: Annotated[
        int | None,
        typer.Option(
            min=0, max=65535, help="Port of the AWS-compatible endpoint, for aws lambda invoke and SDKs; 0 picks."
        ),
    ] = None,
    https: Annotated[
        bool, typer.Option("--https", help="Serve Function URLs over HTTPS with a certificate made here.")
    ] = False,
    keys: options.Keys = None,
    cancel_on_disconnect: options.CancelOnDisconnect = False,
    async_retry_delay: options.AsyncRetryDelay = 60.0,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            metavar="WHAT@WHEN", help="Break something on purpose, as in kill-runtime@request=10; repeatable."
        ),
    ] = None,
    access_log: options.AccessLog = True,
    json: options.Json = False,
) -> None:
    """Run the functions of a SAM template and serve their Function URLs until Ctrl-C."""
    given, more_overrides = settings.split_arguments(arguments or [])
    template = settings.find_template(given, Path.cwd())
    up_options = UpOptions(
        template=template,
        stack_name=stack_name or settings.default_stack_name(template),
        host=host,
        port=port,
        parameters=settings.read_overrides([*(parameter_overrides or []), *more_overrides]),
        env_vars=settings.read_env_vars(env_vars),
        layers=settings.read_layers(layer or []),
        min_environments=min_environments,
        isolated_network=network is Network.ISOLATED,
        namespaces=namespaces,
        enforce_vcpu_share=vcpu_share is VcpuShare.ENFORCE,
        drain=drain,
        init_timeout=init_timeout,
        faults=tuple(map(parse_fault, fault or [])),
        bandwidth=AWS if bandwidth is StreamBandwidth.AWS else None,
        aws_port=aws_port,
        https=https,
        keys=keys,
        cancel_on_disconnect=cancel_on_disconnect,
        async_retry_delay=async_retry_delay,
        access_log=access_log,
        scaling=scaling,
        max_environments=max_environments,
        launch_delays=settings.read_launch_delay(launch_delay),
        scale_in=scale_in,
    )
    raise typer.Exit(run_up(up_options, JsonReporter() if json else HumanReporter()))
