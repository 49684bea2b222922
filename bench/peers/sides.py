"""What is compared: each side serves the same app at a URL while its context is open."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from time import monotonic
from typing import Final
from urllib.parse import urlsplit

import psutil
from tools.fetching.common import Misplaced, Missing
from tools.fetching.web_adapter import TITLE as LWA
from tools.fetching.web_adapter import find as find_lwa

from bench.harness import Answer, cpu_s, get, up
from bench.peers import cargo_lambda
from bench.peers.ports import end, free_port, listening
from bench.peers.project import Project

BARE: Final = "bare uvicorn"
IN_PROCESS: Final = "Penstock, in process"
HOOK: Final = "Penstock, run.sh with PENSTOCK_UVICORN_HOOK"
PROXY: Final = "Penstock, run.sh behind our adapter"
REAL_LWA: Final = f"Penstock, run.sh behind {LWA}"
MANGUM: Final = "Penstock, Mangum on awslambdaric (whole answers)"
CARGO: Final = f"cargo-lambda watch {cargo_lambda.VERSION}, our adapter in process"
CARGO_BUFFERED: Final = "the same, whole answers"

SLOTS: Final = cargo_lambda.SLOTS
JSON: Final = "/json"
CHUNKS: Final = 200
CHUNK_BYTES: Final = 30
STREAM: Final = f"/stream?chunks={CHUNKS}"
# Longer than 64 requests take to arrive.
_HELD: Final = "/stream?chunks=1&gap=0.3"
_SLOTS_LIMIT_S: Final = 90.0
_JSON_BODY: Final = b'{"hello":"world","n":42}'

_LWA_LAYER: Final = "arn:aws:lambda:us-east-1:753240598075:layer:LambdaAdapterLayerX86:26"
_ONE: Final = ("--min-environments", "1")


@dataclass(frozen=True, slots=True)
class Side:
    """`streams`: whether a chunk reaches the client when the app sends it, and not with the whole answer. `roots`:
    processes that, with all their children, do the work.
    """

    name: str
    url: str
    streams: bool
    roots: tuple[psutil.Process, ...]

    def cpu_s(self) -> float:
        """Seconds of CPU used so far. Those of processes that have ended are lost: read it before and after a load."""
        total = 0.0
        for root in self.roots:
            for process in (root, *root.children(recursive=True)):
                with contextlib.suppress(psutil.NoSuchProcess):
                    total += cpu_s(process)
        return total

    async def check(self) -> None:
        """Ends the bench unless both endpoints answer with every byte, in time also to as many callers as slots."""
        await self._all_slots()
        for path, length in ((JSON, len(_JSON_BODY)), (STREAM, CHUNKS * CHUNK_BYTES)):
            answer = await self._get(path)
            if answer.status != 200 or len(answer.body) != length:
                raise SystemExit(f"{self.name}: {path} answered {answer.status} with {len(answer.body)} bytes")

    async def _all_slots(self) -> None:
        """An environment is ready with its first slot; the others may need some time yet."""
        until = monotonic() + _SLOTS_LIMIT_S
        while any(answer.status == 429 for answer in await asyncio.gather(*map(self._get, [_HELD] * SLOTS))):
            if monotonic() > until:
                raise SystemExit(f"{self.name}: {SLOTS} callers at once are refused")
            await asyncio.sleep(1)

    async def _get(self, path: str) -> Answer:
        parts = urlsplit(self.url + path)
        return await get(str(parts.hostname), int(parts.port or 80), f"{parts.path}?{parts.query}")


Opening = AbstractAsyncContextManager[Side]


async def sides(project: Project) -> tuple[dict[str, Opening], list[str]]:
    """Every side that can be had, bare uvicorn first, and a line for each that cannot."""
    opening: dict[str, Opening] = {
        BARE: _uvicorn(project),
        IN_PROCESS: _penstock(IN_PROCESS, project, "in_process"),
        HOOK: _penstock(HOOK, project, "hook"),
        PROXY: _penstock(PROXY, project, "proxy"),
    }
    missing: list[str] = []
    try:
        opening[REAL_LWA] = _penstock(REAL_LWA, project, "proxy", "--layer", f"{_LWA_LAYER}={find_lwa(os.environ)}")
    except (Missing, Misplaced) as problem:
        missing.append(f"{REAL_LWA}: not measured: {problem}")
    opening[MANGUM] = _penstock(MANGUM, project, "mangum", streams=False)
    if reason := await cargo_lambda.why_missing(project):
        missing.append(f"{CARGO}: not measured: {reason}")
    else:
        opening[CARGO] = _cargo(CARGO, project, "response_stream")
        opening[CARGO_BUFFERED] = _cargo(CARGO_BUFFERED, project, "buffered")
    return opening, missing


@contextlib.asynccontextmanager
async def _uvicorn(project: Project) -> AsyncIterator[Side]:
    """As `run.sh` starts it."""
    port = free_port()
    words = ("--host", "127.0.0.1", "--port", str(port), "--no-access-log", "--log-level", "warning", "main:app")
    variables = {**os.environ, "PYTHONPATH": str(project.app)}
    server = await asyncio.create_subprocess_exec(
        project.python, "-m", "uvicorn", *words, cwd=project.app, env=variables
    )
    try:
        await listening(port, server)
        yield Side(BARE, f"http://127.0.0.1:{port}", True, (psutil.Process(server.pid),))
    finally:
        await end(server)


@contextlib.asynccontextmanager
async def _penstock(
    name: str, project: Project, template: str, *flags: str, streams: bool = True
) -> AsyncIterator[Side]:
    # No side writes a line for each request: bare uvicorn is told so as well.
    async with up(project.folder / f"{template}.yaml", *_ONE, "--no-access-log", *flags) as platform:
        yield Side(name, f"http://{platform.host}:{platform.port}", streams, (platform.process,))


@contextlib.asynccontextmanager
async def _cargo(name: str, project: Project, invoke_mode: str) -> AsyncIterator[Side]:
    async with cargo_lambda.cargo_lambda(project, invoke_mode) as running:
        yield Side(name, running.url, invoke_mode == "response_stream", running.processes)
