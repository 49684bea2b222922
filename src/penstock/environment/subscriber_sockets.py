"""The sockets by which telemetry leaves for those who subscribed to it; a fault on purpose can cut them all."""

import contextlib
import errno
import socket
from collections.abc import Awaitable, Callable
from weakref import WeakSet


class SubscriberSockets:
    def __init__(self, open_socket: Callable[[], Awaitable[socket.socket]]) -> None:
        self._open_socket = open_socket
        self._open: WeakSet[socket.socket] = WeakSet()
        self._is_cut = False

    async def open(self) -> socket.socket:
        """A new one, which is the caller's to close. Raises OSError."""
        if self._is_cut:
            raise OSError(errno.ENETDOWN, "cut on purpose")
        sock = await self._open_socket()
        self._open.add(sock)
        return sock

    def cut(self) -> None:
        """Break those there are, and make no more."""
        self._is_cut = True
        for sock in self._open:
            with contextlib.suppress(OSError):  # closed, or not connected yet
                sock.shutdown(socket.SHUT_RDWR)
