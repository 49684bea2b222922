"""Listening sockets, taken first of all: a port in use is told before anything is installed."""

import contextlib
import socket
from collections.abc import Iterable

from penstock.model.errors import UserError
from penstock.wire.listener import bind


class Addresses:
    """Sockets bound at one host. They are closed together if one cannot be had."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._bound: list[socket.socket] = []

    def bind(self, port: int, what: str, flag: str) -> socket.socket:
        """A bound socket; `port` 0 picks a free one. Raises UserError, with every socket so far closed again."""
        try:
            sock = bind(self._host, port)
        except (OSError, OverflowError) as error:
            self.close()
            raise self.refusal(port, what, flag, error) from None
        self._bound.append(sock)
        return sock

    def bind_in_turn(self, port: int, whats: Iterable[str], flag: str) -> dict[str, socket.socket]:
        """One for each, the next port after the last one."""
        return {what: self.bind(port and port + index, what, flag) for index, what in enumerate(whats)}

    def refusal(self, port: int, what: str, flag: str, error: Exception) -> UserError:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        return UserError(
            f"cannot serve {what} at {self._host} port {port}: {why}; {flag} takes another one, 0 picks free ones"
        )

    def close(self) -> None:
        for sock in self._bound:
            with contextlib.suppress(OSError):
                sock.close()


def url_of(sock: socket.socket, scheme: str = "http") -> str:
    """`http://127.0.0.1:3000/`: what a client on this machine asks."""
    host, port = sock.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else "127.0.0.1" if host == "0.0.0.0" else host
    return f"{scheme}://{shown}:{port}/"
