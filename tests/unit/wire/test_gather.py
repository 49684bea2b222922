"""What one read causes to be written leaves each connection in one piece."""

import asyncio

import pytest

from penstock.wire.gather import Outbox, handle_read


class Pieces(asyncio.Transport):
    """Each write as a piece of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[bytes] = []
        self.closing = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.pieces.append(bytes(data))

    def is_closing(self) -> bool:
        return self.closing


def test_outside_a_read_each_write_leaves_at_once() -> None:
    transport = Pieces()
    outbox = Outbox(transport)
    outbox.write(b"a")
    assert transport.pieces == [b"a"]
    outbox.write(b"b")
    assert transport.pieces == [b"a", b"b"]


def test_one_piece_for_each_connection_when_the_read_is_handled() -> None:
    first, second = Pieces(), Pieces()
    boxes = Outbox(first), Outbox(second)

    def handle(data: bytes) -> None:
        for byte in data:
            for box in boxes:
                box.write(bytes([byte]))
        assert first.pieces == second.pieces == []

    handle_read(handle, b"abc")
    assert first.pieces == second.pieces == [b"abc"]


def test_read_within_a_read_belongs_to_it() -> None:
    transport = Pieces()
    outbox = Outbox(transport)

    def handle(data: bytes) -> None:
        outbox.write(b"1")
        handle_read(outbox.write, b"2")
        assert transport.pieces == []
        outbox.write(b"3")

    handle_read(handle, b"")
    assert transport.pieces == [b"123"]


def test_flush_keeps_the_order() -> None:
    transport = Pieces()
    outbox = Outbox(transport)

    def handle(data: bytes) -> None:
        outbox.write(b"a")
        outbox.flush()
        assert transport.pieces == [b"a"]
        outbox.write(b"b")

    handle_read(handle, b"")
    assert transport.pieces == [b"a", b"b"]


def test_handler_that_raises_loses_nothing_and_blocks_nothing() -> None:
    transport = Pieces()
    outbox = Outbox(transport)

    def handle(data: bytes) -> None:
        outbox.write(b"a")
        raise LookupError

    with pytest.raises(LookupError):
        handle_read(handle, b"")
    assert transport.pieces == [b"a"]
    outbox.write(b"b")
    assert transport.pieces == [b"a", b"b"]


def test_nothing_is_written_to_a_connection_that_closed_meanwhile() -> None:
    transport = Pieces()
    outbox = Outbox(transport)

    def handle(data: bytes) -> None:
        outbox.write(b"a")
        transport.closing = True

    handle_read(handle, b"")
    assert transport.pieces == []


def test_what_is_held_leaves_with_the_next_write() -> None:
    transport = Pieces()
    outbox = Outbox(transport)

    def handle(data: bytes) -> None:
        outbox.write(b"a")
        outbox.hold()

    handle_read(handle, b"")
    assert transport.pieces == []
    outbox.write(b"b")
    assert transport.pieces == [b"ab"]
    outbox.write(b"c")
    assert transport.pieces == [b"ab", b"c"]


def test_what_is_held_leaves_with_the_next_read_that_writes() -> None:
    transport = Pieces()
    outbox = Outbox(transport)

    def hold(data: bytes) -> None:
        outbox.write(data)
        outbox.hold()

    handle_read(hold, b"a")
    handle_read(outbox.write, b"b")
    assert transport.pieces == [b"ab"]


def test_nothing_is_held_when_the_connection_ends() -> None:
    transport = Pieces()
    outbox = Outbox(transport)

    def hold(data: bytes) -> None:
        outbox.write(data)
        outbox.hold()

    handle_read(hold, b"a")
    outbox.flush()
    assert transport.pieces == [b"a"]
