"""The Runtime API against the checklist of AWS's own suites (`rt-<number>`), in virtual time."""

import base64
from collections.abc import Mapping

import pytest

from penstock.model.errors import FunctionError, PlatformError
from penstock.model.limits import (
    MAX_BUFFERED_RESPONSE_BYTES,
    MAX_ERROR_BODY_BYTES,
    MAX_IDLE_POLLS,
    MAX_STREAMED_RESPONSE_BYTES,
    MAX_TIMED_OUT_IDS,
    MIB,
)
from penstock.runtime_api.messages import normalise_error_type
from support.runtime_rig import ARN, INVOCATION, RuntimeRig, chunks, request
from support.sink import RecordingSink

OK = (202, b'{"status":"OK"}\n')
INVALID_ID = (400, b'{"errorMessage":"Invalid request ID","errorType":"InvalidRequestID"}\n')
INVALID_MODE = (
    400,
    b'{"errorMessage":"Invalid function response mode","errorType":"InvalidFunctionResponseMode"}\n',
)
TIMEOUT = (410, b'{"errorMessage":"Invoke timeout","errorType":"InvokeTimeout"}\n')
TOO_LARGE = (
    413,
    b'{"errorMessage":"Exceeded maximum allowed payload size (6291556 bytes).","errorType":"RequestEntityTooLarge"}\n',
)
INTERNAL = (500, b'{"errorMessage":"Internal Server Error","errorType":"InternalServerError"}\n')

ERROR_TYPE = "lambda-runtime-function-error-type"
ERROR_BODY = "lambda-runtime-function-error-body"


def rt(*numbers: int) -> str:
    return "+".join(f"rt-{number}" for number in numbers)


# --- routes ---


@pytest.mark.parametrize(
    ("method", "path", "status", "body", "content_type"),
    [
        ("GET", "/2018-06-01/ping", 200, b"pong", "text/plain; charset=utf-8"),
        ("POST", "/2018-06-01/ping", 405, b"", None),
        ("POST", f"{INVOCATION}next", 405, b"", None),
        ("GET", f"{INVOCATION}r1/response", 405, b"", None),
        ("PUT", f"{INVOCATION}r1/error", 405, b"", None),
        ("GET", "/2018-06-01/runtime/init/error", 405, b"", None),
        ("GET", f"{INVOCATION}next/", 404, b"404 page not found\n", "text/plain; charset=utf-8"),
        ("GET", "/2018-06-01/RUNTIME/invocation/next", 404, b"404 page not found\n", "text/plain; charset=utf-8"),
        ("POST", f"{INVOCATION}r1/response/", 404, b"404 page not found\n", "text/plain; charset=utf-8"),
        ("POST", f"{INVOCATION}r1", 404, b"404 page not found\n", "text/plain; charset=utf-8"),
        ("POST", f"{INVOCATION}a/b/response", 404, b"404 page not found\n", "text/plain; charset=utf-8"),
        ("GET", "/2018-06-01/runtime/restore/next", 404, b"404 page not found\n", "text/plain; charset=utf-8"),
        ("GET", "/2018-06-01/", 404, b"404 page not found\n", "text/plain; charset=utf-8"),
    ],
)
def test_routes(method: str, path: str, status: int, body: bytes, content_type: str | None) -> None:
    answer = RuntimeRig().worker().send(request(method, path)).answer()
    assert (answer.status, answer.body) == (status, body)
    if content_type:
        assert answer.header("content-type") == content_type
    if status == 404:
        assert answer.header("x-content-type-options") == "nosniff"


# --- next ---


def test_nothing_is_sent_until_an_invocation_comes() -> None:
    rig = RuntimeRig()
    worker = rig.poll()
    assert not worker.answered
    assert (rig.api.idle, rig.first_polls) == (1, 1)


def test_only_the_first_poll_is_told() -> None:
    rig = RuntimeRig()
    rig.poll()
    rig.poll()
    assert rig.first_polls == 1


