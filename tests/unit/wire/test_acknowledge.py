"""When a connection acknowledges what it has read before there is an answer to it."""

import socket

import pytest

from penstock.wire.acknowledge import acknowledge
from support.http_door import CHUNKED_HEAD, GET, POST, Door
from support.transport import FakeTransport

quickack = pytest.mark.skipif(not hasattr(socket, "TCP_QUICKACK"), reason="the system has no TCP_QUICKACK")


class Options:
    """A socket as far as it is used."""

    def __init__(self) -> None:
        self.set: list[tuple[int, int, int]] = []

    def setsockopt(self, level: int, name: int, value: int) -> None:
        self.set.append((level, name, value))

    @property
    def acknowledgements(self) -> int:
        assert set(self.set) <= {(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)}
        return len(self.set)


@pytest.fixture
def options() -> Options:
    return Options()


@pytest.fixture
def door(options: Options, monkeypatch: pytest.MonkeyPatch) -> Door:
    door = Door()
    monkeypatch.setattr(door.peer.transport, "get_extra_info", {"socket": options}.get)
    return door


@quickack
def test_not_what_is_answered(door: Door, options: Options) -> None:
    """The answer carries the acknowledgement, and who has sent all waits for nothing else."""
    door.peer.send(GET)
    door.last.respond()
    door.peer.send(POST)
    assert options.acknowledgements == 0


@quickack
def test_each_read_that_leaves_a_request_unfinished(door: Door, options: Options) -> None:
    door.peer.send(b"POST / HT", b"TP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n", b"a")
    assert options.acknowledgements == 3
    door.peer.send(b"b")
    assert options.acknowledgements == 3


@quickack
def test_each_chunk_of_a_stream(door: Door, options: Options) -> None:
    door.peer.send(CHUNKED_HEAD, b"1\r\na\r\n", b"1\r\nb\r\n")
    assert options.acknowledgements == 3
    door.peer.send(b"0\r\n\r\n")
    assert options.acknowledgements == 3


def test_not_on_a_closed_socket(door: Door, options: Options) -> None:
    """Its descriptor may belong to another connection by now."""
    door.peer.transport.abort()
    acknowledge(door.peer.transport)
    assert options.set == []


def test_on_another_kind_of_connection() -> None:
    acknowledge(FakeTransport())
