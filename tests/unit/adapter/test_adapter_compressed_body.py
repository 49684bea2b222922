"""A body on its way through a compressor: what is done there and then, what in a thread, and its end."""

import asyncio
import gzip
import random
from concurrent.futures import ThreadPoolExecutor

import brotli  # type: ignore[import-untyped]
import pytest

from penstock_adapter.compressed_body import INLINE_BYTES, CompressedBody
from penstock_adapter.compression import Coding
from support.streams import within

DECOMPRESS = {Coding.GZIP: gzip.decompress, Coding.BROTLI: brotli.decompress}


@pytest.fixture(params=list(Coding))
def coding(request: pytest.FixtureRequest) -> Coding:
    return Coding(request.param)


class Story:
    """A body and what was told of it."""

    def __init__(self, coding: Coding, limit: int = 1 << 30) -> None:
        self.went_on = asyncio.Event()
        self.done: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.body = CompressedBody(coding, limit, self.went_on.set, self.done.set_result)


@pytest.mark.parametrize("sizes", [[], [1], [INLINE_BYTES], [10] * 100], ids=str)
async def test_little_is_done_there_and_then(coding: Coding, sizes: list[int]) -> None:
    story = Story(coding)
    for size in sizes:
        story.body.add(b"x" * size)
        assert not story.body.work()
    story.body.end()
    assert DECOMPRESS[coding](story.done.result()) == b"x" * sum(sizes)
    assert not story.went_on.is_set()


async def test_much_is_done_in_a_thread_and_the_rest_waits(coding: Coding) -> None:
    story = Story(coding)
    pieces = [random.Random(number).randbytes(INLINE_BYTES + 1) for number in range(5)]
    for piece in pieces:
        story.went_on.clear()
        story.body.add(piece)
        assert story.body.work()
        assert story.body.work()
        assert story.body.busy
        await within(story.went_on.wait())
        assert not story.body.busy
    story.body.end()
    body = await within(story.done)
    assert DECOMPRESS[coding](body) == b"".join(pieces)
    assert story.body.size == len(body)


@pytest.mark.parametrize("rest", [0, 1, INLINE_BYTES + 1])
async def test_the_end_comes_while_a_thread_works(coding: Coding, rest: int) -> None:
    story = Story(coding)
    story.body.add(b"a" * (INLINE_BYTES + 1))
    assert story.body.work()
    story.body.add(b"b" * rest)
    story.body.end()
    assert DECOMPRESS[coding](await within(story.done)) == b"a" * (INLINE_BYTES + 1) + b"b" * rest
    assert not story.went_on.is_set()


async def test_the_end_of_much_is_in_a_thread_as_well() -> None:
    """Brotli keeps the most of its work for the end."""
    story = Story(Coding.BROTLI)
    for _ in range(3):
        story.body.add(b"x" * INLINE_BYTES)
        if story.body.work():
            await within(story.went_on.wait())
    story.body.end()
    assert not story.done.done()
    assert brotli.decompress(await within(story.done)) == b"x" * 3 * INLINE_BYTES


async def test_past_the_limit_nothing_is_kept() -> None:
    story = Story(Coding.GZIP, limit=1000)
    for number in range(20):
        story.body.add(random.Random(number).randbytes(INLINE_BYTES))
        if story.body.work():
            await within(story.went_on.wait())
            story.went_on.clear()
    story.body.end()
    assert len(await within(story.done)) <= 1000
    assert 1000 < story.body.size < 4 * INLINE_BYTES


async def test_nobody_is_told_of_what_was_dropped() -> None:
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))  # so that one ends after the other
    story, later = Story(Coding.GZIP), Story(Coding.GZIP)
    story.body.add(b"x" * (INLINE_BYTES + 1))
    assert story.body.work()
    story.body.end()
    story.body.drop()
    later.body.add(b"x" * (INLINE_BYTES + 1))
    later.body.end()
    await within(later.done)
    assert not story.body.busy
    assert not story.done.done()
