"""`python -m bench.peers.caller URL CALLERS SECONDS`: a load generator in a process of its own.

Each caller keeps one connection busy: it sends its next request when the answer to the last one is complete. One JSON
line at the end tells how many answers came and, in milliseconds, how long their first body bytes took.
"""

import asyncio
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from time import perf_counter
from typing import Final, cast
from urllib.parse import urlsplit

import httptools
import orjson
import uvloop

_ENDING_S: Final = 10.0
"""How long the last answers may take."""


@dataclass(slots=True)
class Tally:
    """What all callers have seen. `first_ms` has one entry for each answer of status 200 that has a body."""

    until: float
    answers: int = 0
    refused: int = 0
    """Of status 429."""
    failed: int = 0
    """Of any other status, and connections that ended within an answer."""
    first_ms: list[float] = field(default_factory=list)


class _Caller(asyncio.Protocol):
    def __init__(self, request: bytes, tally: Tally, ended: Callable[[], None]) -> None:
        self._request = request
        self._tally = tally
        self._ended = ended
        self._parser = httptools.HttpResponseParser(self)
        self._sent_at = self._first_at = 0.0
        self._open = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._send()

    def _send(self) -> None:
        assert self._transport
        self._sent_at = perf_counter()
        if self._sent_at >= self._tally.until:
            self._transport.close()
            return
        self._open = True
        self._first_at = 0.0
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        if not self._first_at:
            self._first_at = perf_counter()

    def on_message_complete(self) -> None:
        status = self._parser.get_status_code()
        tally = self._tally
        self._open = False
        if status == 200:
            tally.answers += 1
            if self._first_at:
                tally.first_ms.append((self._first_at - self._sent_at) * 1000)
        elif status == 429:
            tally.refused += 1
        else:
            tally.failed += 1
        self._send()

    def connection_lost(self, error: Exception | None) -> None:
        if self._open:
            self._tally.failed += 1
        self._ended()


async def call(url: str, callers: int, seconds: float) -> Tally:
    """Raises OSError when nothing listens, TimeoutError when answers do not end."""
    parts = urlsplit(url)
    target = f"{parts.path}?{parts.query}" if parts.query else parts.path
    request = f"GET {target} HTTP/1.1\r\nhost: {parts.netloc}\r\naccept: */*\r\n\r\n".encode()
    loop = asyncio.get_running_loop()
    tally = Tally(perf_counter() + seconds)
    ends = [loop.create_future() for _ in range(callers)]
    for end in ends:
        caller = _Caller(request, tally, partial(end.set_result, None))
        await loop.create_connection(partial(_itself, caller), str(parts.hostname), parts.port or 80)
    await asyncio.wait_for(asyncio.gather(*ends), seconds + _ENDING_S)
    return tally


def _itself(caller: _Caller) -> _Caller:
    return caller


def main() -> None:
    url, callers, seconds = sys.argv[1:]
    tally = uvloop.run(call(url, int(callers), float(seconds)))
    told = {"answers": tally.answers, "refused": tally.refused, "failed": tally.failed, "first_ms": tally.first_ms}
    sys.stdout.buffer.write(orjson.dumps(told) + b"\n")


if __name__ == "__main__":
    main()
