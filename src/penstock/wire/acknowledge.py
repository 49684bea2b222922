"""Acknowledging at once what a peer has sent while it has more to send.

The kernel waits up to 40 ms for an answer to carry its acknowledgement. A peer with Nagle's algorithm on waits as long
with its next small write: a request's head, or a chunk of a stream, then holds up what follows it. Such a peer is
every client of AWS's Rust runtime, so the real Lambda Web Adapter: hyper leaves Nagle's algorithm on.
https://docs.rs/hyper-util/latest/hyper_util/client/legacy/connect/struct.HttpConnector.html#method.set_nodelay
"""

import asyncio
import socket
from typing import Final

_QUICKACK: Final[int | None] = getattr(socket, "TCP_QUICKACK", None)  # tcp(7): Linux alone has it


def acknowledge(transport: asyncio.BaseTransport) -> None:
    """Send the acknowledgement that is due. Not for good: the kernel falls back to waiting after our next answer."""
    sock: socket.socket | None = transport.get_extra_info("socket")
    if sock is not None and _QUICKACK is not None and not transport.is_closing():
        sock.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
