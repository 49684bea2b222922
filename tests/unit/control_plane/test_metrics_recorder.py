"""Which data points come of requests, refusals and looks at what is there."""

from collections.abc import Sequence

import pytest

from penstock.control_plane.metric_points import MetricPoint
from penstock.control_plane.metrics import MetricsRecorder
from penstock.model.throttles import ThrottleReason
from penstock.telemetry.access import AccessRecord
from support.metrics_rig import EPOCH, ScriptedFunction, ScriptedProvider

FUNCTION = (("FunctionName", "fn"),)
ALIAS = (("FunctionName", "fn"), ("Resource", "fn:live"))
EXECUTED = (("ExecutedVersion", "3"), ("FunctionName", "fn"), ("Resource", "fn:live"))
ENVIRONMENT = (("CapacityProviderName", "cp"), ("FunctionName", "fn"), ("Resource", "fn:3"))


class Published:
    """What a recorder publishes."""

    def __init__(self) -> None:
        self.points: list[MetricPoint] = []
        self.batches = 0

    def __call__(self, points: Sequence[MetricPoint]) -> None:
        self.batches += 1
        self.points += points

    def of(self, name: str, dimensions: tuple[tuple[str, str], ...] = FUNCTION) -> list[MetricPoint]:
        return [point for point in self.points if (point.name, point.dimensions) == (name, dimensions)]

    def sums(self, *names: str) -> dict[str, float]:
        return {name: sum(point.values.sum for point in self.of(name)) for name in names}


@pytest.fixture
def published() -> Published:
    return Published()


@pytest.fixture
def recorder(published: Published) -> MetricsRecorder:
    return MetricsRecorder(published, EPOCH)


def access(status: int = 200, *, note: str = "", environment: str = "e", duration: float = 0.25) -> AccessRecord:
    return AccessRecord("Fn", "GET", "/", status, duration, 10, environment, "r", note)


def test_nothing_is_published_of_a_minute_without_requests(recorder: MetricsRecorder, published: Published) -> None:
    recorder.add(ScriptedFunction())
    recorder.look(EPOCH + 61)
    assert published.batches == 0


def test_invocations_by_function_alias_version_and_altogether(recorder: MetricsRecorder, published: Published) -> None:
    function = recorder.add(ScriptedFunction())
    function.ended("success", 0.1)
    function.ended("error", 0.3)
    function.ended("failure", 0.2)
    recorder.look(EPOCH + 59)
    assert published.points == []
    recorder.look(EPOCH + 60)
    assert published.batches == 1
    for dimensions in (FUNCTION, ALIAS, EXECUTED, ()):
        (invocations,) = published.of("Invocations", dimensions)
        (errors,) = published.of("Errors", dimensions)
        (duration,) = published.of("Duration", dimensions)
        assert (invocations.time, invocations.unit, invocations.values.sum) == (EPOCH, "Count", 3)
        assert (errors.values.sum, errors.values.count) == (1, 3)
        assert (duration.unit, duration.values.maximum, duration.values.count) == ("Milliseconds", 300, 3)


def test_a_version_without_an_alias_is_its_own_resource(recorder: MetricsRecorder, published: Published) -> None:
    recorder.add(ScriptedFunction(alias=None)).ended("success", 0.1)
    recorder.look(EPOCH + 60)
    assert published.of("Invocations", (("FunctionName", "fn"), ("Resource", "fn:3")))
    assert not any(("ExecutedVersion", "3") in point.dimensions for point in published.points)


def test_url_requests_by_status(recorder: MetricsRecorder, published: Published) -> None:
    function = recorder.add(ScriptedFunction())
    for status in (200, 404, 429, 500, 502, 0):
        function.url(access(status))
    recorder.look(EPOCH + 60)
    assert published.sums("UrlRequestCount", "Url4xxCount", "Url5xxCount") == {
        "UrlRequestCount": 6,
        "Url4xxCount": 2,
        "Url5xxCount": 2,
    }
    (latency,) = published.of("UrlRequestLatency")
    assert latency.values.percentile(50) == 250
    assert published.of("Invocations") == []


