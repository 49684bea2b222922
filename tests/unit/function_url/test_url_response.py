"""What a function answered, read as an HTTP response, and its head."""

import base64

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.function_url.response import (
    BadResponseError,
    ReservedHeaderError,
    build_head,
    has_body,
    length_line,
    read_buffered,
)
from penstock.wire.prelude import Prelude, parse_prelude
from support.answers import read_answer

REQUEST_ID = "2f0d0c5e-0000-4000-8000-000000000000"
PLAIN = Prelude(200, (), ())

READ: dict[str, tuple[bytes, Prelude, bytes]] = {
    "object": (b'{ "a": [1, 2] }', PLAIN, b'{"a":[1,2]}'),
    "empty object": (b"{}", PLAIN, b"{}"),
    "list": (b'["hello", 3, true]', PLAIN, b'["hello",3,true]'),
    "number": (b"3", PLAIN, b"3"),
    "float": (b"1.5", PLAIN, b"1.5"),
    "true": (b"true", PLAIN, b"true"),
    "null": (b"null", PLAIN, b"null"),
    "string without its quotes": ('"né\\n"'.encode(), PLAIN, "né\n".encode()),
    "body alone is not a response": (b'{"body":"x"}', PLAIN, b'{"body":"x"}'),
    "status alone": (b'{"statusCode":204}', Prelude(204, (), ()), b""),
    "status as text": (b'{"statusCode":"418","body":"tea"}', Prelude(418, (), ()), b"tea"),
    "null body": (b'{"statusCode":200,"body":null}', PLAIN, b""),
    "text body": ('{"statusCode":200,"body":"né"}'.encode(), PLAIN, "né".encode()),
    "base64 body": (b'{"statusCode":200,"body":"/wA=","isBase64Encoded":true}', PLAIN, b"\xff\0"),
    "base64 not said": (b'{"statusCode":200,"body":"/wA="}', PLAIN, b"/wA="),
    "body object": (b'{"statusCode":200,"body":{"not": "text"}}', PLAIN, b'{"not":"text"}'),
    "body number": (b'{"statusCode":200,"body":1}', PLAIN, b"1"),
    "body list": (b'{"statusCode":200,"body":[true, null]}', PLAIN, b"[true,null]"),
    "empty body": (b'{"statusCode":200,"body":""}', PLAIN, b""),
    "base64 said as text": (b'{"statusCode":200,"body":"/wA=","isBase64Encoded":"True"}', PLAIN, b"\xff\0"),
    "base64 denied as text": (b'{"statusCode":200,"body":"/wA=","isBase64Encoded":"false"}', PLAIN, b"/wA="),
    "base64 null": (b'{"statusCode":200,"body":"/wA=","isBase64Encoded":null}', PLAIN, b"/wA="),
    "base64 without padding": (b'{"statusCode":200,"body":"/wA","isBase64Encoded":true}', PLAIN, b"\xff\0"),
    "base64 of a URL": (b'{"statusCode":200,"body":"_-8=","isBase64Encoded":true}', PLAIN, b"\xff\xef"),
    "base64 in lines": (b'{"statusCode":200,"body":"aGVs\\r\\nbG8=\\n","isBase64Encoded":true}', PLAIN, b"hello"),
    "no base64 at all": (
        b'{"statusCode":200,"body":"!!!not-base64!!!","isBase64Encoded":true}',
        PLAIN,
        base64.b64decode("not+base6w=="),
    ),
    "base64 of one letter": (b'{"statusCode":200,"body":"A","isBase64Encoded":true}', PLAIN, b""),
    "base64 of other letters": ('{"statusCode":200,"body":"é===","isBase64Encoded":true}'.encode(), PLAIN, b""),
    "all fields": (
        b'{"statusCode":201,"headers":{"X-A":"1"},"cookies":["a=1"],"body":"x"}',
        Prelude(201, (("X-A", "1"),), ("a=1",)),
        b"x",
    ),
}