def test_event_arrives_byte_for_byte_with_its_headers() -> None:
    rig = RuntimeRig()
    worker = rig.poll()
    invocation = rig.invocation(timeout=7)
    invocation.event = lambda: b' {"raw":\xff\0} '
    invocation.trace_id = "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1"
    invocation.client_context = '{"custom":{}}'
    invocation.cognito_identity = '{"cognitoIdentityId":"i","cognitoIdentityPoolId":"p"}'
    assert rig.api.invoke(invocation)
    answer = worker.answer()
    attempt = rig.api.running["r1"].attempt_id
    assert answer.body == b' {"raw":\xff\0} '
    assert answer.headers == (
        ("content-type", "application/json"),
        ("content-length", "12"),
        ("lambda-runtime-aws-request-id", "r1"),
        ("lambda-runtime-invocation-id", attempt),
        ("lambda-runtime-deadline-ms", "1700000007000"),
        ("lambda-runtime-invoked-function-arn", ARN),
        ("lambda-runtime-trace-id", "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1"),
        ("lambda-runtime-client-context", '{"custom":{}}'),
        ("lambda-runtime-cognito-identity", '{"cognitoIdentityId":"i","cognitoIdentityPoolId":"p"}'),
    )


@pytest.mark.parametrize("name", ["trace-id", "client-context", "cognito-identity"])
def test_empty_headers_are_left_out(name: str) -> None:
    rig = RuntimeRig()
    worker = rig.poll()
    assert rig.api.invoke(rig.invocation())
    assert worker.answer().header(f"lambda-runtime-{name}") is None


def test_content_type_is_always_there() -> None:
    """Without it AWS's own Python client ends with a segmentation fault (rt-214)."""
    rig = RuntimeRig()
    worker = rig.poll()
    invocation = rig.invocation()
    invocation.event = lambda: b""
    assert rig.api.invoke(invocation)
    answer = worker.answer()
    assert (answer.header("content-type"), answer.header("content-length")) == ("application/json", "0")


def test_oldest_poll_is_answered_first() -> None:
    rig = RuntimeRig()
    workers = [rig.poll() for _ in range(3)]
    for number, worker in enumerate(workers):
        assert rig.api.invoke(rig.invocation(f"r{number}"))
        assert worker.answer().header("lambda-runtime-aws-request-id") == f"r{number}"


def test_body_of_a_poll_is_ignored_and_the_poll_counts_when_it_is_complete() -> None:
    rig = RuntimeRig()
    worker = rig.worker().send(request("GET", f"{INVOCATION}next", {"content-length": "4"}), b"ab")
    assert rig.api.idle == 0
    worker.send(b"cd")
    assert rig.api.idle == 1


class TestDeadPolls:
    def test_hung_up_poll_is_no_slot(self) -> None:
        rig = RuntimeRig()
        first, second = rig.poll(), rig.poll()
        first.peer.hang_up()
        assert rig.api.idle == 1
        assert rig.api.invoke(rig.invocation())
        assert second.answer().status == 200

    def test_hung_up_in_the_middle_of_its_request(self) -> None:
        rig = RuntimeRig()
        rig.worker().send(request("GET", f"{INVOCATION}next", {"content-length": "4"})).peer.hang_up()
        assert rig.api.idle == 0

    def test_hanging_up_this_very_moment(self) -> None:
        """The end of the stream was read, the loss of the connection not told yet."""
        rig = RuntimeRig()
        first, second = rig.poll(), rig.poll()
        first.peer.transport.close()
        assert rig.api.invoke(rig.invocation())
        assert second.answer().status == 200
        first.peer.settle()
        assert rig.api.idle == 0

    def test_only_worker_hanging_up_takes_nothing(self) -> None:
        rig = RuntimeRig()
        worker = rig.poll()
        worker.peer.transport.close()
        sink = RecordingSink()
        assert not rig.api.invoke(rig.invocation(sink=sink))
        worker.peer.settle()
        assert (rig.api.idle, rig.started, sink.over) == (0, [], False)
        assert rig.at_rest


# --- router and running invocation ---


