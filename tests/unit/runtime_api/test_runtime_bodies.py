"""Bodies that workers post, and what is kept of them (`rt-<number>`: the checklist of AWS's own suites)."""

from collections.abc import Mapping

import pytest

from penstock.model.limits import (
    MAX_BUFFERED_RESPONSE_BYTES,
    MAX_ERROR_BODY_BYTES,
    MAX_STREAMED_RESPONSE_BYTES,
    MIB,
)
from penstock.runtime_api.messages import normalise_error_type
from support.runtime_answers import ERROR_TYPE, INVALID_ID, INVALID_MODE, OK, TOO_LARGE
from support.runtime_rig import INVOCATION, RuntimeRig, chunks, request


def rt(*numbers: int) -> str:
    return "+".join(f"rt-{number}" for number in numbers)


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
