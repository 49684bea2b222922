"""What has been counted of functions and capacity providers, as the data points Lambda publishes of it.

Names, dimensions and units: https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html,
https://docs.aws.amazon.com/lambda/latest/dg/urls-monitoring.html,
https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-monitoring.html.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple, TypeAlias

from penstock.control_plane.distribution import Distribution
from penstock.control_plane.metric_sources import MetricSource, ProviderSample
from penstock.model.throttles import ThrottleReason

NAMESPACE: Final = "AWS/Lambda"

Unit: TypeAlias = Literal["Count", "Milliseconds", "Percent", "Bytes", "None"]
Dimensions: TypeAlias = tuple[tuple[str, str], ...]
"""Pairs of name and value, by name."""

Gauges: TypeAlias = "dict[tuple[str, str], tuple[Unit, Distribution]]"
"""By instance type and name."""


class MetricPoint(NamedTuple):
    """`time` is the beginning of its minute, or five, in epoch seconds."""

    namespace: str
    name: str
    dimensions: Dimensions
    time: int
    unit: str
    values: Distribution


@dataclass(slots=True)
class Counts:
    """What one minute holds of a function version."""

    invocations: int = 0
    errors: int = 0
    duration: Distribution = field(default_factory=Distribution)
    url_requests: int = 0
    url_4xx: int = 0
    url_5xx: int = 0
    url_latency: Distribution = field(default_factory=Distribution)
    concurrency: Distribution = field(default_factory=Distribution)
    throttles: dict[ThrottleReason, int] = field(default_factory=dict)

    def merge(self, other: "Counts") -> None:
        self.invocations += other.invocations
        self.errors += other.errors
        self.duration.merge(other.duration)
        self.concurrency.merge(other.concurrency)
        for reason, count in other.throttles.items():
            self.throttles[reason] = self.throttles.get(reason, 0) + count


def function_points(source: MetricSource, counts: Counts, time: int) -> list[MetricPoint]:
    """By function, by what was called, and by the version that ran behind an alias."""
    name, version = source.function, source.version
    by_function: Dimensions = (("FunctionName", name),)
    resource = f"{name}:{source.alias or version}"
    kinds = [by_function, by_name(*by_function, ("Resource", resource))]
    if source.alias:
        kinds.append(by_name(*by_function, ("Resource", resource), ("ExecutedVersion", version)))
    points = [point for kind in kinds for point in invocation_points(kind, counts, time)]
    points += [point for kind in kinds for point in _url_points(kind, counts, time)]
    return points + concurrency_points(by_function, counts, time)


def invocation_points(dimensions: Dimensions, counts: Counts, time: int) -> list[MetricPoint]:
    """Each invocation is one value: 1, and for Errors 0 or 1. A refusal is 1 for its reason, and 0 for the others."""
    points: list[MetricPoint] = []

    def add(name: str, unit: Unit, values: Distribution) -> None:
        if values.count:
            points.append(MetricPoint(NAMESPACE, name, dimensions, time, unit, values))

    throttles = sum(counts.throttles.values())
    add("Invocations", "Count", _ones(counts.invocations))
    add("Errors", "Count", _ones(counts.errors, counts.invocations - counts.errors))
    add("Duration", "Milliseconds", counts.duration)
    add("Throttles", "Count", _ones(throttles, counts.invocations))
    for reason in ThrottleReason:
        of_it = counts.throttles.get(reason, 0)
        add(reason.value, "Count", _ones(of_it, throttles - of_it))
    return points


def _url_points(dimensions: Dimensions, counts: Counts, time: int) -> Iterable[MetricPoint]:
    if not counts.url_requests:
        return
    requests = counts.url_requests
    for name, hits in (("UrlRequestCount", requests), ("Url4xxCount", counts.url_4xx), ("Url5xxCount", counts.url_5xx)):
        yield MetricPoint(NAMESPACE, name, dimensions, time, "Count", _ones(hits, requests - hits))
    yield MetricPoint(NAMESPACE, "UrlRequestLatency", dimensions, time, "Milliseconds", counts.url_latency)


def concurrency_points(dimensions: Dimensions, counts: Counts, time: int) -> list[MetricPoint]:
    if not counts.concurrency.count:
        return []
    return [MetricPoint(NAMESPACE, "ConcurrentExecutions", dimensions, time, "Count", counts.concurrency)]


def look_at_instances(sample: ProviderSample, gauges: Gauges) -> None:
    values: tuple[tuple[str, Unit, float | None], ...] = (
        ("CPUUtilization", "Percent", sample.cpu_percent),
        ("MemoryUtilization", "Percent", sample.memory_percent),
        ("vCPUAvailable", "Count", sample.vcpus_available),
        ("vCPUAllocated", "Count", sample.vcpus_allocated),
        ("MemoryAvailable", "Bytes", sample.memory_available),
        ("MemoryAllocated", "Bytes", sample.memory_allocated),
    )
    for name, unit, value in values:
        if value is not None:
            gauges.setdefault((sample.instance_type, name), (unit, Distribution()))[1].add(value)


def provider_points(provider: str, gauges: Gauges, time: int) -> Iterable[MetricPoint]:
    """By instance type, and over all types: AWS has been seen to answer for the provider alone, too."""
    over_all: dict[str, tuple[Unit, Distribution]] = {}
    named = ("CapacityProviderName", provider)
    for (instance_type, name), (unit, values) in gauges.items():
        yield MetricPoint(NAMESPACE, name, (named, ("InstanceType", instance_type)), time, unit, values)
        over_all.setdefault(name, (unit, Distribution()))[1].merge(values)
    for name, (unit, values) in over_all.items():
        yield MetricPoint(NAMESPACE, name, (named,), time, unit, values)


def _ones(ones: int, zeros: int = 0) -> Distribution:
    values = Distribution()
    values.add(1, ones)
    values.add(0, zeros)
    return values


def by_name(*pairs: tuple[str, str]) -> Dimensions:
    return tuple(sorted(pairs))