def test_rt_36_response_reaches_the_caller() -> None:
    rig = RuntimeRig()
    worker, sink = rig.run()
    answer = worker.respond("r1", b"result", {"content-type": "application/json"})
    assert (answer.status, answer.body) == OK
    assert answer.header("content-type") == "application/json"
    assert (sink.content_type, sink.streaming, sink.body, sink.finished) == ("application/json", False, b"result", True)
    assert rig.statuses == [("r1", "success")]
    assert rig.at_rest


def test_rt_37_without_a_parked_poll_nothing_happens() -> None:
    rig = RuntimeRig()
    sink = RecordingSink()
    assert not rig.api.invoke(rig.invocation(sink=sink))
    assert not sink.over
    assert rig.at_rest


def test_rt_38_two_invocations_of_one_id() -> None:
    rig = RuntimeRig()
    rig.run("r1")
    waiting = rig.poll()
    assert not rig.api.invoke(rig.invocation("r1"))
    assert rig.api.idle == 1
    assert not waiting.answered
    assert rig.started == ["r1"]


def test_rt_39_more_polls_than_may_be_parked(monkeypatch: pytest.MonkeyPatch) -> None:
    assert MAX_IDLE_POLLS == 10_000
    monkeypatch.setattr("penstock.runtime_api.api.MAX_IDLE_POLLS", 3)
    rig = RuntimeRig()
    parked = [rig.poll() for _ in range(3)]
    answer = rig.poll().answer()
    assert (answer.status, answer.body) == INTERNAL
    assert not any(worker.answered for worker in parked)


@pytest.mark.parametrize("verb", ["response", "error"])
@pytest.mark.parametrize("moment", ["never", "finished", "failed"])
def test_rt_40_rt_42_unknown_or_finished_id(verb: str, moment: str) -> None:
    rig = RuntimeRig()
    worker, _ = rig.run()
    if moment == "finished":
        worker.respond("r1")
    elif moment == "failed":
        worker.error("r1")
    request_id = "nobody" if moment == "never" else "r1"
    answer = worker.post(f"{INVOCATION}{request_id}/{verb}")
    assert (answer.status, answer.body) == INVALID_ID


@pytest.mark.parametrize("verb", ["response", "error"])
def test_rt_41_rt_43_rt_53_rt_209_late_answer_is_told_once(verb: str) -> None:
    rig = RuntimeRig()
    worker, sink = rig.run("r1", timeout=3)
    other, other_sink = rig.run("r2", timeout=5)
    rig.clock.advance(2.999)
    assert not sink.over
    rig.clock.advance(0.001)
    assert sink.error_type == "Sandbox.Timedout"
    assert sink.error is not None
    assert sink.error.message == "Task timed out after 3.00 seconds"
    assert rig.statuses == [("r1", "timeout")]
    assert not other_sink.over
    answer = worker.post(f"{INVOCATION}r1/{verb}")
    assert (answer.status, answer.body) == TIMEOUT
    answer = worker.post(f"{INVOCATION}r1/{verb}")
    assert (answer.status, answer.body) == INVALID_ID
    assert (other.respond("r2").status, other_sink.finished) == (202, True)
    assert rig.at_rest


def test_slot_of_a_timed_out_worker_stays_taken_until_it_polls() -> None:
    rig = RuntimeRig()
    worker, _ = rig.run()
    rig.clock.advance(10)
    assert rig.api.idle == 0
    worker.respond("r1")
    worker.send(request("GET", f"{INVOCATION}next"))
    assert rig.api.idle == 1


def test_rt_44_rt_55_abort_ends_everything_running_once_and_leaves_polls_alone() -> None:
    rig = RuntimeRig()
    runs = [rig.run(f"r{number}") for number in range(3)]
    runs[1][0].open_response("r1").send(chunks(b"part", end=False))
    waiting = rig.poll()
    rig.api.abort(FunctionError("Runtime.ExitError", "runtime exited: signal 9"))
    rig.api.abort(PlatformError("Client.ExecutionEnvironmentShutDown"))
    assert [sink.error_type for _, sink in runs] == ["Runtime.ExitError"] * 3
    assert [status for _, status in rig.statuses] == ["error"] * 3
    answer = runs[1][0].answer()
    assert (answer.status, answer.body) == INTERNAL
    assert not waiting.answered
    assert rig.api.idle == 1
    assert rig.at_rest
    answer = runs[0][0].respond("r0")
    assert (answer.status, answer.body) == INVALID_ID


