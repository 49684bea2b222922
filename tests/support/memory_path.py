"""One request at a time through two paths in memory, on one uvloop: the whole of Penstock, and uvicorn alone.

client ══> FunctionUrl -> Router -> RuntimeApi ══> RuntimeSlot -> AsgiMode -> app
client ══> uvicorn's httptools protocol -> app
where ══ is a `MemoryTransport`: no kernel and no other process, so what is counted is the Python that runs.
"""

import asyncio
import gc
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from time import thread_time
from types import FrameType
from typing import Final, cast

from uvicorn import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from penstock.model.function import InvokeMode
from penstock.pytest_plugin import client_stream
from penstock.pytest_plugin.client_stream import ClientStream
from penstock.pytest_plugin.local_function import LocalFunction, Settings
from penstock_adapter import memory_pipe
from penstock_adapter.asgi_types import App
from penstock_adapter.memory_pipe import connect

_PATIENCE_S: Final = 10.0
_READ_BYTES: Final = 1 << 20
_NOT_COUNTED: Final = {__file__, memory_pipe.__file__, client_stream.__file__}


@dataclass(frozen=True, slots=True)
class Path:
    """One kept connection."""

    stream: ClientStream

    async def ask(self, target: str, ending: bytes) -> bytes:
        """The answer as it came; `ending` is how it ends on this path."""
        await self.stream.write(b"GET %b HTTP/1.1\r\nhost: app\r\naccept: */*\r\n\r\n" % target.encode(), _PATIENCE_S)
        data = b""
        while not data.endswith(ending):
            data += await self.stream.read(_READ_BYTES, None)
        return data


@dataclass(frozen=True, slots=True)
class Both:
    """The same app behind both."""

    penstock: Path
    uvicorn: Path


@asynccontextmanager
async def both(app: App) -> AsyncIterator[Both]:
    async with AsyncExitStack() as stack:
        yield Both(await stack.enter_async_context(_penstock(app)), await stack.enter_async_context(_uvicorn(app)))


@asynccontextmanager
async def _penstock(app: App) -> AsyncIterator[Path]:
    function = LocalFunction(app, Settings(invoke_mode=InvokeMode.RESPONSE_STREAM, concurrency=4, timeout=30))
    await function.start()
    stream = function.open_connection()
    try:
        yield Path(stream)
    finally:
        stream.close()
        await function.stop()


@asynccontextmanager
async def _uvicorn(app: App) -> AsyncIterator[Path]:
    """As `run.sh` starts it: no access log."""
    config = Config(cast("Callable[..., object]", app), lifespan="off", access_log=False, log_config=None)
    config.load()
    protocol = HttpToolsProtocol(config, ServerState(), {})
    stream = ClientStream()
    connect(stream, protocol, {"peername": ("127.0.0.1", 50_000), "sockname": ("127.0.0.1", 8000)})
    try:
        yield Path(stream)
    finally:
        stream.close()
        await asyncio.sleep(0)


async def calls(work: Callable[[], Awaitable[object]]) -> int:
    """Functions called while `work` runs in this thread, Python's and C's alike: the same number every time. Those of
    the connections and of the client are left out: they stand for the kernel and another process.
    """
    count = 0

    def seen(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call") and frame.f_code.co_filename not in _NOT_COUNTED

    gc.disable()
    sys.setprofile(seen)
    try:
        await work()
    finally:
        sys.setprofile(None)
        gc.enable()
    return count


async def cpu_seconds(work: Callable[[], Awaitable[object]]) -> float:
    """Of this thread's CPU: what other processes take of the machine is not in it."""
    began = thread_time()
    await work()
    return thread_time() - began
