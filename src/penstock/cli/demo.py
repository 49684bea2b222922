"""`make demo`: run the example, stream it once for all to see, and go on serving."""

import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import typer

from penstock.cli import settings
from penstock.cli.reporter import HumanReporter
from penstock.cli.up import UpOptions, up
from penstock.model.errors import UserError


def demo(template: Path, port: int = 3000) -> None:
    """Serve TEMPLATE and stream its first Function URL to the terminal."""
    options = UpOptions(
        template=template,
        stack_name=settings.default_stack_name(template),
        host="127.0.0.1",
        port=port,
        parameters={},
        env_vars=None,
        layers={},
        min_environments=None,
        isolated_network=False,
        namespaces=True,
        drain=10.0,
        init_timeout=None,
    )
    try:
        raise typer.Exit(up(options, HumanReporter(), _stream_first))
    except UserError as error:
        typer.echo(f"penstock: {error}", err=True)
        raise typer.Exit(2) from None


async def _stream_first(urls: Mapping[str, str]) -> None:
    """Read the first URL with a plain socket and write each piece of its body as it arrives."""
    url = next(iter(urls.values()))
    typer.echo(f"\n$ curl -N {url}")
    host, port = urlsplit(url).hostname, urlsplit(url).port
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(b"GET / HTTP/1.1\r\nhost: %b\r\nconnection: close\r\n\r\n" % str(host).encode())
    await reader.readuntil(b"\r\n\r\n")
    while size := int(await reader.readline(), 16):
        sys.stdout.write((await reader.readexactly(size + 2))[:-2].decode("utf-8", "replace"))
        sys.stdout.flush()
    writer.close()
    await writer.wait_closed()
    typer.echo("\n")


if __name__ == "__main__":
    typer.run(demo)