def test_platform_abort_is_a_failure_not_an_error() -> None:
    rig = RuntimeRig()
    rig.run()
    rig.api.abort(PlatformError("Client.ExecutionEnvironmentShutDown"))
    assert rig.statuses == [("r1", "failure")]


def test_rt_45_counters() -> None:
    rig = RuntimeRig()
    seen = [(rig.api.idle, len(rig.api.running))]
    workers = [rig.poll() for _ in range(2)]
    seen.append((rig.api.idle, len(rig.api.running)))
    for number in range(2):
        rig.api.invoke(rig.invocation(f"r{number}"))
        workers[number].answer()
        seen.append((rig.api.idle, len(rig.api.running)))
    workers[0].respond("r0")
    seen.append((rig.api.idle, len(rig.api.running)))
    assert seen == [(0, 0), (2, 0), (1, 1), (0, 2), (0, 1)]


def test_rt_46_rt_47_timed_out_ids_are_remembered_and_the_oldest_forgotten() -> None:
    rig = RuntimeRig()
    worker = rig.worker()

    def time_out(request_id: str) -> None:
        rig.run(request_id, timeout=1)
        rig.clock.advance(1)

    for number in range(MAX_TIMED_OUT_IDS):
        time_out(f"r{number}")
    time_out("r0")  # refreshed
    time_out("last")
    assert worker.respond("r1").status == 400  # the oldest gave way
    assert worker.respond("r0").status == 410
    assert worker.respond("r0").status == 400
    assert worker.respond("last").status == 410
    assert worker.respond(f"r{MAX_TIMED_OUT_IDS - 1}").status == 410


def test_rt_49_error_reaches_the_caller_byte_for_byte() -> None:
    rig = RuntimeRig()
    worker, sink = rig.run()
    answer = worker.error("r1", b"\xffnot json", {ERROR_TYPE: "Function.Broken"})
    assert (answer.status, answer.body) == OK
    assert sink.error is not None
    assert (sink.error.error_type, sink.error.body) == ("Function.Broken", b"\xffnot json")
    assert isinstance(sink.error, FunctionError)
    assert rig.statuses == [("r1", "error")]
    assert rig.at_rest


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.mark.parametrize(
    ("trailers", "error_type", "body"),
    [
        pytest.param({ERROR_TYPE: "", ERROR_BODY: encoded(b"{}")}, None, b"", id=rt(58)),
        pytest.param({"x-other": "1"}, None, b"", id="other trailers"),
        pytest.param(
            {ERROR_TYPE: "Runtime.Custom", ERROR_BODY: encoded(b'{"a":1}')}, "Runtime.Custom", b'{"a":1}', id=rt(50, 59)
        ),
        pytest.param({ERROR_TYPE: "Function.Custom"}, "Function.Custom", b"", id=rt(60)),
        pytest.param({ERROR_TYPE: "Odd", ERROR_BODY: encoded(b"kept")}, "Runtime.Unknown", b"kept", id=rt(61)),
        pytest.param({ERROR_TYPE: "Runtime.Custom", ERROR_BODY: "@@@"}, "Runtime.Custom", b"", id=rt(62)),
    ],
)
@pytest.mark.parametrize("announced", [True, False])
def test_error_in_trailers(trailers: dict[str, str], error_type: str | None, body: bytes, announced: bool) -> None:
    """Announced or not: unlike AWS's emulator (rt-213), which loses an error that came unannounced."""
    rig = RuntimeRig()
    worker, sink = rig.run()
    head = {"trailer": ", ".join(trailers)} if announced else {}
    worker.open_response("r1", head).send(chunks(b"some", trailers=trailers))
    answer = worker.answer()
    assert (answer.status, answer.body) == OK
    assert sink.body == b"some"
    assert sink.error_type == error_type
    assert sink.finished is (error_type is None)
    if sink.error is not None:
        assert sink.error.body == body
    assert rig.at_rest


