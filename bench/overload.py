"""200 requests at the same moment to three environments of 64 slots: what is too much is refused, at once."""

import asyncio
from collections import Counter
from time import monotonic_ns

from bench.harness import EXAMPLE, Up, get, percentile, spread, up

REQUESTS = 200
ROUNDS = 5


class _Client(asyncio.Protocol):
    """A connection that is open before the moment comes; notes when its answer began and ended."""

    def __init__(self) -> None:
        self.sent_at = self.first_at = self.ended_at = 0
        self.received = b""
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        self.ended_at = monotonic_ns()
        self.first_at = self.first_at or self.ended_at
        self.received += data

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed.set_result(None)

    @property
    def status(self) -> int:
        return int(self.received[9:12])


async def run() -> list[str]:
    lines = []
    async with up(EXAMPLE) as platform:
        await get(platform.host, platform.port, "/health")  # warm-up
        await _burst(platform)
        for number in range(1, ROUNDS + 1):
            await asyncio.sleep(0.5)  # a slot is free again when its worker polls, a moment after the last answer
            clients = await _burst(platform)
            counts = Counter(client.status for client in clients)
            refusals = [(one.first_at - one.sent_at) / 1e6 for one in clients if one.status == 429]
            firsts = [(one.first_at - one.sent_at) / 1e6 for one in clients if one.status == 200]
            seconds = [(one.ended_at - one.sent_at) / 1e9 for one in clients if one.status == 200]
            lines.append(
                f"round {number}: {dict(sorted(counts.items()))}; refused in {spread(refusals)}; first byte of the "
                f"others {spread(firsts)}; their streams took {percentile(seconds, 0.5):.2f} s"
            )
    return lines


async def _burst(platform: Up) -> list[_Client]:
    loop = asyncio.get_running_loop()
    opened = [await loop.create_connection(_Client, platform.host, platform.port) for _ in range(REQUESTS)]
    for transport, client in opened:
        client.sent_at = monotonic_ns()
        transport.write(b"GET / HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n")
    await asyncio.gather(*(client.closed for _, client in opened))
    return [client for _, client in opened]
