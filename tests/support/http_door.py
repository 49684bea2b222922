"""A door that records the requests of one connection and answers when told."""

from penstock.wire.exchange import Discard, Exchange
from penstock.wire.http_messages import response
from penstock.wire.http_server import HttpConnection
from support.transport import Peer

GET = b"GET /a?b=1 HTTP/1.1\r\nHost: x\r\nX-One: 1\r\n\r\n"
POST = b"POST /p HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nhello"
CHUNKED_HEAD = b"POST /p HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
CHUNKED = CHUNKED_HEAD + b"2\r\nhe\r\n3;ext=1\r\nllo\r\n0\r\nX-Trailer: t\r\n\r\n"


class Recorded(Discard):
    """An exchange that answers when told, and knows what it was called with."""

    def __init__(self, connection: HttpConnection) -> None:
        self.connection = connection
        self.method = connection.method
        self.target = connection.target
        self.headers = list(connection.headers)
        self.calls: list[str] = []
        self.received = b""

    def body(self, chunk: bytes) -> None:
        self.received += chunk

    def end(self) -> None:
        self.calls.append("end")

    def lost(self) -> None:
        self.calls.append("lost")

    def pause_writing(self) -> None:
        self.calls.append("pause")

    def resume_writing(self) -> None:
        self.calls.append("resume")

    def respond(self, body: bytes = b"ok", status: int = 200) -> None:
        self.connection.respond(response(status, b"text/plain", body))


class Door:
    def __init__(self, *, at_once: bool = False, max_header_bytes: int = 64 * 1024) -> None:
        self.exchanges: list[Recorded] = []
        self._at_once = at_once
        self.peer = Peer(self._open, max_header_bytes)

    def _open(self, connection: HttpConnection) -> Exchange:
        exchange = AtOnce(connection) if self._at_once else Recorded(connection)
        self.exchanges.append(exchange)
        return exchange

    @property
    def last(self) -> Recorded:
        return self.exchanges[-1]


class AtOnce(Recorded):
    def end(self) -> None:
        super().end()
        self.respond(self.target)
