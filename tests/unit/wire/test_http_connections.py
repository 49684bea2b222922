"""What may happen to a connection besides a request and its answer. No sockets, no event loop."""

import httptools
import pytest

from penstock.wire.bodies import CollectedBody, answer
from penstock.wire.exchange import Exchange
from penstock.wire.http_messages import CONTINUE, response
from penstock.wire.http_server import HttpConnection
from penstock.wire.request_reader import MAX_DISCARDED
from support.answers import read_answer, read_answers
from support.http_door import GET, POST, Door
from support.transport import Peer


class TestExpect:
    HEAD = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\nexpect: 100-continue\r\n\r\n"

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

    def test_in_any_case(self) -> None:
        door = Door()
        door.peer.send(self.HEAD.replace(b"100-continue", b"100-Continue"))
        assert door.peer.take() == CONTINUE

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

    def test_what_was_offered_is_known_for_this_request_alone(self) -> None:
        door = Door(at_once=True)
        door.peer.send(GET)
        assert door.last.connection.upgrade == b""
        door.peer.send(self.OFFER)
        assert door.last.connection.upgrade == b"websocket"
        door.peer.send(GET)
        assert door.last.connection.upgrade == b""

    def test_an_offer_without_the_connection_option_is_known_as_well(self) -> None:
        door = Door()
        door.peer.send(b"GET /a HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\n\r\n")
        assert door.last.connection.upgrade == b"websocket"

    def test_as_many_as_fit_in_one_read(self) -> None:
        """None of them is read inside another."""
        door = Door(at_once=True)
        door.peer.send(self.H2C * 2000)
        assert len(read_answers(door.peer.received)) == 2000

    def test_keeps_to_the_header_budget(self) -> None:
        door = Door(max_header_bytes=200)
        door.peer.send(self.OFFER.replace(b"key: k", b"key: " + b"k" * 200))
        assert [one.status for one in read_answers(door.peer.received)] == [431]


class TestEarlyAnswer:
    BIG = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 4000\r\n\r\n"

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
        self.collecting(taken).trickle(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n" + b"x" * 1000)
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
    door.peer.send(b"HEAD / HTTP/1.1\r\nhost: x\r\n\r\n")
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
