"""A Function URL's request and its streamed answer: each call in its phase, no sockets."""

import gzip
import re

import orjson
import pytest

from penstock.model.limits import MAX_REQUEST_BYTES
from penstock.wire.prelude import SEPARATOR
from support.url_story import GET, Rig, prelude


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

    @pytest.mark.parametrize(
        "sent",
        ["", "Sampled=1", "root=1-a-b", "Root=", "Root=;x", "xRoot=1-a-b", "caf\xe9;Root=1", "Root=" + "1" * 600],
    )
    def test_gets_a_trace_id_when_it_has_none(self, sent: str) -> None:
        lines = f"x-amzn-trace-id: {sent}\r\n" if sent else ""
        rig = Rig().request(f"GET / HTTP/1.1\r\nhost: x\r\n{lines}\r\n".encode("latin-1"))
        trace_id = rig.invocation.trace_id
        assert re.fullmatch("Root=1-6553f100-[0-9a-f]{24}", trace_id)
        assert orjson.loads(rig.target.events[0])["headers"]["x-amzn-trace-id"] == trace_id

    @pytest.mark.parametrize("sent", ["Root=1-a-b", "Self=1-c;Root=1-a-b;Sampled=1", "Parent=x; Root=1-a-b"])
    def test_keeps_the_trace_id_it_has(self, sent: str) -> None:
        rig = Rig().request(f"GET / HTTP/1.1\r\nhost: x\r\nx-amzn-trace-id: {sent}\r\n\r\n".encode())
        assert rig.invocation.trace_id == sent
        assert rig.begin("text/plain").finish().answer().header("x-amzn-trace-id") == sent

    def test_two_requests_have_two_ids(self) -> None:
        rig = Rig().request()
        first = rig.invocation.request_id
        rig.begin("text/plain", streaming=True).finish().request()
        assert rig.invocation.request_id != first

    def test_of_exactly_6_mb(self) -> None:
        rig = Rig()
        rig.request(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % MAX_REQUEST_BYTES)
        rig.request(b"x" * MAX_REQUEST_BYTES)
        assert len(rig.target.taken) == 1

    def test_one_byte_over_6_mb(self) -> None:
        rig = Rig()
        rig.request(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % (MAX_REQUEST_BYTES + 1))
        rig.request(b"x" * (MAX_REQUEST_BYTES + 1))
        answer = rig.answer()
        assert (answer.status, answer.header("connection")) == (413, "close")
        assert rig.peer.sees_end
        assert rig.target.taken == []
        assert (rig.record.status, rig.record.note) == (413, "request over 6 MB")

    def test_one_byte_over_6_mb_in_chunks(self) -> None:
        rig = Rig().request(b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n")
        rig.request(b"%x\r\n%b\r\n" % (MAX_REQUEST_BYTES, b"x" * MAX_REQUEST_BYTES))
        assert rig.peer.received == b""
        rig.request(b"1\r\nx\r\n")
        assert rig.answer().status == 413
        assert len(rig.records) == 1

    @pytest.mark.parametrize("expect", ["", "expect: 100-continue\r\n"])
    def test_too_large_a_body_is_refused_before_it_is_sent(self, expect: str) -> None:
        length = MAX_REQUEST_BYTES + 1
        rig = Rig().request(f"PUT / HTTP/1.1\r\nhost: x\r\n{expect}content-length: {length}\r\n\r\n".encode())
        answer = rig.answer()
        assert (answer.status, rig.record.status) == (413, 413)
        rig.request(b"x" * length)
        assert rig.peer.take() == b""

    def test_client_leaves_before_it_is_complete(self) -> None:
        rig = Rig().request(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nhi")
        rig.peer.hang_up()
        assert rig.target.taken == []
        assert rig.record.note == "client left before its request was complete"
        assert rig.door.open_requests == 0

    @pytest.mark.parametrize("method", ["GET", "HEAD"])
    def test_refused_when_all_is_full_and_the_connection_kept(self, method: str) -> None:
        rig = Rig()
        rig.target.free_slots = 0
        rig.request(b"%b / HTTP/1.1\r\nhost: x\r\n\r\n" % method.encode())
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

    def test_205_says_that_nothing_follows(self) -> None:
        """Its length, unlike that of 204, is not known to the client."""
        answer = Rig().request().begin().write(prelude(205), b"dropped").finish().answer()
        assert (answer.status, answer.body, answer.header("content-length")) == (205, b"", "0")
        assert answer.header("transfer-encoding") is None

    @pytest.mark.parametrize("status", [700, 999])
    def test_status_that_is_none(self, status: int) -> None:
        rig = Rig().request().begin().write(prelude(status), b"dropped").finish()
        answer = rig.answer()
        assert (answer.status, answer.body) == (502, b"Internal Server Error")
        assert rig.record.note == f"statusCode is {status}, not a number from 200 to 599"

    @pytest.mark.parametrize("method", ["GET", "HEAD"])
    @pytest.mark.parametrize("version", ["1.1", "1.0"])
    def test_reserved_header_of_the_function(self, method: str, version: str) -> None:
        rig = Rig().request(f"{method} / HTTP/{version}\r\nhost: x\r\n\r\n".encode()).begin()
        rig.write(prelude(200, **{"X-Amzn-Remapped-Connection": "x"}) + b"dropped", b"dropped").finish()
        answer = rig.answer(method)
        assert (answer.status, answer.header("content-length")) == (500, "21")
        assert rig.record.note == "the function set the reserved header x-amzn-remapped-connection"
        assert rig.peer.sees_end is (version == "1.0")

    def test_compressed_bytes_of_the_app_are_left_alone(self) -> None:
        body = gzip.compress(b"hello" * 100)
        rig = Rig().request().begin().write(prelude(200, **{"content-encoding": "gzip"}), body[:20], body[20:]).finish()
        answer = rig.answer()
        assert (answer.header("content-encoding"), gzip.decompress(answer.body)) == ("gzip", b"hello" * 100)

    def test_server_sent_events_leave_one_by_one(self) -> None:
        rig = Rig().request().begin().write(prelude(200, **{"content-type": "text/event-stream"}))
        assert b"content-type: text/event-stream\r\n" in rig.peer.take()
        for number in range(3):
            rig.write(b"data: %d\n\n" % number)
            assert rig.peer.take() == b"9\r\ndata: %d\n\n\r\n" % number

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
        rig = (
            Rig()
            .request(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            .begin()
            .write(prelude(), b"a")
            .finish()
        )
        answer = rig.answer()
        assert (answer.header("connection"), answer.complete) == ("close", True)
        assert rig.peer.sees_end
