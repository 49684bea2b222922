"""A request that comes again in the same bytes is not parsed again, and nobody can tell."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.wire import request_reader
from penstock.wire.exchange import Discard, Exchange
from penstock.wire.http_messages import Headers, response
from penstock.wire.http_server import HttpConnection
from support.transport import Peer

GET = b"GET /a?b HTTP/1.1\r\nhost: x\r\naccept: */*\r\n\r\n"
POLL = b"GET /next HTTP/1.1\r\nhost: x\r\nuser-agent: one\r\n\r\n"
REQUESTS = {
    "get": GET,
    "poll": POLL,
    "head": b"HEAD / HTTP/1.1\r\nhost: x\r\n\r\n",
    "empty post": b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n",
    "body of a line end": b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n\r\n",
    "body of an empty line": b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\n\r\n\r\n",
    "body like a request": b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n%b" % (len(GET), GET),
    "chunked, then a poll": b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"
    + POLL,
    "chunk like a poll": b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n"
    % (len(POLL), POLL),
    "trailers": b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n0\r\nz: 1\r\n\r\n",
    "expects": b"GET / HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\n\r\n",
    "offers an upgrade": b"GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n",
    "closes": b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
    "1.0": b"GET / HTTP/1.0\r\nhost: x\r\n\r\n",
    "absolute": b"GET http://y/z HTTP/1.1\r\nhost: x\r\n\r\n",
    "line ends in front": b"\r\nGET / HTTP/1.1\r\nhost: x\r\n\r\n",
    "bad": b"GET / HTTP/1.1\r\nhost x\r\n\r\n",
}


@dataclass
class Story:
    """What a door saw of one connection, and what it wrote."""

    seen: list[tuple[bytes, bytes, Headers, bool, bytes, Headers]] = field(default_factory=list)
    parsed: int = 0


class Whole(Discard):
    def __init__(self, connection: HttpConnection, story: Story) -> None:
        self._connection = connection
        self._story = story
        self._body = b""

    def body(self, chunk: bytes) -> None:
        self._body += chunk

    def end(self) -> None:
        one = self._connection
        self._story.seen.append(
            (one.method, one.target, list(one.headers), one.keep_alive, self._body, list(one.trailers))
        )
        one.respond(response(200, b"text/plain", b"ok"))


def tell(pieces: list[bytes], *, remembers: bool) -> tuple[Story, bytes]:
    story = Story()

    def open_exchange(connection: HttpConnection) -> Exchange:
        return Whole(connection, story)

    with pytest.MonkeyPatch.context() as patch:
        if not remembers:
            patch.setattr(request_reader, "MAX_REMEMBERED", 0)
        peer = Peer(open_exchange)
        peer.send(*pieces)
        return story, bytes(peer.transport.written)


def cut(data: bytes, sizes: list[int]) -> list[bytes]:
    pieces = []
    for size in sizes:
        pieces.append(data[:size])
        data = data[size:]
    return [*pieces, data]


@given(
    st.lists(st.sampled_from(sorted(REQUESTS)), min_size=1, max_size=8),
    st.one_of(st.none(), st.lists(st.integers(1, 120), max_size=12)),
)
def test_nobody_can_tell(names: list[str], sizes: list[int] | None) -> None:
    """Whichever requests follow each other, each in a read of its own or cut anywhere."""
    requests = [REQUESTS[name] for name in names]
    pieces = requests if sizes is None else cut(b"".join(requests), sizes)
    assert tell(pieces, remembers=True) == tell(pieces, remembers=False)


@pytest.mark.parametrize("name", REQUESTS)
def test_twice_the_same(name: str) -> None:
    pieces = [REQUESTS[name], REQUESTS[name]]
    assert tell(pieces, remembers=True) == tell(pieces, remembers=False)


def test_the_parser_sees_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    fed: list[bytes] = []
    parse = HttpConnection._parse

    def spy(connection: HttpConnection, data: bytes) -> None:
        fed.append(data)
        parse(connection, data)

    monkeypatch.setattr(HttpConnection, "_parse", spy)
    chunked = REQUESTS["chunked, then a poll"]
    story, _ = tell([POLL, POLL, chunked, POLL], remembers=True)
    assert fed == [POLL, chunked.removesuffix(POLL)]
    assert len(story.seen) == 5
