"""What a request leaves behind: nothing for the collector, whose runs would hold up whatever comes then."""

import gc
from collections import Counter
from functools import partial
from types import FunctionType, MethodType

import uvloop
from fastapi import FastAPI

from support.memory_path import both

_REQUESTS = 5
app = FastAPI()


@app.get("/json")
async def answer() -> dict[str, str]:
    return {"hello": "world"}


def _home(thing: object) -> str:
    """The module that made `thing`: of a bound method, whose it is."""
    owner = thing.__self__ if isinstance(thing, MethodType) else thing
    return owner.__module__ if isinstance(owner, FunctionType) else type(owner).__module__


def _left_behind() -> Counter[str]:
    """Objects of ours that only the collector would find, by type."""
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        gc.collect()
        return Counter(type(one).__qualname__ for one in gc.garbage if _home(one).startswith("penstock"))
    finally:
        gc.set_debug(0)
        gc.garbage.clear()


def test_a_request_leaves_no_circle() -> None:
    async def left() -> Counter[str]:
        async with both(app) as paths:
            ask = partial(paths.penstock.ask, "/json", b"\r\n0\r\n\r\n")
            await ask()
            gc.collect()
            gc.disable()
            try:
                for _ in range(_REQUESTS):
                    await ask()
                return _left_behind()
            finally:
                gc.enable()

    assert uvloop.run(left()) == Counter()
