"""What processes write, cut into lines: of any length, in any pieces."""

import os
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from penstock.environment.output import MAX_LINE_BYTES, LineReader, open_output
from support.streams import within


async def read(*pieces: bytes, end: bool = True) -> list[bytes]:
    lines: list[bytes] = []
    reader = LineReader(lines.append)
    for piece in pieces:
        reader.data_received(piece)
    if end:
        reader.connection_lost(None)
        assert reader.closed.done()
    return lines


async def test_lines() -> None:
    assert await read(b"one\ntwo\r\n\nthree\n") == [b"one", b"two", b"", b"three"]


async def test_line_in_pieces_is_told_when_it_is_complete() -> None:
    assert await read(b"on", b"e", end=False) == []
    assert await read(b"on", b"e", b"\ntw", end=False) == [b"one"]


async def test_last_line_without_an_end() -> None:
    assert await read(b"one\ntwo") == [b"one", b"two"]
    assert await read(b"one\n") == [b"one"]
    assert await read() == []


async def test_longest_line_is_whole_and_a_longer_one_in_pieces() -> None:
    longest = b"x" * MAX_LINE_BYTES
    assert await read(longest + b"\n") == [longest]
    assert await read(longest + b"yz\nnext\n") == [longest, b"yz", b"next"]


async def test_line_that_never_ends_does_not_gather_in_memory() -> None:
    piece = b"x" * 65_536
    lines = await read(*[piece] * 9, end=False)
    assert [len(line) for line in lines] == [MAX_LINE_BYTES, MAX_LINE_BYTES]


async def test_end_twice_is_no_error() -> None:
    lines: list[bytes] = []
    reader = LineReader(lines.append)
    reader.data_received(b"x")
    reader.connection_lost(None)
    reader.connection_lost(None)
    assert lines == [b"x"]


@given(data=st.binary(max_size=200), cuts=st.lists(st.integers(0, 200), max_size=8))
async def test_any_pieces_give_the_same_lines(data: bytes, cuts: list[int]) -> None:
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    pieces = [data[start:end] for start, end in pairwise(edges)]
    assert await read(*pieces) == await read(data)


async def test_pipe_to_a_process() -> None:
    lines: list[bytes] = []
    write_end, reader = await open_output(lines.append)
    os.write(write_end, b"hello\nwor")
    os.write(write_end, b"ld")
    os.close(write_end)
    await within(reader.closed)
    assert lines == [b"hello", b"world"]
