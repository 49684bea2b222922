"""A client that asks on and on and reads no answer is left waiting before its answers fill the memory."""

from penstock.wire.exchange import DISCARD, Exchange
from penstock.wire.http_messages import response
from penstock.wire.http_server import MAX_UNTAKEN, HttpConnection
from support.transport import Peer

GET = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
ANSWER = response(200, b"text/plain", b"x" * 1000)


def answer_at_once(connection: HttpConnection) -> Exchange:
    connection.respond(ANSWER)
    return DISCARD


def stuck() -> Peer:
    peer = Peer(answer_at_once)
    peer.transport.stuck = True
    return peer


def test_nothing_is_read_while_too_much_waits() -> None:
    peer = stuck()
    peer.send(*[GET * 100] * 100)
    assert not peer.transport.reading
    assert MAX_UNTAKEN < peer.transport.unsent < MAX_UNTAKEN + 3 * 100 * len(ANSWER)


def test_all_are_answered_once_it_reads() -> None:
    peer = stuck()
    peer.send(*[GET * 100] * 100)
    while not peer.transport.reading:
        peer.transport.flush()
        peer.transport.stuck = True
        peer.settle()
    peer.transport.flush()
    assert peer.received == ANSWER * 100 * 100


def test_little_may_wait() -> None:
    peer = stuck()
    peer.send(GET * 100)
    assert peer.connection.writing_paused
    assert peer.transport.reading


def test_a_held_client_that_leaves_is_gone() -> None:
    peer = stuck()
    peer.send(*[GET * 100] * 100)
    peer.reset()
    assert peer.losses == 1
