"""The load tool: `wrk` where it is on PATH, else callers of our own in a process of theirs."""

import asyncio
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypedDict

import orjson

_ROOT: Final = Path(__file__).parents[2]
_COUNT: Final = re.compile(r"(\d+) requests in ")
_REFUSED: Final = re.compile(r"Non-2xx or 3xx responses: (\d+)")
_BROKEN: Final = re.compile(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)")
_RATE: Final = re.compile(r"Requests/sec: +([0-9.]+)")


class _Told(TypedDict):
    answers: int
    refused: int
    failed: int
    first_ms: list[float]


@dataclass(frozen=True, slots=True)
class Load:
    """What one run gave: whole answers of status 200, how many and how many a second; answers of other statuses; errors
    of connections.
    """

    answers: int
    rate: float
    refused: int
    broken: int


@dataclass(frozen=True, slots=True)
class FirstBytes:
    """Milliseconds from a request to the first byte of its answer's body, one an answer; and what failed."""

    times: list[float]
    failed: int


def tool() -> str:
    """What makes the load, in words."""
    return "wrk" if shutil.which("wrk") else "callers of its own on uvloop, for wrk is not on PATH"


async def load(url: str, callers: int, seconds: int) -> Load:
    """`callers` connections, each kept busy. Ends the bench when the load tool fails."""
    if not shutil.which("wrk"):
        told = await _callers(url, callers, seconds)
        return Load(told["answers"], told["answers"] / seconds, told["refused"] + told["failed"], 0)
    output = await _run("wrk", "-t1", f"-c{callers}", f"-d{seconds}s", "--timeout", "10s", url)
    return read_wrk(output.decode())


async def first_bytes(url: str, callers: int, seconds: int) -> FirstBytes:
    """Always by callers of our own: no load tool tells of first bytes."""
    told = await _callers(url, callers, seconds)
    return FirstBytes(told["first_ms"], told["refused"] + told["failed"])


def read_wrk(output: str) -> Load:
    """What wrk prints at its end. It counts an answer of any status. Raises ValueError when there is no count."""
    count, rate = _COUNT.search(output), _RATE.search(output)
    if not count or not rate:
        raise ValueError(f"wrk gave no rate: {output!r}")
    every = int(count[1])
    refused = int(found[1]) if (found := _REFUSED.search(output)) else 0
    broken = sum(map(int, found.groups())) if (found := _BROKEN.search(output)) else 0
    answers = every - refused
    return Load(answers, float(rate[1]) * answers / every if every else 0.0, refused, broken)


async def _callers(url: str, callers: int, seconds: int) -> _Told:
    words = ("-m", "bench.peers.caller", url, str(callers), str(seconds))
    told: _Told = orjson.loads(await _run(sys.executable, *words))
    return told


async def _run(*words: str) -> bytes:
    process = await asyncio.create_subprocess_exec(*words, cwd=_ROOT, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    if process.returncode:
        raise SystemExit(f"{' '.join(words)} ended with {process.returncode}")
    return output
