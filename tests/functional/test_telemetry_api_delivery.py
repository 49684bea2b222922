"""Batches of the Telemetry API over real sockets, to subscribers that listen, break, dawdle and come back."""

import asyncio
import base64
import hashlib
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import orjson
import pytest

from penstock.model.limits import MIB
from penstock.telemetry_api.api import TelemetryApi
from penstock.telemetry_api.destinations import Patience
from penstock.wire.http_messages import response
from penstock.wire.listener import Listener, bind
from support.answers import Answer, read_answer
from support.clock import VirtualClock
from support.runtime_rig import request
from support.streams import StreamServer, parse_head, within

IDENTIFIER = "lambda-extension-identifier"
OK = response(200, b"text/plain", b"thanks")


@dataclass(frozen=True, slots=True)
class Post:
    first: str
    headers: dict[str, str]
    body: bytes

    @property
    def events(self) -> list[tuple[str, Any]]:
        return [(event["type"], event["record"]) for event in orjson.loads(self.body)]


class HttpSubscriber(StreamServer):
    """Answers each POST once `may_answer` is set, with the next of `replies` or else 200; an empty one hangs up."""

    def __init__(self, port: int = 0) -> None:
        super().__init__(port=port)
        self.posts: asyncio.Queue[Post] = asyncio.Queue()
        self.replies: list[bytes] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first, fields = parse_head(await reader.readuntil(b"\r\n\r\n"))
        headers = dict(fields)
        self.posts.put_nowait(Post(first, headers, await reader.readexactly(int(headers["content-length"]))))
        await self.may_answer.wait()
        reply = self.replies.pop(0) if self.replies else OK
        if not reply:
            return
        writer.write(reply)
        await writer.drain()
        await reader.read()  # until the platform hangs up: an answer's end must be known without that

    async def post(self) -> Post:
        return await within(self.posts.get())


