"""A Function URL request and its answer: each phase, each call, no sockets."""

from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from penstock.function_url import AccessRecord, FunctionUrl
from penstock.function_url.exchange import UrlExchange
from penstock.model.errors import FunctionError, PlatformError
from penstock.model.function import AuthType, FunctionUrlConfig, InvokeMode
from penstock.model.invocation import Invocation
from penstock.model.limits import MAX_BUFFERED_RESPONSE_BYTES, MAX_REQUEST_BYTES
from penstock.router import Router
from penstock.wire.prelude import CONTENT_TYPE as PRELUDE_TYPE
from penstock.wire.prelude import SEPARATOR
from support.answers import Answer, read_answer
from support.clock import VirtualClock
from support.functions import function
from support.transport import Peer

TIMEOUT = FunctionError("Sandbox.Timedout", "Task timed out after 3.00 seconds")
GET = b"GET /path?q=1 HTTP/1.1\r\nhost: x\r\n\r\n"


class FakeSource:
    def __init__(self) -> None:
        self.calls: list[str] = []

    def pause_reading(self) -> None:
        self.calls.append("pause")

    def resume_reading(self) -> None:
        self.calls.append("resume")

    @property
    def paused(self) -> bool:
        return self.calls[-1:] == ["pause"]


class FakeTarget:
    environment_id = "e" * 32
    in_flight = 0

    def __init__(self) -> None:
        self.free_slots = 1
        self.taken: list[Invocation] = []
        self.events: list[bytes] = []

    def invoke(self, invocation: Invocation) -> bool:
        invocation.environment_id = self.environment_id
        self.taken.append(invocation)
        self.events.append(invocation.event())
        return True


class Rig:
    """One client before a Function URL; the test is the function."""

    def __init__(self, mode: InvokeMode = InvokeMode.RESPONSE_STREAM) -> None:
        self.clock = VirtualClock()
        self.records: list[AccessRecord] = []
        self.target = FakeTarget()
        router = Router()
        router.add(self.target)
        url = FunctionUrlConfig(AuthType.NONE, mode)
        self.door = FunctionUrl(
            replace(function(Path("/code")), url=url), router, self.clock, "eu-west-1", self.records.append
        )
        self.peer = Peer(lambda connection: UrlExchange(self.door, connection), 1024 * 1024)
        self.source = FakeSource()

    def request(self, data: bytes = GET) -> "Rig":
        self.peer.send(data)
        return self

    @property
    def invocation(self) -> Invocation:
        return self.target.taken[-1]

    def begin(self, content_type: str = PRELUDE_TYPE, *, streaming: bool = True) -> "Rig":
        self.invocation.sink.begin(content_type, streaming=streaming, source=self.source)
        return self

    def write(self, *chunks: bytes) -> "Rig":
        for chunk in chunks:
            self.invocation.sink.write(chunk)
        return self

    def finish(self) -> "Rig":
        self.invocation.sink.finish()
        self.peer.settle()
        return self

    def fail(self, error: FunctionError | PlatformError = TIMEOUT) -> "Rig":
        self.invocation.sink.fail(error)
        self.peer.settle()
        return self

    def answer(self, method: str = "GET") -> Answer:
        found, rest = read_answer(self.peer.take(), method, closed=self.peer.sees_end)
        assert rest == b""
        return found

    @property
    def record(self) -> AccessRecord:
        [record] = self.records
        return record


def prelude(status: int = 200, **headers: str) -> bytes:
    return orjson.dumps({"statusCode": status, "headers": headers, "cookies": ["a=1"]}) + SEPARATOR


