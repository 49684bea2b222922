"""The HTTP server's side of a connection, fed with bytes: no sockets, no event loop."""

import httptools
import pytest

from penstock.wire.http_messages import CONTINUE, response
from penstock.wire.http_server import (
    MAX_DISCARDED,
    CollectedBody,
    Discard,
    Exchange,
    HttpConnection,
    answer,
)
from support.answers import read_answer, read_answers
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
    def __init__(self, *, at_once: bool = False, **settings: int) -> None:
        self.exchanges: list[Recorded] = []
        self._at_once = at_once
        self.peer = Peer(self._open, **settings)

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


@pytest.mark.parametrize("request_bytes", [GET, POST, CHUNKED], ids=["get", "post", "chunked"])
def test_request_cut_anywhere_is_the_same_request(request_bytes: bytes) -> None:
    whole = Door()
    whole.peer.send(request_bytes)
    for cut in range(1, len(request_bytes)):
        door = Door()
        door.peer.send(request_bytes[:cut])
        assert "end" not in door.exchanges[0].calls if door.exchanges else True
        door.peer.send(request_bytes[cut:])
        assert [vars_of(exchange) for exchange in door.exchanges] == [vars_of(exchange) for exchange in whole.exchanges]
        assert door.last.calls == ["end"]


def vars_of(exchange: Recorded) -> tuple[object, ...]:
    return exchange.method, exchange.target, exchange.headers, exchange.received, exchange.connection.trailers


def test_request_byte_by_byte() -> None:
    door = Door()
    door.peer.trickle(CHUNKED)
    assert vars_of(door.last) == (
        b"POST",
        b"/p",
        [(b"host", b"x"), (b"transfer-encoding", b"chunked")],
        b"hello",
        [(b"x-trailer", b"t")],
    )


def test_keep_alive_serves_many_requests_and_forgets_trailers() -> None:
    door = Door(at_once=True)
    door.peer.send(CHUNKED)
    assert door.last.connection.trailers == [(b"x-trailer", b"t")]
    for _ in range(3):
        door.peer.send(GET)
        assert door.last.connection.trailers == []
    assert [one.body for one in read_answers(door.peer.received)] == [b"/p", *[b"/a?b=1"] * 3]
    assert not door.peer.sees_end


def test_requests_in_one_read_answered_at_once_all_get_their_answer() -> None:
    door = Door(at_once=True)
    door.peer.send(GET + POST + GET)
    assert [one.body for one in read_answers(door.peer.received)] == [b"/a?b=1", b"/p", b"/a?b=1"]
    assert not door.peer.sees_end


@pytest.mark.parametrize("pieces", [(GET + POST + GET,), (GET, POST, GET)], ids=["one read", "three reads"])
def test_pipelined_request_is_left_unanswered_and_the_first_is_told_so(pieces: tuple[bytes, ...]) -> None:
    door = Door()
    door.peer.send(*pieces)
    assert len(door.exchanges) == 1
    door.last.connection.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n" + door.last.connection.end_of_head)
    door.last.connection.finish()
    door.peer.settle()
    only, rest = read_answer(door.peer.received)
    assert only.header("connection") == "close"
    assert rest == b""
    assert len(door.exchanges) == 1
    assert door.peer.sees_end
    # Not closed on unread bytes: the rest was taken, and the connection ends with the client's side.
    assert not door.peer.transport.is_closing()
    door.peer.hang_up()
    assert door.exchanges[0].calls == ["end"]


def test_pipelining_stops_the_reading() -> None:
    door = Door()
    door.peer.send(GET + b"GET")
    assert not door.peer.transport.reading
    door.last.connection.resume_reading()
    assert not door.peer.transport.reading


def test_description_of_a_request_survives_what_was_pipelined_after_it() -> None:
    door = Door()
    door.peer.send(POST + b"DELETE /other HTTP/1.0\r\nx-other: 1\r\n\r\n")
    connection = door.last.connection
    assert (connection.method, connection.target, connection.http_1_0) == (b"POST", b"/p", False)
    assert connection.headers == [(b"host", b"x"), (b"content-length", b"5")]


