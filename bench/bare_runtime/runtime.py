"""A runtime with nothing around it: standard library only, a connection a slot, every answer a stream.

The query says what an invocation writes: `chunks=5&gap=4` is five timestamps, four seconds from one to the next.
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html#runtimes-custom-response-streaming
"""

import asyncio
import json
import os
import time
from urllib.parse import parse_qs

API = os.environ["AWS_LAMBDA_RUNTIME_API"]
HOST, _, PORT = API.rpartition(":")
SLOTS = int(os.environ["AWS_LAMBDA_MAX_CONCURRENCY"])
CONNECTING = 50
"""How many slots connect at once."""

NEXT = f"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nhost: {API}\r\n\r\n".encode()
PRELUDE = b'{"statusCode":200,"headers":{"content-type":"text/plain"}}' + bytes(8)
HEAD = (
    "POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\r\n"
    f"host: {API}\r\n"
    "lambda-runtime-function-response-mode: streaming\r\n"
    "content-type: application/vnd.awslambda.http-integration-response\r\n"
    "transfer-encoding: chunked\r\n\r\n"
)


async def slot(connecting: asyncio.Semaphore) -> None:
    async with connecting:
        reader, writer = await asyncio.open_connection(HOST, PORT)
    while True:
        writer.write(NEXT)
        headers, event = await answer(reader)
        head = (HEAD % headers["lambda-runtime-aws-request-id"]).encode()
        query = parse_qs(json.loads(event)["rawQueryString"])
        gap = float(query["gap"][0])
        writer.write(head + chunk(PRELUDE) + chunk(stamp()))
        for _ in range(int(query["chunks"][0]) - 1):
            await asyncio.sleep(gap)
            writer.write(chunk(stamp()))
        writer.write(b"0\r\n\r\n")
        await answer(reader)


async def answer(reader: asyncio.StreamReader) -> tuple[dict[str, str], bytes]:
    """One answer of the Runtime API: headers by name in lower case, and the body."""
    _, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    return headers, await reader.readexactly(int(headers["content-length"]))


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def stamp() -> bytes:
    """CLOCK_MONOTONIC is one clock for every process of the machine: the reader subtracts this from its own."""
    return b"%020d" % time.monotonic_ns()


async def main() -> None:
    connecting = asyncio.Semaphore(CONNECTING)
    await asyncio.gather(*(slot(connecting) for _ in range(SLOTS)))


asyncio.run(main())
