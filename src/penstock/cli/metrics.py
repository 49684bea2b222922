"""Metrics of what runs, for CloudWatch: measured as the scaling loop looks, counted at the doors."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from penstock.control_plane.metric_points import MetricPoint
from penstock.control_plane.metric_readings import FleetReading, ProviderReading
from penstock.control_plane.metrics import FunctionMetrics, MetricsRecorder
from penstock.control_plane.scaling import ScalingLoop
from penstock.invoke_api.queued_event import EventAttempt
from penstock.model.clock import Clock
from penstock.telemetry.access import AccessRecord

if TYPE_CHECKING:
    from penstock.control_plane.autoscaler import Autoscaler
    from penstock.control_plane.instances import Instances


class Metrics:
    """`publish` gets the points of each minute. Requests are counted by the name their function has in a record."""

    def __init__(self, scaling: ScalingLoop, clock: Clock, publish: Callable[[Sequence[MetricPoint]], None]) -> None:
        self._scaling = scaling
        self._clock = clock
        self._recorder: Final = MetricsRecorder(publish, clock.epoch())
        self._functions: dict[Autoscaler, FunctionMetrics] = {}
        self._by_name: dict[str, FunctionMetrics] = {}
        self._providers: set[Instances] = set()

    def look(self) -> None:
        """To be called about once a second."""
        self._follow()
        self._recorder.look(self._clock.epoch())

    def close(self) -> None:
        """Publish what there is of this minute."""
        self._recorder.close(self._clock.epoch())

    def url_over(self, record: AccessRecord) -> None:
        """A request to a Function URL is over."""
        counted = self._by_name.get(record.function)
        if counted is not None:
            counted.url(record)
            counted.record(record)

    def call_over(self, record: AccessRecord) -> None:
        """A call by name is over."""
        counted = self._by_name.get(record.function)
        if counted is not None:
            counted.record(record)

    def attempt_over(self, attempt: EventAttempt) -> None:
        """An attempt of an asynchronous invocation is over; one that nobody took is none."""
        counted = self._by_name.get(attempt.function)
        if counted is not None and attempt.environment_id:
            counted.ended("error" if attempt.error else "success", attempt.duration)

    def _follow(self) -> None:
        scaling = self._scaling
        for gone in self._functions.keys() - set(scaling.autoscalers):
            function = gone.fleet.function
            del self._functions[gone]
            del self._by_name[function.logical_id]
            self._recorder.remove(function.name, function.version)
        for one in scaling.autoscalers:
            if one not in self._functions:
                counted = self._functions[one] = self._recorder.add(FleetReading(one, scaling.usage))
                self._by_name[one.fleet.function.logical_id] = counted
        for provider in scaling.instances:
            if provider not in self._providers:
                self._providers.add(provider)
                self._recorder.add_provider(ProviderReading(provider, scaling.usage))
