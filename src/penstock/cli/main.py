"""The `penstock` command. Exit codes: 0, 1 when a function cannot start, 2 for bad input."""

import enum
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from typer.exceptions import TyperException

from penstock import __version__
from penstock.cli import fault as fault_commands
from penstock.cli import layer as layer_commands
from penstock.cli import settings
from penstock.cli.check import check_command
from penstock.cli.logs import show_logs
from penstock.cli.reporter import HumanReporter, JsonReporter
from penstock.cli.simulate import simulate_command
from penstock.cli.status import show_status
from penstock.cli.up import UpOptions
from penstock.cli.up import up as run_up
from penstock.environment.faults import parse_fault
from penstock.model.errors import UserError
from penstock.model.limits import MAX_ENVIRONMENTS
from penstock.runtime_api.bandwidth import AWS

app = typer.Typer(
    name="penstock",
    help="Lambda Managed Instances on any machine: a SAM template in, streaming Function URLs out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("logs")(show_logs)
app.command("status")(show_status)
app.add_typer(fault_commands.commands, name="fault")
app.command("check")(check_command)
app.command("simulate")(simulate_command)
app.add_typer(layer_commands.commands, name="layer")


class Network(enum.StrEnum):
    HOST = "host"
    ISOLATED = "isolated"


class StreamBandwidth(enum.StrEnum):
    UNLIMITED = "unlimited"
    AWS = "aws"


class VcpuShare(enum.StrEnum):
    ENFORCE = "enforce"
    MEASURE = "measure"


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


@app.command("up")
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
    layer: Annotated[
        list[str] | None, typer.Option(metavar="ARN=PATH", help="Content of a layer: a folder, zip or binary.")
    ] = None,
    stack_name: Annotated[str | None, typer.Option(help="AWS::StackName; the folder's name by default.")] = None,
    min_environments: Annotated[
        int | None,
        typer.Option(min=1, max=MAX_ENVIRONMENTS, help="Execution environments per function; 3 by default, as on AWS."),
    ] = None,
    max_environments: Annotated[
        int | None,
        typer.Option(min=1, max=MAX_ENVIRONMENTS, help="At most so many per function; the template's, else 32."),
    ] = None,
    scaling: Annotated[
        bool, typer.Option("--scaling/--no-scaling", help="Add and drain environments with the load.")
    ] = True,
    launch_delay: Annotated[
        str, typer.Option(metavar="SECONDS|aws", help="Until a new instance is there; aws: minutes, as on AWS.")
    ] = "0",
    scale_in: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="How long environments are kept that are not needed.")
    ] = 300.0,
    network: Annotated[
        Network, typer.Option(help="The machine's network, or one of its own per environment, with no way out.")
    ] = Network.HOST,
    namespaces: Annotated[
        bool, typer.Option(help="Give environments the real /var/task, /opt and /tmp where the kernel allows it.")
    ] = True,
    vcpu_share: Annotated[
        VcpuShare,
        typer.Option(help="Hold environments to their vCPUs where the kernel allows it, or only measure their use."),
    ] = VcpuShare.ENFORCE,
    drain: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="How long open requests may last at the end.")
    ] = 10.0,
    init_timeout: Annotated[
        float | None,
        typer.Option(
            min=0.1, metavar="SECONDS", help="How long an environment may take to start; AWS's 130 by default."
        ),
    ] = None,
    bandwidth: Annotated[
        StreamBandwidth,
        typer.Option(help="How fast a response streams: as fast as it can, or like AWS 2 MB/s after the first 6 MB."),
    ] = StreamBandwidth.UNLIMITED,
    aws_port: Annotated[
        int | None,
        typer.Option(
            min=0, max=65535, help="Port of the AWS-compatible endpoint, for aws lambda invoke and SDKs; 0 picks."
        ),
    ] = None,
    https: Annotated[
        bool, typer.Option("--https", help="Serve Function URLs over HTTPS with a certificate made here.")
    ] = False,
    keys: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Access keys that may sign requests, as in ~/.aws/credentials."),
    ] = None,
    cancel_on_disconnect: Annotated[
        bool,
        typer.Option("--cancel-on-disconnect", help="Tell the app when its client has left; on AWS nobody tells it."),
    ] = False,
    async_retry_delay: Annotated[
        float,
        typer.Option(
            min=0, metavar="SECONDS", help="Wait before an asynchronous invocation that failed is tried again."
        ),
    ] = 60.0,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            metavar="WHAT@WHEN", help="Break something on purpose, as in kill-runtime@request=10; repeatable."
        ),
    ] = None,
    access_log: Annotated[
        bool, typer.Option("--access-log/--no-access-log", help="A line for each request, as uvicorn has it.")
    ] = True,
    json: Annotated[bool, typer.Option("--json", help="One JSON object a line on stdout.")] = False,
) -> None:
    """Run the functions of a SAM template and serve their Function URLs until Ctrl-C."""
    given, more_overrides = settings.split_arguments(arguments or [])
    template = settings.find_template(given, Path.cwd())
    options = UpOptions(
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
    raise typer.Exit(run_up(options, JsonReporter() if json else HumanReporter()))


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
