"""The app under measurement: bare ASGI, so that the framework's own time does not hide ours."""

import asyncio
import time
from typing import Any

WRITES = 60
GAP_S = 0.05
PAUSE_S = 0.002
WORK_S = 0.2
PIECE = b"x" * 65_536
PIECES = 3_052
"""200 MB; Lambda's limit is 200 MiB."""


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return
    path = scope["path"]
    headers = [(b"content-type", b"text/plain")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    if path == "/stream":
        for _ in range(WRITES):
            # CLOCK_MONOTONIC is one clock for every process of the machine: the reader subtracts this from its own.
            await send({"type": "http.response.body", "body": b"%020d" % time.monotonic_ns(), "more_body": True})
            await asyncio.sleep(GAP_S)
    elif path == "/first":
        await send({"type": "http.response.body", "body": b"%020d" % time.monotonic_ns(), "more_body": True})
        await asyncio.sleep(PAUSE_S)
    elif path == "/work":
        await asyncio.sleep(WORK_S)
    elif path == "/bulk":
        for _ in range(PIECES):
            await send({"type": "http.response.body", "body": PIECE, "more_body": True})
    await send({"type": "http.response.body", "body": b"ok"})
