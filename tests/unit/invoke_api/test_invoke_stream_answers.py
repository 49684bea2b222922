"""InvokeWithResponseStream: each call in its phase, no sockets."""

import base64

import orjson
import pytest

from penstock.invoke_api.operations import Operation, read_call
from penstock.model.errors import FunctionError, PlatformError
from penstock.wire.event_stream import MAX_PAYLOAD_BYTES
from support.answers import read_answer
from support.clock import DeferringClock
from support.invoke_story import STREAM, Story, read_events
from support.runtime_rig import request

TIMEOUT = FunctionError("Sandbox.Timedout", "Task timed out after 3.00 seconds")


def begun(story: Story | None = None) -> Story:
    return (story or Story()).call(STREAM).begin("text/plain", streaming=True)


class TestStream:
    def test_each_chunk_is_an_event_at_once(self) -> None:
        story = begun()
        data = story.peer.take()
        assert data.startswith(b"HTTP/1.1 200 OK\r\ncontent-type: application/vnd.amazon.eventstream\r\n")
        seen: list[tuple[str, bytes]] = []
        for chunk in (b"one", b"two", b"\0" * 8):
            data += story.write(chunk).peer.take()
            answer, _ = read_answer(data)
            assert not answer.complete
            seen.append(("PayloadChunk", chunk))
            assert read_events(answer.body) == seen
        data += story.finish().peer.take()
        answer, rest = read_answer(data)
        assert (answer.complete, rest) == (True, b"")
        assert answer.header("x-amz-executed-version") == "1"
        assert answer.header("x-amzn-requestid") == story.invocation.request_id
        assert read_events(answer.body) == [*seen, ("InvokeComplete", b"{}")]
        assert (story.record.status, story.record.sent, story.record.note) == (200, 14, "")

    def test_each_event_is_one_write(self) -> None:
        story = begun()
        story.peer.take()
        writes: list[bytes] = []
        story.peer.transport.write = lambda data: writes.append(bytes(data))  # type: ignore[method-assign]
        story.write(b"one")
        assert len(writes) == 1
        story.finish()
        assert len(writes) == 2

    def test_empty_answer(self) -> None:
        assert begun().finish().events() == [("InvokeComplete", b"{}")]

    def test_of_a_buffered_function(self) -> None:
        story = Story().call(STREAM).begin().write(b'{"a":1}').finish()
        assert story.events() == [("PayloadChunk", b'{"a":1}'), ("InvokeComplete", b"{}")]

    def test_next_request_on_the_same_connection(self) -> None:
        story = Story()
        for chunk in (b"1", b"2"):
            assert begun(story).write(chunk).finish().events() == [("PayloadChunk", chunk), ("InvokeComplete", b"{}")]

    def test_a_chunk_larger_than_a_message_may_be(self) -> None:
        chunk = bytes(MAX_PAYLOAD_BYTES + 5)
        events = begun().write(chunk).finish().events()
        assert [len(payload) for _, payload in events] == [MAX_PAYLOAD_BYTES, 5, 2]

    def test_http_1_0(self) -> None:
        """Not chunked: the events themselves say which is the last."""
        story = Story()
        story.peer.send(request("POST", STREAM, {}, b"{}").replace(b"HTTP/1.1", b"HTTP/1.0"))
        story.begin(streaming=True).write(b"x").finish()
        answer, _ = read_answer(story.peer.take(), closed=story.peer.sees_end)
        assert (answer.complete, answer.header("transfer-encoding")) == (True, None)
        assert read_events(answer.body) == [("PayloadChunk", b"x"), ("InvokeComplete", b"{}")]