class TestRequest:
    def test_becomes_an_invocation(self) -> None:
        rig = Rig()
        rig.clock.advance(0.25)
        rig.request(b"POST /p?q=1 HTTP/1.1\r\nhost: h\r\nx-amzn-trace-id: Root=1-a-b\r\ncontent-length: 2\r\n\r\nhi")
        invocation = rig.invocation
        event = orjson.loads(rig.target.events[0])
        assert invocation.function_arn == "arn:aws:lambda:us-east-1:123456789012:function:app:live"
        assert (invocation.timeout_s, invocation.deadline, invocation.deadline_ms) == (3, 3.25, 1_700_000_003_250)
        assert invocation.trace_id == "Root=1-a-b" == event["headers"]["x-amzn-trace-id"]
        assert event["requestContext"]["requestId"] == invocation.request_id
        assert event["requestContext"]["http"]["sourceIp"] == "198.51.100.7"
        assert event["requestContext"]["http"]["method"] == "POST"
        assert (event["rawPath"], event["body"]) == ("/p", "aGk=")

    def test_gets_a_trace_id_when_it_has_none(self) -> None:
        assert Rig().request().invocation.trace_id.startswith("Root=1-6553f100-")

    def test_two_requests_have_two_ids(self) -> None:
        rig = Rig().request()
        first = rig.invocation.request_id
        rig.begin("text/plain", streaming=True).finish().request()
        assert rig.invocation.request_id != first

    def test_of_exactly_6_mb(self) -> None:
        rig = Rig()
        rig.request(b"POST / HTTP/1.1\r\ncontent-length: %d\r\n\r\n" % MAX_REQUEST_BYTES)
        rig.request(b"x" * MAX_REQUEST_BYTES)
        assert len(rig.target.taken) == 1

    def test_one_byte_over_6_mb(self) -> None:
        rig = Rig()
        rig.request(b"POST / HTTP/1.1\r\ncontent-length: %d\r\n\r\n" % (MAX_REQUEST_BYTES + 1))
        rig.request(b"x" * (MAX_REQUEST_BYTES + 1))
        answer = rig.answer()
        assert (answer.status, answer.header("connection")) == (413, "close")
        assert rig.peer.sees_end
        assert rig.target.taken == []
        assert (rig.record.status, rig.record.note) == (413, "request over 6 MB")

    def test_client_leaves_before_it_is_complete(self) -> None:
        rig = Rig().request(b"POST / HTTP/1.1\r\ncontent-length: 5\r\n\r\nhi")
        rig.peer.hang_up()
        assert rig.target.taken == []
        assert rig.record.note == "client left before its request was complete"
        assert rig.door.open_requests == 0

    @pytest.mark.parametrize("method", ["GET", "HEAD"])
    def test_refused_when_all_is_full_and_the_connection_kept(self, method: str) -> None:
        rig = Rig()
        rig.target.free_slots = 0
        rig.request(b"%b / HTTP/1.1\r\n\r\n" % method.encode())
        answer = rig.answer(method)
        assert answer.status == 429
        assert answer.header("x-amzn-errortype") == "TooManyRequestsException"
        assert answer.header("x-amzn-requestid") == rig.record.request_id
        if method == "GET":
            assert orjson.loads(answer.body)["Reason"] == "ConcurrentInvocationLimitExceeded"
        assert (rig.record.status, rig.record.environment_id, rig.record.sent) == (429, "", len(answer.body))
        rig.target.free_slots = 1
        assert rig.request().target.taken


