"""What is compressed, what its headers become, and a body on its way through gzip."""

import asyncio
import gzip
import random
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock_adapter.compression import (
    INLINE_BYTES,
    GzipBody,
    accepts_gzip,
    compressed,
    is_compressible,
    varying,
)
from support.streams import within

TEXT = (b"content-type", b"text/plain")


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        ([], False),
        (["gzip"], True),
        (["GZIP"], True),
        (["x-gzip"], True),
        (["deflate", "gzip"], True),
        (["gzip, deflate, br"], True),
        (["br"], False),
        (["*"], False),
        (["identity"], False),
        (["identity, gzip"], True),
        (["gzip;q=0.5, identity"], False),
        (["gzip;q=0.5, identity;q=0.5"], True),
        (["gzip;q=0"], False),
        (["gzip;q=0.000"], False),
        (["gzip;q=0.001"], True),
        (["gzip ; Q=1.000 "], True),
        (["gzip;q=0."], False),
        (["gzip;q=1.001"], False),
        (["gzip;q=0.1234"], False),
        (["gzip;q=2"], False),
        (["gzip;"], False),
        (["gzip;level=9"], False),
        (["gzip;q=0.1;x=y"], False),
        (["gzip;q=0, gzip"], True),
        ([", ,;"], False),
    ],
)
def test_accept_encoding(accept: list[str], wanted: bool) -> None:
    assert accepts_gzip(accept) is wanted


@given(st.lists(st.text(st.sampled_from("gzip,;= q01.\txbr*é"), max_size=30), max_size=3))
def test_any_accept_encoding_is_read(accept: list[str]) -> None:
    accepts_gzip(accept)


@pytest.mark.parametrize(
    ("headers", "may"),
    [
        pytest.param([], True, id="no-type"),
        pytest.param([TEXT], True, id="text"),
        pytest.param([(b"content-type", b"application/octet-stream")], True, id="octets"),
        pytest.param([(b"content-type", b"image/png")], False, id="image"),
        pytest.param([(b"content-type", b"image/svg+xml")], True, id="svg"),
        pytest.param([(b"content-type", b"image/svg+xml; charset=utf-8")], False, id="svg-with-charset"),
        pytest.param([(b"content-type", b"Image/png")], True, id="case"),
        pytest.param([(b"content-type", b"application/grpc+proto")], False, id="grpc"),
        pytest.param([(b"content-type", b"text/event-stream;x=y")], False, id="events"),
        pytest.param([(b"content-type", b"text/html"), (b"content-type", b"image/png")], True, id="the-first-type"),
        pytest.param([TEXT, (b"content-encoding", b"identity")], False, id="encoded"),
        pytest.param([TEXT, (b"content-range", b"bytes 0-1/2")], False, id="range"),
        pytest.param([TEXT, (b"content-length", b"31")], False, id="31-bytes"),
        pytest.param([TEXT, (b"content-length", b"32")], True, id="32-bytes"),
        pytest.param([TEXT, (b"content-length", b"nonsense")], True, id="bad-length"),
        pytest.param([TEXT, (b"content-length", b"9" * 5000)], True, id="long-length"),
    ],
)
def test_which_responses(headers: list[tuple[bytes, bytes]], may: bool) -> None:
    assert is_compressible(headers, bodiless=False) is may
    assert not is_compressible(headers, bodiless=True)


def test_vary_is_told_once() -> None:
    assert varying([TEXT]) == [TEXT, (b"vary", b"accept-encoding")]
    both = [(b"vary", b"origin"), (b"vary", b"cookie, Accept-Encoding")]
    assert varying(both) == both
    assert varying([(b"vary", b"origin")]) == [(b"vary", b"origin"), (b"vary", b"accept-encoding")]


def test_headers_of_what_is_compressed() -> None:
    headers = [TEXT, (b"content-length", b"99"), (b"accept-ranges", b"bytes"), (b"etag", b'"x"')]
    encoded = (b"content-encoding", b"gzip")
    assert compressed(headers) == [TEXT, (b"etag", b'"x"'), (b"vary", b"accept-encoding"), encoded]


class Story:
    """A body and what was told of it."""

    def __init__(self, limit: int = 1 << 30) -> None:
        self.went_on = asyncio.Event()
        self.done: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.body = GzipBody(limit, self.went_on.set, self.done.set_result)


@pytest.mark.parametrize("sizes", [[], [1], [INLINE_BYTES], [10] * 100], ids=str)
async def test_little_is_done_there_and_then(sizes: list[int]) -> None:
    story = Story()
    for size in sizes:
        story.body.add(b"x" * size)
        assert not story.body.work()
    story.body.end()
    assert gzip.decompress(story.done.result()) == b"x" * sum(sizes)
    assert not story.went_on.is_set()


async def test_much_is_done_in_a_thread_and_the_rest_waits() -> None:
    story = Story()
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
    assert gzip.decompress(body) == b"".join(pieces)
    assert story.body.size == len(body)


@pytest.mark.parametrize("rest", [0, 1, INLINE_BYTES + 1])
async def test_the_end_comes_while_a_thread_works(rest: int) -> None:
    story = Story()
    story.body.add(b"a" * (INLINE_BYTES + 1))
    assert story.body.work()
    story.body.add(b"b" * rest)
    story.body.end()
    assert gzip.decompress(await within(story.done)) == b"a" * (INLINE_BYTES + 1) + b"b" * rest
    assert not story.went_on.is_set()


async def test_past_the_limit_nothing_is_kept() -> None:
    story = Story(limit=1000)
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
    story, later = Story(), Story()
    story.body.add(b"x" * (INLINE_BYTES + 1))
    assert story.body.work()
    story.body.end()
    story.body.drop()
    later.body.add(b"x" * (INLINE_BYTES + 1))
    later.body.end()
    await within(later.done)
    assert not story.body.busy
    assert not story.done.done()
