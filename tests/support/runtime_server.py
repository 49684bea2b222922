"""A scripted Lambda Runtime and Extensions API: hands out events, records what is posted, answers as told.

async with RuntimeServer() as server:
    post = await server.invoke(b"{}", "request-1")   # waits for a poll, then for the POST's head
    assert await post.chunk() == b"..."
    await post.complete()
"""

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from support.streams import StreamServer, parse_head, within

_RUNTIME = "/2018-06-01/runtime/invocation/"
_INIT_ERROR = "/2018-06-01/runtime/init/error"
_EXTENSION = "/2020-01-01/extension/"


@dataclass(eq=False)
class Post:
    """One POST of a response or an error, while it comes in and after."""

    request_id: str
    kind: str  # "response" or "error"
    headers: dict[str, str]
    writer: asyncio.StreamWriter
    wire: bytearray
    status: int = 202
    answer_body: bytes = b'{"status":"OK"}\n'
    trailers: dict[str, str] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)
    # Cleared: no more is read from the socket, as when the caller has stopped reading.
    reading: asyncio.Event = field(default_factory=asyncio.Event)
    # Cleared: the answer to the POST is held back.
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)
    _chunks: asyncio.Queue[bytes] = field(default_factory=asyncio.Queue)
    _done: asyncio.Event = field(default_factory=asyncio.Event)

    async def chunk(self) -> bytes:
        """The next chunk as it was framed; empty at the end of the body."""
        return await within(self._chunks.get())

    async def complete(self) -> bytes:
        """Waits for the end of the body and returns it whole."""
        await within(self._done.wait())
        return bytes(self.body)

    def answer_now(self, status: int, body: bytes) -> None:
        """Answers before the body has ended."""
        self.writer.write(answer(status, body))

    def drop(self) -> None:
        """Cuts the connection."""
        self.writer.transport.abort()

    async def read_body(self, reader: asyncio.StreamReader) -> None:
        if "content-length" in self.headers:
            self.body += await reader.readexactly(int(self.headers["content-length"]))
            self.wire += self.body
        else:
            await self._read_chunks(reader)
        self._chunks.put_nowait(b"")
        self._done.set()

    async def _read_chunks(self, reader: asyncio.StreamReader) -> None:
        while True:
            await self.reading.wait()
            size_line = await reader.readuntil(b"\r\n")
            self.wire += size_line
            size = int(size_line, 16)
            if size == 0:
                break
            data = await reader.readexactly(size + 2)
            self.wire += data
            self.body += data[:-2]
            self._chunks.put_nowait(data[:-2])
        while (line := await reader.readuntil(b"\r\n")) != b"\r\n":
            self.wire += line
            name, _, value = line.decode().partition(":")
            self.trailers[name.strip()] = value.strip()
        self.wire += b"\r\n"


