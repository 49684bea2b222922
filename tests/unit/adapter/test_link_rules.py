"""What a link sends together, and who is thrown off it."""

import pytest

from penstock_adapter.link import Link
from penstock_adapter.link_transport import CLOSE, CREDIT, DATA, EOF, LARGE, OPEN, RESET, WINDOW
from support.link_rig import End, Wire, frame, read_frames, served, turns

NOBODY = 77


def four(size: int) -> bytes:
    return size.to_bytes(4, "little")


# --- who breaks the rules ---

OPENED = frame(1, OPEN)
BROKEN = {
    "unknown kind": OPENED + frame(1, 6),
    "highest kind": frame(0, 255, size=2**32 - 1),
    "empty data": OPENED + frame(1, DATA),
    "credit of no size": OPENED + frame(1, CREDIT),
    "credit of five bytes": OPENED + frame(1, CREDIT, b"12345"),
    "huge credit frame": OPENED + frame(1, CREDIT, size=2**31),
    "end with something in it": OPENED + frame(1, EOF, b"a"),
    "close with something in it": OPENED + frame(1, CLOSE, size=1),
    "reset with something in it": OPENED + frame(1, RESET, size=LARGE),
    "open with something in it": frame(1, OPEN, b"hello"),
    "more credit than the window": OPENED + frame(1, CREDIT, four(1)),
    "far more credit": OPENED + frame(1, CREDIT, four(2**32 - 1)),
    "data for nobody": OPENED + frame(NOBODY, DATA, b"a"),
    "large data for nobody": OPENED + frame(NOBODY, DATA, b"a", size=2**32 - 1),
    "credit for nobody": frame(NOBODY, CREDIT, four(1)),
    "end of nobody": frame(NOBODY, EOF),
    "number zero": frame(0, OPEN),
    "opened twice": OPENED + OPENED,
    "opened backwards": frame(2, OPEN) + frame(1, OPEN),
}


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("piecemeal", [False, True])
async def test_a_link_ends_for_who_breaks_its_rules(name: str, piecemeal: bool) -> None:
    made: list[End] = []
    link, wire = served(lambda: made.append(End()) or made[-1])  # type: ignore[func-returns-value]
    data = BROKEN[name]
    for piece in [bytes([byte]) for byte in data] if piecemeal else [data]:
        link.data_received(piece)
        if wire.aborted:
            break
    assert wire.aborted
    link.connection_lost(None)
    assert all(end.told == [None] for end in made)
    assert all(end.received == b"" for end in made)


async def test_a_server_may_open_nothing() -> None:
    link, wire = Link(), Wire()
    link.connection_made(wire)
    link.data_received(frame(1, OPEN))
    assert wire.aborted


async def test_more_than_the_window_is_not_kept() -> None:
    made = End()
    link, wire = served(lambda: made)
    link.data_received(OPENED)
    made.transport.pause_reading()
    link.data_received(frame(1, DATA, b"x" * WINDOW))
    assert not wire.aborted
    link.data_received(frame(1, DATA, b"x"))
    assert wire.aborted


async def test_there_is_a_bound_to_connections() -> None:
    link, wire = served(End)
    link.data_received(b"".join(frame(number, OPEN) for number in range(1, 4097)))
    assert not wire.aborted
    link.data_received(frame(1, CLOSE) + frame(4097, OPEN))
    assert not wire.aborted
    link.data_received(frame(4098, OPEN))
    assert wire.aborted


async def test_nothing_is_kept_of_a_huge_payload() -> None:
    made = End()
    link, _ = served(lambda: made)
    link.data_received(OPENED + frame(1, DATA, b"head", size=2**32 - 1))
    for _ in range(100):
        link.data_received(b"x" * 1000)
    assert made.received == b"head" + b"x" * 100_000
    assert link._part == b""
    made.transport.abort()
    link.data_received(b"x" * 1000)
    assert len(made.received) == 100_004


# --- what leaves together ---


async def test_what_is_written_in_one_turn_leaves_in_one_write() -> None:
    link, wire = served(End)
    one, two = End(), End()
    link.open(one)
    link.open(two)
    one.transport.write(b"a")
    two.transport.write(b"b")
    one.transport.close()
    assert wire.writes == []
    await turns()
    [written] = wire.writes
    expected = [(1, OPEN, b""), (2, OPEN, b""), (1, DATA, b"a"), (2, DATA, b"b"), (1, CLOSE, b"")]
    assert read_frames(written) == expected


async def test_what_a_read_causes_leaves_when_it_is_read() -> None:
    class Echo(End):
        def data_received(self, data: bytes) -> None:
            self.transport.write(data)

    link, wire = served(Echo)
    link.data_received(frame(1, OPEN) + frame(2, OPEN) + frame(1, DATA, b"a") + frame(2, DATA, b"b"))
    [written] = wire.writes
    assert read_frames(written) == [(1, DATA, b"a"), (2, DATA, b"b")]


@pytest.mark.parametrize(("payload", "together"), [(b"\0whole", 4), (b"chunk", 32)])
async def test_few_whole_messages_are_gathered_and_many_chunks(payload: bytes, together: int) -> None:
    link, wire = served(End)
    ends = [End() for _ in range(together)]
    for end in ends:
        link.open(end)
    link.flush()
    wire.take()
    for end in ends[:-1]:
        end.transport.write(payload)
    assert wire.writes == []
    ends[-1].transport.write(payload)
    [written] = wire.writes
    assert len(read_frames(written)) == together
    await turns()
    assert len(wire.writes) == 1


async def test_what_is_large_leaves_at_once_and_is_not_joined() -> None:
    link, wire = served(End)
    end = End()
    link.open(end)
    link.flush()
    end.transport.write(b"small")
    end.transport.write(b"x" * LARGE)
    assert wire.gathered == 1
    assert read_frames(wire.writes[-1]) == [(1, DATA, b"small"), (1, DATA, b"x" * LARGE)]


async def test_credit_is_granted_by_the_half_window() -> None:
    link, wire = served(End)
    link.data_received(OPENED + frame(1, DATA, b"x" * (WINDOW // 2 - 1)))
    assert wire.writes == []
    link.data_received(frame(1, DATA, b"x"))
    assert read_frames(wire.take()) == [(1, CREDIT, four(WINDOW // 2))]
