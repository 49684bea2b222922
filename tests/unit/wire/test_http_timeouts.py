"""Which phase of a connection ends when its client takes too long. Virtual time, no sockets."""

from collections.abc import Callable

import pytest

from penstock.wire.exchange import Exchange
from penstock.wire.http_messages import response
from penstock.wire.http_server import MAX_UNTAKEN, HttpConnection
from penstock.wire.listener import Listener
from penstock.wire.timeouts import TICK_S, Timeouts
from support.answers import read_answers
from support.clock import VirtualClock
from support.http_door import CHUNKED_HEAD, GET, POST, AtOnce, Recorded
from support.transport import FakeTransport, Peer

TIMEOUTS = Timeouts(head=10, request=20, idle=30, linger=5)


class TimedPeer(Peer):
    """A client of a listener's connection."""

    def __init__(self, listener: Listener) -> None:
        self.transport = FakeTransport()
        self.losses = 0
        self.connection = listener.accept()
        self.transport.protocol = self.connection
        self.connection.connection_made(self.transport)
        self._inbox = []


class Rig:
    def __init__(self, *, at_once: bool = False, timeouts: Timeouts | None = TIMEOUTS) -> None:
        self.clock = VirtualClock()
        self.exchanges: list[Recorded] = []
        self._kind = AtOnce if at_once else Recorded
        self.listener = Listener(self._open, 64 * 1024, timeouts, self.clock)
        self.peer = TimedPeer(self.listener)

    def _open(self, connection: HttpConnection) -> Exchange:
        self.exchanges.append(self._kind(connection))
        return self.exchanges[-1]

    @property
    def last(self) -> Recorded:
        return self.exchanges[-1]

    def after(self, seconds: float) -> "Rig":
        self.clock.advance(seconds)
        self.peer.settle()
        return self

    def lasts(self, seconds: float) -> None:
        """The phase that has begun ends after `seconds`, or up to two ticks later."""
        self.after(seconds)
        assert not self.peer.sees_end
        self.after(2 * TICK_S)
        assert self.peer.sees_end

    @property
    def statuses(self) -> list[int]:
        return [one.status for one in read_answers(self.peer.received)]


class TestHead:
    def test_silent_connection_ends_without_a_word(self) -> None:
        rig = Rig()
        rig.lasts(TIMEOUTS.head)
        assert rig.peer.received == b""
        assert rig.peer.transport.lost

    def test_empty_lines_are_no_request(self) -> None:
        rig = Rig()
        for _ in range(5):
            rig.peer.send(b"\r\n")
            rig.after(2)
        rig.after(2)
        assert rig.peer.transport.lost
        assert rig.peer.received == b""

    def test_unfinished_head_gets_408(self) -> None:
        rig = Rig()
        rig.after(4)
        rig.peer.send(GET[:10])
        rig.lasts(TIMEOUTS.head)
        assert rig.statuses == [408]
        assert rig.exchanges == []

    def test_a_byte_now_and_then_does_not_help(self) -> None:
        rig = Rig()
        rig.peer.send(b"GET / HTTP/1.1\r\n")
        for _ in range(20):
            rig.peer.send(b"x")
            rig.after(0.5)
        rig.after(2)
        assert rig.statuses == [408]

    def test_after_an_answered_request_as_well(self) -> None:
        rig = Rig(at_once=True)
        rig.peer.send(GET)
        rig.after(TIMEOUTS.idle - 2)
        rig.peer.send(b"G")
        rig.lasts(TIMEOUTS.head)
        assert rig.statuses == [200, 408]


