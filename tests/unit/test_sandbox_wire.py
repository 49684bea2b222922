"""Messages and descriptors arrive whole and in order, however the socket cuts them."""

import os
import socket
from collections.abc import Iterator

import pytest

from penstock.environment.sandbox.init.wire import (
    Exited,
    Inbox,
    Message,
    OpenSocket,
    Ready,
    Refused,
    Setup,
    Signal,
    SocketOpened,
    Spawn,
    SpawnFailed,
    Started,
    decode,
    encode,
    send,
)

_MESSAGES: list[Message] = [
    Setup("/w", "/t", "/o", None, "/r", 512, 4096, True, ["/k"], [], False, ["/c"]),
    Ready(True, False, False, ["a note"]),
    Refused("why"),
    OpenSocket(),
    SocketOpened(24),
    Spawn("main", ["sh", "-c", "a\nb"], {"RAW": os.fsdecode(b"\xff"), "Ü": "ü\n"}, "/"),
    Started("main", 7, True),
    SpawnFailed("main", 2, "no such file"),
    Signal("main", 15),
    Exited("main", None, 9),
]


@pytest.fixture
def sockets() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


@pytest.mark.parametrize("message", _MESSAGES, ids=lambda message: type(message).__name__)
def test_survives_the_wire(message: Message) -> None:
    line = encode(message)
    assert (line.count(b"\n"), line[-1:]) == (1, b"\n")
    assert decode(line) == message


def test_is_whole_at_every_split(sockets: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = sockets
    data = b"".join(map(encode, _MESSAGES[-3:]))
    for split in range(1, len(data)):
        inbox = Inbox()
        ours.sendall(data[:split])
        received = inbox.receive(theirs)
        ours.sendall(data[split:])
        assert received + inbox.receive(theirs) == _MESSAGES[-3:]


def test_descriptors_keep_the_order_of_their_messages(sockets: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = sockets
    inbox = Inbox()
    pipes = [os.pipe() for _ in range(3)]
    for number, (_, write_end) in enumerate(pipes):
        send(ours, Signal("no descriptor", number), [])
        send(ours, Started(str(number), number, True), [write_end])
        os.close(write_end)
    messages: list[Message] = []
    while len(messages) < 6:
        messages += inbox.receive(theirs)
    started = [message for message in messages if isinstance(message, Started)]
    assert [message.pid for message in started] == [0, 1, 2]
    for message, (read_end, _) in zip(started, pipes, strict=True):
        fd = inbox.take_fd()
        assert not os.get_inheritable(fd)
        os.write(fd, message.name.encode())
        os.close(fd)
        with open(read_end) as reader:
            assert reader.read() == message.name


def test_descriptors_nobody_took_are_closed(sockets: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = sockets
    read_end, write_end = os.pipe()
    send(ours, Started("main", 1, True), [write_end])
    os.close(write_end)
    inbox = Inbox()
    inbox.receive(theirs)
    inbox.close()
    with open(read_end, "rb") as reader:
        assert reader.read() == b""  # no writer is left


def test_a_reset_is_an_end_like_any_other(sockets: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = sockets
    theirs.sendall(b"never read")
    ours.close()
    with pytest.raises(EOFError):
        Inbox().receive(theirs)
