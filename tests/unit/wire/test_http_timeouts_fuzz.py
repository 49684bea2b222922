"""Whatever a client sends, and whenever it stops: its connection ends, and every exchange has one life."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock.wire.exchange import DISCARD, Discard, Exchange
from penstock.wire.http_messages import response
from penstock.wire.http_server import HttpConnection
from penstock.wire.listener import Listener
from penstock.wire.timeouts import Timeouts
from support.clock import VirtualClock
from support.fuzzing import TRIED, examples
from support.transport import FakeTransport, Peer

TIMEOUTS = Timeouts(head=5, request=5, idle=5, linger=5)
# Each phase may follow each other one, and a peer that takes a little is let go on.
LONG = 10 * 5.0

FRAGMENTS = [
    b"GET / HTTP/1.1\r\n", b"POST /p?q HTTP/1.1\r\n", b"HEAD / HTTP/1.0\r\n", b"GET http://b/ HTTP/1.1\r\n",
    b"host: x\r\n", b"content-length: 3\r\n", b"content-length: 30\r\n", b"transfer-encoding: chunked\r\n",
    b"transfer-encoding: gzip, chunked\r\n", b"connection: close\r\n", b"connection: upgrade\r\nupgrade: websocket\r\n",
    b"expect: 100-continue\r\n", b"x: " + b"y" * 200 + b"\r\n", b"\r\n", b"abc", b"3\r\nabc\r\n", b"0\r\n\r\n",
    b"0\r\nt: 1\r\n\r\n", b"\n", b"\0",
]  # fmt: skip


class Life(Discard):
    """Answers at its head, at its end, or when the test says so. Nothing is asked of it after its end."""

    def __init__(self, connection: HttpConnection, answer_at: str, size: int) -> None:
        self.connection = connection
        self._answer_at = answer_at
        self._answer = response(200, b"text/plain", b"x" * size)
        self.over = False
        if answer_at == "head":
            self.answer()

    def answer(self) -> None:
        assert not self.over
        self.over = True
        self.connection.respond(self._answer)

    def body(self, chunk: bytes) -> None:
        assert not self.over

    def end(self) -> None:
        assert not self.over
        if self._answer_at == "end":
            self.answer()

    def lost(self) -> None:
        assert not self.over
        self.over = True


class Fuzzed(Peer):
    def __init__(self, answer_at: str, size: int) -> None:
        self.clock = VirtualClock()
        self.lives: list[Life] = []
        self._answer_at, self._size = answer_at, size
        self._listener = Listener(self._open, 300, TIMEOUTS, self.clock)
        self.transport = FakeTransport()
        self.losses = 0
        self.connection = self._listener.accept()
        self.transport.protocol = self.connection
        self.connection.connection_made(self.transport)
        self._inbox = []

    def _open(self, connection: HttpConnection) -> Exchange:
        life = Life(connection, self._answer_at, self._size)
        self.lives.append(life)
        return DISCARD if life.over else life

    @property
    def left(self) -> int:
        return len(self._listener._connections)

    def after(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.settle()

    def answer(self) -> None:
        for life in self.lives:
            if not life.over and life.connection._received:
                life.answer()
        self.settle()


acts = st.sampled_from([1.0, 3.0, 7.0, "answer", "stick"])
steps = st.lists(st.sampled_from(FRAGMENTS) | st.binary(min_size=1, max_size=8) | acts, max_size=24)
sizes = st.sampled_from([2, 100_000, 2_000_000])


@settings(max_examples=examples(400), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=steps, answer_at=st.sampled_from(["head", "end", "later"]), size=sizes)
def test_silence_is_the_end(steps: list[bytes | float | str], answer_at: str, size: int) -> None:
    TRIED["clients that fall silent"] += 1
    peer = Fuzzed(answer_at, size)
    for step in steps:
        if isinstance(step, bytes):
            peer.send(step)
        elif isinstance(step, float):
            peer.after(step)
        elif step == "answer":
            peer.answer()
        else:
            peer.transport.stuck = True
    peer.after(LONG)
    if peer.lives and not peer.lives[-1].over:  # while the function is answering nothing ends
        peer.answer()
        peer.after(LONG)
    assert peer.transport.lost
    peer.after(2)
    assert (peer.left, peer.clock.waiting) == (0, 0)
    assert all(life.over for life in peer.lives)
    assert peer.transport.late == b""
