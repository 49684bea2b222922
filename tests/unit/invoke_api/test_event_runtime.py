"""Events before a real Runtime API: what a worker sees and what its death means, in virtual time."""

from pathlib import Path

from penstock.invoke_api.directory import Invocable
from penstock.model.errors import FunctionError, PlatformError, ThrottleError
from penstock.model.invocation import Invocation
from penstock.router import Router
from support.clock import VirtualClock
from support.event_rig import SQS, EventRig
from support.runtime_rig import RuntimeRig


class Environment:
    """A Runtime API as the router sees it."""

    environment_id = "e1"

    def __init__(self, rig: RuntimeRig) -> None:
        self.runtime = rig

    @property
    def free_slots(self) -> int:
        return self.runtime.api.idle

    @property
    def in_flight(self) -> int:
        return 0

    def invoke(self, invocation: Invocation) -> bool:
        return self.runtime.api.invoke(invocation)


class Rig(EventRig):
    """One clock for the queue and the runtime."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, on_success=f"{SQS}done", on_failure=f"{SQS}failed", max_retry_attempts=1)
        self.runtime = SharedClockRig(self)
        router = Router()
        router.add(Environment(self.runtime))
        self.invocable = Invocable(self.function, router, "1")


class SharedClockRig(RuntimeRig):
    def __init__(self, rig: EventRig) -> None:
        self._shared = rig.clock
        super().__init__()

    def make_clock(self) -> VirtualClock:
        return self._shared


def test_a_worker_gets_the_event_and_its_answer_is_recorded(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    worker = rig.runtime.poll()
    rig.accept(b'{"n":1}')
    event = worker.answer()
    assert event.body == b'{"n":1}'
    assert event.header("lambda-runtime-aws-request-id") == "r1"
    assert event.header("lambda-runtime-client-context") == '{"client":1}'
    assert event.header("lambda-runtime-trace-id") == "Root=1-2-3"
    assert event.header("lambda-runtime-deadline-ms") == "1700000003000"
    rig.runtime.worker().respond("r1", b'{"ok":true}')
    assert rig.files("done")[0]["responsePayload"] == {"ok": True}
    assert len(rig.queue) == 0


def test_a_streamed_answer_is_kept_as_text(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.runtime.poll()
    rig.accept()
    worker = rig.runtime.worker().open_response("r1")
    worker.send(b"6\r\ndata: \r\n3\r\n1\n\n\r\n0\r\n\r\n")
    assert rig.files("done")[0]["responsePayload"] == "data: 1\n\n"


def test_a_timeout_is_retried_with_the_same_request_id(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.runtime.poll()
    rig.accept()
    rig.clock.advance(3.0)
    assert str(rig.attempts[-1].error).startswith("Sandbox.Timedout")
    worker = rig.runtime.poll()
    rig.clock.advance(60.0)
    assert worker.answer().header("lambda-runtime-aws-request-id") == "r1"
    rig.runtime.worker().error("r1", b'{"errorType":"E","errorMessage":"no"}')
    (record,) = rig.files("failed")
    assert record["requestContext"]["approximateInvokeCount"] == 2
    assert record["responsePayload"] == {"errorType": "E", "errorMessage": "no"}


def test_an_environment_that_dies_in_flight(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.runtime.poll()
    rig.accept()
    rig.runtime.api.abort(FunctionError("Runtime.ExitError"))
    assert rig.attempts[-1].retry_in == 60.0
    rig.runtime.api.abort(PlatformError("Client.ExecutionEnvironmentShutDown"))
    assert len(rig.attempts) == 1


def test_no_worker_is_a_throttle(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.accept()
    assert isinstance(rig.attempts[-1].error, ThrottleError)
    rig.runtime.poll()
    rig.clock.advance(1.0)
    assert rig.runtime.started == ["r1"]