def test_rt_54_deadline_interrupts_an_open_response() -> None:
    rig = RuntimeRig()
    worker, sink = rig.run()
    worker.open_response("r1").send(chunks(b"part", end=False))
    rig.clock.advance(3)
    assert (sink.body, sink.error_type) == (b"part", "Sandbox.Timedout")
    answer = worker.answer()
    assert (answer.status, answer.body) == TIMEOUT
    # What it still sends is thrown away, and the connection serves on.
    worker.send(chunks(b"late"))
    assert sink.body == b"part"
    # That was the one 410.
    answer = worker.respond("r1")
    assert (answer.status, answer.body) == INVALID_ID


def test_rt_56_second_response_during_the_first() -> None:
    rig = RuntimeRig()
    worker, sink = rig.run()
    worker.open_response("r1").send(chunks(b"a", end=False))
    answer = rig.worker().respond("r1", b"other")
    assert (answer.status, answer.body) == INVALID_ID
    worker.send(chunks(b"b"))
    assert (sink.body, sink.finished, worker.answer().status) == (b"ab", True, 202)


def test_rt_57_second_error_after_the_first() -> None:
    rig = RuntimeRig()
    worker, _ = rig.run()
    assert worker.error("r1").status == 202
    for _ in range(2):
        answer = worker.error("r1")
        assert (answer.status, answer.body) == INVALID_ID


def test_two_errors_racing_the_complete_one_wins() -> None:
    rig = RuntimeRig()
    slow, sink = rig.run()
    slow.send(request("POST", f"{INVOCATION}r1/error", {"content-length": "4", ERROR_TYPE: "Function.Slow"}), b"sl")
    assert rig.worker().error("r1", b"fast", {ERROR_TYPE: "Function.Fast"}).status == 202
    slow.send(b"ow")
    answer = slow.answer()
    assert (answer.status, answer.body) == INVALID_ID
    assert sink.error_type == "Function.Fast"


def test_deadline_passes_while_the_error_arrives() -> None:
    rig = RuntimeRig()
    worker, sink = rig.run()
    worker.send(request("POST", f"{INVOCATION}r1/error", {"content-length": "4"}), b"ab")
    rig.clock.advance(3)
    assert sink.error_type == "Sandbox.Timedout"
    worker.send(b"cd")
    answer = worker.answer()
    assert (answer.status, answer.body) == TIMEOUT
    assert worker.error("r1").status == 400


def test_error_overtakes_an_open_response() -> None:
    rig = RuntimeRig()
    worker, sink = rig.run()
    worker.open_response("r1").send(chunks(b"part", end=False))
    answer = rig.worker().error("r1", b"why", {ERROR_TYPE: "Function.Broken"})
    assert (answer.status, answer.body) == OK
    assert sink.error is not None
    assert (sink.error.error_type, sink.error.body, sink.body) == ("Function.Broken", b"why", b"part")
    answer = worker.answer()
    assert (answer.status, answer.body) == INTERNAL
    worker.send(chunks(b"more"), request("GET", f"{INVOCATION}next"))
    assert sink.body == b"part"
    assert rig.api.idle == 1  # the connection is whole


def test_response_that_overtakes_an_error_still_arriving() -> None:
    rig = RuntimeRig()
    slow, sink = rig.run()
    slow.send(request("POST", f"{INVOCATION}r1/error", {"content-length": "4"}), b"sl")
    assert rig.worker().respond("r1", b"fine").status == 202
    assert sink.finished
    slow.send(b"ow")
    assert slow.answer().status == 400


