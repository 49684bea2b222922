"""An id can be guessed, or chosen by the caller: an answer may come before the event was sent."""

import pytest

from support.clock import DeferringClock
from support.runtime_rig import INVOCATION, RuntimeRig, chunks
from support.sink import RecordingSink


class Rig(RuntimeRig):
    def make_clock(self) -> DeferringClock:
        self.deferring = DeferringClock()
        return self.deferring


@pytest.mark.parametrize("verb", ["response", "error"])
def test_the_worker_that_was_to_get_it_waits_on(verb: str) -> None:
    rig = Rig()
    worker, sink = rig.poll(), RecordingSink()
    assert rig.api.invoke(rig.invocation(sink=sink))
    assert rig.worker().post(f"{INVOCATION}r1/{verb}").status == 202
    assert sink.over
    rig.deferring.run_soon()
    assert not worker.answered
    assert (rig.api.idle, rig.first_polls) == (1, 1)
    assert rig.api.invoke(rig.invocation("r2"))
    rig.deferring.run_soon()
    assert worker.answer().header("lambda-runtime-aws-request-id") == "r2"


def test_a_worker_that_left_meanwhile_does_not() -> None:
    rig = Rig()
    worker = rig.poll()
    assert rig.api.invoke(rig.invocation())
    assert rig.worker().respond("r1").status == 202
    worker.peer.hang_up()
    rig.deferring.run_soon()
    assert rig.api.idle == 0


def test_an_open_answer_goes_on_when_the_event_is_sent() -> None:
    rig = Rig()
    worker, early, sink = rig.poll(), rig.worker(), RecordingSink()
    assert rig.api.invoke(rig.invocation(sink=sink))
    early.open_response("r1").send(chunks(b"a", end=False))
    rig.deferring.run_soon()
    assert worker.answer().status == 200
    early.send(chunks(b"b"))
    assert (early.answer().status, sink.body, sink.finished) == (202, b"ab", True)
