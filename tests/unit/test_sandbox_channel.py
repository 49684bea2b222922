"""The platform's end of the control socket, with a scripted other side."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from penstock.environment.sandbox.channel import Channel
from penstock.environment.sandbox.init.wire import Exited, Inbox, Message, Signal, Spawn, encode
from support.streams import within


@dataclass(eq=False)
class Ends:
    peer: socket.socket
    received: asyncio.Queue[Message] = field(default_factory=asyncio.Queue)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    ends: int = 0
    channel: Channel = field(init=False)

    def on_end(self) -> None:
        self.ends += 1
        self.ended.set()


@pytest.fixture
async def ends() -> AsyncIterator[Ends]:
    ours, peer = socket.socketpair()
    both = Ends(peer)
    both.channel = Channel(ours, both.received.put_nowait, both.on_end)
    yield both
    both.channel.close()
    peer.close()


async def test_sends_more_than_the_socket_holds_without_blocking(ends: Ends) -> None:
    """Each with its descriptor, in order."""
    spawns = [Spawn(f"p{number}", ["x"], {"BIG": str(number) * 300_000}, "/") for number in range(3)]
    pipes = [os.pipe() for _ in spawns]
    for spawn, (_, write_end) in zip(spawns, pipes, strict=True):
        ends.channel.send(spawn, (write_end,))  # returns although nobody reads
    inbox = Inbox()
    messages: list[Message] = []
    ends.peer.setblocking(False)
    while len(messages) < len(spawns):
        try:
            messages += inbox.receive(ends.peer)
        except BlockingIOError:
            await asyncio.sleep(0)  # the channel's turn
    assert messages == spawns
    for number, (read_end, _) in enumerate(pipes):
        fd = inbox.take_fd()
        os.write(fd, str(number).encode())
        os.close(fd)
        assert _read_all(read_end) == str(number).encode()


async def test_receives_in_order(ends: Ends) -> None:
    messages = [Exited("a", 0, None), Exited("b", None, 9)]
    ends.peer.sendall(b"".join(map(encode, messages)))
    assert [await within(ends.received.get()), await within(ends.received.get())] == messages


async def test_tells_once_that_the_other_side_is_gone(ends: Ends) -> None:
    ends.peer.close()
    await within(ends.ended.wait())
    ends.channel.send(Signal("main", 15))
    ends.channel.close()
    await asyncio.sleep(0)
    assert ends.ends == 1


async def test_tells_when_sending_finds_it_gone(ends: Ends) -> None:
    ends.peer.close()
    ends.channel.send(Signal("main", 15))
    assert ends.ends == 1


async def test_who_closes_it_is_not_told(ends: Ends) -> None:
    ends.channel.close()
    assert ends.peer.recv(1) == b""
    await asyncio.sleep(0)
    assert ends.ends == 0


@pytest.mark.parametrize("closed_before", [True, False])
async def test_never_leaks_a_descriptor(ends: Ends, closed_before: bool) -> None:
    read_end, write_end = os.pipe()
    if closed_before:
        ends.channel.close()
    ends.channel.send(Spawn("big", ["x"], {"BIG": "x" * 1_000_000}, "/"))
    ends.channel.send(Spawn("main", ["x"], {}, "/"), (write_end,))
    ends.channel.close()
    assert _read_all(read_end) == b""


def _read_all(read_end: int) -> bytes:
    """To the end, which comes only when no writer is left."""
    with open(read_end, "rb") as reader:
        return reader.read()