@dataclass(eq=False)
class Poll:
    """A parked `GET /next`."""

    head: bytes
    writer: asyncio.StreamWriter
    reply: asyncio.Future[bytes]

    @property
    def alive(self) -> bool:
        """Whether the client still waits for an answer."""
        return not self.reply.done()

    def answer(self, event: bytes, request_id: str, headers: Mapping[str, str] | None = None) -> None:
        """Hands out an event. `headers` add to, or replace, the usual ones."""
        fields = {
            "Content-Type": "application/json",
            "Lambda-Runtime-Aws-Request-Id": request_id,
            "Lambda-Runtime-Deadline-Ms": "1700000000000",
            "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:us-east-1:123456789012:function:f:live",
            "Content-Length": str(len(event)),
            **(headers or {}),
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        self.reply.set_result(f"HTTP/1.1 200 OK\r\n{lines}\r\n".encode() + event)

    def answer_raw(self, reply: bytes) -> None:
        self.reply.set_result(reply)

    def drop(self) -> None:
        self.writer.transport.abort()


class RuntimeServer(StreamServer):
    """`register_reply` and `hold_event_next` script the Extensions API; the rest waits for the test."""

    def __init__(self, port: int = 0) -> None:
        super().__init__(port=port)
        self.registrations: list[tuple[dict[str, str], bytes]] = []
        self.register_reply = (
            b"HTTP/1.1 200 OK\r\nLambda-Extension-Identifier: 7c1c2c6e-0d0f-4b0e-8a1b-111111111111\r\n"
            b"Content-Length: 2\r\n\r\n{}"
        )
        self.init_errors: list[tuple[dict[str, str], bytes]] = []
        self.registered = asyncio.Event()
        self.runtime_errors: asyncio.Queue[tuple[dict[str, str], bytes]] = asyncio.Queue()
        self.event_next_asked = asyncio.Event()
        self.release_event_next = asyncio.Event()
        self.parked: asyncio.Queue[Poll] = asyncio.Queue()
        # How many polls are parked right now.
        self.polls_open = 0
        # Posts start with these: clear one to hold a POST's reading or answer.
        self.read_posts = True
        self.answer_posts = True
        self.post_status = 202
        self._posts: defaultdict[str, asyncio.Queue[Post]] = defaultdict(asyncio.Queue)

    async def poll(self) -> Poll:
        """The oldest parked poll whose client is still there, waiting for one if need be."""
        while True:
            poll = await within(self.parked.get())
            if poll.alive:
                return poll

    async def post(self, request_id: str) -> Post:
        """The next POST for an invocation, as soon as its head is here."""
        return await within(self._posts[request_id].get())

    async def invoke(
        self, event: bytes, request_id: str = "request-1", headers: Mapping[str, str] | None = None
    ) -> Post:
        (await self.poll()).answer(event, request_id, headers)
        return await self.post(request_id)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            first, fields = parse_head(head)
            _, path, _ = first.split(" ")
            headers = dict(fields)
            if path == f"{_RUNTIME}next":
                await self._serve_poll(head, reader, writer)
            elif path.startswith(_RUNTIME):
                await self._serve_post(path.removeprefix(_RUNTIME), headers, head, reader, writer)
            elif path == _INIT_ERROR:
                self.runtime_errors.put_nowait((headers, await reader.readexactly(int(headers["content-length"]))))
                writer.write(answer(202, b'{"status":"OK"}\n'))
            elif path == f"{_EXTENSION}register":
                body = await reader.readexactly(int(headers["content-length"]))
                self.registrations.append((headers, body))
                self.registered.set()
                writer.write(self.register_reply)
            elif path == f"{_EXTENSION}init/error":
                self.init_errors.append((headers, await reader.readexactly(int(headers["content-length"]))))
                writer.write(answer(202, b'{"status":"OK"}'))
            elif path == f"{_EXTENSION}event/next":
                self.event_next_asked.set()
                await self.release_event_next.wait()
                writer.write(answer(200, b"{}"))
            else:
                await self.serve_other(path, headers, reader, writer)
            await writer.drain()

    async def serve_other(
        self, path: str, headers: dict[str, str], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """A request for what this server has not."""
        writer.write(answer(404, b"404 page not found\n"))

    async def _serve_poll(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        poll = Poll(head, writer, asyncio.get_running_loop().create_future())
        self.parked.put_nowait(poll)
        self.polls_open += 1
        hung_up = asyncio.ensure_future(reader.read(1))
        try:
            await asyncio.wait({hung_up, poll.reply}, return_when=asyncio.FIRST_COMPLETED)
            if not poll.reply.done():
                raise ConnectionResetError
            writer.write(poll.reply.result())
        finally:
            self.polls_open -= 1
            poll.reply.cancel()
            hung_up.cancel()
            await asyncio.wait({hung_up})

    async def _serve_post(
        self,
        what: str,
        headers: dict[str, str],
        head: bytes,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        request_id, _, kind = what.rpartition("/")
        post = Post(request_id, kind, headers, writer, bytearray(head), self.post_status)
        if self.read_posts:
            post.reading.set()
        if self.answer_posts:
            post.may_answer.set()
        self._posts[request_id].put_nowait(post)
        await post.read_body(reader)
        await post.may_answer.wait()
        writer.write(answer(post.status, post.answer_body))


def answer(status: int, body: bytes) -> bytes:
    """A response as this server writes it."""
    head = f"HTTP/1.1 {status} Whatever\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body