class TestStream:
    def test_head_and_chunks_leave_as_they_come(self) -> None:
        rig = Rig().request().begin()
        rig.write(prelude(201, **{"content-type": "text/event-stream"}))
        head = rig.peer.take()
        assert head.startswith(b"HTTP/1.1 201 Created\r\n")
        assert head.endswith(b"transfer-encoding: chunked\r\n\r\n")
        assert b"set-cookie: a=1\r\n" in head
        for text in (b"one", b"two"):
            rig.write(text)
            assert rig.peer.take() == b"3\r\n%b\r\n" % text
        rig.clock.advance(0.5)
        rig.finish()
        assert rig.peer.take() == b"0\r\n\r\n"
        assert not rig.peer.sees_end
        record = rig.record
        assert (record.status, record.sent, record.note, record.duration) == (201, 6, "", 0.5)
        assert (record.path, record.method, record.environment_id) == ("/path", "GET", "e" * 32)
        assert record.request_id == rig.invocation.request_id

    @pytest.mark.parametrize("cut", range(1, len(prelude()) + 3))
    def test_prelude_in_two_pieces(self, cut: int) -> None:
        rig = Rig().request().begin()
        data = prelude() + b"body"
        rig.write(data[:cut], data[cut:]).finish()
        answer = rig.answer()
        assert (answer.status, answer.body, answer.complete) == (200, b"body", True)

    def test_first_bytes_leave_with_the_head(self) -> None:
        rig = Rig().request().begin().write(prelude() + b"first")
        assert rig.peer.take().endswith(b"\r\n\r\n5\r\nfirst\r\n")

    def test_without_a_prelude(self) -> None:
        rig = Rig().request().begin("text/plain; charset=utf-8").write(b"hello", b"").finish()
        answer = rig.answer()
        assert (answer.status, answer.header("content-type"), answer.body) == (
            200,
            "text/plain; charset=utf-8",
            b"hello",
        )
        assert answer.complete

    def test_empty_body(self) -> None:
        answer = Rig().request().begin().write(prelude()).finish().answer()
        assert (answer.status, answer.body, answer.complete) == (200, b"", True)
        assert answer.header("content-type") == "application/octet-stream"

    @pytest.mark.parametrize("written", [(), (b'{"statusCode":200}',), (b'{"statusCode":200}\0\0\0\0\0\0\0',)])
    def test_ends_inside_its_prelude(self, written: tuple[bytes, ...]) -> None:
        rig = Rig().request().begin().write(*written).finish()
        answer = rig.answer()
        assert (answer.status, answer.body) == (502, b"Internal Server Error")
        assert rig.record.note == "the stream ended inside its prelude"
        assert not rig.peer.sees_end

    @pytest.mark.parametrize("bad", [b"hello", b"[]", b'{"statusCode":101}', b'{"statusCode":"' + b"9" * 5000 + b'"}'])
    def test_bad_prelude_and_what_follows_is_dropped(self, bad: bytes) -> None:
        rig = Rig().request().begin().write(bad + SEPARATOR, b"more").finish()
        assert rig.answer().status == 502
        assert rig.record.note.startswith("bad prelude: ")

    @pytest.mark.parametrize("status", [204, 304])
    def test_status_without_a_body_is_over_with_its_head(self, status: int) -> None:
        """The client may send its next request before the function ends; it must not be taken for pipelined."""
        rig = Rig().request().begin().write(prelude(status), b"dropped")
        answer = rig.answer()
        assert answer.status == status
        assert answer.header("transfer-encoding") is None
        assert answer.header("content-length") is None
        first = rig.invocation.sink
        rig.request()
        assert len(rig.target.taken) == 2
        assert rig.records == []
        first.write(b"dropped")
        first.finish()
        assert (rig.record.status, rig.record.sent, rig.record.note) == (status, 0, "")
        assert rig.peer.take() == b""
        rig.begin("text/plain").write(b"next").finish()
        assert rig.answer().body == b"next"

    def test_head_request_is_over_with_its_head(self) -> None:
        rig = Rig().request(GET.replace(b"GET", b"HEAD")).begin().write(prelude(), b"dropped")
        assert rig.answer("HEAD").status == 200
        rig.fail()
        assert rig.peer.take() == b""
        assert not rig.peer.sees_end
        assert "Sandbox.Timedout" in rig.record.note

    def test_old_client_gets_bytes_that_end_with_the_connection(self) -> None:
        rig = Rig().request(b"GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n").begin().write(prelude(), b"a", b"b")
        rig.finish()
        assert rig.peer.sees_end
        answer = rig.answer()
        assert (answer.body, answer.header("connection"), answer.complete) == (b"ab", "close", True)
        assert answer.header("transfer-encoding") is None
        assert not rig.peer.transport.aborted

    def test_old_client_of_a_broken_stream_is_reset(self) -> None:
        rig = Rig().request(b"GET / HTTP/1.0\r\n\r\n").begin().write(prelude(), b"a").fail()
        assert rig.peer.transport.aborted

    def test_client_that_wants_no_more_is_told_so(self) -> None:
        rig = Rig().request(b"GET / HTTP/1.1\r\nconnection: close\r\n\r\n").begin().write(prelude(), b"a").finish()
        answer = rig.answer()
        assert (answer.header("connection"), answer.complete) == ("close", True)
        assert rig.peer.sees_end