def test_paused_response_is_read_again_when_it_is_superseded() -> None:
    rig = RuntimeRig()
    worker, sink = rig.run()
    worker.open_response("r1").send(chunks(b"part", end=False))
    assert sink.source is not None
    sink.source.pause_reading()
    assert not worker.peer.transport.reading
    rig.clock.advance(3)
    assert worker.peer.transport.reading


class TestAttempts:
    """`Lambda-Runtime-Invocation-Id`: a stale answer never reaches a newer invocation of the same id."""

    def retried(self, rig: RuntimeRig) -> tuple[str, str, RecordingSink]:
        rig.run("r1", timeout=1)
        stale = rig.api.running["r1"].attempt_id
        rig.clock.advance(1)
        _, sink = rig.run("r1")
        return stale, rig.api.running["r1"].attempt_id, sink

    @pytest.mark.parametrize("verb", ["response", "error"])
    def test_echo_of_an_earlier_attempt(self, verb: str) -> None:
        rig = RuntimeRig()
        stale, _, sink = self.retried(rig)
        answer = rig.worker().post(f"{INVOCATION}r1/{verb}", b"x", {"lambda-runtime-invocation-id": stale})
        assert (answer.status, answer.body) == TIMEOUT
        assert not sink.over
        assert sink.content_type is None

    @pytest.mark.parametrize("echo", ["right", "none", "empty"])
    def test_right_or_missing_echo(self, echo: str) -> None:
        rig = RuntimeRig()
        _, attempt, sink = self.retried(rig)
        headers = {"right": {"lambda-runtime-invocation-id": attempt}, "empty": {"lambda-runtime-invocation-id": ""}}
        assert rig.worker().respond("r1", b"x", headers.get(echo)).status == 202
        assert sink.finished

    def test_every_dispatch_has_its_own(self) -> None:
        rig = RuntimeRig()
        stale, attempt, _ = self.retried(rig)
        assert stale != attempt


# --- response modes, sizes and truncation ---


@pytest.mark.parametrize("mode", ["buffered", "Streaming", "STREAMING", "chunked"])
def test_rt_210_bad_mode_consumes_the_invocation(mode: str) -> None:
    rig = RuntimeRig()
    worker, sink = rig.run()
    answer = worker.respond("r1", b"x", {"lambda-runtime-function-response-mode": mode})
    assert (answer.status, answer.body) == INVALID_MODE
    assert (sink.error_type, sink.content_type) == ("Runtime.InvalidResponseModeHeader", None)
    answer = worker.respond("r1")
    assert (answer.status, answer.body) == INVALID_ID
    assert rig.at_rest


def test_missing_content_type_is_octet_stream() -> None:
    rig = RuntimeRig()
    worker, sink = rig.run()
    worker.respond("r1", b"x")
    assert sink.content_type == "application/octet-stream"


def test_answer_is_withheld_until_the_response_is_complete() -> None:
    rig = RuntimeRig()
    worker, sink = rig.run()
    worker.open_response("r1")
    assert (sink.content_type, sink.streaming) == ("text/event-stream", True)
    for number in range(3):
        worker.send(chunks(b"%d" % number, end=False))
        assert sink.chunks == [b"%d" % one for one in range(number + 1)]
        assert not worker.answered
    worker.send(chunks())
    assert worker.answer().status == 202


def test_rt_20_rt_212_buffered_response_of_exactly_the_limit_and_one_more() -> None:
    rig = RuntimeRig()
    worker, sink = rig.run("r1")
    assert worker.respond("r1", b"x" * MAX_BUFFERED_RESPONSE_BYTES).status == 202
    assert sink.finished
    worker, sink = rig.run("r2")
    answer = worker.respond("r2", b"x" * (MAX_BUFFERED_RESPONSE_BYTES + 1))
    assert (answer.status, answer.body) == TOO_LARGE
    assert sink.error_type == "Function.ResponseSizeTooLarge"
    assert rig.statuses == [("r1", "success"), ("r2", "error")]
    assert rig.at_rest


