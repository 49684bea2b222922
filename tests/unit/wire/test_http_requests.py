"""Requests as they come in: cut anywhere, pipelined, broken, too large. No sockets, no event loop."""

import pytest

from penstock.wire.bodies import answer
from penstock.wire.exchange import Exchange
from penstock.wire.http_messages import response
from penstock.wire.http_server import HttpConnection
from penstock.wire.request_reader import MAX_DISCARDED
from support.answers import read_answer, read_answers
from support.http_door import CHUNKED, GET, POST, AtOnce, Door, Recorded
from support.transport import Peer


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


def test_blanks_around_a_value_are_no_part_of_it() -> None:
    door = Door()
    door.peer.send(b"GET / HTTP/1.1\r\nHost: x \t\r\nX-One:  1 2\t \r\nX-Two: \r\n\r\n")
    assert door.last.headers == [(b"host", b"x"), (b"x-one", b"1 2"), (b"x-two", b"")]


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


def test_who_pipelined_and_hangs_up_is_heard() -> None:
    door = Door()
    door.peer.send(GET + b"GET")
    door.last.connection.pause_reading()
    assert door.peer.transport.reading
    door.peer.send(GET * 1000)
    assert len(door.exchanges) == 1
    door.peer.hang_up()
    assert door.last.calls[-1] == "lost"


def test_there_is_an_end_to_what_may_be_pipelined() -> None:
    door = Door()
    door.peer.send(GET + b"GET")
    door.peer.send(*[b"x" * (MAX_DISCARDED // 4)] * 4)
    assert not door.peer.transport.aborted
    door.peer.send(b"x")
    assert door.peer.transport.aborted


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
    "folded header": b"GET / HTTP/1.1\r\nx: a\r\n b\r\n\r\n",
    "nul in header": b"GET / HTTP/1.1\r\nx: a\0b\r\n\r\n",
    "space in name": b"GET / HTTP/1.1\r\nx y: 1\r\n\r\n",
    "8-bit target": b"GET /\xff HTTP/1.1\r\n\r\n",
    "http 2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
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
    door.peer.send(b"GET /a HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n", b"\x00garbage")
    assert door.last.calls == ["end"]
    door.last.respond()
    door.peer.settle()
    assert [one.status for one in read_answers(door.peer.received)] == [200]
    assert door.peer.sees_end


def test_bad_bytes_after_an_answered_request_get_no_answer_of_their_own_on_a_closed_connection() -> None:
    door = Door(at_once=True)
    door.peer.send(b"GET /a HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n\x00garbage")
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
        value = b"v" * (self.LIMIT - len(b"/") - len(b"hostx") - 4 - len(b"x") - 4)
        door = self.door()
        door.peer.send(b"GET / HTTP/1.1\r\nhost: x\r\nx: " + value + b"\r\n\r\n")
        assert door.last.headers == [(b"host", b"x"), (b"x", value)]

    def test_one_byte_more_does_not(self) -> None:
        door = self.door()
        door.peer.send(b"GET / HTTP/1.1\r\nhost: x\r\nx: " + b"v" * (self.LIMIT - 14) + b"\r\n\r\n")
        self.refused(door)
        assert door.exchanges == []

    def test_long_target(self) -> None:
        door = self.door()
        door.peer.trickle(b"GET /" + b"a" * self.LIMIT)
        self.refused(door)

    def test_many_small_headers(self) -> None:
        door = self.door()
        door.peer.trickle(b"GET / HTTP/1.1\r\nhost: x\r\n" + b"a: b\r\n" * self.LIMIT)
        self.refused(door)

    @pytest.mark.parametrize(
        "start",
        [b"GET / HTTP/1.1\r\nhost: x\r\nx: ", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nhost: x\r\nx: y\r\nlonger: "],
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
        door.peer.send(b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n1;", *[b"e" * 100] * 11)
        self.refused(door)
        assert door.last.calls == ["lost"]

    def test_trailer_that_never_ends(self) -> None:
        door = self.door()
        door.peer.send(b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n0\r\nx: ", *[b"e" * 100] * 11)
        self.refused(door)
        assert door.last.calls == ["lost"]

    def test_trailers_count_on_top_of_the_headers(self) -> None:
        door = self.door()
        head = b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\nx: " + b"v" * 600 + b"\r\n\r\n"
        door.peer.send(head + b"0\r\ny: " + b"w" * 600 + b"\r\n\r\n")
        self.refused(door)

    def test_each_request_has_a_budget_of_its_own(self) -> None:
        door = Door(at_once=True, max_header_bytes=self.LIMIT)
        head = b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
        for _ in range(3):
            door.peer.send(
                head,
                b"0\r\ny: " + b"w" * 600 + b"\r\n\r\n",
                b"GET / HTTP/1.1\r\nhost: x\r\nx: " + b"v" * 600,
                b"\r\n\r\n",
            )
        assert [one.status for one in read_answers(door.peer.received)] == [200] * 6

    def test_bodies_do_not_count(self) -> None:
        door = self.door()
        door.peer.send(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9000\r\n\r\n", *[b"b" * 900] * 10)
        door.peer.send()
        assert len(door.last.received) == 9000
        door.last.respond()
        door.peer.send(
            b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n", *[b"1\r\nb\r\n"] * 1000, b"0\r\n\r\n"
        )
        assert door.last.calls == ["end"]

    def test_body_of_an_answered_request_does_not_count(self) -> None:
        peer = Peer(lambda connection: answer(connection, response(404, b"text/plain", b"")), self.LIMIT)
        peer.send(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9000\r\n\r\n", *[b"b" * 900] * 10)
        peer.send(GET)
        assert [one.status for one in read_answers(peer.received)] == [404, 404]
        assert not peer.sees_end
