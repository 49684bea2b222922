"""What may go wrong while an event is handed to a worker: the checklist of AWS's own suites (`rt-<number>`)."""

import pytest

from penstock.model.errors import FunctionError
from support.runtime_rig import INVOCATION, RuntimeRig, Worker
from support.sink import RecordingSink

MUCH = b"x" * 1_000_000


def slow_worker(rig: RuntimeRig) -> tuple[Worker, RecordingSink]:
    """A worker that does not read the event it got."""
    worker, sink = rig.poll(), RecordingSink()
    worker.peer.transport.stuck = True
    invocation = rig.invocation(sink=sink)
    invocation.event = lambda: MUCH
    assert rig.api.invoke(invocation)
    assert worker.peer.connection.writing_paused
    return worker, sink


def test_rt_51_worker_hangs_up_before_it_has_read_its_event() -> None:
    """The kernel took the event, so nobody can know whether it was read: as on AWS its deadline ends it."""
    rig = RuntimeRig()
    worker, sink = slow_worker(rig)
    worker.peer.reset()
    assert rig.api.idle == 0
    rig.clock.advance(3)
    assert sink.error_type == "Sandbox.Timedout"
    assert rig.at_rest


@pytest.mark.parametrize("verb", ["response", "error"])
def test_rt_52_71_deadline_passes_before_the_event_was_read(verb: str) -> None:
    rig = RuntimeRig()
    worker, sink = slow_worker(rig)
    rig.clock.advance(3)
    assert sink.error_type == "Sandbox.Timedout"
    assert rig.worker().post(f"{INVOCATION}r1/{verb}").status == 410
    assert rig.worker().post(f"{INVOCATION}r1/{verb}").status == 400
    worker.peer.transport.flush()
    assert worker.answer().body == MUCH
    assert rig.at_rest


def test_rt_72_environment_dies_before_the_event_was_read() -> None:
    rig = RuntimeRig()
    _, sink = slow_worker(rig)
    rig.api.abort(FunctionError("Runtime.OutOfMemory"))
    assert sink.error_type == "Runtime.OutOfMemory"
    assert rig.statuses == [("r1", "error")]
    assert rig.at_rest


def test_rt_70_time_begins_with_the_dispatch() -> None:
    rig = RuntimeRig()
    worker, _ = slow_worker(rig)
    rig.clock.advance(0.5)
    worker.peer.transport.flush()
    worker.answer()
    worker.respond("r1")
    [(_, outcome)] = rig.outcomes
    assert (outcome.duration, outcome.response_latency) == (0.5, 0.5)


def test_event_of_7_mib_arrives_whole() -> None:
    rig = RuntimeRig()
    worker = rig.poll()
    invocation = rig.invocation()
    invocation.event = lambda: b"e" * (7 * 1024 * 1024)
    assert rig.api.invoke(invocation)
    assert worker.answer().body == b"e" * (7 * 1024 * 1024)
