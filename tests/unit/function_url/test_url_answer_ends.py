"""Buffered answers, failures, clients that leave or read slowly: no sockets."""

import pytest

from penstock.model.errors import PlatformError
from penstock.model.function import InvokeMode
from penstock.model.limits import MAX_BUFFERED_RESPONSE_BYTES
from penstock.wire.prelude import CONTENT_TYPE as PRELUDE_TYPE
from penstock.wire.prelude import SEPARATOR
from support.url_story import TIMEOUT, Rig, prelude


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
        ("method", "status", "length"), [("HEAD", 200, "2"), ("GET", 204, None), ("GET", 205, "0"), ("GET", 304, None)]
    )
    def test_head_204_205_and_304_have_no_body(self, method: str, status: int, length: str | None) -> None:
        rig = (
            Rig()
            .request(b"%b / HTTP/1.1\r\nhost: x\r\n\r\n" % method.encode())
            .begin(streaming=False, content_type="x")
        )
        rig.write(b'{"statusCode":%d,"body":"hi"}' % status).finish()
        answer = rig.answer(method)
        assert (answer.status, answer.header("content-length")) == (status, length)
        assert rig.record.sent == 0

    @pytest.mark.parametrize("mode", list(InvokeMode))
    def test_reserved_header_of_the_function(self, mode: InvokeMode) -> None:
        rig = Rig(mode).request().begin("application/json", streaming=False)
        rig.write(b'{"statusCode":200,"headers":{"x-amzn-remapped-date":"1"},"body":"x"}').finish()
        answer = rig.answer()
        assert (answer.status, answer.body) == (500, b"Internal Server Error")
        assert rig.record.note == "the function set the reserved header x-amzn-remapped-date"


class TestFailure:
    @pytest.mark.parametrize("phase", ["waiting", "prelude", "buffered"])
    @pytest.mark.parametrize("method", ["GET", "HEAD"])
    def test_before_the_first_byte_is_502(self, phase: str, method: str) -> None:
        rig = Rig().request(b"%b / HTTP/1.1\r\nhost: x\r\n\r\n" % method.encode())
        if phase != "waiting":
            rig.begin(streaming=phase == "prelude").write(b'{"statusCode":')
        rig.fail()
        answer = rig.answer(method)
        assert (answer.status, answer.header("content-type")) == (502, "application/json")
        assert answer.header("content-length") == "21"
        assert answer.body == (b"" if method == "HEAD" else b"Internal Server Error")
        assert answer.header("x-amzn-requestid") == rig.record.request_id
        assert answer.header("date") == "Tue, 14 Nov 2023 22:13:20 GMT"
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