BAD = {
    "no http": b"hello\r\n\r\n",
    "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "bare lf": b"GET / HTTP/1.1\nhost: x\n\n",
    "bad length": b"POST / HTTP/1.1\r\ncontent-length: x\r\n\r\n",
    "negative length": b"POST / HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
    "two lengths": b"POST / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
    "length and chunked": b"POST / HTTP/1.1\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "unknown coding": b"POST / HTTP/1.1\r\ntransfer-encoding: gzip\r\n\r\nabc",
    "folded header": b"GET / HTTP/1.1\r\nx: a\r\n b\r\n\r\n",
    "nul in header": b"GET / HTTP/1.1\r\nx: a\0b\r\n\r\n",
    "space in name": b"GET / HTTP/1.1\r\nx y: 1\r\n\r\n",
    "8-bit target": b"GET /\xff HTTP/1.1\r\n\r\n",
    "http 2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "connect": b"CONNECT a:80 HTTP/1.1\r\nhost: a\r\n\r\n",
    "bad chunk size": b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    "bad chunk end": b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n1\r\nab\r\n",
}


@pytest.mark.parametrize("piecewise", [False, True], ids=["whole", "trickled"])
@pytest.mark.parametrize("data", BAD.values(), ids=BAD.keys())
def test_bad_bytes_get_400_and_the_end(data: bytes, piecewise: bool) -> None:
    door = Door()
    if piecewise:
        door.peer.trickle(data)
    else:
        door.peer.send(data)
    refusal, rest = read_answer(door.peer.received)
    assert (refusal.status, refusal.body, rest) == (400, b"Bad Request", b"")
    assert refusal.header("connection") == "close"
    assert door.peer.sees_end
    assert all(exchange.calls == ["lost"] for exchange in door.exchanges)


def test_bad_bytes_after_a_sound_request_do_not_cost_its_answer() -> None:
    door = Door()
    door.peer.send(b"GET /a HTTP/1.1\r\nconnection: close\r\n\r\n", b"\x00garbage")
    assert door.last.calls == ["end"]
    door.last.respond()
    door.peer.settle()
    assert [one.status for one in read_answers(door.peer.received)] == [200]
    assert door.peer.sees_end


def test_bad_bytes_after_an_answered_request_get_no_answer_of_their_own_on_a_closed_connection() -> None:
    door = Door(at_once=True)
    door.peer.send(b"GET /a HTTP/1.1\r\nconnection: close\r\n\r\n\x00garbage")
    assert [one.status for one in read_answers(door.peer.received)] == [200]
    assert door.peer.transport.late == b""


def test_no_request_is_taken_after_the_door_decided_to_close() -> None:
    class Closing(AtOnce):
        def end(self) -> None:
            self.connection.keep_alive = False
            super().end()

    opened: list[Closing] = []

    def open_exchange(connection: HttpConnection) -> Exchange:
        opened.append(Closing(connection))
        return opened[-1]

    peer = Peer(open_exchange).send(GET + GET)
    assert len(opened) == 1
    assert len(read_answers(peer.received)) == 1
    assert peer.sees_end