def test_invocations_from_access_records(recorder: MetricsRecorder, published: Published) -> None:
    function = recorder.add(ScriptedFunction())
    function.record(access(200))
    function.record(access(502, note="Runtime.ExitError"))
    function.record(access(200, note="client left"))
    function.record(access(429, environment="", note="every environment is busy"))
    recorder.look(EPOCH + 60)
    assert published.sums("Invocations", "Errors") == {"Invocations": 3, "Errors": 1}


def test_a_refusal_has_one_reason_and_the_others_are_zero(recorder: MetricsRecorder, published: Published) -> None:
    source = ScriptedFunction(throttles={ThrottleReason.CPU: 7})
    recorder.add(source)
    source.throttles = {ThrottleReason.CPU: 9, ThrottleReason.CONCURRENCY: 1}
    recorder.look(EPOCH + 1)
    recorder.look(EPOCH + 60)
    assert published.sums("Throttles", "CPUThrottles", "ConcurrencyThrottles", "MemoryThrottles") == {
        "Throttles": 3,
        "CPUThrottles": 2,
        "ConcurrencyThrottles": 1,
        "MemoryThrottles": 0,
    }
    (disk,) = published.of("DiskThrottles")
    assert (disk.values.count, disk.values.maximum) == (3, 0)


def test_concurrency_is_looked_at_within_the_minute(recorder: MetricsRecorder, published: Published) -> None:
    source = ScriptedFunction()
    recorder.add(source)
    for second, concurrency in ((1, 4), (2, 9), (3, 0)):
        source.concurrency = concurrency
        recorder.look(EPOCH + second)
    recorder.look(EPOCH + 60)
    (point,) = published.of("ConcurrentExecutions")
    assert (point.values.maximum, point.values.count) == (9, 2)


def test_what_managed_instances_add_comes_each_five_minutes(recorder: MetricsRecorder, published: Published) -> None:
    source = ScriptedFunction(busiest=2)
    recorder.add(source)
    recorder.add_provider(ScriptedProvider())
    for second in range(0, 300, 30):
        source.busiest = 16 if second == 120 else 2
        recorder.look(EPOCH + second)
    assert published.points == []
    recorder.look(EPOCH + 300)
    (busiest,) = published.of("ExecutionEnvironmentConcurrency", ENVIRONMENT)
    assert (busiest.time, busiest.values.maximum) == (EPOCH, 16)
    (limit,) = published.of("ExecutionEnvironmentConcurrencyLimit", ENVIRONMENT)
    assert limit.values.maximum == 64
    (memory,) = published.of("ExecutionEnvironmentMemoryUtilization", ENVIRONMENT)
    assert (memory.unit, memory.values.maximum) == ("Percent", 40)
    assert published.of("ExecutionEnvironmentCPUUtilization", ENVIRONMENT) == []
    provider = (("CapacityProviderName", "cp"), ("InstanceType", "m7g.large"))
    (cpu,) = published.of("CPUUtilization", provider)
    assert cpu.values.maximum == 50
    (allocated,) = published.of("MemoryAllocated", (("CapacityProviderName", "cp"),))
    assert (allocated.unit, allocated.values.maximum) == ("Bytes", 2.0**31)
    before = len(published.points)
    recorder.look(EPOCH + 360)
    assert len(published.points) == before


def test_closing_publishes_what_there_is(recorder: MetricsRecorder, published: Published) -> None:
    recorder.add(ScriptedFunction()).ended("success", 0.1)
    recorder.look(EPOCH + 1)
    recorder.close(EPOCH + 2)
    assert published.sums("Invocations") == {"Invocations": 1}
    assert published.of("ExecutionEnvironmentConcurrency", ENVIRONMENT)


def test_what_is_removed_is_published_no_more(recorder: MetricsRecorder, published: Published) -> None:
    recorder.add(ScriptedFunction())
    recorder.add_provider(ScriptedProvider())
    recorder.remove("fn", "3")
    recorder.remove_provider("cp")
    recorder.look(EPOCH + 1)
    recorder.close(EPOCH + 301)
    assert published.points == []


def test_minutes_are_apart(recorder: MetricsRecorder, published: Published) -> None:
    function = recorder.add(ScriptedFunction())
    function.ended("success", 0.1)
    recorder.look(EPOCH + 60)
    function.ended("success", 0.1)
    function.ended("success", 0.1)
    recorder.look(EPOCH + 120)
    assert [(point.time - EPOCH, point.values.sum) for point in published.of("Invocations")] == [(0, 1), (60, 2)]