def test_streamed_response_of_exactly_the_limit_and_one_more() -> None:
    piece = b"x" * (8 * MIB)

    def stream(request_id: str, last: bytes) -> tuple[int, str | None, int]:
        rig = RuntimeRig()
        worker, sink = rig.run(request_id)
        worker.open_response(request_id)
        for _ in range(MAX_STREAMED_RESPONSE_BYTES // len(piece)):
            worker.send(chunks(piece, end=False))
            sink.chunks.clear()
        worker.send(chunks(last) if last else chunks())
        return worker.answer().status, sink.error_type, len(sink.body)

    assert stream("r1", b"") == (202, None, 0)
    assert stream("r2", b"x") == (413, "Function.ResponseSizeTooLarge", 0)


@pytest.mark.parametrize("how", ["hang up", "reset"])
@pytest.mark.parametrize("framing", ["chunked", "length"])
def test_rt_21_truncated_body_is_never_taken_for_whole(framing: str, how: str) -> None:
    rig = RuntimeRig()
    worker, sink = rig.run()
    if framing == "chunked":
        worker.open_response("r1").send(chunks(b"part", end=False))
    else:
        worker.send(request("POST", f"{INVOCATION}r1/response", {"content-length": "9"}), b"part")
    if how == "reset":
        worker.peer.reset()
    else:
        worker.peer.hang_up()
    assert (sink.body, sink.error_type) == (b"part", "Runtime.TruncatedResponse")
    assert rig.at_rest


def test_broken_chunk_is_a_truncated_response_too() -> None:
    rig = RuntimeRig()
    worker, sink = rig.run()
    worker.open_response("r1").send(chunks(b"part", end=False), b"zz\r\n")
    assert (sink.body, sink.error_type) == (b"part", "Runtime.TruncatedResponse")
    assert worker.answer().status == 400
    assert worker.peer.sees_end
    assert rig.at_rest


# --- errors ---


def test_rt_211_error_over_its_limit_leaves_the_invocation_open() -> None:
    rig = RuntimeRig()
    worker, sink = rig.run()
    answer = worker.error("r1", b"x" * (MAX_ERROR_BODY_BYTES + 1))
    assert (answer.status, answer.body) == TOO_LARGE
    assert worker.peer.sees_end
    assert not sink.over
    assert rig.worker().respond("r1").status == 202
    assert sink.finished


def test_error_of_exactly_its_limit() -> None:
    rig = RuntimeRig()
    worker, sink = rig.run()
    assert worker.error("r1", b"x" * MAX_ERROR_BODY_BYTES).status == 202
    assert sink.error is not None
    assert len(sink.error.body) == MAX_ERROR_BODY_BYTES


def test_error_cut_off_leaves_the_invocation_open() -> None:
    rig = RuntimeRig()
    worker, sink = rig.run()
    worker.send(request("POST", f"{INVOCATION}r1/error", {"content-length": "9"}), b"part").peer.hang_up()
    assert not sink.over
    rig.clock.advance(3)
    assert sink.error_type == "Sandbox.Timedout"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param("Runtime.CustomError", "Runtime.CustomError", id=rt(63, 207)),
        pytest.param("Function.Custom", "Function.Custom", id=rt(207)),
        pytest.param("MyCustomError", "Runtime.Unknown", id=rt(64)),
        pytest.param("MyCustomError.Error", "Runtime.Unknown", id=rt(207) + " dotted"),
        pytest.param("", "Runtime.Unknown", id=rt(65)),
        pytest.param("unhandled", "Runtime.Unknown", id="what the Rust runtime sends"),
        pytest.param("Function.", "Function.Unknown", id="function dot"),
        pytest.param("Function.X", "Function.Unknown", id="one letter"),
        pytest.param("Function.lower", "Function.Unknown", id="lower case"),
        pytest.param("Runtime.X", "Runtime.Unknown", id="one letter of the runtime"),
        pytest.param("Runtime.Xy", "Runtime.Xy", id="two letters"),
        pytest.param("prefix Runtime.Custom suffix", "prefix Runtime.Custom suffix", id="anywhere"),
    ],
)
def test_error_types(value: str, expected: str) -> None:
    rig = RuntimeRig()
    worker, sink = rig.run()
    assert worker.error("r1", b"{}", {ERROR_TYPE: value} if value else {}).status == 202
    assert sink.error_type == expected == normalise_error_type(value)


