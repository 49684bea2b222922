"""200 requests at the same moment to three environments of 64 slots: what is too much is refused, at once."""

import asyncio
import select
import socket
from collections import Counter
from dataclasses import dataclass
from time import monotonic_ns, sleep

from bench.harness import EXAMPLE, Up, get, spread, up

REQUESTS = 200
ROUNDS = 5


@dataclass(slots=True, eq=False)
class _Client:
    """A connection that is open before the moment comes; its times are `monotonic_ns`.

    Plain sockets and one epoll: the measuring must not wait for an event loop of its own.
    """

    sock: socket.socket
    sent_at: int = 0
    first_at: int = 0
    ended_at: int = 0
    received: bytes = b""

    @property
    def status(self) -> int:
        return int(self.received[9:12])


async def run() -> list[str]:
    lines = []
    async with up(EXAMPLE) as platform:
        await get(platform.host, platform.port, "/health")  # warm-up
        for fresh in (False, True):
            for number in range(ROUNDS + 1):
                clients = await asyncio.to_thread(_burst, platform, fresh=fresh)
                if number:  # the first is warm-up
                    lines.append(f"{'new' if fresh else 'open'} connections, round {number}: {_describe(clients)}")
                await asyncio.sleep(0.5)  # a slot is free again when its worker polls, a moment after the last answer
    return lines


def _describe(clients: list[_Client]) -> str:
    counts = Counter(client.status for client in clients)
    refusals = [(one.first_at - one.sent_at) / 1e6 for one in clients if one.status == 429]
    firsts = [(one.first_at - one.sent_at) / 1e6 for one in clients if one.status == 200]
    return f"{dict(sorted(counts.items()))}; refused in {spread(refusals)}; first byte of the others {spread(firsts)}"


def _burst(platform: Up, *, fresh: bool) -> list[_Client]:
    """All requests at once; on connections that were used before, or on ones the platform has yet to accept."""
    clients = [_Client(socket.create_connection((platform.host, platform.port))) for _ in range(REQUESTS)]
    if not fresh:
        for client in clients:
            client.sock.sendall(b"GET /health HTTP/1.1\r\nhost: bench\r\n\r\n")
            while b"0\r\n\r\n" not in client.sock.recv(65536):
                pass
        sleep(0.2)
    by_fd = {client.sock.fileno(): client for client in clients}
    poll = select.epoll()
    for fd in by_fd:
        poll.register(fd, select.EPOLLIN)
    for client in clients:
        client.sent_at = monotonic_ns()
        client.sock.sendall(b"GET / HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n")
    while by_fd:
        for fd, _ in poll.poll():
            client = by_fd[fd]
            data = client.sock.recv(65536)
            client.ended_at = monotonic_ns()
            client.first_at = client.first_at or client.ended_at
            client.received += data
            if not data:
                poll.unregister(fd)
                del by_fd[fd]
                client.sock.close()
    poll.close()
    return clients
