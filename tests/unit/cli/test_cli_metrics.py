"""Metrics follow what the scaling loop has, and count what the doors tell."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from penstock.cli.metrics import Metrics
from penstock.cli.versions import failure_code
from penstock.control_plane.autoscaler import Autoscaler
from penstock.control_plane.scaling import ScalingLoop
from penstock.control_plane.usage import UsageWatch
from penstock.invoke_api.queued_event import EventAttempt
from penstock.model.errors import FunctionError
from penstock.scaler import policy_of
from penstock.telemetry.access import AccessRecord
from support.fleet_rig import Rig

if TYPE_CHECKING:
    from penstock.control_plane.metric_points import MetricPoint


class Measured:
    def __init__(self, folder: Path) -> None:
        self.rig = Rig(folder)
        usage = UsageWatch(self.rig.clock)
        self.scaling = ScalingLoop([], usage, self.rig.clock)
        fleet = self.rig.fleet
        policy = policy_of(fleet.function)
        self.autoscaler = Autoscaler(fleet, self.rig.router, policy, usage, self.rig.clock, lambda event: None)
        self.points: list[MetricPoint] = []
        self.metrics = Metrics(self.scaling, self.rig.clock, self.points.extend)

    def record(self, status: int = 200, note: str = "", environment: str = "e") -> AccessRecord:
        name = self.rig.fleet.function.logical_id
        return AccessRecord(name, "GET", "/", status, 0.5, 10, environment, "request", note)

    def attempt(self, error: FunctionError | None = None, environment: str = "e") -> EventAttempt:
        return EventAttempt(
            function=self.rig.fleet.function.logical_id,
            request_id="request",
            environment_id=environment,
            number=1,
            duration=0.1,
            age=0.0,
            error=error,
            retry_in=None,
        )

    def total(self, name: str) -> float:
        """The sum of what was published for the function as a whole."""
        mine = (("FunctionName", self.rig.fleet.function.name),)
        return sum(point.values.sum for point in self.points if point.name == name and point.dimensions == mine)

    def minute(self) -> None:
        self.rig.clock.advance(60)
        self.metrics.look()


@pytest.fixture
async def measured(tmp_path: Path) -> Measured:
    made = Measured(tmp_path)
    await made.rig.fleet.start()
    return made


async def test_requests_calls_and_events_are_counted_by_the_minute(measured: Measured) -> None:
    measured.scaling.autoscalers.append(measured.autoscaler)
    measured.metrics.look()
    measured.metrics.url_over(measured.record())
    measured.metrics.url_over(measured.record(502, "Runtime.ExitError"))
    measured.metrics.url_over(measured.record(429, environment=""))
    measured.metrics.call_over(measured.record())
    measured.metrics.attempt_over(measured.attempt())
    measured.metrics.attempt_over(measured.attempt(FunctionError("E")))
    measured.metrics.attempt_over(measured.attempt(environment=""))
    assert measured.points == []
    measured.minute()
    names = ("UrlRequestCount", "Url4xxCount", "Url5xxCount", "Invocations", "Errors")
    assert [measured.total(name) for name in names] == [3, 1, 1, 5, 2]


async def test_what_is_not_in_the_loop_is_not_counted(measured: Measured) -> None:
    measured.metrics.look()
    measured.metrics.url_over(measured.record())
    measured.minute()
    assert measured.points == []


async def test_a_version_that_is_gone_is_measured_no_more(measured: Measured) -> None:
    measured.scaling.autoscalers.append(measured.autoscaler)
    measured.metrics.look()
    measured.scaling.autoscalers.remove(measured.autoscaler)
    measured.metrics.look()
    measured.metrics.call_over(measured.record())
    measured.minute()
    assert measured.total("Invocations") == 0


async def test_the_last_minute_is_published_at_the_end(measured: Measured) -> None:
    measured.scaling.autoscalers.append(measured.autoscaler)
    measured.metrics.look()
    measured.metrics.call_over(measured.record())
    measured.metrics.close()
    assert measured.total("Invocations") == 1


@pytest.mark.parametrize(
    ("error_type", "code"),
    [
        ("Runtime.ExitError", "FunctionError.RuntimeInitError"),
        ("Runtime.InvalidEntrypoint", "FunctionError.InvalidEntryPoint"),
        ("Runtime.OutOfMemory", "FunctionError.InitResourceExhausted"),
        ("Sandbox.Timedout", "FunctionError.InitTimeout"),
        ("Extension.Crash", "FunctionError.ExtensionInitError"),
        ("CapacityProviderScalingLimitExceeded", "CapacityProviderScalingLimitExceeded"),
        ("InsufficientCapacity", "InsufficientCapacity"),
        ("Own.Error", "FunctionError"),
    ],
)
def test_why_a_version_failed_is_one_of_awss_codes(error_type: str, code: str) -> None:
    assert failure_code(error_type) == code
