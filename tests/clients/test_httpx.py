"""httpx at a Function URL: a Python program's usual client."""

import json
from collections.abc import Iterator

import httpx
import pytest

from support.clients import PATIENCE_S
from support.clients_app import ALL_BYTES, GREETING
from support.gate import Gate


@pytest.fixture
def client(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, timeout=PATIENCE_S, trust_env=False) as client:
        yield client


def test_a_stream_arrives_as_it_is_written(stream_url: str, gate: Gate, visitor: str) -> None:
    with httpx.stream("GET", f"{stream_url}/stream?{visitor}", timeout=PATIENCE_S, trust_env=False) as response:
        pieces = response.iter_raw()
        assert next(pieces) == b"begin\n"
        gate.next(visitor).release()
        assert b"".join(pieces) == b"end\n"


async def test_streams_side_by_side(stream_url: str, gate: Gate, visitor: str) -> None:
    """Each of three on one client is begun before any of them ends."""
    names = [f"{visitor}-{number}" for number in range(3)]
    async with httpx.AsyncClient(base_url=stream_url, timeout=PATIENCE_S, trust_env=False) as client:
        requests = [client.build_request("GET", f"/stream?{name}") for name in names]
        responses = [await client.send(request, stream=True) for request in requests]
        pieces = [response.aiter_raw() for response in responses]
        assert [await anext(piece) for piece in pieces] == [b"begin\n"] * 3
        for name in names:
            gate.next(name).release()
        assert [[part async for part in piece] for piece in pieces] == [[b"end\n"]] * 3


def test_a_whole_answer(client: httpx.Client, gate: Gate) -> None:
    response = client.get("/")
    assert (response.status_code, response.text) == (200, GREETING)
    assert response.headers["x-amzn-requestid"]


def test_one_connection_serves_many_requests(client: httpx.Client) -> None:
    """All that came from one port of the client came over one connection."""
    ports = []
    for path in ("/", "/bytes", "/echo", "/missing"):
        with client.stream("GET", path) as response:
            ports.append(response.extensions["network_stream"].get_extra_info("client_addr")[1])
            response.read()
    assert len(set(ports)) == 1


def test_cookies_are_kept_and_sent_back(client: httpx.Client) -> None:
    assert client.get("/cookies").content == b""
    assert dict(client.cookies) == {"one": "1", "two": "2"}
    assert sorted(client.get("/cookies").text.split("; ")) == ["one=1", "two=2"]


def test_a_form_with_a_file(client: httpx.Client) -> None:
    request = client.build_request("POST", "/echo", data={"word": "naïve"}, files={"file": ("all.bin", ALL_BYTES)})
    sent = request.read()
    response = client.send(request)
    assert response.headers["content-type"] == request.headers["content-type"]
    assert response.content == sent
    assert ALL_BYTES in sent


def test_a_body_of_unknown_length(client: httpx.Client) -> None:
    def pieces() -> Iterator[bytes]:
        for start in range(0, len(ALL_BYTES), 1000):
            yield ALL_BYTES[start : start + 1000]

    response = client.post("/echo", content=pieces(), headers={"content-type": "application/octet-stream"})
    assert response.content == ALL_BYTES


def test_a_compressed_answer(client: httpx.Client) -> None:
    response = client.get("/gzip")
    assert response.headers["content-encoding"] == "gzip"
    assert response.content == ALL_BYTES


def test_query_parameters_come_through(client: httpx.Client) -> None:
    seen = json.loads(client.get("/request", params=[("a", "1"), ("a", "ü &"), ("b", "")]).content)
    assert seen["path"] == "/request?a=1&a=%C3%BC+%26&b="
