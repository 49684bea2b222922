"""The metrics Lambda publishes: counted as requests end, looked at in between, closed each minute.

What Managed Instances add is published each five minutes:
https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-monitoring.html. Pure: `now` is an argument.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from penstock.control_plane.distribution import Distribution
from penstock.control_plane.metric_points import (
    NAMESPACE,
    Counts,
    Gauges,
    MetricPoint,
    Unit,
    by_name,
    concurrency_points,
    function_points,
    invocation_points,
    look_at_instances,
    provider_points,
)
from penstock.control_plane.metric_sources import MetricSource, ProviderSource
from penstock.model.throttles import ThrottleReason
from penstock.telemetry.access import AccessRecord
from penstock.telemetry.records import Status

MINUTE_S: Final = 60
FIVE_MINUTES_S: Final = 300

# What the doors note of an answer whose client did not wait for it: no error of the function.
_NO_ERRORS: Final = frozenset(("", "client left"))


class FunctionMetrics:
    """The counters of one function version. `url`, `ended` and `record` are called once a request and do little."""

    def __init__(self, source: MetricSource) -> None:
        self.source = source
        self.counts = Counts()
        self.gauges: dict[str, tuple[Unit, Distribution]] = {}
        self._throttled: Mapping[ThrottleReason, int] = dict(source.sample().throttles)

    def url(self, access: AccessRecord) -> None:
        """A request to its Function URL is over; 0 is the status of one that had no answer."""
        counts = self.counts
        counts.url_requests += 1
        if 400 <= access.status < 500:
            counts.url_4xx += 1
        elif access.status >= 500:
            counts.url_5xx += 1
        counts.url_latency.add(access.duration * 1000)

    def ended(self, status: Status, duration_s: float) -> None:
        """An invocation is over, whoever asked for it. A `failure` is not the function's, and no error of its."""
        counts = self.counts
        counts.invocations += 1
        if status in ("error", "timeout"):
            counts.errors += 1
        counts.duration.add(duration_s * 1000)

    def record(self, access: AccessRecord) -> None:
        """The invocation behind a request, where nobody tells of its end: what no environment took is none."""
        if access.environment_id:
            self.ended("success" if access.note in _NO_ERRORS else "error", access.duration)

    def look(self) -> None:
        sample = self.source.sample()
        if sample.concurrency:
            self.counts.concurrency.add(sample.concurrency)
        self._throttle(sample.throttles)
        self._gauge("ExecutionEnvironmentConcurrency", "Count", sample.busiest)
        self._gauge("ExecutionEnvironmentConcurrencyLimit", "Count", sample.limit)
        self._gauge("ExecutionEnvironmentCPUUtilization", "Percent", sample.cpu_percent)
        self._gauge("ExecutionEnvironmentMemoryUtilization", "Percent", sample.memory_percent)
        self._gauge("ExecutionEnvironmentCount", "Count", sample.environments)

    def _throttle(self, totals: Mapping[ThrottleReason, int]) -> None:
        for reason, total in totals.items():
            more = total - self._throttled.get(reason, 0)
            if more > 0:
                self.counts.throttles[reason] = self.counts.throttles.get(reason, 0) + more
        self._throttled = dict(totals)

    def _gauge(self, name: str, unit: Unit, value: float | None) -> None:
        if value is not None:
            self.gauges.setdefault(name, (unit, Distribution()))[1].add(value)


class MetricsRecorder:
    """`publish` is given the points of each minute once it is over, in one call."""

    def __init__(self, publish: Callable[[Sequence[MetricPoint]], None], now: float) -> None:
        """`now` in epoch seconds, as everywhere here."""
        self._publish = publish
        self._minute = _floor(now, MINUTE_S)
        self._functions: dict[tuple[str, str], FunctionMetrics] = {}
        self._providers: dict[str, tuple[ProviderSource, Gauges]] = {}

    def add(self, source: MetricSource) -> FunctionMetrics:
        """From now on. A source of the same function and version takes the place of the one before."""
        made = self._functions[source.function, source.version] = FunctionMetrics(source)
        return made

    def remove(self, function: str, version: str) -> None:
        """What it counted in this minute is lost."""
        self._functions.pop((function, version), None)

    def add_provider(self, source: ProviderSource) -> None:
        self._providers[source.capacity_provider] = (source, {})

    def remove_provider(self, name: str) -> None:
        self._providers.pop(name, None)

    def look(self, now: float) -> None:
        """To be called about once a second: closes the minute when it is over."""
        self._close(now)
        for function in self._functions.values():
            function.look()
        for source, gauges in self._providers.values():
            for sample in source.sample():
                look_at_instances(sample, gauges)

    def close(self, now: float) -> None:
        """Publish what there is of this minute."""
        self._close(now)
        self._publish_minute(five=True)

    def _close(self, now: float) -> None:
        minute = _floor(now, MINUTE_S)
        if minute == self._minute:
            return
        self._publish_minute(five=_floor(now, FIVE_MINUTES_S) != _floor(self._minute, FIVE_MINUTES_S))
        self._minute = minute

    def _publish_minute(self, *, five: bool) -> None:
        points: list[MetricPoint] = []
        everything = Counts()
        for function in self._functions.values():
            counts, function.counts = function.counts, Counts()
            everything.merge(counts)
            points += function_points(function.source, counts, self._minute)
        points += invocation_points((), everything, self._minute)
        points += concurrency_points((), everything, self._minute)
        if five:
            points += self._gauge_points(_floor(self._minute, FIVE_MINUTES_S))
        if points:
            self._publish(points)

    def _gauge_points(self, time: int) -> list[MetricPoint]:
        points: list[MetricPoint] = []
        for function in self._functions.values():
            source = function.source
            dimensions = by_name(
                ("CapacityProviderName", source.capacity_provider),
                ("FunctionName", source.function),
                ("Resource", f"{source.function}:{source.version}"),
            )
            for name, (unit, values) in function.gauges.items():
                points.append(MetricPoint(NAMESPACE, name, dimensions, time, unit, values))
            function.gauges = {}
        for provider, (_, gauges) in self._providers.items():
            points += provider_points(provider, gauges, time)
            gauges.clear()
        return points


def _floor(now: float, step: int) -> int:
    return int(now // step) * step
