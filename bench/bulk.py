"""One stream of 200 MB: bare app and Function URL, taking turns."""

import asyncio
import socket
from dataclasses import dataclass, field
from time import perf_counter
from typing import Final

import psutil

from bench.harness import TEMPLATE, adapters, bare_app, cpu_s, percentile, up

ROUNDS: Final = 5
SIZE: Final = 3_052 * 65_536
"""Bytes of the body, as the app says."""

_READ_BYTES: Final = 1 << 20


@dataclass(slots=True)
class _Side:
    """`rates` in MB/s, a round after the other; `cpu` in milliseconds a MB of each process, by what it is."""

    host: str
    port: int
    processes: dict[str, psutil.Process]
    rates: list[float] = field(default_factory=list)
    cpu: dict[str, list[float]] = field(default_factory=dict)

    def turn(self) -> None:
        before = {name: cpu_s(process) for name, process in self.processes.items()}
        began = perf_counter()
        received = _download(self.host, self.port)
        self.rates.append(received / (perf_counter() - began) / 1e6)
        for name, process in self.processes.items():
            self.cpu.setdefault(name, []).append((cpu_s(process) - before[name]) * 1000 / (received / 1e6))

    @property
    def rate(self) -> float:
        return percentile(self.rates, 0.5)

    def __str__(self) -> str:
        each = ", ".join(f"{name} {percentile(values, 0.5):.2f}" for name, values in self.cpu.items())
        return (
            f"{self.rate:.0f} MB/s p50 ({min(self.rates):.0f} to {max(self.rates):.0f}, n={ROUNDS}); ms of CPU a MB: "
            f"{each}"
        )


async def run() -> list[str]:
    async with up(TEMPLATE, "--min-environments", "1") as platform, bare_app() as (port, process):
        ours = {"platform": platform.process, "adapter": next(adapters())}
        url = _Side(platform.host, platform.port, ours)
        bare = _Side("127.0.0.1", port, {"uvicorn": process})
        await asyncio.to_thread(_take_turns, bare, url)
    return [
        f"bare uvicorn: {bare}",
        f"Function URL: {url}",
        f"ratio: {url.rate / bare.rate:.2f} of bare uvicorn's rate",
    ]


def _take_turns(*sides: _Side) -> None:
    for number in range(ROUNDS + 1):
        for side in sides:
            side.turn()
            if not number:  # warm-up
                side.rates.clear()
                side.cpu.clear()


def _download(host: str, port: int) -> int:
    """Bytes received, framing and head included."""
    with socket.create_connection((host, port)) as sock:
        sock.settimeout(30)
        sock.sendall(b"GET /bulk HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n")
        buffer = bytearray(_READ_BYTES)
        total, end = 0, b""
        while count := sock.recv_into(buffer):
            total += count
            end = (end + buffer[max(0, count - 7) : count])[-7:]
    if total < SIZE or end != b"\r\n0\r\n\r\n":
        raise SystemExit(f"the stream broke after {total:,} bytes")
    return total