class TcpSubscriber(StreamServer):
    def __init__(self, port: int = 0) -> None:
        super().__init__(port=port)
        self.lines: asyncio.Queue[bytes] = asyncio.Queue()
        self.reads = True
        self.ended = asyncio.Event()
        """A connection ended in order."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self.reads:
            await asyncio.Event().wait()
        while line := await reader.readline():
            self.lines.put_nowait(line)
        self.ended.set()

    async def event(self) -> tuple[str, Any]:
        line = await within(self.lines.get())
        assert line.endswith(b"}\n")
        value = orjson.loads(line)
        return value["type"], value["record"]


class Rig:
    """A Telemetry API behind a real listener. Every extension is registered under its name as identifier."""

    def __init__(self, patience: Patience = Patience()) -> None:  # noqa: B008 - a frozen value
        self.clock = VirtualClock()
        self.sockets = 0
        self.api = TelemetryApi(
            self.clock,
            identify=lambda headers: headers[IDENTIFIER.encode()].decode(),
            open_socket=self._open_socket,
            patience=patience,
        )
        self._listener = Listener(self.api.open_exchange, 64 * 1024)

    async def _open_socket(self) -> socket.socket:
        self.sockets += 1
        return socket.socket()

    async def start(self) -> None:
        listening = bind("127.0.0.1", 0)
        self._port = listening.getsockname()[1]
        await self._listener.start(listening)

    async def close(self) -> None:
        await within(self._listener.close())
        await within(self.api.close())

    async def put(self, name: str, destination: dict[str, object], *types: str, **buffering: int) -> Answer:
        value = {"schemaVersion": "2025-01-29", "types": types, "destination": destination, "buffering": buffering}
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        fields = {IDENTIFIER: name, "connection": "close"}
        writer.write(request("PUT", "/2022-07-01/telemetry", fields, orjson.dumps(value)))
        answer, rest = read_answer(await within(reader.read()), closed=True)
        assert rest == b""
        writer.close()
        await writer.wait_closed()
        return answer

    async def http(self, name: str, port: int, *types: str, path: str = "", **buffering: int) -> None:
        destination: dict[str, object] = {"protocol": "HTTP", "URI": f"http://sandbox.localdomain:{port}{path}"}
        assert (await self.put(name, destination, *(types or ("function",)), **buffering)).status == 200

    async def tcp(self, name: str, port: int, *types: str) -> Answer:
        return await self.put(name, {"protocol": "TCP", "port": port}, *(types or ("function",)))

    def line(self, text: str) -> None:
        self.api.publish("function", text, self.clock.epoch())

    def batch(self, *lines: str) -> None:
        """A batch that is due now."""
        for line in lines:
            self.line(line)
        self.clock.advance(30.0)


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    one = Rig()
    await one.start()
    yield one
    await one.close()


@pytest.fixture
async def impatient() -> AsyncIterator[Rig]:
    one = Rig(Patience(connect=5.0, send=0.05))
    await one.start()
    yield one
    await one.close()


@pytest.fixture
async def http() -> AsyncIterator[HttpSubscriber]:
    async with HttpSubscriber() as subscriber:
        yield subscriber


@pytest.fixture
async def tcp() -> AsyncIterator[TcpSubscriber]:
    async with TcpSubscriber() as subscriber:
        yield subscriber


def free_port() -> int:
    with bind("127.0.0.1", 0) as sock:
        return int(sock.getsockname()[1])


def lines(*texts: str) -> list[tuple[str, str]]:
    return [("function", text) for text in texts]


class TestHttp:
    async def test_rt_200_a_batch_is_a_post_of_an_array(self, rig: Rig, http: HttpSubscriber) -> None:
        await rig.http("one", http.port, path="/logs/here?stream=a%20b")
        rig.batch("first", 'with "quotes" and é')
        post = await http.post()
        assert post.first == "POST /logs/here?stream=a%20b HTTP/1.1"
        digest = base64.b64encode(hashlib.sha256(post.body).digest()).decode()
        assert post.headers == {
            "host": f"sandbox.localdomain:{http.port}",
            "content-type": "application/json",
            "content-length": str(len(post.body)),
            "sequence-id": digest,
            "connection": "close",
        }
        time = "2023-11-14T22:13:20.000Z"
        assert orjson.loads(post.body) == [
            {"time": time, "type": "function", "record": "first"},
            {"time": time, "type": "function", "record": 'with "quotes" and é'},
        ]

    async def test_it_may_begin_to_listen_after_the_subscription(self, rig: Rig) -> None:
        port = free_port()
        await rig.http("one", port)
        async with HttpSubscriber(port) as late:
            rig.batch("hello")
            assert (await late.post()).events == lines("hello")

    async def test_a_megabyte(self, rig: Rig, http: HttpSubscriber) -> None:
        await rig.http("one", http.port, maxBytes=MIB)
        rig.line("x" * MIB)
        assert (await http.post()).events == lines("x" * MIB)

    @pytest.mark.parametrize(
        ("reply", "reason"),
        [
            (response(500, b"text/plain", b"no"), "the subscriber answered 500"),
            (response(404, b"text/plain", b""), "the subscriber answered 404"),
            (b"", "sending: the subscriber hung up without an answer"),
            (b"SSH-2.0-x\r\n\r\n", "sending: the subscriber's answer is not HTTP"),
        ],
        ids=["500", "404", "hangs up", "not HTTP"],
    )
    async def test_rt_200_a_batch_that_was_not_taken_is_lost_and_told(
        self, rig: Rig, http: HttpSubscriber, reply: bytes, reason: str
    ) -> None:
        await rig.http("one", http.port, "function", "platform")
        http.replies = [reply]
        rig.batch("lost", "too")
        rig.batch("next")
        lost = await http.post()
        post = await http.post()
        (kind, record), *rest = post.events
        assert (kind, rest) == ("platform.logsDropped", lines("next"))
        assert record == {
            "droppedBytes": len(lost.body) - 2 - len(lost.events) + 1,
            "droppedRecords": 3,
            "reason": f"could not send events: {reason}",
        }

    @pytest.mark.parametrize(
        "reply",
        [
            b"HTTP/1.1 100 Continue\r\n\r\n" + OK,
            b"HTTP/1.1 204 No Content\r\n\r\n",
            b"HTTP/1.1 302 Found\r\nlocation: /x\r\ncontent-length: 0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        ],
        ids=["continue", "204", "redirect", "chunked"],
    )
    async def test_what_counts_as_taken(self, rig: Rig, http: HttpSubscriber, reply: bytes) -> None:
        await rig.http("one", http.port, "function", "platform")
        http.replies = [reply, reply]
        for text in ("one", "two"):
            rig.batch(text)
            assert (await http.post()).events[-1:] == lines(text)
        await within(rig.api.flush(20.0))
        assert http.posts.empty()

    async def test_dead_and_back_again(self, rig: Rig) -> None:
        subscriber = await HttpSubscriber().start()
        await rig.http("one", subscriber.port, "platform", "function")
        await rig.api.flush(20.0)
        assert [kind for kind, _ in (await subscriber.post()).events] == ["platform.telemetrySubscription"]
        await subscriber.stop()
        sent = rig.sockets
        rig.batch("lost")
        await rig.api.flush(20.0)
        assert rig.sockets > sent
        await subscriber.start()
        rig.batch("here")
        (kind, record), *rest = (await subscriber.post()).events
        assert (kind, record["droppedRecords"], rest) == ("platform.logsDropped", 1, lines("here"))
        assert "connecting to 127.0.0.1:" in record["reason"]
        await subscriber.stop()

    async def test_a_stuck_subscriber_is_given_up_and_holds_up_nobody(
        self, impatient: Rig, http: HttpSubscriber
    ) -> None:
        async with HttpSubscriber() as stuck:
            stuck.may_answer.clear()
            await impatient.http("stuck", stuck.port)
            await impatient.http("healthy", http.port)
            impatient.batch("1")
            assert (await http.post()).events == lines("1")
            await stuck.post()
            impatient.batch("2")
            assert (await http.post()).events == lines("2")
            assert (await stuck.post()).events == lines("2")  # the first one was given up


class TestTcp:
    async def test_one_object_a_line_on_one_connection(self, rig: Rig, tcp: TcpSubscriber) -> None:
        assert (await rig.tcp("one", tcp.port)).status == 200
        rig.batch("a", "b")
        rig.batch("c\nd")
        assert [await tcp.event() for _ in range(3)] == lines("a", "b", "c\nd")
        assert (tcp.connections, rig.sockets) == (1, 1)

    async def test_rt_180_nobody_listens(self, rig: Rig) -> None:
        port = free_port()
        answer = await rig.tcp("one", port)
        assert answer.status == 400
        value = orjson.loads(answer.body)
        assert value["errorType"] == "ValidationError"
        assert value["errorMessage"].startswith(f"Invalid destination: connecting to 127.0.0.1:{port}: ")
        async with TcpSubscriber(port):
            assert (await rig.tcp("one", port)).status == 200

    async def test_a_connection_that_broke_is_made_anew(self, rig: Rig) -> None:
        subscriber = await TcpSubscriber().start()
        assert (await rig.tcp("one", subscriber.port, "platform", "function")).status == 200
        await rig.api.flush(20.0)
        assert (await subscriber.event())[0] == "platform.telemetrySubscription"
        await subscriber.stop()
        await subscriber.start()

        async def connected() -> None:
            while subscriber.connections < 2:
                # The first write after a close goes into the void: only its answer tells the socket.
                rig.batch("lost or not")
                await rig.api.flush(20.0)

        await within(connected())
        rig.batch("here")
        while (event := await subscriber.event()) != ("function", "here"):
            assert event[0] in ("platform.logsDropped", "function")
        await subscriber.stop()

    async def test_who_does_not_read_is_given_up(self, impatient: Rig, tcp: TcpSubscriber) -> None:
        tcp.reads = False
        assert (await impatient.tcp("one", tcp.port)).status == 200

        async def given_up() -> None:
            while impatient.sockets < 2:  # then the kernel's buffers were full, and a new connection was tried
                impatient.batch(*["x" * 200_000] * 10)
                await impatient.api.flush(20.0)

        await within(given_up())

    async def test_a_subscription_refused_closes_its_connection(self, rig: Rig, tcp: TcpSubscriber) -> None:
        rig.api.close_subscriptions()
        assert (await rig.tcp("one", tcp.port)).status == 403
        assert (tcp.connections, rig.sockets) == (1, 1)
        await within(tcp.ended.wait())


class TestFlush:
    async def test_flush_sends_to_all_at_once(self, rig: Rig, http: HttpSubscriber, tcp: TcpSubscriber) -> None:
        await rig.http("one", http.port)
        assert (await rig.tcp("two", tcp.port)).status == 200
        rig.line("last words")
        await rig.api.flush(20.0)
        assert (await http.post()).events == lines("last words")
        assert await tcp.event() == ("function", "last words")

    async def test_flush_gives_up(self, rig: Rig, http: HttpSubscriber) -> None:
        http.may_answer.clear()
        await rig.http("one", http.port)
        rig.line("last words")
        await within(rig.api.flush(0.01), 5.0)
        await rig.close()