@pytest.mark.parametrize(("payload", "prelude", "body"), READ.values(), ids=READ.keys())
def test_buffered_result(payload: bytes, prelude: Prelude, body: bytes) -> None:
    assert read_buffered(payload) == (prelude, body)


BAD: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "the result is not JSON"),
    "text": (b"hello", "the result is not JSON"),
    "binary": (b"\xff\0", "the result is not JSON"),
    "half a pair": (b'"\\ud800"', "the result is not JSON"),
    "nested too deep to write": (b"[" * 400 + b"]" * 400, "the result cannot be written as JSON"),
    "status": (b'{"statusCode":"ok"}', "statusCode is 'ok'"),
    "interim status": (b'{"statusCode":100}', "statusCode is 100"),
    "status null": (b'{"statusCode":null}', "statusCode is None"),
    "headers": (b'{"statusCode":200,"headers":"x"}', "headers is not an object"),
}


@pytest.mark.parametrize(("payload", "why"), BAD.values(), ids=BAD.keys())
def test_what_cannot_be_a_response(payload: bytes, why: str) -> None:
    with pytest.raises(BadResponseError, match=why):
        read_buffered(payload)


@given(st.binary(max_size=60))
def test_any_bytes_are_a_response_or_bad(payload: bytes) -> None:
    try:
        prelude, _ = read_buffered(payload)
    except BadResponseError:
        return
    assert 200 <= prelude.status <= 999


def head(prelude: Prelude, framing: bytes = b"content-length: 0\r\n") -> bytes:
    return build_head(prelude, "application/json", REQUEST_ID, "Root=1-a-b", 1_583_348_638.9, framing) + b"\r\n"


def test_a_head_that_comes_again_and_again() -> None:
    """What was kept of it is the same, and ids and dates are still those of each request."""
    payload = b'{"statusCode": 203, "headers": {"x-a": "1"}}'
    first, second = parse_prelude(payload), parse_prelude(payload)
    assert first is second
    assert head(first) == head(Prelude(203, (("x-a", "1"),), ()))
    other = build_head(second, "application/json", "another", "Root=2", 0.0, b"")
    assert b"x-amzn-requestid: another\r\nx-amzn-trace-id: Root=2\r\n" in other
    assert b"date: Thu, 01 Jan 1970 00:00:00 GMT\r\n" in other
    large = b'{"headers": {"x-a": "%b"}}' % (b"1" * 1024)
    assert parse_prelude(large) is not parse_prelude(large)


def test_head() -> None:
    data = head(Prelude(201, (("X-One", "1"), ("Content-Type", "text/plain")), ("a=1", "b=2")))
    assert data == (
        b"HTTP/1.1 201 Created\r\n"
        b"X-One: 1\r\n"
        b"Content-Type: text/plain\r\n"
        b"set-cookie: a=1\r\n"
        b"set-cookie: b=2\r\n"
        b"date: Wed, 04 Mar 2020 19:03:58 GMT\r\n"
        b"x-amzn-requestid: 2f0d0c5e-0000-4000-8000-000000000000\r\n"
        b"x-amzn-trace-id: Root=1-a-b\r\n"
        b"content-length: 0\r\n"
        b"\r\n"
    )


def test_default_content_type_and_unregistered_status() -> None:
    data = head(Prelude(299, (), ()))
    assert data.startswith(b"HTTP/1.1 299 \r\n")
    assert read_answer(data)[0].header("content-type") == "application/json"


@pytest.mark.parametrize(
    "name",
    [
        "Connection",
        "content-length",
        "DATE",
        "Server",
        "Transfer-Encoding",
        "WWW-Authenticate",
        "x-amzn-RequestId",
        "X-Amzn-Trace-Id",
    ],
)
def test_headers_of_the_connection_come_out_renamed(name: str) -> None:
    answer, _ = read_answer(head(Prelude(200, ((name, "7"),), ())))
    assert answer.header(f"x-amzn-remapped-{name.lower()}") == "7"
    assert answer.header("content-length") == "0"


