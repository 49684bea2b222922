"""The prelude of a streamed response: found wherever it was cut, and read in every shape clients send."""

from contextlib import suppress
from itertools import pairwise

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.wire.prelude import MAX_PRELUDE_BYTES, SEPARATOR, Prelude, PreludeError, PreludeReader, parse_prelude

HEAD = b'{"statusCode":201,"headers":{"content-type":"text/event-stream","x":"\\u0000y"},"cookies":["a=1","b=2"]}'
PRELUDE = Prelude(201, (("content-type", "text/event-stream"), ("x", "\0y")), ("a=1", "b=2"))
BODY = b"\0\0body\0" + b"\0" * 9
STREAM = HEAD + SEPARATOR + BODY


def read(pieces: list[bytes]) -> tuple[Prelude, bytes]:
    """The prelude, and the whole body behind it."""
    reader = PreludeReader()
    for index, piece in enumerate(pieces):
        found = reader.feed(piece)
        if found:
            return found[0], found[1] + b"".join(pieces[index + 1 :])
    raise AssertionError("no prelude found")


@pytest.mark.parametrize("cut", range(len(STREAM) + 1))
def test_every_split_point(cut: int) -> None:
    assert read([STREAM[:cut], STREAM[cut:]]) == (PRELUDE, BODY)


def test_byte_by_byte() -> None:
    assert read([STREAM[at : at + 1] for at in range(len(STREAM))]) == (PRELUDE, BODY)


def test_found_with_its_last_byte_and_not_before() -> None:
    reader = PreludeReader()
    end = len(HEAD) + len(SEPARATOR)
    assert reader.feed(STREAM[: end - 1]) is None
    assert reader.feed(STREAM[end - 1 : end]) == (PRELUDE, b"")


@given(cuts=st.lists(st.integers(0, len(STREAM)), max_size=12), body=st.binary(max_size=64))
def test_any_split(cuts: list[int], body: bytes) -> None:
    stream = HEAD + SEPARATOR + body
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    pieces = [stream[start:end] for start, end in pairwise(edges)]
    assert read(pieces) == (PRELUDE, body)


@given(data=st.binary(max_size=200))
def test_anything_is_a_prelude_or_a_prelude_error(data: bytes) -> None:
    with suppress(PreludeError):
        prelude, _ = read([data, SEPARATOR])
        assert 200 <= prelude.status <= 999


def test_stream_without_a_separator_is_refused_before_it_fills_the_memory() -> None:
    reader = PreludeReader()
    assert reader.feed(b"x" * MAX_PRELUDE_BYTES) is None
    with pytest.raises(PreludeError, match="no separator in the first 1048576 bytes"):
        reader.feed(b"x")


SHAPES: dict[str, tuple[object, Prelude]] = {
    "empty": ({}, Prelude(200, (), ())),
    "status alone": ({"statusCode": 404}, Prelude(404, (), ())),
    "status as text": ({"statusCode": "418"}, Prelude(418, (), ())),
    "highest status": ({"statusCode": 999}, Prelude(999, (), ())),
    "nulls": ({"headers": None, "multiValueHeaders": None, "cookies": None}, Prelude(200, (), ())),
    "a list of values": ({"headers": {"A": ["1", "2"]}}, Prelude(200, (("A", "1"), ("A", "2")), ())),
    "an empty list": ({"headers": {"A": []}}, Prelude(200, (), ())),
    "numbers": ({"headers": {"age": 7, "q": 0.5}}, Prelude(200, (("age", "7"), ("q", "0.5")), ())),
    "truth": ({"headers": {"a": True, "b": False}}, Prelude(200, (("a", "true"), ("b", "false")), ())),
    "multi": ({"multiValueHeaders": {"a": ["1", "2"]}}, Prelude(200, (("a", "1"), ("a", "2")), ())),
    "multi beats single, whatever the case": (
        {"headers": {"A": "0", "b": "1"}, "multiValueHeaders": {"a": ["2", "3"]}},
        Prelude(200, (("b", "1"), ("a", "2"), ("a", "3")), ()),
    ),
    "unknown keys": ({"statusCode": 200, "isBase64Encoded": False, "x": {}}, Prelude(200, (), ())),
}


@pytest.mark.parametrize(("value", "prelude"), SHAPES.values(), ids=SHAPES.keys())
def test_shapes(value: object, prelude: Prelude) -> None:
    assert parse_prelude(orjson.dumps(value)) == prelude


BAD: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "not JSON"),
    "text": (b"hello", "not JSON"),
    "list": (b"[]", "not a JSON object"),
    "string": (b'"x"', "not a JSON object"),
    "interim status": (b'{"statusCode":101}', "statusCode is 101, not a number from 200 to 999"),
    "status too big": (b'{"statusCode":1000}', "statusCode is 1000"),
    "negative status": (b'{"statusCode":-1}', "statusCode is -1"),
    "status true": (b'{"statusCode":true}', "statusCode is True"),
    "status 200.0": (b'{"statusCode":200.0}', "statusCode is 200.0"),
    "status word": (b'{"statusCode":"ok"}', "statusCode is 'ok'"),
    "status of thousands of digits": (b'{"statusCode":"' + b"9" * 5000 + b'"}', "statusCode is '9999"),
    "other digits": (b'{"statusCode":"\\uff12\\uff10\\uff10"}', "statusCode is"),
    "status null": (b'{"statusCode":null}', "statusCode is None"),
    "headers a list": (b'{"headers":[]}', "headers is not an object"),
    "header an object": (b'{"headers":{"a":{}}}', "header value {} is not text"),
    "header null": (b'{"headers":{"a":null}}', "header value None is not text"),
    "long header": (b'{"headers":{"a":{"b":"' + b"c" * 999 + b'"}}}', "is not text"),
    "nested list": (b'{"headers":{"a":[["x"]]}}', "is not text"),
    "cookies text": (b'{"cookies":"a=1"}', "cookies is not a list of strings"),
    "cookies numbers": (b'{"cookies":[1]}', "cookies is not a list of strings"),
}


@pytest.mark.parametrize(("data", "why"), BAD.values(), ids=BAD.keys())
def test_refusals_say_why_in_short(data: bytes, why: str) -> None:
    with pytest.raises(PreludeError) as refusal:
        parse_prelude(data)
    assert why in str(refusal.value)
    assert len(str(refusal.value)) < 200