@pytest.mark.parametrize(
    "headers",
    [{}, {ERROR_TYPE: "Runtime.Broken"}, {"LAMBDA-Runtime-Function-Error-Type": "Runtime.Broken"}],
)
@pytest.mark.parametrize("body", [b"", b"{}", b"\xff\0", b"x" * MAX_ERROR_BODY_BYTES])
def test_rt_80_rt_215_init_error_once(headers: Mapping[str, str], body: bytes) -> None:
    rig = RuntimeRig()
    answer = rig.worker().post("/2018-06-01/runtime/init/error", body, headers)
    assert (answer.status, answer.body) == OK
    assert answer.header("content-type") == "application/json"
    assert rig.init_errors == [("Runtime.Broken" if headers else "Runtime.Unknown", body)]
    second = rig.worker().post("/2018-06-01/runtime/init/error")
    assert second.status == 403
    assert second.body == (
        b'{"errorMessage":"State transition from InitError to InitError failed for runtime. '
        b'Error: state transition is not allowed","errorType":"InvalidStateTransition"}\n'
    )
    assert len(rig.init_errors) == 1


def test_init_error_with_a_body_of_any_size_is_accepted() -> None:
    """AWS's emulator never reads it, so it cannot be too large."""
    rig = RuntimeRig()
    assert rig.worker().post("/2018-06-01/runtime/init/error", b"x" * (2 * MIB)).status == 202
    assert [len(body) for _, body in rig.init_errors] == [MAX_ERROR_BODY_BYTES]


def test_init_error_cut_off_does_not_count() -> None:
    rig = RuntimeRig()
    rig.worker().send(request("POST", "/2018-06-01/runtime/init/error", {"content-length": "9"}), b"part").peer.reset()
    assert rig.init_errors == []
    assert rig.worker().post("/2018-06-01/runtime/init/error").status == 202


def test_init_error_after_traffic_is_accepted_and_ends_nothing() -> None:
    rig = RuntimeRig()
    _, sink = rig.run()
    assert rig.worker().post("/2018-06-01/runtime/init/error").status == 202
    assert not sink.over


def test_header_of_900_kib_is_taken_and_more_than_the_budget_is_not() -> None:
    rig = RuntimeRig()
    worker, sink = rig.run()
    cause = "x" * (900 * 1024)
    assert worker.error("r1", b"{}", {"lambda-runtime-function-xray-error-cause": cause}).status == 202
    assert sink.over
    worker, sink = rig.run("r2")
    answer = worker.error("r2", b"{}", {"lambda-runtime-function-xray-error-cause": "x" * (1100 * 1024)})
    assert (answer.status, answer.body) == (431, b"Request Header Fields Too Large")
    assert worker.peer.sees_end
    assert not sink.over


# --- what the log is told ---


def test_rt_74_success_has_both_spans() -> None:
    rig = RuntimeRig()
    worker, _ = rig.run()
    rig.clock.advance(0.5)
    worker.open_response("r1")
    rig.clock.advance(1)
    worker.send(chunks(b"x"))
    outcome = rig.outcomes[0][1]
    assert (outcome.duration, outcome.response_latency, outcome.response_duration) == (1.5, 0.5, 1.0)


def test_rt_75_no_answer_no_spans() -> None:
    rig = RuntimeRig()
    rig.run()
    rig.clock.advance(3)
    outcome = rig.outcomes[0][1]
    assert (outcome.duration, outcome.response_latency, outcome.response_duration) == (3.0, None, None)


def test_error_is_an_answer_that_relays_nothing() -> None:
    rig = RuntimeRig()
    worker, _ = rig.run()
    rig.clock.advance(0.5)
    worker.error("r1")
    outcome = rig.outcomes[0][1]
    assert (outcome.duration, outcome.response_latency, outcome.response_duration) == (0.5, 0.5, None)