class TestBody:
    @pytest.mark.parametrize("head", [POST[:-5], CHUNKED_HEAD], ids=["length", "chunked"])
    def test_unfinished_body_gets_408_and_the_exchange_hears(self, head: bytes) -> None:
        rig = Rig()
        rig.peer.send(head)
        rig.lasts(TIMEOUTS.request)
        assert rig.statuses == [408]
        assert rig.last.calls == ["lost"]

    def test_it_counts_from_the_end_of_the_head(self) -> None:
        rig = Rig()
        rig.peer.send(POST[:10])
        rig.after(TIMEOUTS.head - 1)
        rig.peer.send(POST[10:-2])
        rig.lasts(TIMEOUTS.request)

    def test_a_chunk_now_and_then_does_not_help(self) -> None:
        rig = Rig()
        rig.peer.send(CHUNKED_HEAD)
        for _ in range(40):
            rig.peer.send(b"1\r\na\r\n")
            rig.after(0.5)
        rig.after(2)
        assert rig.statuses == [408]
        assert rig.last.calls == ["lost"]

    def test_of_a_request_that_was_answered_early(self) -> None:
        rig = Rig()
        rig.peer.send(POST[:-2])
        rig.last.respond()
        rig.lasts(TIMEOUTS.request)
        assert rig.statuses == [200]

    def test_early_answer_and_then_the_whole_body(self) -> None:
        rig = Rig()
        rig.peer.send(POST[:-2])
        rig.last.respond()
        rig.after(TIMEOUTS.request - 1)
        rig.peer.send(POST[-2:])
        rig.lasts(TIMEOUTS.idle)
        assert rig.statuses == [200]

    def test_of_a_client_that_takes_no_answers(self) -> None:
        """It is not read either: only the timeout ends it."""
        rig = Rig()
        rig.peer.transport.stuck = True
        rig.peer.send(GET)
        rig.last.respond(b"x" * (MAX_UNTAKEN + 1))
        rig.peer.connection.data_received(POST[:-2])  # was in the same read
        assert not rig.peer.transport.reading
        rig.after(TIMEOUTS.request + 2)
        assert rig.last.calls == ["lost"]
        assert not rig.peer.transport.aborted
        rig.after(TIMEOUTS.linger + 2)
        assert rig.peer.transport.lost


class TestAnswering:
    def test_has_no_end_of_its_own(self) -> None:
        rig = Rig()
        rig.peer.send(POST)
        rig.after(100_000)
        assert not rig.peer.sees_end
        rig.last.respond()
        assert rig.statuses == [200]

    def test_has_none_when_the_client_pipelined(self) -> None:
        rig = Rig()
        rig.peer.send(GET + GET)
        rig.after(100_000)
        assert not rig.peer.sees_end
        rig.last.respond()
        assert rig.statuses == [200]

    def test_has_none_while_the_client_reads_slowly(self) -> None:
        rig = Rig()
        rig.peer.transport.stuck = True
        rig.peer.send(GET)
        rig.last.connection.write(b"x" * 100_000)
        rig.after(100_000)
        assert not rig.peer.transport.is_closing()


class TestIdle:
    def test_ends_without_a_word(self) -> None:
        rig = Rig(at_once=True)
        rig.peer.send(GET)
        rig.lasts(TIMEOUTS.idle)
        assert rig.statuses == [200]
        assert rig.peer.transport.lost

    def test_each_request_begins_it_anew(self) -> None:
        rig = Rig(at_once=True)
        for _ in range(5):
            rig.peer.send(GET)
            rig.after(TIMEOUTS.idle)
        assert rig.statuses == [200] * 5
        rig.after(2)
        assert rig.peer.transport.lost

    def test_begins_with_the_answer(self) -> None:
        rig = Rig()
        rig.peer.send(GET)
        rig.after(1000)
        rig.last.respond()
        rig.lasts(TIMEOUTS.idle)

    def test_begins_when_the_answer_was_taken(self) -> None:
        rig = Rig()
        rig.peer.transport.stuck = True
        rig.peer.send(GET)
        rig.last.respond(b"x" * 100_000)
        rig.after(TIMEOUTS.linger - 1)
        rig.peer.transport.flush()
        rig.lasts(TIMEOUTS.idle)


