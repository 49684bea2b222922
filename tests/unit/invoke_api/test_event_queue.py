"""Asynchronous invocations: what is tried when, in virtual time."""

import asyncio
import gc
from dataclasses import replace
from pathlib import Path

import pytest

from penstock.invoke_api.event_queue import QueueSettings
from penstock.invoke_api.queued_event import QueuedEvent
from penstock.invoke_api.retry import Condition, RetrySettings
from penstock.model.errors import FunctionError, PlatformError, ThrottleError
from penstock.model.limits import MIB
from support.event_rig import LAMBDA, SQS, EventRig, PlayedTarget
from support.streams import within


@pytest.fixture
def rig(tmp_path: Path) -> EventRig:
    return EventRig(tmp_path)


# --- attempts ---


def test_an_event_is_invoked_as_it_came(rig: EventRig) -> None:
    assert rig.accept(b'{"n": 1}')
    (invocation,) = rig.target.taken
    assert invocation.event() == b'{"n": 1}'
    assert (invocation.request_id, invocation.trace_id, invocation.client_context) == (
        "r1",
        "Root=1-2-3",
        '{"client":1}',
    )
    assert invocation.function_arn == rig.function.qualified_arn
    assert (invocation.deadline, invocation.timeout_s) == (3.0, 3)
    assert invocation.deadline_ms == 1_700_000_003_000
    rig.clock.advance(2.0)
    rig.target.end()
    assert len(rig.queue) == 0
    (attempt,) = rig.attempts
    assert (attempt.function, attempt.request_id, attempt.environment_id) == ("App", "r1", "e1")
    assert (attempt.number, attempt.duration, attempt.age) == (1, 2.0, 0.0)
    assert (attempt.error, attempt.retry_in) == (None, None)
    assert not rig.discarded
    assert rig.clock.waiting == 0


def test_a_function_error_is_retried_after_one_and_two_minutes(rig: EventRig) -> None:
    rig.accept()
    rig.fail(1, ())
    rig.clock.advance(59.9)
    assert len(rig.target.taken) == 1
    rig.clock.advance(0.1)
    assert len(rig.target.taken) == 2
    rig.fail(1, (119.9,))
    assert len(rig.target.taken) == 2
    rig.clock.advance(0.1)
    rig.fail(1, ())
    assert [(one.number, one.age, one.retry_in) for one in rig.attempts] == [
        (1, 0.0, 60.0),
        (2, 60.0, 120.0),
        (3, 180.0, None),
    ]
    # The same request, a new deadline.
    assert {invocation.request_id for invocation in rig.target.taken} == {"r1"}
    assert [invocation.deadline for invocation in rig.target.taken] == [3.0, 63.0, 183.0]
    (discarded,) = rig.discarded
    assert (discarded.condition, discarded.attempts, discarded.kept_in) == (Condition.RETRIES_EXHAUSTED, 3, ())
    assert len(rig.queue) == 0
    assert rig.clock.waiting == 0


def test_a_retry_can_succeed(tmp_path: Path) -> None:
    rig = EventRig(tmp_path, on_success=f"{SQS}done", on_failure=f"{SQS}failed")
    rig.accept()
    rig.fail(1)
    rig.target.end(b'{"fine":1}')
    (record,) = rig.files("done")
    assert record["requestContext"]["approximateInvokeCount"] == 2
    assert not rig.files("failed")
    assert not rig.discarded


def test_no_retry_when_the_template_says_so(tmp_path: Path) -> None:
    rig = EventRig(tmp_path, max_retry_attempts=0)
    rig.accept()
    rig.fail(1)
    assert [one.condition for one in rig.discarded] == [Condition.RETRIES_EXHAUSTED]
    assert len(rig.target.taken) == 1


def test_shortened_waits(tmp_path: Path) -> None:
    rig = EventRig(tmp_path, settings=QueueSettings(retry=RetrySettings.of_delay(0.5)))
    rig.accept()
    rig.fail(3, (0.5, 1.0))
    assert [one.condition for one in rig.discarded] == [Condition.RETRIES_EXHAUSTED]


def test_a_platform_error_is_not_an_attempt(rig: EventRig) -> None:
    rig.accept()
    for wait in (1.0, 2.0, 4.0, 8.0):
        rig.target.end(PlatformError("Client.ExecutionEnvironmentShutDown"))
        assert rig.attempts[-1].retry_in == wait
        rig.clock.advance(wait)
    rig.fail(1, ())
    assert (rig.attempts[-1].number, rig.attempts[-1].retry_in) == (1, 60.0)


def test_an_answer_at_once_is_no_trouble(rig: EventRig) -> None:
    rig.target.at_once = b"{}"
    for number in range(2000):
        assert rig.accept(request_id=f"r{number}")
    assert len(rig.attempts) == 2000
    assert len(rig.queue) == 0


# --- throttled ---


