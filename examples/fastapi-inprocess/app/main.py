"""Streams a sentence, one character at a time, to as many clients at once as there are slots."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator

from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse

SENTENCE = "one process answers many requests at the same time"
SECONDS_PER_CHARACTER = 0.05

app = FastAPI()


@app.get("/")
async def stream(request: Request) -> StreamingResponse:
    request_id = request_id_of(request)
    print(f"streaming to request {request_id}", flush=True)
    return StreamingResponse(characters(f"[{request_id}] {SENTENCE}\n"), media_type="text/plain")


@app.get("/health")
async def health() -> dict[str, str]:
    return {"status": "ok"}


async def characters(text: str) -> AsyncIterator[str]:
    for character in text:
        yield character
        await asyncio.sleep(SECONDS_PER_CHARACTER)


def request_id_of(request: Request) -> str:
    """The id Lambda gave this request; Lambda Web Adapter passes it on in a header. A fresh one elsewhere."""
    try:
        context = json.loads(request.headers["x-amzn-request-context"])
        return str(context["requestId"])
    except (KeyError, TypeError, ValueError):
        return str(uuid.uuid4())
