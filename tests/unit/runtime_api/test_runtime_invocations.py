"""Who ends a running invocation, and when (`rt-<number>`: the checklist of AWS's own suites)."""

import base64

import pytest

from penstock.model.errors import FunctionError, PlatformError
from penstock.model.limits import (
    MAX_IDLE_POLLS,
    MAX_TIMED_OUT_IDS,
)
from support.runtime_answers import ERROR_BODY, ERROR_TYPE, INTERNAL, INVALID_ID, OK, TIMEOUT
from support.runtime_rig import INVOCATION, RuntimeRig, chunks, request
from support.sink import RecordingSink


def rt(*numbers: int) -> str:
    return "+".join(f"rt-{number}" for number in numbers)


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
