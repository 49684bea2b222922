"""An invocation is reserved at once and sent when the loop comes to it: what may happen in between."""

from penstock.model.errors import FunctionError
from support.clock import DeferringClock
from support.runtime_rig import RuntimeRig
from support.sink import RecordingSink


class Rig(RuntimeRig):
    def make_clock(self) -> DeferringClock:
        self.deferring = DeferringClock()
        return self.deferring


def test_slot_is_taken_before_the_event_is_sent() -> None:
    rig = Rig()
    worker = rig.poll()
    assert rig.api.invoke(rig.invocation())
    assert (rig.api.idle, len(rig.api.running)) == (0, 1)
    assert not rig.api.invoke(rig.invocation("r2"))
    assert not worker.answered
    rig.deferring.run_soon()
    assert worker.answer().status == 200
    assert rig.started == ["r1"]


def test_event_of_a_refused_call_is_never_built() -> None:
    rig = Rig()
    built: list[str] = []
    invocation = rig.invocation()

    def build() -> bytes:
        built.append("built")
        return b"{}"

    invocation.event = build
    assert not rig.api.invoke(invocation)
    rig.deferring.run_soon()
    assert built == []
    rig.poll()
    assert rig.api.invoke(invocation)
    rig.deferring.run_soon()
    assert built == ["built"]


def test_worker_that_hangs_up_in_between_is_passed_over() -> None:
    rig = Rig()
    dying, next_one = rig.poll(), rig.poll()
    sink = RecordingSink()
    assert rig.api.invoke(rig.invocation(sink=sink))
    dying.peer.hang_up()
    rig.deferring.run_soon()
    assert next_one.answer().status == 200
    assert rig.api.idle == 0
    next_one.respond("r1")
    assert sink.finished


def test_only_worker_hanging_up_in_between_fails_the_invocation_at_once() -> None:
    rig = Rig()
    dying, sink = rig.poll(), RecordingSink()
    assert rig.api.invoke(rig.invocation(sink=sink))
    dying.peer.hang_up()
    rig.deferring.run_soon()
    assert sink.error_type == "Runtime.Unknown"
    assert rig.statuses == [("r1", "failure")]
    assert rig.at_rest


def test_environment_that_dies_in_between_sends_nothing() -> None:
    rig = Rig()
    worker, sink = rig.poll(), RecordingSink()
    assert rig.api.invoke(rig.invocation(sink=sink))
    rig.api.abort(FunctionError("Runtime.ExitError"))
    rig.deferring.run_soon()
    assert sink.error_type == "Runtime.ExitError"
    assert not worker.answered
    assert rig.at_rest
