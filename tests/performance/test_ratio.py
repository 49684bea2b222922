"""The cost of the whole path, door to adapter and back, as a multiple of what uvicorn alone spends on the same request.

Counts of function calls are the same on a busy machine and an idle one, and as a ratio to uvicorn's hardly depend on
Python's version or the framework's; what C code does within one call they do not show, so times are compared as well,
the best of each path and with room to spare. docs/performance.md says how the bounds were found.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Final, TypeAlias

import pytest
import uvloop
from fastapi import FastAPI
from fastapi.responses import StreamingResponse

from support.memory_path import Both, both, calls, cpu_seconds

_WARM_UP: Final = 20
# Many and short: some are over before the machine turns to something else.
_ROUNDS: Final = 100
_REQUESTS: Final = 5
_STREAMS: Final = 1
_FEW: Final = 10
_MANY: Final = 210

Ask: TypeAlias = Callable[[], Awaitable[object]]

app = FastAPI()


@app.get("/json")
async def answer() -> dict[str, str | int]:
    return {"hello": "world", "n": 42}


@app.get("/stream")
async def stream(chunks: int) -> StreamingResponse:
    return StreamingResponse(_chunks(chunks))


async def _chunks(count: int) -> AsyncIterator[bytes]:
    for number in range(count):
        yield b"data: %022d\n\n" % number
        await asyncio.sleep(0)


def _json(paths: Both) -> tuple[Ask, Ask]:
    """A request through each; uvicorn's answer has a length, a Function URL's is chunked."""
    last = b'"n":42}'
    return partial(paths.penstock.ask, "/json", last + b"\r\n0\r\n\r\n"), partial(paths.uvicorn.ask, "/json", last)


def _stream(paths: Both, chunks: int) -> tuple[Ask, Ask]:
    ask = (f"/stream?chunks={chunks}", b"\r\n0\r\n\r\n")
    return partial(paths.penstock.ask, *ask), partial(paths.uvicorn.ask, *ask)


async def _calls(ask: Ask) -> int:
    for _ in range(_WARM_UP):
        await ask()
    return min([await calls(ask) for _ in range(3)])


def test_calls_of_a_request() -> None:
    """1.86 on Python 3.11, 1.87 on 3.13."""

    async def ratio() -> float:
        async with both(app) as paths:
            ours, bare = _json(paths)
            return await _calls(ours) / await _calls(bare)

    assert uvloop.run(ratio()) < 2.05


def test_calls_of_a_chunk() -> None:
    """2.55 on Python 3.11, 2.76 on 3.13: what a chunk adds, the head and the end of the answer left out."""

    async def ratio() -> float:
        async with both(app) as paths:
            few, many = _stream(paths, _FEW), _stream(paths, _MANY)
            ours, bare = [await _calls(long) - await _calls(short) for long, short in zip(many, few, strict=True)]
            return ours / bare

    assert uvloop.run(ratio()) < 3.0


async def _repeat(ask: Ask, times: int) -> None:
    for _ in range(times):
        await ask()


async def _best_times(asks: tuple[Ask, Ask], times: int) -> float:
    """Of Penstock's best round to uvicorn's best one; taking turns, so that both see the same machine."""
    best = [float("inf"), float("inf")]
    for _ in range(_ROUNDS):
        for number, ask in enumerate(asks):
            best[number] = min(best[number], await cpu_seconds(partial(_repeat, ask, times)))
    return best[0] / best[1]


@pytest.mark.parametrize("streams", [False, True], ids=["json", "stream"])
def test_times(streams: bool) -> None:
    """1.8 to 1.85 for a request and 1.4 to 1.6 for a stream, platform and adapter one after the other in one thread."""

    async def ratio() -> float:
        async with both(app) as paths:
            if streams:
                return await _best_times(_stream(paths, _MANY), _STREAMS)
            return await _best_times(_json(paths), _REQUESTS)

    assert uvloop.run(ratio()) < (2.2 if streams else 2.6)
