"""CloudWatch over a store, and a recorder of functions that are scripted, in virtual time."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from penstock.aws_api.cloudwatch import CloudWatchService
from penstock.aws_api.store import Store
from penstock.control_plane.metric_sources import FunctionSample, ProviderSample
from penstock.model.throttles import ThrottleReason
from support.aws_calls import Calls
from support.clock import VirtualClock

EPOCH = 1_764_000_000  # 2025-11-24T16:00:00Z


def at(seconds: float) -> datetime:
    return datetime.fromtimestamp(EPOCH + seconds, UTC)


@dataclass
class ScriptedFunction:
    """A MetricSource that says what the test wrote into it."""

    function: str = "fn"
    version: str = "3"
    alias: str | None = "live"
    capacity_provider: str = "cp"
    concurrency: int = 0
    busiest: int = 0
    cpu_percent: float | None = None
    throttles: dict[ThrottleReason, int] = field(default_factory=dict)

    def sample(self) -> FunctionSample:
        return FunctionSample(self.concurrency, self.busiest, 64, 3, self.cpu_percent, 40.0, dict(self.throttles))


@dataclass
class ScriptedProvider:
    capacity_provider: str = "cp"
    cpu_percent: float | None = 50.0

    def sample(self) -> Sequence[ProviderSample]:
        return [
            ProviderSample("m7g.large", self.cpu_percent, 20.0, 1.0, 1.0, 2.0**30, 2.0**31),
            ProviderSample("c7g.xlarge", self.cpu_percent, 20.0, 3.0, 1.0, 2.0**32, 2.0**31),
        ]


class MetricsRig:
    def __init__(self, folder: Path) -> None:
        self.clock = VirtualClock(EPOCH)
        self.store = Store(folder / "state")
        self.service = CloudWatchService(self.store, self.clock)
        self.calls = Calls(self.service)

    def close(self) -> None:
        self.store.close()

    async def put(self, *values: float, seconds: float = 0, name: str = "m", **datum: Any) -> None:
        for value in values:
            given = {"MetricName": name, "Value": value, "Timestamp": at(seconds), **datum}
            await self.calls("PutMetricData", Namespace="app", MetricData=[given])

    async def statistics(self, *names: str, **params: Any) -> list[dict[str, Any]]:
        """The data points by time; names that begin with p are percentiles."""
        kind = "ExtendedStatistics" if names[0].startswith("p") else "Statistics"
        given = {
            "Namespace": "app",
            "MetricName": "m",
            "StartTime": at(-3600),
            "EndTime": at(3600),
            "Period": 7200,
            kind: list(names),
        }
        answer = await self.calls("GetMetricStatistics", **{**given, **params})
        return sorted(answer["Datapoints"], key=lambda point: point["Timestamp"])

    async def data(self, *queries: dict[str, Any], **params: Any) -> dict[str, list[float]]:
        """The values by id, the oldest first."""
        given = {"StartTime": at(0), "EndTime": at(600), "ScanBy": "TimestampAscending", **params}
        answer = await self.calls("GetMetricData", MetricDataQueries=list(queries), **given)
        return {one["Id"]: one["Values"] for one in answer["MetricDataResults"]}


def query(name: str, metric: str, stat: str = "Sum", period: int = 60, **more: Any) -> dict[str, Any]:
    wanted = {"Metric": {"Namespace": "app", "MetricName": metric}, "Period": period, "Stat": stat}
    return {"Id": name, "MetricStat": wanted, **more}


@contextmanager
def metrics_rig(folder: Path) -> Iterator[MetricsRig]:
    rig = MetricsRig(folder)
    try:
        yield rig
    finally:
        rig.close()
