"""Web pages are kept away, AWS clients are not."""

import json

import pytest

from penstock.aws_api.guard import guarded, refusal
from support.answers import read_answer
from support.http_door import AtOnce
from support.transport import Peer


def status(*hosts: str, origin: str | None = None, served_at: str = "127.0.0.1") -> int:
    """What a request with these Host headers is refused with; 200 when it is let in."""
    headers = [(b"host", host.encode("latin-1")) for host in hosts]
    if origin is not None:
        headers.append((b"origin", origin.encode()))
    refused = refusal(headers, served_at)
    return refused.status if refused else 200


@pytest.mark.parametrize(
    "host",
    ["localhost", "localhost:4566", "LOCALHOST:4566", "127.0.0.1", "127.0.0.1:1", "[::1]:4566", "bucket.localhost:80"],
)
def test_names_of_this_machine_are_let_in(host: str) -> None:
    assert status(host) == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:4566",
        "localhost.evil.example",
        "evillocalhost",
        "127.0.0.1.evil.example",
        "127.0.0.1@evil.example",
        "192.0.2.1:4566",
        "[::2]:4566",
        "::1",
        "localhost:",
        "localhost:x",
        "localhost, evil.example",
        "localhost/",
        "",
        "\xb2",
    ],
)
def test_other_names_are_not(host: str) -> None:
    assert status(host) == 403


@pytest.mark.parametrize("hosts", [(), ("localhost", "evil.example"), ("localhost", "localhost")])
def test_there_is_one_host(hosts: tuple[str, ...]) -> None:
    assert status(*hosts) == 403


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "http://localhost:3000", "http://127.0.0.1:4566", "null", ""]
)
def test_a_page_is_refused_wherever_it_is_from(origin: str) -> None:
    assert status("localhost", origin=origin) == 403


@pytest.mark.parametrize(
    ("served_at", "host", "expected"),
    [
        ("192.0.2.1", "192.0.2.1:4566", 200),
        ("192.0.2.1", "192.0.2.2:4566", 403),
        ("2001:db8::1", "[2001:db8::1]:4566", 200),
        ("Build.example", "build.Example", 200),
        ("build.example", "other.example", 403),
        ("0.0.0.0", "192.0.2.1:4566", 200),
        ("::", "[2001:db8::1]", 200),
        ("0.0.0.0", "evil.example", 403),
        ("::", "localhost", 200),
    ],
)
def test_the_address_it_serves_at_is_let_in(served_at: str, host: str, expected: int) -> None:
    assert status(host, served_at=served_at) == expected


def test_who_is_let_in_is_served() -> None:
    peer = Peer(guarded(AtOnce, "127.0.0.1"))
    peer.send(b"GET /a HTTP/1.1\r\nHost: localhost:4566\r\n\r\n")
    answer, _ = read_answer(peer.take())
    assert (answer.status, answer.body) == (200, b"/a")


@pytest.mark.parametrize("method", ["OPTIONS", "POST", "GET"])
def test_a_refusal_says_why_and_gives_a_page_no_leave(method: str) -> None:
    peer = Peer(guarded(AtOnce, "127.0.0.1"))
    preflight = "Access-Control-Request-Method: POST\r\nContent-Length: 4\r\n"
    peer.send(f"{method} / HTTP/1.1\r\nHost: localhost\r\nOrigin: null\r\n{preflight}\r\nbody".encode())
    answer, rest = read_answer(peer.take())
    assert (answer.status, answer.header("x-amzn-errortype"), rest) == (403, "AccessDeniedException", b"")
    assert json.loads(answer.body)["message"].startswith("This port takes no requests from web pages")
    assert not [name for name, _ in answer.headers if name.startswith("access-control-")]


def test_a_refusal_is_in_the_protocol_of_the_request() -> None:
    peer = Peer(guarded(AtOnce, "192.0.2.1"))
    peer.send(b"GET /?Action=GetCallerIdentity HTTP/1.1\r\nHost: evil.example\r\n\r\n")
    answer, _ = read_answer(peer.take())
    assert b"<Code>AccessDeniedException</Code>" in answer.body
    assert b"allowed: localhost, *.localhost, 127.0.0.1, [::1], 192.0.2.1<" in answer.body
    assert b"evil" not in answer.body