class TestBuffered:
    @pytest.mark.parametrize("mode", list(InvokeMode))
    def test_answer_of_a_function_that_does_not_stream(self, mode: InvokeMode) -> None:
        rig = Rig(mode).request().begin("application/json", streaming=False)
        rig.write(b'{"statusCode":201,"headers":{"x-a":"1"},', b'"cookies":["a=1"],"body":"hi"}')
        assert rig.peer.received == b""
        answer = rig.finish().answer()
        assert (answer.status, answer.body, answer.header("content-length")) == (201, b"hi", "2")
        assert (answer.header("x-a"), answer.header("set-cookie")) == ("1", "a=1")
        assert answer.header("content-type") == "application/json"
        assert answer.header("x-amzn-requestid") == rig.invocation.request_id
        assert (rig.record.status, rig.record.sent, rig.record.note) == (201, 2, "")
        assert not rig.peer.sees_end

    def test_streamed_answer_behind_a_buffered_url_is_collected(self) -> None:
        rig = Rig(InvokeMode.BUFFERED).request().begin().write(prelude(202)[:10], prelude(202)[10:], b"one", b"two")
        assert rig.peer.received == b""
        answer = rig.finish().answer()
        assert (answer.status, answer.body, answer.header("content-length")) == (202, b"onetwo", "6")

    def test_streamed_answer_of_another_type_behind_a_buffered_url_is_a_result(self) -> None:
        answer = Rig(InvokeMode.BUFFERED).request().begin("application/json").write(b'{"a":1}').finish().answer()
        assert (answer.status, answer.body) == (200, b'{"a":1}')

    def test_buffered_post_with_a_prelude(self) -> None:
        answer = Rig().request().begin(streaming=False).write(prelude(203) + b"x").finish().answer()
        assert (answer.status, answer.body) == (203, b"x")

    @pytest.mark.parametrize(
        ("content_type", "payload", "why"),
        [
            ("application/json", b"", "the result is not JSON"),
            ("application/json", b"[" * 400 + b"]" * 400, "cannot be written as JSON"),
            ("text/plain", b"hello", "the result is not JSON"),
            (PRELUDE_TYPE, b"no prelude", "the stream ended inside its prelude"),
            (PRELUDE_TYPE, b"no json" + SEPARATOR, "bad prelude: not JSON"),
        ],
    )
    def test_what_cannot_be_read(self, content_type: str, payload: bytes, why: str) -> None:
        rig = Rig(InvokeMode.BUFFERED).request().begin(content_type, streaming=False).write(payload).finish()
        assert rig.answer().status == 502
        assert why in rig.record.note

    def test_stream_longer_than_a_buffered_answer_may_be(self) -> None:
        rig = Rig(InvokeMode.BUFFERED).request().begin().write(prelude())
        rig.write(b"x" * (MAX_BUFFERED_RESPONSE_BYTES - len(prelude())))
        assert rig.peer.received == b""
        rig.write(b"x")
        assert rig.answer().status == 502
        rig.write(b"dropped").finish()
        assert rig.record.note == "a buffered response is at most 6291556 bytes"

    @pytest.mark.parametrize(
        ("method", "status", "length"), [("HEAD", 200, "2"), ("GET", 204, None), ("GET", 304, None)]
    )
    def test_head_204_and_304_have_no_body(self, method: str, status: int, length: str | None) -> None:
        rig = Rig().request(b"%b / HTTP/1.1\r\n\r\n" % method.encode()).begin(streaming=False, content_type="x")
        rig.write(b'{"statusCode":%d,"body":"hi"}' % status).finish()
        answer = rig.answer(method)
        assert (answer.status, answer.header("content-length")) == (status, length)
        assert rig.record.sent == 0


