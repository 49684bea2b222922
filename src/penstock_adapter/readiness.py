"""Waiting until the user's app answers on its port. Not a hot path: plain streams.

The rhythm is LWA's (src/lib.rs): at once, then 10 ms after each failure, without end.
"""

import asyncio
from collections.abc import Awaitable, Callable

from penstock_adapter.endpoint import Endpoint
from penstock_adapter.options import Readiness, ReadinessProtocol
from penstock_adapter.output import Output

RETRY_S = 0.010
PROGRESS_EVERY_S = 2.0
# LWA waits for ever on an app that accepts and never answers. We hang up and ask again, each time with twice the
# patience, so that neither a stuck worker nor a slow first page keeps the app out.
FIRST_PATIENCE_S = 1.0
# With async init the wait ends before the 10 s of free initialization do.
# https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
ASYNC_INIT_S = 9.8


Connect = Callable[[str, int], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]


async def wait_until_ready(
    host: str, check: Readiness, output: Output, connect: Connect = asyncio.open_connection
) -> None:
    """Returns once the app is up. Raises `TimeoutError` after `check.timeout_s`, if there is one."""
    async with asyncio.timeout(check.timeout_s):
        await _ask_until_ready(Endpoint(host, check.port), check, output, connect)


async def _ask_until_ready(app: Endpoint, check: Readiness, output: Output, connect: Connect) -> None:
    now = asyncio.get_running_loop().time
    begun = now()
    next_report_s = PROGRESS_EVERY_S
    patience = FIRST_PATIENCE_S
    while True:
        if now() - begun >= next_report_s:
            url = f"{check.protocol}://{app.netloc}{check.path}"
            output.info(f"app is not ready after {round(next_report_s * 1000)}ms url={url}")
            next_report_s += PROGRESS_EVERY_S
        try:
            async with asyncio.timeout(patience):
                if await _ask(app, check, connect):
                    return
        except TimeoutError:
            patience *= 2
        except (OSError, ValueError):
            pass  # not listening yet, hung up, or no HTTP: ask again
        await asyncio.sleep(RETRY_S)


async def _ask(app: Endpoint, check: Readiness, connect: Connect) -> bool:
    reader, writer = await connect(app.host, app.port)
    try:
        if check.protocol is ReadinessProtocol.TCP:
            return True
        writer.write(f"GET {check.path} HTTP/1.1\r\nhost: {app.netloc}\r\nconnection: close\r\n\r\n".encode())
        status_line = await reader.readline()
        return int(status_line.split(b" ", 2)[1] if b" " in status_line else 0) in check.healthy
    finally:
        writer.transport.abort()