def test_a_throttled_event_backs_off_and_is_no_attempt(rig: EventRig) -> None:
    rig.target.slots = 0
    rig.accept()
    for wait in (1.0, 2.0, 4.0):
        assert isinstance(rig.attempts[-1].error, ThrottleError)
        assert (rig.attempts[-1].retry_in, rig.attempts[-1].number, rig.attempts[-1].environment_id) == (wait, 0, "")
        rig.clock.advance(wait)
    rig.target.slots = 1
    rig.clock.advance(8.0)
    rig.target.end()
    assert (rig.attempts[-1].number, rig.attempts[-1].error) == (1, None)


def test_the_backoff_starts_anew_after_the_function_ran(tmp_path: Path) -> None:
    rig = EventRig(tmp_path, slots=0)
    rig.accept()
    rig.clock.advance(1.0)
    rig.target.slots = 1
    rig.clock.advance(2.0)
    rig.target.slots = 0
    rig.fail(1)
    assert [one.retry_in for one in rig.attempts] == [1.0, 2.0, 60.0, 1.0]


def test_a_request_id_that_runs_already_is_not_taken_twice(rig: EventRig) -> None:
    rig.target.slots = 2
    rig.accept()
    rig.accept()
    rig.clock.advance(1.0)
    assert len(rig.target.taken) == 1
    rig.target.end()
    rig.clock.advance(0.005)
    assert len(rig.target.taken) == 2


def test_a_throttled_event_is_given_up_at_its_age(tmp_path: Path) -> None:
    rig = EventRig(tmp_path, slots=0, max_age_s=60, on_failure=f"{SQS}failed")
    rig.accept()
    rig.clock.advance(59.0)
    assert not rig.discarded
    rig.clock.advance(1.0)
    assert [(one.condition, one.attempts) for one in rig.discarded] == [(Condition.EVENT_AGE_EXCEEDED, 0)]
    (record,) = rig.files("failed")
    assert record["responseContext"] == {"statusCode": 429}
    assert "responsePayload" not in record


def test_a_full_function_is_not_asked_all_the_time(rig: EventRig) -> None:
    rig.target.slots = 0
    for number in range(1000):
        rig.accept(request_id=f"r{number}")
    assert len(rig.attempts) == 1
    rig.clock.advance(10.0)
    assert 90 <= len(rig.attempts) <= 101


def test_a_backlog_is_handled_in_its_order_as_fast_as_workers_are(rig: EventRig) -> None:
    rig.target.slots = 2
    for number in range(100):
        rig.accept(request_id=f"r{number}")
    for _ in range(50):
        assert len(rig.target.running) == 2
        rig.target.end()
        rig.target.end()
        rig.clock.advance(0.005)
    assert [invocation.request_id for invocation in rig.target.taken] == [f"r{number}" for number in range(100)]
    assert {attempt.error for attempt in rig.attempts} == {None}
    assert len(rig.queue) == 0


def test_a_worker_that_others_leave_is_found(rig: EventRig) -> None:
    """Without an answer of an event's own."""
    rig.accept(request_id="r0")
    rig.accept(request_id="r1")
    rig.target.slots = 2
    rig.clock.advance(0.1)
    assert len(rig.target.running) == 2


def test_not_more_of_one_function_at_a_time(tmp_path: Path) -> None:
    rig = EventRig(tmp_path, slots=10, settings=QueueSettings(max_in_flight=3))
    for number in range(10):
        rig.accept(request_id=f"r{number}")
    for left in (3, 3, 3, 3, 3, 3, 3, 3, 2, 1):
        assert len(rig.target.running) == left
        rig.target.end()
        rig.clock.advance(0.005)


def test_an_event_that_waits_behind_others_expires(tmp_path: Path) -> None:
    rig = EventRig(tmp_path, max_age_s=60)
    rig.accept(request_id="r0")
    rig.accept(request_id="r1")
    rig.clock.advance(61.0)
    assert [(one.request_id, one.condition) for one in rig.discarded] == [("r1", Condition.EVENT_AGE_EXCEEDED)]


def test_a_busy_function_leaves_others_alone(rig: EventRig) -> None:
    rig.target.slots = 0
    free = PlayedTarget(1)
    other = rig.add(replace(rig.function, name="other", arn=f"{LAMBDA}other"), free)
    rig.accept()
    assert rig.queue.accept(other, b"{}", "", "", "r2")
    assert [invocation.request_id for invocation in free.running] == ["r2"]


# --- room ---


def test_a_full_queue_takes_no_more(tmp_path: Path) -> None:
    rig = EventRig(tmp_path, settings=QueueSettings(max_events=2))
    assert rig.accept(request_id="r1")
    assert rig.accept(request_id="r2")
    assert not rig.accept(request_id="r3")
    rig.target.end()
    assert rig.accept(request_id="r3")


