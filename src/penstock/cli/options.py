"""Options that several commands have, each written once."""

import enum
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from penstock.model.limits import MAX_ENVIRONMENTS


class Network(enum.StrEnum):
    HOST = "host"
    ISOLATED = "isolated"


class StreamBandwidth(enum.StrEnum):
    UNLIMITED = "unlimited"
    AWS = "aws"


class VcpuShare(enum.StrEnum):
    ENFORCE = "enforce"
    MEASURE = "measure"


Layers: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--layer", metavar="ARN=PATH", help="Content of a layer: a folder, zip or binary."),
]
MinEnvironments: TypeAlias = Annotated[
    int | None,
    typer.Option(min=1, max=MAX_ENVIRONMENTS, help="Execution environments per function; 3 by default, as on AWS."),
]
MaxEnvironments: TypeAlias = Annotated[
    int | None,
    typer.Option(min=1, max=MAX_ENVIRONMENTS, help="At most so many per function; the template's, else 32."),
]
Scaling: TypeAlias = Annotated[
    bool, typer.Option("--scaling/--no-scaling", help="Add and drain environments with the load.")
]
LaunchDelay: TypeAlias = Annotated[
    str, typer.Option(metavar="SECONDS|aws", help="Until a new instance is there; aws: minutes, as on AWS.")
]
ScaleIn: TypeAlias = Annotated[
    float, typer.Option(min=0, metavar="SECONDS", help="How long environments are kept that are not needed.")
]
NetworkChoice: TypeAlias = Annotated[
    Network, typer.Option(help="The machine's network, or one of its own per environment, with no way out.")
]
Namespaces: TypeAlias = Annotated[
    bool, typer.Option(help="Give environments the real /var/task, /opt and /tmp where the kernel allows it.")
]
VcpuShareChoice: TypeAlias = Annotated[
    VcpuShare,
    typer.Option(help="Hold environments to their vCPUs where the kernel allows it, or only measure their use."),
]
Drain: TypeAlias = Annotated[
    float, typer.Option(min=0, metavar="SECONDS", help="How long open requests may last at the end.")
]
InitTimeout: TypeAlias = Annotated[
    float | None,
    typer.Option(min=0.1, metavar="SECONDS", help="How long an environment may take to start; AWS's 130 by default."),
]
Bandwidth: TypeAlias = Annotated[
    StreamBandwidth,
    typer.Option(help="How fast a response streams: as fast as it can, or like AWS 2 MB/s after the first 6 MB."),
]
Keys: TypeAlias = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Access keys that may sign requests, as in ~/.aws/credentials."),
]
CancelOnDisconnect: TypeAlias = Annotated[
    bool,
    typer.Option("--cancel-on-disconnect", help="Tell the app when its client has left; on AWS nobody tells it."),
]
AsyncRetryDelay: TypeAlias = Annotated[
    float,
    typer.Option(min=0, metavar="SECONDS", help="Wait before an asynchronous invocation that failed is tried again."),
]
AccessLog: TypeAlias = Annotated[
    bool, typer.Option("--access-log/--no-access-log", help="A line for each request, as uvicorn has it.")
]
Json: TypeAlias = Annotated[bool, typer.Option("--json", help="One JSON object a line on stdout.")]