class TestFailure:
    @pytest.mark.parametrize("phase", ["waiting", "prelude", "buffered"])
    @pytest.mark.parametrize("method", ["GET", "HEAD"])
    def test_before_the_first_byte_is_502(self, phase: str, method: str) -> None:
        rig = Rig().request(b"%b / HTTP/1.1\r\n\r\n" % method.encode())
        if phase != "waiting":
            rig.begin(streaming=phase == "prelude").write(b'{"statusCode":')
        rig.fail()
        answer = rig.answer(method)
        assert (answer.status, answer.header("content-type")) == (502, "application/json")
        assert answer.header("content-length") == "21"
        assert answer.body == (b"" if method == "HEAD" else b"Internal Server Error")
        assert answer.header("x-amzn-requestid") == rig.record.request_id
        assert (rig.record.status, rig.record.note) == (502, str(TIMEOUT))
        assert not rig.peer.sees_end

    def test_after_the_first_byte_leaves_a_body_without_an_end(self) -> None:
        rig = Rig().request().begin().write(prelude(), b"part").fail()
        assert rig.peer.sees_end
        answer = rig.answer()
        assert (answer.status, answer.body, answer.complete) == (200, b"part", False)
        assert not rig.peer.transport.aborted
        assert (rig.record.status, rig.record.sent) == (200, 4)
        assert rig.record.note == str(TIMEOUT)

    def test_platform_error_is_told_in_the_note(self) -> None:
        rig = Rig().request().fail(PlatformError("Client.ExecutionEnvironmentShutDown"))
        assert rig.answer().status == 502
        assert rig.record.note == "Client.ExecutionEnvironmentShutDown"


class TestClientLeaves:
    """The function goes on, as on AWS; its slot is free when it ends."""

    @pytest.mark.parametrize("how", ["hang_up", "reset"])
    @pytest.mark.parametrize("phase", ["waiting", "prelude", "streaming", "buffered"])
    @pytest.mark.parametrize("end", ["finish", "fail"])
    def test_in_each_phase(self, how: str, phase: str, end: str) -> None:
        rig = Rig().request()
        if phase != "waiting":
            rig.begin(streaming=phase != "buffered").write(b"" if phase == "prelude" else prelude() + b"part")
        before = len(rig.peer.received)
        getattr(rig.peer, how)()
        assert rig.records == []
        if phase == "waiting":
            rig.begin()
        rig.write(prelude() if phase in ("waiting", "prelude") else b"", b"more")
        getattr(rig, end)()
        assert len(rig.peer.received) == before
        assert rig.peer.transport.late == b""
        assert "client left" in rig.record.note or (end == "fail" and str(TIMEOUT) in rig.record.note)

    def test_while_it_held_the_function_back(self) -> None:
        rig = Rig().request().begin().write(prelude())
        rig.peer.transport.stuck = True
        rig.write(b"x" * 70_000)
        assert rig.source.paused
        rig.peer.reset()
        assert not rig.source.paused


class TestBackpressure:
    def streaming(self) -> Rig:
        rig = Rig().request().begin().write(prelude())
        rig.peer.transport.stuck = True
        return rig

    def test_slow_client_pauses_the_function_and_lets_it_go_on(self) -> None:
        rig = self.streaming().write(b"x" * 60_000)
        assert rig.source.calls == []
        rig.write(b"x" * 6_000)
        assert rig.source.calls == ["pause"]
        rig.peer.transport.flush()
        assert rig.source.calls == ["pause", "resume"]
        rig.finish()
        assert rig.source.calls == ["pause", "resume"]

    @pytest.mark.parametrize("end", ["finish", "fail"])
    def test_undone_at_the_end(self, end: str) -> None:
        rig = self.streaming().write(b"x" * 70_000)
        getattr(rig, end)()
        assert rig.source.calls == ["pause", "resume"]
        rig.peer.transport.flush()
        assert rig.source.calls == ["pause", "resume"]

    def test_client_that_has_not_taken_the_answer_before_holds_back_the_next(self) -> None:
        rig = self.streaming().write(b"x" * 70_000).finish()
        rig.source.calls.clear()
        rig.request().begin()
        assert rig.source.calls == ["pause"]
        rig.peer.transport.flush()
        assert rig.source.calls == ["pause", "resume"]
        rig.write(prelude(), b"y").finish()

    def test_buffered_answer_needs_none(self) -> None:
        rig = Rig(InvokeMode.BUFFERED).request().begin()
        rig.write(prelude(), b"x" * 200_000)
        assert rig.source.calls == []
