"""Whatever arrives, in whatever pieces: no exception leaves the connection, and every exchange has one life."""

from collections.abc import Callable

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock.wire.exchange import Discard, Exchange
from penstock.wire.http_messages import response
from penstock.wire.http_server import HttpConnection
from support.fuzzing import TRIED, examples
from support.transport import Peer

OK = response(200, b"text/plain", b"ok")


class Life(Discard):
    """Fails the test when it is called after it ended: after `lost`, or after its answer was complete."""

    def __init__(self, connection: HttpConnection, answer_at: int) -> None:
        self.connection = connection
        self._answer_at = answer_at
        self._complete = self._over = False

    def _step(self, step: int) -> None:
        assert not self._over, "called after its end"
        if step == self._answer_at:
            self._over = True
            self.connection.respond(OK)

    def body(self, chunk: bytes) -> None:
        assert chunk
        assert not self._complete
        self._step(1)

    def end(self) -> None:
        assert not self._complete
        self._complete = True
        self._step(2)

    def lost(self) -> None:
        self._step(0)
        self._over = True

    def answer_late(self) -> None:
        if not self._over and self._complete:
            self._over = True
            self.connection.respond(OK)


class Fuzzed:
    def __init__(self, answer_at: int) -> None:
        self._answer_at = answer_at
        self._lives: list[Life] = []
        self.peer = Peer(self._open, max_header_bytes=300)

    def _open(self, connection: HttpConnection) -> Exchange:
        assert not any(life._over is False for life in self._lives), "two exchanges at a time"
        assert connection.method
        self._lives.append(Life(connection, self._answer_at))
        return self._lives[-1]

    def check(self, goodbye: Callable[[Peer], None]) -> None:
        TRIED["streams of bytes for one connection"] += 1
        for life in self._lives:
            life.answer_late()
        self.peer.settle()
        goodbye(self.peer)
        transport = self.peer.transport
        assert transport.late == b"", "written where nobody reads"
        assert transport.lost
        assert self.peer.losses == 1
        assert all(life._over for life in self._lives)


FRAGMENTS = [
    b"GET / HTTP/1.1\r\n", b"POST /p?q HTTP/1.1\r\n", b"HEAD / HTTP/1.0\r\n", b"CONNECT a:1 HTTP/1.1\r\n",
    b"host: x\r\n", b"content-length: 3\r\n", b"content-length: 30\r\n", b"transfer-encoding: chunked\r\n",
    b"connection: close\r\n", b"connection: upgrade\r\nupgrade: websocket\r\n", b"expect: 100-continue\r\n",
    b"x: " + b"y" * 200 + b"\r\n", b"\r\n", b"abc", b"3\r\nabc\r\n", b"0\r\n\r\n", b"0\r\nt: 1\r\n\r\n",
    b"\n", b"\0", b" ",
]  # fmt: skip

structured = st.lists(st.sampled_from(FRAGMENTS) | st.binary(max_size=8), max_size=24).map(b"".join)
sizes = st.lists(st.integers(1, 40), max_size=20)
goodbyes = st.sampled_from([Peer.hang_up, Peer.reset])


@settings(max_examples=examples(400), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=structured, sizes=sizes, answer_at=st.integers(1, 3), goodbye=goodbyes)
def test_requests_in_pieces(data: bytes, sizes: list[int], answer_at: int, goodbye: Callable[[Peer], None]) -> None:
    fuzzed = Fuzzed(answer_at)
    fuzzed.peer.trickle(data, sizes)
    fuzzed.check(goodbye)


@settings(max_examples=examples(200), deadline=None)
@given(pieces=st.lists(st.binary(min_size=1, max_size=80), max_size=12), answer_at=st.integers(1, 3))
def test_any_bytes(pieces: list[bytes], answer_at: int) -> None:
    fuzzed = Fuzzed(answer_at)
    fuzzed.peer.send(*pieces)
    fuzzed.check(Peer.hang_up)


@settings(max_examples=examples(200), deadline=None)
@given(data=structured, sizes=sizes)
def test_retired_connection_ends(data: bytes, sizes: list[int]) -> None:
    fuzzed = Fuzzed(3)
    fuzzed.peer.trickle(data, sizes)
    if not fuzzed.peer.transport.lost:
        fuzzed.peer.connection.retire()
        fuzzed.peer.settle()
    fuzzed.check(Peer.hang_up)
