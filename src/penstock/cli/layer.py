"""`penstock layer build`: the layer that runs an ASGI app on AWS as it runs here."""

import asyncio
import enum
from pathlib import Path
from typing import Annotated

import typer

from penstock.model.function import Architecture
from penstock.packaging.adapter_layer.archive import BuiltLayer, build
from penstock.packaging.archive import MAX_UNZIPPED_BYTES

commands = typer.Typer(help="The layer that runs an ASGI app on AWS as it runs here.", no_args_is_help=True)


class PythonVersion(enum.StrEnum):
    """Those of Lambda's Python runtimes that run on Amazon Linux 2023, for which the wheels are.

    https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html#runtimes-supported
    """

    PYTHON_3_12 = "3.12"
    PYTHON_3_13 = "3.13"
    PYTHON_3_14 = "3.14"


@commands.callback()
def _layer() -> None:
    """The layer that runs an ASGI app on AWS as it runs here."""


@commands.command("build")
def build_layer(
    arch: Annotated[Architecture, typer.Option(help="The function's architecture.")] = Architecture.X86_64,
    python: Annotated[PythonVersion, typer.Option(help="Python version of the function's runtime.")] = (
        PythonVersion.PYTHON_3_13
    ),
    output: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="The .zip to write, named after both by default; or a folder, written to unzipped."
        ),
    ] = None,
) -> None:
    """Build the layer for AWS and print what a template needs to use it."""
    place = output or Path(f"penstock-layer-python{python}-{arch}.zip")
    built = asyncio.run(build(arch, python, place))
    typer.echo(_told(built))
    if built.sha256:  # who has a folder filled, as `sam build` has, has a template
        typer.echo(_snippet(built.output, arch, python))


def _told(built: BuiltLayer) -> str:
    """Comments, so that the whole output is YAML."""
    unzipped = f"{built.unzipped_size:,} bytes unzipped of the {MAX_UNZIPPED_BYTES:,} that Lambda takes"
    if not built.sha256:
        return f"# {built.output}: {unzipped}"
    return f"# {built.output}: {built.size:,} bytes, {unzipped}\n# SHA-256 {built.sha256}"


def _snippet(content: Path, arch: Architecture, python: PythonVersion) -> str:
    """Resources of a template beside which the layer's content is."""
    return f"""\
Resources:
  PenstockLayer:
    Type: AWS::Serverless::LayerVersion
    Properties:
      ContentUri: {content}
      CompatibleRuntimes: [python{python}]
      CompatibleArchitectures: [{arch}]
  YourFunction:  # what your function needs besides what it has
    Type: AWS::Serverless::Function
    Properties:
      Handler: main.app  # the module, and the ASGI app in it
      Runtime: python{python}
      Architectures: [{arch}]
      Layers: [!Ref PenstockLayer]
      Environment:
        Variables:
          AWS_LAMBDA_EXEC_WRAPPER: /opt/penstock
          AWS_LWA_INVOKE_MODE: response_stream  # with FunctionUrlConfig: InvokeMode: RESPONSE_STREAM"""