class TestErrors:
    def test_before_the_first_byte(self) -> None:
        story = Story().call(STREAM).fail(FunctionError("Runtime.Unknown", "no", b'{"errorType": "ValueError"}'))
        [(kind, payload)] = story.events()
        assert kind == "InvokeComplete"
        assert orjson.loads(payload) == {"ErrorCode": "Unhandled", "ErrorDetails": '{"errorType": "ValueError"}'}

    def test_in_the_middle(self) -> None:
        story = begun().write(b"half")
        first, (kind, payload) = story.fail(TIMEOUT).events()
        assert first == ("PayloadChunk", b"half")
        details = orjson.loads(payload)
        assert (kind, details["ErrorCode"]) == ("InvokeComplete", "Unhandled")
        assert orjson.loads(details["ErrorDetails"]) == {
            "errorType": "Sandbox.Timedout",
            "errorMessage": f"RequestId: {story.invocation.request_id} Error: Task timed out after 3.00 seconds",
        }
        assert (story.record.status, story.record.note) == (200, str(TIMEOUT))
        assert not story.peer.sees_end

    def test_details_that_are_no_text(self) -> None:
        [(_, payload)] = begun().fail(FunctionError("Runtime.X", body=b"\xff\0")).events()
        assert orjson.loads(payload)["ErrorDetails"] == "\ufffd\0"

    def test_fault_of_the_platform_before_the_first_byte(self) -> None:
        answer = Story().call(STREAM).fail(PlatformError("Runtime.Unknown", "gone")).answer()
        assert (answer.status, answer.header("x-amzn-errortype")) == (500, "ServiceException")

    def test_fault_of_the_platform_in_the_middle(self) -> None:
        [(_, payload)] = begun().fail(PlatformError("Runtime.Unknown", "gone")).events()
        assert orjson.loads(payload) == {"ErrorCode": "ServiceException", "ErrorDetails": "Runtime.Unknown: gone"}

    def test_all_is_full(self) -> None:
        story = Story()
        story.target.free_slots = 0
        assert story.call(STREAM).answer().header("x-amzn-errortype") == "TooManyRequestsException"

    def test_no_event_invocation(self) -> None:
        answer = Story().call(STREAM, headers={"x-amz-invocation-type": "Event"}).answer()
        assert (answer.status, answer.header("x-amzn-errortype")) == (400, "ValidationException")

    def test_dry_run(self) -> None:
        assert Story().call(STREAM, headers={"x-amz-invocation-type": "DryRun"}).answer().status == 204


class TestBackpressure:
    def test_a_slow_client_pauses_the_source(self) -> None:
        story = begun()
        story.peer.transport.stuck = True
        story.write(b"x" * 70_000)
        assert story.source.calls == ["pause"]
        story.peer.transport.flush()
        assert story.source.calls == ["pause", "resume"]

    def test_of_the_answer_before(self) -> None:
        story = begun()
        story.peer.transport.stuck = True
        story.write(b"x" * 70_000).finish()
        assert story.source.calls == ["pause", "resume"]
        begun(story)
        assert story.source.calls[2:] == ["pause"]

    def test_the_end_lets_the_source_go(self) -> None:
        story = begun()
        story.peer.transport.stuck = True
        story.write(b"x" * 70_000).fail(TIMEOUT)
        assert not story.source.paused

    def test_a_client_that_leaves_lets_the_source_go(self) -> None:
        story = begun()
        story.peer.transport.stuck = True
        story.write(b"x" * 70_000)
        story.peer.reset()
        assert not story.source.paused
        before = len(story.peer.transport.written)
        story.write(b"y" * 70_000).finish()
        assert len(story.peer.transport.written) == before
        assert not story.source.paused
        assert (story.record.note, story.record.sent, story.api.open_requests) == ("client left", 70_000, 0)


def test_tail() -> None:
    clock = DeferringClock()
    story = Story(clock).call(STREAM, headers={"x-amz-log-type": "Tail"}).begin(streaming=True).write(b"x").finish()
    story.api.log_tails.add("function", "hello", story.invocation.request_id)
    clock.run_soon()
    _, (kind, payload) = story.events()
    assert kind == "InvokeComplete"
    assert base64.b64decode(orjson.loads(payload)["LogResult"]) == b"hello\n"


@pytest.mark.parametrize("ending", ["finish", "fail"])
def test_client_leaves_while_the_tail_is_waited_for(ending: str) -> None:
    clock = DeferringClock()
    story = Story(clock).call(STREAM, headers={"x-amz-log-type": "Tail"}).begin(streaming=True)
    if ending == "finish":
        story.finish()
    else:
        story.fail(TIMEOUT)
    story.peer.hang_up()
    clock.run_soon()
    assert story.api.open_requests == 0
    assert not story.api.log_tails


def test_the_path_is_the_sdks() -> None:
    call = read_call(b"POST", STREAM.encode())
    assert call is not None
    assert call.operation is Operation.INVOKE_WITH_RESPONSE_STREAM
