"""Free ports, and waiting until a server listens."""

import asyncio
import contextlib
import socket
from time import monotonic
from typing import Final

_LIMIT_S: Final = 30.0
_LOOK_EVERY_S: Final = 0.05


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def listening(port: int, process: asyncio.subprocess.Process) -> None:
    """Raises SystemExit when the process ends instead, or does not listen in time."""
    until = monotonic() + _LIMIT_S
    while process.returncode is None and monotonic() < until:
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            await writer.wait_closed()
            return
        await asyncio.sleep(_LOOK_EVERY_S)
    raise SystemExit(f"a server for port {port} did not come up: exit code {process.returncode}")


async def end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
    await process.wait()
