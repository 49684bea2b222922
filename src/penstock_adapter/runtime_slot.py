"""One slot: a connection that long-polls the Runtime API and posts the answer on the same connection.

A slot is a small state machine over protocol callbacks: no task, no future and no queue stands on the request path.
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

import asyncio
from enum import Enum, auto
from typing import TYPE_CHECKING, cast

import httptools

from penstock_adapter.invocation import NO_INVOCATION, Invocation, read_invocation
from penstock_adapter.link_transport import LARGE, LinkTransport
from penstock_adapter.runtime_wire import (
    ACCEPTED,
    LAST_CHUNK,
    brief_answer,
    chunk,
    error_request,
    failed_end,
    read_brief_event,
    read_whole_event,
    response_request,
    short_stream_head,
    stream_head,
)
from penstock_adapter.writing import write_lines

if TYPE_CHECKING:
    from collections.abc import Callable

    from penstock_adapter.runtime_client import InvocationHandler, RuntimeClient

# Between attempts to reach a Runtime API that is away (`assumed`).
FIRST_RETRY_S = 0.1
LONGEST_RETRY_S = 5.0


class _State(Enum):
    IDLE = auto()  # not connected, or waiting before the next attempt
    POLLING = auto()  # GET /next is on the wire
    WORKING = auto()  # the handler has the invocation and has not begun to answer
    STREAMING = auto()  # the head of the answer is out, its body still open
    POSTED = auto()  # the answer is complete and waits for its status
    STOPPED = auto()


_EXPECTING_EVENT = (_State.POLLING, _State.POSTED)


class RuntimeSlot(asyncio.Protocol):
    """One place for an invocation: polls, hands the event over, sends the answer, polls again."""

    def __init__(self, client: "RuntimeClient", new_handler: "Callable[[RuntimeSlot], InvocationHandler]") -> None:
        self._client = client
        self._handler = new_handler(self)
        self._state = _State.IDLE
        self._transport: asyncio.Transport | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._retry: asyncio.TimerHandle | None = None
        self._retry_s = FIRST_RETRY_S
        self._invocation = NO_INVOCATION
        self._out: list[bytes] = []
        self._brief = False  # this connection takes the brief form,
        self._polled = False  # and has had a poll by itself, which is known again without being sent
        self._begun = False  # some of the answer has left
        self._large = False  # too much of it to be worth joining
        self._prelude = b""  # of a stream that has begun, until it leaves with the first bytes of the body
        self._first = b""  # of the body, as long as the prelude waits
        self._whole = False  # there is no more of the body than that
        self._write_paused = False
        self._headers: dict[bytes, bytes] = {}
        self._event: list[bytes] = []
        self._answers: list[_Answer] = []
        self._within_answer = False
        self._keep_alive = True
        self._ahead = False  # the next poll is on the wire behind the answer that waits for its status
        self._held = False  # the handler is not done with the invocation, whatever it has answered
        self._parser = httptools.HttpResponseParser(self)

    # What handlers use.

    @property
    def paused(self) -> bool:
        """Whether the handler must hold its output back: no connection, or one that is full."""
        return self._write_paused or self._transport is None

    def post_response(self, body: bytes) -> None:
        """The whole answer at once, as JSON."""
        self._end(response_request(self._client.api, self._invocation, body))

    def post_error(self, error_type: str, message: str) -> None:
        """The invocation failed before any part of an answer was sent. `error_type` such as `Runtime.Something`:
        the service keeps `Runtime.` and `Function.` names and calls everything else unknown."""
        self._client.output.error(f"{error_type}: {message}", self._invocation.request_id)
        self._end(error_request(self._client.api, self._invocation, error_type, message))

    def warn(self, message: str) -> None:
        """A line in the log about the invocation in hand."""
        self._client.output.warn(message, self._invocation.request_id)

    def begin_stream(self, prelude: bytes) -> None:
        """Starts a streamed answer. It leaves with the next `flush`, whether or not there is a body yet."""
        self._state = _State.STREAMING
        if self._client.polls_ahead:
            self._prelude = prelude
        else:
            self._out.append(stream_head(self._client.api, self._invocation, prelude))

    def send_chunk(self, data: bytes) -> None:
        """One chunk of a stream that has begun. It leaves with the next `flush`."""
        if self._prelude:
            if not self._first and len(data) < LARGE:
                self._first = data
                return
            self._begin()
        if len(data) < LARGE:
            self._out.append(chunk(data))
        else:
            self._large = True
            self._out += (b"%x\r\n" % len(data), data, b"\r\n")

    def end_stream(self) -> None:
        """The stream is complete."""
        if self._prelude:
            self._whole = True
            self._ended()
        else:
            self._end(LAST_CHUNK)

    def fail_stream(self, error_type: str, message: str) -> None:
        """Ends a stream as failed: what was sent stands, and the platform is told."""
        self._client.output.error(f"{error_type}: {message}", self._invocation.request_id)
        if self._prelude:
            self._begin()
        self._end(failed_end(error_type, message))

    def hold(self) -> None:
        """Until `release` the slot asks for no other invocation, and the end of an answer waits for a `flush`."""
        self._held = True

    def release(self) -> None:
        """The handler is done with the invocation. What waits leaves together with the next poll."""
        self._held = False
        if self._state is _State.POSTED:
            self._poll_ahead()
            self.flush()
        elif self._state is _State.IDLE and self._transport is not None:
            self._poll()

    def flush(self) -> None:
        """Everything gathered since the last flush leaves in one write."""
        if self._prelude:
            self._begin()
        if self._out and self._transport is not None:
            if self._large:
                self._large = False
                write_lines(self._transport, self._out)
            else:
                self._transport.write(self._out[0] if len(self._out) == 1 else b"".join(self._out))
            self._out.clear()
            self._begun = True

    def _begin(self) -> None:
        self._out.append(short_stream_head(self._client.api, self._invocation, self._prelude, self._first))
        if self._whole:
            self._out.append(LAST_CHUNK)
        self._forget_prelude()

    def _forget_prelude(self) -> None:
        self._prelude = self._first = b""
        self._whole = False

    # What the client uses.

    @property
    def stopped(self) -> bool:
        return self._state is _State.STOPPED

    def connect(self) -> None:
        self._retry = None
        self._connecting = asyncio.get_running_loop().create_task(self._connect())

    def stop_if_idle(self) -> None:
        if self._held:
            return
        if self._state in (_State.IDLE, _State.POLLING):
            self.close()
        elif self._ahead and self._transport is not None:  # its status comes with the next event, if ever
            self._transport.close()

    def close(self) -> None:
        self._state = _State.STOPPED
        if self._retry:
            self._retry.cancel()
        if self._connecting:
            self._connecting.cancel()
        self._drop()

    # Connection: lost and found.

    async def _connect(self) -> None:
        try:
            await self._client.connect(self)
        except OSError as error:
            self._client.connect_failed(error, asyncio.get_running_loop().time())
            if self._state is not _State.STOPPED:
                self._give_up()
                self._back_off()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._connecting = None
        if self._state is _State.STOPPED:
            cast("asyncio.Transport", transport).abort()
            return
        self._client.connected()
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but name
        self._write_paused = False
        self._brief = self._client.brief or isinstance(transport, LinkTransport)
        self._polled = False
        self._new_answer()
        self._parser = httptools.HttpResponseParser(self)
        if self._state is _State.IDLE:
            if not self._held:
                self._poll()
        else:  # lost while the handler was working; the answer goes out here
            self.flush()
            self._handler.resume()

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        self._write_paused = False
        state = self._state
        if state is _State.STOPPED:
            return
        ahead, self._ahead = self._ahead, False
        if state is _State.POLLING or ahead:  # what came before the poll has left, and was taken as far as can be known
            self._state = _State.IDLE
            self._back_off()
            return
        if state is _State.WORKING or ((self._out or self._prelude) and not self._begun):
            # Not a byte of the answer was sent: it goes out on the next one.
            self._handler.pause()
        elif state in (_State.STREAMING, _State.POSTED):
            self.warn("the Runtime API hung up before the answer was complete")
            self._give_up()
        self._reconnect()

    def _reconnect(self) -> None:
        if self._state is _State.IDLE and self._client.draining:
            self._stop()
        else:
            self.connect()

    def _give_up(self) -> None:
        """The invocation in hand cannot be answered any more."""
        working = self._state in (_State.WORKING, _State.STREAMING)
        self._state = _State.IDLE
        self._out.clear()
        self._forget_prelude()
        if working:
            self._handler.abandon()

    def _drop(self) -> None:
        """Ends the connection; `connection_lost` goes on from there."""
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.abort()

    def _back_off(self) -> None:
        if self._client.draining:
            self._stop()
            return
        self._retry = asyncio.get_running_loop().call_later(self._retry_s, self.connect)
        self._retry_s = min(self._retry_s * 2, LONGEST_RETRY_S)

    def pause_writing(self) -> None:
        self._write_paused = True
        self._handler.pause()

    def resume_writing(self) -> None:
        self._write_paused = False
        self._handler.resume()

    # Answers of the Runtime API.

    def data_received(self, data: bytes) -> None:
        if not self._within_answer and self._state in _EXPECTING_EVENT:
            data = self._read_plain(data)
            if not data:
                return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._client.output.error(f"the Runtime API sent what is not HTTP: {error}", self._invocation.request_id)
            self._drop()
            return
        while self._answers:
            self._take_answer(self._answers.pop(0))

    def _read_plain(self, data: bytes) -> bytes:
        """What can be read without a parser, which is nearly all: the status of an answer, and the next event. The rest
        is returned.
        """
        if self._state is _State.POSTED:
            if data[0] == 0 and self._ahead:  # an event in the brief form says that the answer was taken
                self._take_status(202, b"", keep_alive=True)
            elif data.startswith(ACCEPTED):
                self._take_status(202, b"", keep_alive=True)
                data = data[len(ACCEPTED) :]
            else:
                return data
        if not data or self._state is not _State.POLLING:
            return data
        if data[0] == 0 and (invocation := read_brief_event(data)):
            self._begin_invocation(invocation)
            return b""
        if event := read_whole_event(data):
            self._take_event(200, event[0], event[1], keep_alive=True)
            return b""
        return data

    def on_message_begin(self) -> None:
        self._within_answer = True

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        self._keep_alive = self._parser.should_keep_alive()  # the parser forgets with the end of the message

    def on_body(self, body: bytes) -> None:
        self._event.append(body)

    def on_message_complete(self) -> None:
        self._within_answer = False
        status = self._parser.get_status_code()
        if status >= 200:  # else an interim answer; the real one follows
            body = self._event[0] if len(self._event) == 1 else b"".join(self._event)
            self._answers.append((status, self._headers, body, self._keep_alive))
        self._headers = {}
        self._event = []

    def _new_answer(self) -> None:
        self._headers = {}
        self._event = []
        self._answers = []
        self._within_answer = False

    def _take_answer(self, answer: "_Answer") -> None:
        status, headers, body, keep_alive = answer
        if self._state is _State.POLLING:
            self._take_event(status, headers, body, keep_alive)
        elif self._state is _State.POSTED:
            self._take_status(status, body, keep_alive)
        else:  # answered before the answer was complete: the invocation is over on the other side
            self._log_refusal(status, body)
            self._give_up()
            self._drop()

    def _take_event(self, status: int, headers: dict[bytes, bytes], body: bytes, keep_alive: bool) -> None:
        invocation = read_invocation(headers, body) if status == 200 else None
        if invocation is None:
            self._client.output.warn(f"the Runtime API answered /next with status {status} and no request id")
            self._drop()  # and back off, as for a lost poll
            return
        if not keep_alive:
            self._drop()
        self._begin_invocation(invocation)

    def _begin_invocation(self, invocation: Invocation) -> None:
        self._retry_s = FIRST_RETRY_S
        self._state = _State.WORKING
        self._begun = False
        self._invocation = invocation
        self._handler.invoke(invocation)

    def _take_status(self, status: int, body: bytes, keep_alive: bool) -> None:
        if not 200 <= status < 300:
            self._log_refusal(status, body)
        ahead, self._ahead = self._ahead, False
        self._state = _State.POLLING if ahead else _State.IDLE
        transport = self._transport
        if transport is None or not keep_alive or (not ahead and transport.get_write_buffer_size()):
            self._drop()
        elif not ahead and not self._held:
            self._poll()

    def _log_refusal(self, status: int, body: bytes) -> None:
        what = "the invocation timed out" if status == 410 else f"the Runtime API answered {status}"
        self.warn(f"{what}: {body[:500].decode('utf-8', 'replace').strip()}")

    def _poll(self) -> None:
        if self._client.draining:
            self._stop()
        elif self._transport is not None:
            self._state = _State.POLLING
            self._polled = True
            self._transport.write(self._client.brief_poll if self._brief else self._client.poll)

    def _poll_ahead(self) -> None:
        """The next poll leaves with what waits of an answer, if that is its end."""
        client = self._client
        if not client.polls_ahead or self._transport is None or client.draining:
            return
        if self._brief:
            if not self._polled:
                return  # the first poll goes by itself
            if self._whole:
                answer = brief_answer(self._invocation, self._prelude, self._first)
                if len(answer) < LARGE:  # else it would not come in one piece on a link
                    self._forget_prelude()
                    self._out.append(answer)
                    self._ahead = True
                    return
        if self._out or self._prelude:
            if self._prelude:
                self._begin()
            self._out.append(client.brief_poll if self._brief else client.poll)
            self._ahead = True

    def _stop(self) -> None:
        self.close()
        self._client.slot_stopped()

    def _end(self, data: bytes) -> None:
        """The last bytes of an answer, whatever it was."""
        self._out.append(data)
        self._ended()

    def _ended(self) -> None:
        self._state = _State.POSTED
        if not self._held:
            self._poll_ahead()
            self.flush()


_Answer = tuple[int, dict[bytes, bytes], bytes, bool]
"""Status, headers with names in lower case, body, and whether the connection stays open."""
