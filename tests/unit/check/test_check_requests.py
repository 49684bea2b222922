"""What is sent: tokens, targets and levels; and what an answer tells."""

import gzip
import json

import pytest

from penstock.check.answers import is_throttled, read_answer
from penstock.check.connection import Reply
from penstock.check.levels import read_levels, rounds, usual_levels
from penstock.check.target import Target, TokenPlace, make_targets
from penstock.check.tokens import Tokens
from penstock.model.errors import UserError

TOKENS = Tokens("0badcafe")
OWN = TOKENS.make(7)


def target(path: str = "/", **given: object) -> Target:
    wanted: dict[str, object] = {"method": None, "headers": (), "body": None, "places": (), **given}
    (one,) = make_targets(paths=[path], **wanted)  # type: ignore[arg-type]
    return one


def sent(path: str = "/", **given: object) -> tuple[str, list[str], str]:
    """Request line, header lines and body."""
    head, _, body = target(path, **given).request(OWN, "127.0.0.1:80").decode().partition("\r\n\r\n")
    line, *headers = head.split("\r\n")
    return line, headers, body


# --- tokens ---


def test_tokens_are_found_in_any_case_and_place() -> None:
    assert TOKENS.find(f"a{TOKENS.make(1)}b{TOKENS.make(255).upper()}".encode()) == {1, 255}
    assert Tokens("00000001").find(OWN.encode()) == frozenset()


def test_a_run_is_eight_digits() -> None:
    with pytest.raises(ValueError, match="eight"):
        Tokens("abc")


# --- targets ---


def test_the_token_stands_in_a_header_and_the_query() -> None:
    line, headers, body = sent("/hello")
    assert line == f"GET /hello?penstock_token={OWN} HTTP/1.1"
    assert headers == ["host: 127.0.0.1:80", "accept-encoding: identity", f"x-penstock-token: {OWN}"]
    assert body == ""


def test_and_wherever_it_is_asked_for() -> None:
    line, headers, _ = sent("/a/{token}?b={token}&c", headers=["X-User: me {token}"], places=[TokenPlace.HEADER])
    assert line == f"GET /a/{OWN}?b={OWN}&c HTTP/1.1"
    assert f"X-User: me {OWN}" in headers
    assert sent("/a?b=1")[0] == f"GET /a?b=1&penstock_token={OWN} HTTP/1.1"


def test_a_path_is_encoded_where_it_must_be() -> None:
    assert sent('/ä"%20', places=[TokenPlace.HEADER])[0] == "GET /%C3%A4%22%20 HTTP/1.1"


def test_a_body_is_posted_as_what_it_is() -> None:
    line, headers, body = sent(body='{"user": "{token}"}', places=[TokenPlace.BODY])
    assert line == "POST / HTTP/1.1"
    assert body == f'{{"user": "{OWN}"}}'
    assert "content-type: application/json" in headers
    assert f"content-length: {len(body)}" in headers
    assert "content-type: text/plain; charset=utf-8" in sent(body="grüße")[1]
    assert f"content-length: {len('grüße'.encode())}" in sent(body="grüße")[1]
    assert "Content-Type: a/b" in sent(body="x", headers=["Content-Type: a/b"])[1]


def test_a_json_object_takes_the_token_in() -> None:
    body = sent(body='{"a": 1}', places=[TokenPlace.BODY])[2]
    assert json.loads(body) == {"a": 1, "penstock_token": OWN}


def test_a_method_of_ones_own() -> None:
    assert sent(method="put")[0].startswith("PUT ")
    assert "content-length: 0" in sent(method="put")[1]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"path": "hello"}, "--path: 'hello' must begin with /"),
        ({"path": "/a b"}, "no spaces"),
        ({"path": "/a#b"}, "no #"),
        ({"path": "/a", "places": [TokenPlace.PATH]}, "as in /items/{token}"),
        ({"headers": ["nonsense"]}, "--header: 'nonsense' is not NAME: VALUE"),
        ({"headers": ["a: b\r\nc: d"]}, "is not NAME: VALUE"),
        ({"headers": ["Host: x"]}, "Host is set by penstock check itself"),
        ({"headers": ["x: \N{SNOWMAN}"]}, "no header can carry"),
        ({"method": "GE T"}, "--method"),
        ({"places": [TokenPlace.BODY]}, "needs a --body"),
        ({"body": "[1]", "places": [TokenPlace.BODY]}, "the body is no JSON object"),
        ({"body": "x", "places": [TokenPlace.BODY]}, "the body is no JSON object"),
    ],
)
def test_bad_requests(given: dict[str, object], told: str) -> None:
    with pytest.raises(UserError) as error:
        target(**given)  # type: ignore[arg-type]
    assert told in str(error.value)


# --- levels ---


@pytest.mark.parametrize(
    ("most", "levels"),
    [(1, (1,)), (4, (1, 4)), (8, (1, 8)), (10, (1, 8, 10)), (64, (1, 8, 16, 32, 64)), (100, (1, 8, 16, 32, 64, 100))],
)
def test_usual_levels(most: int, levels: tuple[int, ...]) -> None:
    assert usual_levels(most) == levels
    assert read_levels(None, most) == levels


def test_levels_of_ones_own() -> None:
    assert read_levels("32, 2,2", 64) == (1, 2, 32)
    for text in ("", "a", "-1", "1,,2", "1.5"):
        with pytest.raises(UserError, match="no list of numbers"):
            read_levels(text, 64)
    for text in ("0", "65"):
        with pytest.raises(UserError, match="1 to 64 are allowed"):
            read_levels(text, 64)


def test_rounds() -> None:
    assert rounds(1, 1, None) == (3, None)
    assert rounds(64, 1, None) == (128, None)
    assert rounds(1, 4, None) == (12, None)
    assert rounds(8, 1, 100) == (100, 100)
    assert rounds(64, 1, 10) == (64, 64)


# --- answers ---


def reply(body: str | bytes, *headers: tuple[bytes, bytes], status: int = 200) -> Reply:
    data = body.encode() if isinstance(body, str) else body
    return Reply(status, list(headers), data, len(data))


def test_an_answer_with_its_own_token() -> None:
    answer = read_answer(reply(f"hello {OWN}"), 0, 7, 0.5, TOKENS)
    assert (answer.echoed, answer.foreign, answer.is_ok, answer.size) == (True, frozenset(), True, len(OWN) + 6)


def test_answers_that_differ_in_their_token_alone_are_the_same() -> None:
    first = read_answer(reply(f"hello {OWN}"), 0, 7, 0.5, TOKENS)
    second = read_answer(reply(f"hello {TOKENS.make(8)}"), 0, 8, 0.1, TOKENS)
    third = read_answer(reply(f"hallo {TOKENS.make(9)}"), 0, 9, 0.1, TOKENS)
    assert first.digest == second.digest != third.digest


def test_tokens_in_headers_count() -> None:
    answer = read_answer(reply("", (b"x-user", TOKENS.make(3).encode())), 0, 7, 0.5, TOKENS)
    assert not answer.echoed
    assert answer.foreign == {3}


def test_a_compressed_answer_is_read() -> None:
    packed = reply(gzip.compress(OWN.encode()), (b"content-encoding", b"gzip"))
    assert read_answer(packed, 0, 7, 0.5, TOKENS).echoed
    assert not read_answer(reply(b"no gzip", (b"content-encoding", b"gzip")), 0, 7, 0.5, TOKENS).echoed


def test_only_the_platform_throttles() -> None:
    assert is_throttled(reply("", (b"x-amzn-errortype", b"TooManyRequestsException"), status=429))
    assert not is_throttled(reply("", status=429))