class TestLinger:
    def closing(self) -> Rig:
        """The answer is out and says that the connection closes; bytes are left of the request."""
        rig = Rig()
        rig.peer.send(POST[:-2])
        rig.last.connection.keep_alive = False
        rig.last.respond()
        return rig

    def test_peer_that_never_closes(self) -> None:
        rig = self.closing()
        assert rig.peer.transport.ended
        rig.after(TIMEOUTS.linger)
        assert not rig.peer.transport.lost
        rig.after(2)
        assert rig.peer.transport.aborted

    def test_peer_that_goes_on_sending(self) -> None:
        rig = self.closing()
        for _ in range(10):
            rig.peer.send(b"more")
            rig.after(1)
        assert rig.peer.transport.aborted

    @pytest.mark.parametrize(
        "end",
        [
            lambda connection: connection.respond(response(200, b"x", b"x" * 100_000)),
            lambda connection: connection.cut(framed=True),
        ],
        ids=["answered", "cut"],
    )
    def test_peer_that_never_takes_the_last_answer(self, end: Callable[[HttpConnection], None]) -> None:
        rig = Rig()
        rig.peer.transport.stuck = True
        rig.peer.send(GET.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n"))
        rig.last.connection.write(b"x" * 100_000)
        end(rig.last.connection)
        rig.after(TIMEOUTS.linger)
        assert not rig.peer.transport.lost
        rig.after(2)
        assert rig.peer.transport.aborted

    @pytest.mark.parametrize("size", [100_000, MAX_UNTAKEN + 1], ids=["still read", "held"])
    def test_peer_that_keeps_the_connection_and_takes_nothing(self, size: int) -> None:
        rig = Rig()
        rig.peer.transport.stuck = True
        rig.peer.send(GET)
        rig.last.respond(b"x" * size)
        rig.lasts(TIMEOUTS.linger)
        assert rig.peer.transport.aborted

    def test_answer_that_left_with_the_read_that_asked(self) -> None:
        """Written when the read is handled, so after the answer was finished."""
        rig = Rig(at_once=True)
        rig.peer.transport.stuck = True
        rig.peer.send((b"GET /" + b"x" * 40_000 + b" HTTP/1.1\r\nhost: a\r\n\r\n") * 2)
        assert rig.peer.connection.writing_paused
        rig.lasts(TIMEOUTS.linger)
        assert rig.peer.transport.aborted

    def test_peer_that_takes_it_slowly_is_let_go_on(self) -> None:
        rig = Rig()
        rig.peer.transport.stuck = True
        rig.peer.send(GET.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n"))
        rig.last.respond(b"x" * 100_000)
        for _ in range(20):
            rig.peer.transport.unsent -= 1000
            rig.after(TIMEOUTS.linger)
        assert not rig.peer.transport.aborted
        rig.after(2 * TIMEOUTS.linger + 2)
        assert rig.peer.transport.aborted

    def test_idle_connection_that_cannot_be_closed(self) -> None:
        """Less is left than would be told to a writer."""
        rig = Rig()
        rig.peer.transport.stuck = True
        rig.peer.send(GET)
        rig.last.respond()
        rig.lasts(TIMEOUTS.idle)
        assert not rig.peer.transport.lost
        rig.after(TIMEOUTS.linger + 2)
        assert rig.peer.transport.aborted

    def test_client_that_shut_one_half_and_takes_nothing(self) -> None:
        rig = Rig()
        rig.peer.transport.stuck = True
        rig.peer.send(GET)
        rig.last.connection.write(b"x" * 100_000)
        rig.peer.connection.eof_received()
        rig.peer.transport.close()
        rig.after(TIMEOUTS.linger + 2)
        assert rig.last.calls[-1] == "lost"

    def test_retired_connection_that_cannot_be_closed(self) -> None:
        rig = Rig()
        rig.peer.transport.stuck = True
        rig.peer.send(GET)
        rig.last.respond()
        rig.listener.stop_accepting()
        rig.after(TIMEOUTS.linger + 2)
        assert rig.peer.transport.lost


class TestTicks:
    def test_run_while_connections_are_open(self) -> None:
        rig = Rig()
        assert rig.clock.waiting == 1
        rig.peer.hang_up()
        rig.after(2)
        assert rig.clock.waiting == 0
        rig.peer = TimedPeer(rig.listener)
        rig.lasts(TIMEOUTS.head)

    def test_one_timer_for_all(self) -> None:
        rig = Rig()
        peers = [TimedPeer(rig.listener) for _ in range(10)]
        assert rig.clock.waiting == 1
        rig.after(TIMEOUTS.head + 2)
        assert all(peer.transport.is_closing() for peer in peers)

    def test_end_with_the_listener(self) -> None:
        rig = Rig()
        rig.listener.stop_accepting()
        rig.peer.settle()
        assert rig.clock.waiting == 0

    def test_without_timeouts_there_are_none(self) -> None:
        rig = Rig(timeouts=None)
        assert rig.clock.waiting == 0
        rig.peer.send(POST[:-2])
        rig.after(1_000_000)
        assert not rig.peer.sees_end

    def test_timeouts_need_a_clock(self) -> None:
        with pytest.raises(ValueError, match="clock"):
            Listener(lambda _: Recorded(_), 1000, TIMEOUTS)
