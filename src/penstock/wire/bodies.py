"""Two ways to take a request's body: not at all, or whole."""

from collections.abc import Callable

from penstock.wire.exchange import DISCARD, Discard, Exchange
from penstock.wire.http_server import HttpConnection


def answer(connection: HttpConnection, response: bytes) -> Exchange:
    """Answer before the body is read; what arrives of it is thrown away."""
    connection.respond(response)
    return DISCARD


class CollectedBody(Discard):
    """A request whose body is taken whole: `complete` gets it, or `too_large` refuses it and the connection closes."""

    __slots__ = ("_complete", "_limit", "_parts", "_size", "_too_large", "connection")

    def __init__(
        self, connection: HttpConnection, complete: Callable[[bytes], None], limit: int, too_large: bytes
    ) -> None:
        self.connection = connection
        self._complete = complete
        self._limit = limit
        self._too_large = too_large
        self._size = 0
        self._parts: list[bytes] = []

    def body(self, chunk: bytes) -> None:
        self._size += len(chunk)
        if self._size > self._limit:
            self.connection.keep_alive = False
            self.connection.respond(self._too_large)
        else:
            self._parts.append(chunk)

    def end(self) -> None:
        self._complete(b"".join(self._parts))