class TestHeaderBudget:
    LIMIT = 1000

    def door(self) -> Door:
        return Door(max_header_bytes=self.LIMIT)

    def refused(self, door: Door) -> None:
        answers = read_answers(door.peer.received)
        assert [one.status for one in answers] == [431]
        assert door.peer.sees_end

    def test_exactly_the_budget_passes(self) -> None:
        # What is counted: target, and per header name, value and 4 bytes of ": " and CRLF.
        value = b"v" * (self.LIMIT - len(b"/") - len(b"x") - 4)
        door = self.door()
        door.peer.send(b"GET / HTTP/1.1\r\nx: " + value + b"\r\n\r\n")
        assert door.last.headers == [(b"x", value)]

    def test_one_byte_more_does_not(self) -> None:
        door = self.door()
        door.peer.send(b"GET / HTTP/1.1\r\nx: " + b"v" * (self.LIMIT - 5) + b"\r\n\r\n")
        self.refused(door)
        assert door.exchanges == []

    def test_long_target(self) -> None:
        door = self.door()
        door.peer.trickle(b"GET /" + b"a" * self.LIMIT)
        self.refused(door)

    def test_many_small_headers(self) -> None:
        door = self.door()
        door.peer.trickle(b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * self.LIMIT)
        self.refused(door)

    @pytest.mark.parametrize(
        "start",
        [b"GET / HTTP/1.1\r\nx: ", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nx: y\r\nlonger: "],
        ids=["value", "name", "second value"],
    )
    def test_header_that_never_ends_is_refused_before_it_fills_the_memory(self, start: bytes) -> None:
        door = self.door()
        door.peer.send(start, *[b"v" * 100] * 11)
        self.refused(door)

    def test_line_ends_without_a_request(self) -> None:
        door = self.door()
        door.peer.send(*[b"\r\n" * 100] * 6)
        self.refused(door)

    def test_chunk_extension_that_never_ends(self) -> None:
        door = self.door()
        door.peer.send(b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n1;", *[b"e" * 100] * 11)
        self.refused(door)
        assert door.last.calls == ["lost"]

    def test_trailer_that_never_ends(self) -> None:
        door = self.door()
        door.peer.send(b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\nx: ", *[b"e" * 100] * 11)
        self.refused(door)
        assert door.last.calls == ["lost"]

    def test_trailers_count_on_top_of_the_headers(self) -> None:
        door = self.door()
        head = b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\nx: " + b"v" * 600 + b"\r\n\r\n"
        door.peer.send(head + b"0\r\ny: " + b"w" * 600 + b"\r\n\r\n")
        self.refused(door)

    def test_each_request_has_a_budget_of_its_own(self) -> None:
        door = Door(at_once=True, max_header_bytes=self.LIMIT)
        head = b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n"
        for _ in range(3):
            door.peer.send(
                head, b"0\r\ny: " + b"w" * 600 + b"\r\n\r\n", b"GET / HTTP/1.1\r\nx: " + b"v" * 600, b"\r\n\r\n"
            )
        assert [one.status for one in read_answers(door.peer.received)] == [200] * 6

    def test_bodies_do_not_count(self) -> None:
        door = self.door()
        door.peer.send(b"POST / HTTP/1.1\r\ncontent-length: 9000\r\n\r\n", *[b"b" * 900] * 10)
        door.peer.send()
        assert len(door.last.received) == 9000
        door.last.respond()
        door.peer.send(b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n", *[b"1\r\nb\r\n"] * 1000, b"0\r\n\r\n")
        assert door.last.calls == ["end"]

    def test_body_of_an_answered_request_does_not_count(self) -> None:
        peer = Peer(lambda connection: answer(connection, response(404, b"text/plain", b"")), self.LIMIT)
        peer.send(b"POST / HTTP/1.1\r\ncontent-length: 9000\r\n\r\n", *[b"b" * 900] * 10)
        peer.send(GET)
        assert [one.status for one in read_answers(peer.received)] == [404, 404]
        assert not peer.sees_end


class TestExpect:
    HEAD = b"POST / HTTP/1.1\r\ncontent-length: 2\r\nexpect: 100-continue\r\n\r\n"

    def test_leave_is_given_once(self) -> None:
        door = Door()
        door.peer.send(self.HEAD)
        assert door.peer.take() == CONTINUE
        door.peer.send(b"ab")
        assert door.peer.take() == b""
        door.last.respond()
        assert read_answer(door.peer.take())[0].status == 200

    def test_refusal_comes_instead(self) -> None:
        peer = Peer(lambda connection: answer(connection, response(404, b"text/plain", b"no")))
        peer.send(self.HEAD)
        assert read_answer(peer.received)[0].status == 404

    def test_not_to_an_old_client(self) -> None:
        door = Door()
        door.peer.send(self.HEAD.replace(b"HTTP/1.1", b"HTTP/1.0"))
        assert door.peer.take() == b""
        assert len(door.exchanges) == 1


class TestOldClients:
    @pytest.mark.parametrize("extra", [b"", b"connection: keep-alive\r\n"])
    def test_connection_ends_with_the_answer(self, extra: bytes) -> None:
        door = Door()
        door.peer.send(b"GET / HTTP/1.0\r\n" + extra + b"\r\n")
        assert door.last.connection.http_1_0
        assert door.last.connection.end_of_head == b"connection: close\r\n\r\n"
        door.last.respond()
        assert door.peer.sees_end

    def test_unknown_version_counts_as_old(self) -> None:
        door = Door()
        door.peer.send(b"GET / HTTP/2.0\r\n\r\n")
        assert door.last.connection.http_1_0


class TestUpgrade:
    """An offer is declined: the request is served as if nothing had been offered."""

    OFFER = b"GET /a HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-key: k\r\n\r\n"
    H2C = b"POST /p HTTP/1.1\r\nhost: x\r\nupgrade: h2c\r\nconnection: upgrade\r\ncontent-length: 5\r\n\r\nhello"

    @pytest.mark.parametrize("piecewise", [False, True], ids=["whole", "trickled"])
    @pytest.mark.parametrize(("data", "body"), [(OFFER, b""), (H2C, b"hello")], ids=["websocket", "h2c with a body"])
    def test_served_with_its_body_and_kept_alive(self, data: bytes, body: bytes, piecewise: bool) -> None:
        door = Door()
        if piecewise:
            door.peer.trickle(data)
        else:
            door.peer.send(data)
        assert len(door.exchanges) == 1
        assert door.last.received == body
        assert b"upgrade" not in dict(door.last.headers)
        assert door.last.headers[0] == (b"host", b"x")
        assert door.last.calls == ["end"]
        door.last.respond()
        door.peer.send(GET)
        assert len(door.exchanges) == 2

    def test_after_another_request_in_the_same_read(self) -> None:
        door = Door(at_once=True)
        door.peer.send(GET + self.H2C + GET)
        assert [exchange.received for exchange in door.exchanges] == [b"", b"hello", b""]

    def test_pipelined_is_ignored(self) -> None:
        door = Door()
        door.peer.send(GET + self.OFFER)
        assert len(door.exchanges) == 1
        assert door.last.calls == ["end"]

    def test_keeps_to_the_header_budget(self) -> None:
        door = Door(max_header_bytes=200)
        door.peer.send(self.OFFER.replace(b"key: k", b"key: " + b"k" * 200))
        assert [one.status for one in read_answers(door.peer.received)] == [431]


class TestEarlyAnswer:
    BIG = b"POST / HTTP/1.1\r\ncontent-length: 4000\r\n\r\n"

    def test_rest_of_the_body_is_thrown_away_and_the_connection_kept(self) -> None:
        peer = Peer(lambda connection: answer(connection, response(404, b"text/plain", b"")))
        peer.send(self.BIG, b"x" * 2000)
        assert not peer.sees_end
        peer.send(b"x" * 2000, GET)
        assert [one.status for one in read_answers(peer.received)] == [404, 404]

    def collecting(self, taken: list[bytes]) -> Peer:
        refusal = response(413, b"text/plain", b"big", b"connection: close\r\n")

        def open_exchange(connection: HttpConnection) -> Exchange:
            return CollectedBody(connection, taken.append, 1000, refusal)

        return Peer(open_exchange)

    def test_collected_body_up_to_the_limit(self) -> None:
        taken: list[bytes] = []
        self.collecting(taken).trickle(b"POST / HTTP/1.1\r\ncontent-length: 1000\r\n\r\n" + b"x" * 1000)
        assert taken == [b"x" * 1000]

    def test_collected_body_over_the_limit_is_refused_and_the_client_can_read_it(self) -> None:
        taken: list[bytes] = []
        peer = self.collecting(taken).send(self.BIG, b"x" * 1001)
        assert [one.status for one in read_answers(peer.received)] == [413]
        # The server's side has ended, but the socket is not closed on bytes still coming: that would reset it.
        assert peer.transport.ended
        assert not peer.transport.is_closing()
        peer.send(b"x" * 2999, GET)
        assert len(read_answers(peer.received)) == 1
        peer.hang_up()
        assert taken == []
        assert peer.losses == 1

    def test_there_is_an_end_to_what_is_thrown_away(self) -> None:
        piece = b"x" * (MAX_DISCARDED // 4)
        peer = self.collecting([]).send(self.BIG, b"x" * 1001, *[piece] * 4)
        assert not peer.transport.is_closing()
        peer.send(b"x")
        assert peer.transport.aborted


class TestHangUp:
    @pytest.mark.parametrize("sent", range(1, len(POST)))
    def test_before_the_request_is_complete(self, sent: int) -> None:
        door = Door()
        door.peer.send(POST[:sent]).hang_up()
        assert all(exchange.calls == ["lost"] for exchange in door.exchanges)
        assert door.peer.losses == 1
        assert door.peer.received == b""

    @pytest.mark.parametrize("how", ["hang_up", "reset"])
    def test_while_the_answer_is_awaited(self, how: str) -> None:
        door = Door()
        door.peer.send(POST)
        assert door.last.connection.answerable
        getattr(door.peer, how)()
        assert door.last.calls == ["end", "lost"]
        assert not door.last.connection.answerable

    def test_in_the_middle_of_the_answer(self) -> None:
        door = Door()
        door.peer.send(GET)
        door.last.connection.write(b"HTTP/1.1 200 OK\r\n")
        door.peer.reset()
        assert door.last.calls == ["end", "lost"]

    def test_after_the_answer_the_exchange_hears_nothing(self) -> None:
        door = Door()
        door.peer.send(GET)
        door.last.respond()
        door.peer.hang_up()
        assert door.last.calls == ["end"]

    def test_peer_that_is_going_is_not_answerable(self) -> None:
        """Between the end of the stream and the loss of the connection lies a turn of the event loop."""
        door = Door()
        door.peer.send(GET)
        door.last.connection.eof_received()
        door.peer.transport.close()
        assert not door.last.connection.answerable


class TestWritingPaused:
    def test_reaches_the_exchange_and_is_undone(self) -> None:
        door = Door()
        door.peer.send(GET)
        door.peer.transport.stuck = True
        door.last.connection.write(b"x" * 70_000)
        assert door.last.calls == ["end", "pause"]
        assert door.last.connection.writing_paused
        door.peer.transport.flush()
        assert door.last.calls == ["end", "pause", "resume"]
        assert not door.last.connection.writing_paused

    def test_outlives_the_exchange_that_wrote(self) -> None:
        door = Door()
        door.peer.send(GET)
        door.peer.transport.stuck = True
        door.last.respond(b"x" * 70_000)
        door.peer.send(GET)
        assert len(door.exchanges) == 2
        assert door.last.connection.writing_paused
        assert "pause" not in door.exchanges[1].calls


class TestCut:
    def test_framed_body_ends_short_and_what_was_written_arrives(self) -> None:
        door = Door()
        door.peer.send(GET)
        door.last.connection.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n")
        door.last.connection.cut(framed=True)
        assert not read_answer(door.peer.received)[0].complete
        assert door.peer.transport.is_closing()
        assert not door.peer.transport.aborted

    def test_unframed_body_is_reset(self) -> None:
        door = Door()
        door.peer.send(GET)
        door.last.connection.cut(framed=False)
        assert door.peer.transport.aborted


class TestRetire:
    def test_idle_connection_closes(self) -> None:
        door = Door(at_once=True)
        door.peer.send(GET)
        door.peer.connection.retire()
        assert door.peer.transport.is_closing()

    def test_new_connection_closes(self) -> None:
        door = Door()
        door.peer.connection.retire()
        assert door.peer.transport.is_closing()

    def test_unfinished_head_is_dropped(self) -> None:
        door = Door()
        door.peer.send(GET[:10])
        door.peer.connection.retire()
        assert door.peer.transport.is_closing()

    @pytest.mark.parametrize("sent", [len(POST), len(POST) - 3], ids=["complete", "body still coming"])
    def test_open_request_is_answered_first(self, sent: int) -> None:
        door = Door()
        door.peer.send(POST[:sent])
        door.peer.connection.retire()
        assert not door.peer.sees_end
        door.peer.send(POST[sent:])
        door.last.respond()
        assert [one.status for one in read_answers(door.peer.received)] == [200]
        assert door.peer.sees_end

    def test_answered_request_still_sending_is_let_go(self) -> None:
        peer = Peer(lambda connection: answer(connection, response(404, b"text/plain", b"")))
        peer.send(POST[:-2])
        peer.connection.retire()
        assert peer.sees_end


def test_head_request_gets_the_head_alone() -> None:
    door = Door()
    door.peer.send(b"HEAD / HTTP/1.1\r\n\r\n")
    door.last.respond(b"four")
    assert door.peer.received.endswith(b"content-length: 4\r\n\r\n")


def test_fault_of_ours_is_not_blamed_on_the_client() -> None:
    def broken(connection: HttpConnection) -> Exchange:
        raise LookupError("ours")

    peer = Peer(broken)
    with pytest.raises(LookupError, match="ours"):
        peer.send(GET)
    assert peer.received == b""


def test_parser_hides_what_callbacks_raise_in_its_context() -> None:
    """What `data_received` relies on to tell our faults from the peer's."""
    assert issubclass(httptools.HttpParserCallbackError, httptools.HttpParserError)
