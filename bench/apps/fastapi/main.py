"""The app that every side of the comparison serves: one JSON endpoint, one streaming endpoint of small chunks."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from fastapi import FastAPI
from fastapi.responses import StreamingResponse

CHUNK: Final = b"data: %022d\n\n"  # 30 bytes, as many as a token with its framing has
app = FastAPI()


@app.get("/json")
async def answer() -> dict[str, str | int]:
    return {"hello": "world", "n": 42}


@app.get("/stream")
async def stream(chunks: int = 200, gap: float = 0) -> StreamingResponse:
    return StreamingResponse(_chunks(chunks, gap), media_type="text/event-stream")


async def _chunks(count: int, gap: float) -> AsyncIterator[bytes]:
    for number in range(count):
        yield CHUNK % number
        await asyncio.sleep(gap)
