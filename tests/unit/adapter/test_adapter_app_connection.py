"""The app's connection fed byte by byte: where reads are cut never matters."""

import asyncio
from typing import cast

import pytest

from penstock_adapter.app_connection import AppConnection, AppPool
from penstock_adapter.endpoint import Endpoint

Heard = tuple[object, ...]


class FakeTransport:
    """The part of a transport that a connection uses."""

    def __init__(self) -> None:
        self.aborted = False
        self.written = b""

    def write(self, data: bytes) -> None:
        self.written += data

    def abort(self) -> None:
        self.aborted = True

    def resume_reading(self) -> None: ...

    def get_write_buffer_size(self) -> int:
        return 0


class Listener:
    """An exchange that writes down what it hears, body pieces joined."""

    def __init__(self) -> None:
        self.heard: list[Heard] = []
        self.body = b""

    def connected(self, connection: AppConnection) -> None: ...

    def connect_failed(self, error: OSError) -> None: ...

    def response_started(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        self.heard.append(("started", status, tuple(headers)))

    def body_received(self, data: bytes) -> None:
        self.body += data

    def response_ended(self) -> None:
        self.heard.append(("ended",))

    def response_failed(self, reason: str, *, stale: bool) -> None:
        self.heard.append(("failed", stale))

    def flush(self) -> None: ...


def connection(pool: AppPool | None = None) -> tuple[AppConnection, FakeTransport]:
    found = AppConnection(pool or AppPool(Endpoint("127.0.0.1", 1), idle_limit_s=0))
    transport = FakeTransport()
    found.connection_made(cast("asyncio.Transport", transport))
    return found, transport


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
LENGTH_9 = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"
SWITCH = b"HTTP/1.1 101 Switch\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"
RESPONSES = {
    "length": (b"HTTP/1.1 200 OK\r\nA: 1\r\nContent-Length: 3\r\n\r\nabc", 200, b"abc"),
    "chunked": (
        CHUNKED + b"2\r\nab\r\n1;x=y\r\nc\r\n0\r\n\r\n",
        200,
        b"abc",
    ),
    "trailers": (CHUNKED + b"3\r\nabc\r\n0\r\nT: 1\r\n\r\n", 200, b"abc"),
    "no-content": (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
    "not-modified": (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", 304, b""),
    "interim": (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 1\r\n\r\nx", 201, b"x"),
    "no-reason": (b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", 200, b""),
}


@pytest.mark.parametrize("name", RESPONSES)
async def test_split_at_every_byte(name: str) -> None:
    wire, status, body = RESPONSES[name]
    for cut in range(len(wire) + 1):
        app, _ = connection()
        listener = Listener()
        app.send(listener, b"GET", head=False)
        for part in (wire[:cut], wire[cut:]):
            if part:
                app.data_received(part)
        assert [heard[:2] for heard in listener.heard] == [("started", status), ("ended",)], cut
        assert listener.body == body


async def test_head_ends_with_its_headers() -> None:
    wire = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"
    for cut in range(len(wire) + 1):
        app, _ = connection()
        listener = Listener()
        app.send(listener, b"HEAD", head=True)
        for part in (wire[:cut], wire[cut:]):
            if part:
                app.data_received(part)
        assert [heard[0] for heard in listener.heard] == ["started", "ended"]


@pytest.mark.parametrize(
    ("wire", "error", "heard"),
    [
        pytest.param(b"", None, [("failed", False)], id="nothing"),
        pytest.param(b"HTTP/1.1 200 OK\r\n", None, [("failed", False)], id="half-a-head"),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\nabc", None, ["started", ("ended",)], id="until-close"),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\nabc", OSError(), ["started", ("failed", False)], id="reset"),
        pytest.param(LENGTH_9 + b"abc", None, ["started", ("failed", False)], id="short"),
        pytest.param(SWITCH, None, [("failed", False)], id="101"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", None, [("failed", False)], id="bad-length"),
    ],
)
async def test_lost_connection(wire: bytes, error: OSError | None, heard: list[object]) -> None:
    app, _ = connection()
    listener = Listener()
    app.send(listener, b"GET", head=False)
    if wire:
        app.data_received(wire)
    app.connection_lost(error)
    assert [event[0] if event[0] == "started" else event for event in listener.heard] == heard


async def test_bytes_nobody_asked_for_end_the_connection() -> None:
    app, transport = connection()
    app.data_received(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
    assert transport.aborted


@pytest.mark.parametrize(("answers", "kept"), [(1, True), (2, False)])
async def test_two_answers_to_one_request_end_the_connection(answers: int, kept: bool) -> None:
    pool = AppPool(Endpoint("127.0.0.1", 1), idle_limit_s=4)
    app, transport = connection(pool)
    listener = Listener()
    app.send(listener, b"GET", head=False)
    app.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx" * answers)
    assert [heard[0] for heard in listener.heard] == ["started", "ended"]
    assert listener.body == b"x"
    assert transport.aborted is not kept
    now = asyncio.get_running_loop().time()
    assert (pool.take(now) is app) is kept
    pool.close()


async def test_pool_hands_out_the_last_used_and_nothing_too_old() -> None:
    pool = AppPool(Endpoint("127.0.0.1", 1), idle_limit_s=4)
    (old, old_transport), (new, _) = connection(pool), connection(pool)
    pool.give(old)
    pool.give(new)
    old.idle_since, new.idle_since = 100.0, 103.0
    assert pool.take(105.0) is new
    assert pool.take(105.0) is None
    assert old_transport.aborted
    pool.close()