def test_large_events_fill_the_queue_sooner(tmp_path: Path) -> None:
    rig = EventRig(tmp_path, settings=QueueSettings(max_bytes=3 * MIB))
    payload = b"1" * (MIB + MIB // 3)
    assert rig.accept(payload, "r1")
    assert rig.accept(payload, "r2")
    assert not rig.accept(payload, "r3")
    assert rig.accept(b"1", "r4")
    rig.target.end()
    assert rig.accept(payload, "r5")


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    rig = EventRig(tmp_path, slots=4)
    gc.collect()
    gc.disable()
    try:
        for number in range(20):
            rig.accept(request_id=f"r{number}")
            rig.target.end()
            rig.accept(request_id=f"f{number}")
            rig.fail(3)
        rig.target.taken.clear()
        assert not [one for one in gc.get_objects() if isinstance(one, QueuedEvent)]
    finally:
        gc.enable()


# --- the end of the platform ---


async def test_what_runs_may_end_while_draining(rig: EventRig) -> None:
    rig.accept(request_id="r1")
    draining = asyncio.ensure_future(rig.queue.drain(30.0))
    await asyncio.sleep(0)
    assert not draining.done()
    assert not rig.accept(request_id="r2")
    rig.target.end()
    await within(draining)
    assert rig.queue.close() == ()


async def test_draining_has_an_end(rig: EventRig) -> None:
    rig.accept()
    await within(rig.queue.drain(0.0))
    (left,) = rig.queue.close()
    assert left.request_id == "r1"


async def test_an_idle_queue_is_drained_at_once(rig: EventRig) -> None:
    await within(rig.queue.drain(3600.0))
    assert rig.queue.close() == ()


def test_undelivered_events_are_written_down(tmp_path: Path) -> None:
    rig = EventRig(tmp_path)
    rig.accept(b'{"n":1}', "runs")
    rig.accept(b'{"n":2}', "throttled")
    rig.accept(b'{"n":3}', "waits")
    left = rig.queue.close()
    assert [(one.request_id, one.condition, one.kept_in) for one in left] == [
        (name, Condition.PLATFORM_STOPPED, ("app.undelivered",)) for name in ("runs", "throttled", "waits")
    ]
    records = rig.files("app.undelivered")
    assert [record["requestPayload"] for record in records] == [{"n": 1}, {"n": 2}, {"n": 3}]
    assert {record["requestContext"]["condition"] for record in records} == {"PlatformStopped"}
    assert "responseContext" not in records[0]
    assert rig.clock.waiting == 0
    # What still runs ends into nothing.
    rig.target.end()
    assert len(rig.target.taken) == 1
    assert not rig.discarded
    assert rig.queue.close() == ()


def test_undelivered_events_go_to_the_failure_destination(tmp_path: Path) -> None:
    rig = EventRig(tmp_path, on_failure=f"{SQS}failed", dead_letter=f"{SQS}dead")
    rig.accept()
    rig.fail(1, ())
    (left,) = rig.queue.close()
    assert (left.kept_in, left.attempts) == ((f"{SQS}failed", f"{SQS}dead"), 1)
    assert rig.files("failed")[0]["responseContext"]["functionError"] == "Unhandled"
    assert len(rig.files("dead")) == 1
    assert not rig.files("app.undelivered")


# --- destinations that are functions ---


def test_a_function_destination_is_invoked_with_the_record(tmp_path: Path) -> None:
    rig = EventRig(tmp_path, on_failure=f"{LAMBDA}other:live", max_retry_attempts=0)
    other = PlayedTarget(1)
    rig.add(replace(rig.function, name="other", arn=f"{LAMBDA}other"), other)
    rig.accept()
    rig.fail(1)
    (invocation,) = other.running
    assert b'"condition":"RetriesExhausted"' in invocation.event()
    assert (invocation.trace_id, invocation.client_context) == ("Root=1-2-3", "")
    assert invocation.request_id != "r1"
    assert rig.discarded[0].kept_in == (f"{LAMBDA}other:live",)


@pytest.mark.parametrize(
    "arn",
    [f"{LAMBDA}unknown", "arn:aws:lambda:eu-west-1:123456789012:function:app", f"{LAMBDA}app:nope"],
)
def test_a_function_of_elsewhere_is_a_file(tmp_path: Path, arn: str) -> None:
    rig = EventRig(tmp_path, on_success=arn)
    rig.accept()
    rig.target.end()
    assert len(rig.target.taken) == 1
    assert len(list(rig.folder.iterdir())) == 1


def test_a_function_that_is_its_own_destination_stops(tmp_path: Path) -> None:
    rig = EventRig(tmp_path, on_success=f"{LAMBDA}app")
    rig.accept()
    while rig.target.running:
        rig.target.end()
        rig.clock.advance(1.0)
    assert len(rig.target.taken) == 17
    assert len(rig.files("function-app")) == 1


def test_a_function_destination_without_room_is_a_file(tmp_path: Path) -> None:
    rig = EventRig(tmp_path, on_success=f"{LAMBDA}app")
    rig.accept()
    rig.queue.stop()
    rig.target.end(b"{}")
    assert len(rig.files("function-app")) == 1


# --- what an environment tells ---


def test_an_environment_that_dies_is_a_function_error(rig: EventRig) -> None:
    rig.accept()
    rig.target.end(FunctionError("Runtime.ExitError", "RequestId: r1 Error: Runtime exited"))
    assert (rig.attempts[-1].number, rig.attempts[-1].retry_in) == (1, 60.0)
