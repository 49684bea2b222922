"""What the platform costs a request: the same app behind a Function URL and on its own uvicorn, taking turns."""

import asyncio
from time import perf_counter

from bench.harness import TEMPLATE, bare_app, spread, up

ROUNDS = 4
SECONDS = 2.0


async def run() -> list[str]:
    lines = []
    async with up(TEMPLATE, "--min-environments", "1") as platform, bare_app() as (bare_port, _):
        targets = {"Function URL": (platform.host, platform.port), "bare uvicorn": ("127.0.0.1", bare_port)}
        for callers in (1, 32):
            times: dict[str, list[float]] = {name: [] for name in targets}
            rates: dict[str, list[float]] = {name: [] for name in targets}
            for _ in range(ROUNDS + 1):
                for name, (host, port) in targets.items():
                    found, rate = await load(host, port, callers)
                    times[name] = times[name] + found if rates[name] else []  # the first round is warm-up
                    rates[name].append(rate)
            for name in targets:
                rate = sorted(rates[name][1:])[ROUNDS // 2]
                lines.append(f"{callers} callers, {name}: {rate:.0f} requests/s, {spread(times[name])}")
            ratio = sorted(rates["Function URL"][1:])[ROUNDS // 2] / sorted(rates["bare uvicorn"][1:])[ROUNDS // 2]
            lines.append(f"{callers} callers, ratio: {ratio:.2f} of bare uvicorn's rate")
    return lines


async def load(host: str, port: int, callers: int) -> tuple[list[float], float]:
    """Milliseconds of each request, and requests a second, of `callers` that each keep one connection busy."""
    times: list[float] = []
    until = perf_counter() + SECONDS
    await asyncio.gather(*(_call(host, port, until, times) for _ in range(callers)))
    return times, len(times) / SECONDS


async def _call(host: str, port: int, until: float, times: list[float]) -> None:
    reader, writer = await asyncio.open_connection(host, port)
    request = b"GET /small HTTP/1.1\r\nhost: bench\r\naccept: */*\r\n\r\n"
    while (began := perf_counter()) < until:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        if head.startswith(b"HTTP/1.1 429"):  # a slot is free again when its worker polls, a moment after its answer
            await reader.readuntil(b"}")
            await asyncio.sleep(0.001)
            continue
        if b"chunked" not in head:
            raise SystemExit(f"unexpected answer: {head!r}")
        await reader.readuntil(b"0\r\n\r\n")
        times.append((perf_counter() - began) * 1000)
    writer.close()
    await writer.wait_closed()
