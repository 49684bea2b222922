"""The platform's end of a link: one connection that carries those of all slots of our adapter.

The adapter ships alone, so what both ends share stands there: `penstock_adapter.link`.
"""

from collections.abc import Callable
from typing import Final

from penstock.wire.bodies import answer
from penstock.wire.exchange import Discard, Exchange
from penstock.wire.gather import handle_read
from penstock.wire.http_messages import NOT_FOUND
from penstock.wire.http_server import HttpConnection
from penstock_adapter.link import PROTOCOL, SWITCHING, Link
from penstock_adapter.link import TARGET as _TARGET

TARGET: Final = _TARGET.encode()
_UPGRADE: Final = PROTOCOL.encode()


class _ServerLink(Link):
    """One read of it leaves each client one write. While the other side takes nothing, nothing is taken from it: what
    it asks for must not pile up here.
    """

    def data_received(self, data: bytes) -> None:
        handle_read(super().data_received, data)

    def pause_writing(self) -> None:
        super().pause_writing()
        self.pause_reading()

    def resume_writing(self) -> None:
        super().resume_writing()
        self.resume_reading()


class LinkOffer(Discard):
    """A request to make this connection a link. `accept` makes the protocol of each connection on it."""

    __slots__ = ("_accept", "_connection")

    def __init__(self, connection: HttpConnection, accept: Callable[[], HttpConnection]) -> None:
        self._connection = connection
        self._accept = accept

    def end(self) -> None:
        connection = self._connection
        connection.hand_over(_ServerLink(self._accept, connection.connection_lost), SWITCHING)


def offer(connection: HttpConnection, accept: Callable[[], HttpConnection]) -> Exchange:
    """Answer a request for `TARGET`, on a connection that is not on a link itself."""
    if connection.upgrade != _UPGRADE or connection.method != b"GET":
        return answer(connection, NOT_FOUND)
    return LinkOffer(connection, accept)