@pytest.mark.parametrize("name", ["", "a b", "a:b", "a\r\nset-cookie", "é", "a\0", "x\n"])
def test_name_that_is_no_token_is_left_out(name: str) -> None:
    assert head(Prelude(200, ((name, "evil"),), ())) == head(Prelude(200, (), ()))


@pytest.mark.parametrize("name", ["x-amzn-remapped-connection", "X-Amzn-Remapped-Content-Length", "x-amzn-remapped-x"])
def test_reserved_header_of_the_function_is_refused(name: str) -> None:
    with pytest.raises(ReservedHeaderError, match=f"reserved header {name.lower()}"):
        head(Prelude(200, ((name, "1"),), ()))


def test_other_headers_with_amazons_prefix_are_the_functions() -> None:
    assert b"x-amzn-hoge: 1\r\n" in head(Prelude(200, (("x-amzn-hoge", "1"),), ()))


@pytest.mark.parametrize("status", [600, 700, 999])
def test_status_that_is_none(status: int) -> None:
    with pytest.raises(BadResponseError, match=f"statusCode is {status}, not a number from 200 to 599"):
        head(Prelude(status, (), ()))


def test_values_of_one_header_stay_apart() -> None:
    answer, _ = read_answer(head(Prelude(200, (("set-cookie", "c=1"), ("x-a", "1"), ("x-a", "2")), ("a=1",))))
    assert answer.all("set-cookie") == ["c=1", "a=1"]
    assert answer.all("x-a") == ["1", "2"]


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r", "\0"])
def test_value_cannot_become_headers_of_its_own(end: str) -> None:
    text = f"a{end}x-evil: 1{end}{end}body"
    prelude = Prelude(200, (("x-a", text), ("content-type", text)), (text,))
    answer, rest = read_answer(head(prelude))
    assert rest == b""
    assert answer.header("x-evil") is None
    assert len(answer.headers) == 7


@pytest.mark.parametrize(
    ("value", "sent"), [("caf\xe9", b"caf\xe9"), ("\u20ac", "\u20ac".encode()), ("x \ud800", b"x ?")]
)
def test_values_beyond_ascii(value: str, sent: bytes) -> None:
    assert b"x-a: " + sent + b"\r\n" in head(Prelude(200, (("x-a", value),), ()))


@given(
    headers=st.lists(st.tuples(st.text(max_size=8), st.text(max_size=12)), max_size=4),
    cookies=st.lists(st.text(max_size=12), max_size=3),
)
def test_head_is_one_head_whatever_the_function_says(headers: list[tuple[str, str]], cookies: list[str]) -> None:
    data = head(Prelude(200, tuple(headers), tuple(cookies)))
    assert data.count(b"\r\n\r\n") == 1
    assert data.endswith(b"\r\n\r\n")
    lines = data[:-4].split(b"\r\n")
    assert all(b"\n" not in line and b"\r" not in line and b"\0" not in line for line in lines)
    assert sum(line.startswith(b"content-length") for line in lines) == 1


@pytest.mark.parametrize(
    ("method", "status", "expected"),
    [
        (b"GET", 200, True),
        (b"HEAD", 200, False),
        (b"GET", 204, False),
        (b"GET", 205, False),
        (b"POST", 304, False),
        (b"GET", 500, True),
    ],
)
def test_which_responses_have_a_body(method: bytes, status: int, expected: bool) -> None:
    assert has_body(method, status) is expected


@pytest.mark.parametrize(
    ("status", "line"), [(200, b"content-length: 5\r\n"), (204, b""), (205, b"content-length: 0\r\n"), (304, b"")]
)
def test_length_of_a_known_body(status: int, line: bytes) -> None:
    assert length_line(status, 5) == line


def test_payload_without_status_keeps_its_meaning() -> None:
    value = {"b": [1, {"c": None}], "a": "é"}
    assert orjson.loads(read_buffered(orjson.dumps(value))[1]) == value
