"""CloudWatch: metrics that were put, and those Lambda publishes of the functions that run.

Not offered: alarms (there are none), dashboards, anomaly detectors, insight rules, streams, Metrics Insights.
"""

import base64
import sqlite3
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final

from penstock.aws_api.cloudwatch import errors
from penstock.aws_api.cloudwatch.metric_data import metric_data, period_of, time_range
from penstock.aws_api.cloudwatch.points import HOUR_S, Points, by_period
from penstock.aws_api.cloudwatch.putting import data_points, dimensions
from penstock.aws_api.cloudwatch.series import EVERY_REGION, Series
from penstock.aws_api.cloudwatch.statistics import SIMPLE, statistic
from penstock.aws_api.service import Answer, Call, Operation, Params, ServiceError
from penstock.aws_api.store import Store
from penstock.control_plane.distribution import Distribution
from penstock.control_plane.metric_points import Dimensions, MetricPoint
from penstock.model.clock import Clock

# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricStatistics.html
_MAX_DATAPOINTS: Final = 1440
# About a millisecond's work; assumed.
_PIECE: Final = 25
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_ListMetrics.html
_LISTED: Final = 500
# By the hour: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_ListMetrics.html promises no more.
_LISTED_HOURS: Final = 14 * 24
_RECENT_HOURS: Final = 3


class CloudWatchService:
    def __init__(self, store: Store, clock: Clock) -> None:
        self._points = Points(store)
        self._clock = clock
        self._coming: deque[tuple[str, Sequence[MetricPoint]]] = deque()
        self._keeping = False

    @property
    def name(self) -> str:
        return "cloudwatch"

    @property
    def operations(self) -> Mapping[str, Operation]:
        return {
            "PutMetricData": self.put,
            "GetMetricData": self.get_data,
            "GetMetricStatistics": self.get_statistics,
            "ListMetrics": self.list_metrics,
            "DescribeAlarms": self.describe_alarms,
            "DescribeAlarmsForMetric": self.describe_alarms_for_metric,
        }

    async def start(self) -> None:
        """Nothing is ever left half done: a batch of values is kept, or not."""

    async def close(self) -> None:
        self._settle()

    def publish(self, points: Sequence[MetricPoint], region: str = EVERY_REGION) -> None:
        """What Lambda publishes of itself: the receiver of `control_plane.metrics.MetricsRecorder`. It is kept piece by
        piece, with a turn for others in between. Functions answer in every region, and so do their metrics.
        """
        self._coming += [(region, points[at : at + _PIECE]) for at in range(0, len(points), _PIECE)]
        if not self._keeping:
            self._keeping = True
            self._clock.call_soon(self._keep_piece)

    def _keep_piece(self) -> None:
        self._settle(1)
        self._keeping = bool(self._coming)
        if self._keeping:
            self._clock.call_soon(self._keep_piece)

    def _settle(self, pieces: int = sys.maxsize) -> None:
        """Keep what has come so far, or a part of it. What cannot be kept, for want of disk, is lost: nobody waits for
        it, and requests go on.
        """
        while self._coming and pieces > 0:
            pieces -= 1
            region, points = self._coming.popleft()
            with suppress(sqlite3.Error, ServiceError):
                self._points.add(region, points, self._clock.epoch())

    def put(self, call: Call) -> Answer:
        self._settle()
        now = self._clock.epoch()
        self._points.add(call.context.region, data_points(call.params, now), now)
        return {}

    async def get_data(self, call: Call) -> Answer:
        self._settle()
        return await metric_data(self._points, call.context.region, call.params)

    def get_statistics(self, call: Call) -> Answer:
        self._settle()
        params = call.params
        simple, extended = params.get("Statistics") or (), params.get("ExtendedStatistics") or ()
        if bool(simple) == bool(extended):
            raise errors.invalid_combination("Must specify either Statistics or ExtendedStatistics")
        for one in simple:
            if one not in SIMPLE:
                raise errors.invalid_value(f"The value {one} for parameter Statistics is invalid.")
        compute = {one: statistic(one, "ExtendedStatistics") for one in (*simple, *extended)}
        asked, period = time_range(params), period_of(params["Period"], "Period")
        count = -(-(asked.end - asked.start) // period)
        if count > _MAX_DATAPOINTS:
            raise errors.invalid_combination(
                f"You have requested up to {count:,} datapoints, which exceeds the limit of {_MAX_DATAPOINTS:,}. You "
                "may reduce the datapoints requested by increasing Period, or decreasing the time range."
            )
        metric = (params["Namespace"], params["MetricName"], dimensions(params.get("Dimensions") or (), "Request"))
        points: list[dict[str, Any]] = []
        for series in self._points.catalogue.of(call.context.region, *metric, params.get("Unit")):
            merged = by_period(self._points.read(series, *asked), period, asked.start)
            for time, values in merged.items():
                points.append(_datapoint(time, series.unit, values, compute, extended=bool(extended)))
        return {"Label": params["MetricName"], "Datapoints": points}

    def list_metrics(self, call: Call) -> Answer:
        self._settle()
        params, now = call.params, self._clock.epoch()
        if params.get("RecentlyActive") not in (None, "PT3H"):
            raise errors.invalid_value(f"The value {params['RecentlyActive']} for parameter RecentlyActive is invalid.")
        since = int(now // HOUR_S) - (_RECENT_HOURS if params.get("RecentlyActive") else _LISTED_HOURS)
        there = self._points.catalogue.in_region(call.context.region)
        found = sorted({one.metric for one in there if one.last >= since and _is_listed(one, params)})
        start = _start(params.get("NextToken"))
        page = found[start : start + _LISTED]
        token = {"NextToken": _token(start + _LISTED)} if len(found) > start + _LISTED else {}
        return {"Metrics": [_metric(*one) for one in page], **token}

    def describe_alarms(self, call: Call) -> Answer:
        return {"CompositeAlarms": [], "MetricAlarms": []}

    def describe_alarms_for_metric(self, call: Call) -> Answer:
        return {"MetricAlarms": []}


def _datapoint(
    time: int, unit: str, values: Distribution, compute: Mapping[str, Any], *, extended: bool
) -> dict[str, Any]:
    computed = {name: one(values) for name, one in compute.items()}
    there = {name: float(value) for name, value in computed.items() if value is not None}
    point: dict[str, Any] = {"Timestamp": datetime.fromtimestamp(time, UTC), "Unit": unit}
    return point | ({"ExtendedStatistics": there} if extended else there)


def _is_listed(series: Series, params: Params) -> bool:
    if params.get("Namespace") not in (None, series.namespace) or params.get("MetricName") not in (None, series.name):
        return False
    held = dict(series.dimensions)
    return all(
        one["Name"] in held and one.get("Value") in (None, held[one["Name"]]) for one in params.get("Dimensions") or ()
    )


def _metric(namespace: str, name: str, given: Dimensions) -> dict[str, Any]:
    pairs = [{"Name": one, "Value": value} for one, value in given]
    return {"Namespace": namespace, "MetricName": name, "Dimensions": pairs}


def _token(start: int) -> str:
    return base64.urlsafe_b64encode(str(start).encode()).decode()


def _start(token: str | None) -> int:
    if token is None:
        return 0
    try:
        return int(base64.b64decode(token.encode(), b"-_", validate=True))
    except ValueError:
        raise errors.invalid_value("The value for parameter NextToken is invalid.") from None
