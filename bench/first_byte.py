"""What the platform adds to the first byte of a stream, for one caller: bare app and Function URL, turn by turn."""

import asyncio
import re
import socket
from time import monotonic_ns
from typing import Final

from bench.harness import BARE_RUNTIME, TEMPLATE, bare_app, percentile, spread, up

REQUESTS: Final = 2_000
WARM_UP: Final = 200

_STAMP: Final = re.compile(rb"14\r\n(\d{20})\r\n")


class _Caller:
    """One kept connection. For each request, milliseconds from its sending to the app's write, and from there here."""

    def __init__(self, host: str, port: int, path: str) -> None:
        self._sock = socket.create_connection((host, port))
        self._sock.settimeout(10)
        self._request = f"GET {path} HTTP/1.1\r\nhost: bench\r\n\r\n".encode()
        self.there: list[float] = []
        self.back: list[float] = []

    def call(self) -> None:
        sent_at = monotonic_ns()
        self._sock.sendall(self._request)
        data = b""
        while not (found := _STAMP.search(data)):
            data += self._read()
            if data[9:12] != b"200":
                raise SystemExit(f"unexpected answer: {data!r}")
        at = monotonic_ns()
        while not data.endswith(b"\r\n0\r\n\r\n"):
            data += self._read()
        self.there.append((int(found[1]) - sent_at) / 1e6)
        self.back.append((at - int(found[1])) / 1e6)

    def _read(self) -> bytes:
        data = self._sock.recv(65536)
        if not data:
            raise SystemExit("the connection ended within an answer")
        return data

    def all(self) -> list[float]:
        return [sum(both) for both in zip(self.there, self.back, strict=True)]

    def forget(self) -> None:
        self.there.clear()
        self.back.clear()

    def close(self) -> None:
        self._sock.close()


async def run() -> list[str]:
    flags = ("--min-environments", "1")
    async with up(TEMPLATE, *flags) as platform, up(BARE_RUNTIME, *flags) as runtime, bare_app() as (port, _):
        callers = {
            "bare uvicorn": _Caller("127.0.0.1", port, "/first"),
            "Function URL": _Caller(platform.host, platform.port, "/first"),
            "Function URL, asyncio on the Runtime API": _Caller(runtime.host, runtime.port, "/?chunks=1&gap=0"),
        }
        await asyncio.to_thread(_take_turns, list(callers.values()))
    bare, url, without = callers.values()
    added = percentile(url.all(), 0.5) - percentile(bare.all(), 0.5)
    return [
        *(f"first byte, {name}: {spread(caller.all())}" for name, caller in callers.items()),
        f"added to the bare app's first byte: {added:.2f} ms p50, {_added(url.there, bare.there)} on the way to the "
        f"app, {_added(url.back, bare.back)} on the way back",
        f"with asyncio in place of adapter and app: {_median(without.there)} there, {_median(without.back)} back",
    ]


def _take_turns(callers: list[_Caller]) -> None:
    for number in range(WARM_UP + REQUESTS):
        if number == WARM_UP:
            for caller in callers:
                caller.forget()
        for caller in callers:
            caller.call()
    for caller in callers:
        caller.close()


def _median(times: list[float]) -> str:
    return f"{percentile(times, 0.5):.2f} ms"


def _added(times: list[float], bare: list[float]) -> str:
    return f"{percentile(times, 0.5) - percentile(bare, 0.5):.2f} ms"
