"""An ASGI app with one fault a path, and none at `/sound`, for `penstock check` to be tried on.

Copied into an app's folder as main.py, so it imports the standard library alone.
"""

import asyncio
import mmap
import os
import time
from typing import Any
from urllib.parse import parse_qs

MIB = 1 << 20

current = {"user": "nobody"}
seen: list[str] = []
at_once = 0


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        return
    global at_once
    query = parse_qs(scope["query_string"].decode())
    user = query.get("user", ["nobody"])[0]
    at_once += 1
    try:
        status, text = await PATHS.get(scope["path"], missing)(user)
    finally:
        at_once -= 1
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": text.encode()})


async def missing(user: str) -> tuple[int, str]:
    return 404, "not found"


async def sound(user: str) -> tuple[int, str]:
    await asyncio.sleep(0.005)
    return 200, f"hello {user}"


async def mixed(user: str) -> tuple[int, str]:
    current["user"] = user
    await asyncio.sleep(0.005)
    return 200, f"hello {current['user']}"


async def hidden(user: str) -> tuple[int, str]:
    """Overwrites module state and never answers with it."""
    current["user"] = user
    await asyncio.sleep(0.005)
    return 200, f"hello {user}"


async def remembers(user: str) -> tuple[int, str]:
    """Answers with whoever asked first."""
    seen.append(user)
    return 200, f"hello {seen[0]}"


async def blocks(user: str) -> tuple[int, str]:
    time.sleep(0.08)  # noqa: ASYNC251  # the fault
    return 200, f"hello {user}"


async def hungry(user: str) -> tuple[int, str]:
    """4 MB each, as long as it lasts."""
    held = bytearray(b"x") * (4 * MIB)
    await asyncio.sleep(0.3)
    return 200, f"hello {user} {len(held)}"


async def greedy(user: str) -> tuple[int, str]:
    """250 MB each beside 1,200 that stay: four are too many for 2,048."""
    if not stock:
        stock.append(mmap.mmap(-1, 1200 * MIB, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))
        for _ in range(1200):
            stock[0].write(bytes(MIB))
    held = bytearray(b"x") * (250 * MIB)
    await asyncio.sleep(0.5)
    return 200, f"hello {user} {len(held)}"


async def fails(user: str) -> tuple[int, str]:
    await asyncio.sleep(0.005)
    return (500, "no") if at_once > 2 else (200, f"hello {user}")


async def broken(user: str) -> tuple[int, str]:
    return 500, "no"


async def dies(user: str) -> tuple[int, str]:
    await asyncio.sleep(0.05)
    if at_once > 2:
        os._exit(3)
    return 200, f"hello {user}"


async def fragile(user: str) -> tuple[int, str]:
    os._exit(3)


async def counts(user: str) -> tuple[int, str]:
    """The same alone, and not the same with others."""
    await asyncio.sleep(0.005)
    return 200, f"{user}: {at_once} at once"


async def queues(user: str) -> tuple[int, str]:
    async with lock:
        await asyncio.sleep(0.03)
    return 200, f"hello {user}"


lock = asyncio.Lock()
stock: list[mmap.mmap] = []
PATHS = {
    f"/{function.__name__}": function
    for function in (
        sound,
        mixed,
        hidden,
        remembers,
        blocks,
        hungry,
        greedy,
        fails,
        broken,
        dies,
        fragile,
        counts,
        queues,
    )
}
