"""Metrics that are put, listed, and asked for their statistics."""

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from penstock.aws_api.cloudwatch import CloudWatchService
from penstock.aws_api.store import Store
from penstock.control_plane.metrics import MetricsRecorder
from support.aws_calls import Calls
from support.metrics_rig import EPOCH, MetricsRig, ScriptedFunction, at, metrics_rig

DAY_S = 24 * 3600


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[MetricsRig]:
    with metrics_rig(tmp_path) as made:
        yield made


async def test_statistics_of_what_was_put(rig: MetricsRig) -> None:
    await rig.put(1, 2, 6, Unit="Count")
    (point,) = await rig.statistics("SampleCount", "Sum", "Average", "Minimum", "Maximum")
    assert point == {
        "Timestamp": at(-3600),
        "Unit": "Count",
        "SampleCount": 3,
        "Sum": 9,
        "Average": 3,
        "Minimum": 1,
        "Maximum": 6,
    }


async def test_percentiles(rig: MetricsRig) -> None:
    values = {"Values": [float(number) for number in range(1, 101)], "Counts": [2.0] * 100}
    await rig.calls("PutMetricData", Namespace="app", MetricData=[{"MetricName": "m", **values, "Timestamp": at(0)}])
    (point,) = await rig.statistics("p50", "p99", "p99.9", "p100")
    assert point["ExtendedStatistics"] == {"p50": 50, "p99": 99, "p99.9": 100, "p100": 100}


async def test_statistic_sets_have_no_percentiles(rig: MetricsRig) -> None:
    sets = {"SampleCount": 4.0, "Sum": 10.0, "Minimum": 1.0, "Maximum": 4.0}
    datum = {"MetricName": "m", "StatisticValues": sets, "Timestamp": at(0)}
    await rig.calls("PutMetricData", Namespace="app", MetricData=[datum])
    (point,) = await rig.statistics("p50")
    assert point["ExtendedStatistics"] == {}
    (point,) = await rig.statistics("Average", "SampleCount")
    assert (point["Average"], point["SampleCount"]) == (2.5, 4)


async def test_periods_count_from_the_start(rig: MetricsRig) -> None:
    for minute in range(6):
        await rig.put(1, seconds=60 * minute + 7)
    points = await rig.statistics("Sum", StartTime=at(65), EndTime=at(310), Period=120)
    assert [(point["Timestamp"], point["Sum"]) for point in points] == [(at(60), 2), (at(180), 2), (at(300), 1)]


async def test_units_are_apart(rig: MetricsRig) -> None:
    await rig.put(1, Unit="Seconds")
    await rig.put(2, Unit="Bytes")
    assert sorted((point["Unit"], point["Sum"]) for point in await rig.statistics("Sum")) == [
        ("Bytes", 2),
        ("Seconds", 1),
    ]
    assert [point["Sum"] for point in await rig.statistics("Sum", Unit="Bytes")] == [2]
    assert await rig.statistics("Sum", Unit="Percent") == []
    assert len((await rig.calls("ListMetrics"))["Metrics"]) == 1


async def test_dimensions_name_another_metric_in_any_order(rig: MetricsRig) -> None:
    pairs = [{"Name": "b", "Value": "2"}, {"Name": "a", "Value": "1"}]
    await rig.put(5, Dimensions=pairs)
    assert await rig.statistics("Sum") == []
    assert [point["Sum"] for point in await rig.statistics("Sum", Dimensions=pairs[::-1])] == [5]


@pytest.mark.parametrize(
    ("params", "code", "told"),
    [
        ({"StartTime": at(0), "EndTime": at(0)}, "InvalidParameterValue", "The parameter StartTime must be less than"),
        ({"Period": 61}, "InvalidParameterValue", "multiple of 60"),
        ({"Statistics": []}, "InvalidParameterCombination", "Must specify either Statistics or ExtendedStatistics"),
        ({"Statistics": [], "ExtendedStatistics": ["tm90"]}, "ValidationError", "tm90 is not supported here"),
        ({"Statistics": [], "ExtendedStatistics": ["p101"]}, "InvalidParameterValue", "The value p101"),
        (
            {"EndTime": at(60 * 1500), "Period": 60},
            "InvalidParameterCombination",
            "You have requested up to 1,560 datapoints, which exceeds the limit of 1,440.",
        ),
    ],
)
async def test_statistics_that_are_refused(rig: MetricsRig, params: dict[str, Any], code: str, told: str) -> None:
    given = {"StartTime": at(-3600), "EndTime": at(3600), "Period": 60, "Statistics": ["Sum"], **params}
    given = {key: value for key, value in given.items() if value != []}
    error = await rig.calls.refused("GetMetricStatistics", Namespace="app", MetricName="m", **given)
    assert error.code == code
    assert told in error.message


@pytest.mark.parametrize(
    ("datum", "code", "told"),
    [
        ({"Value": float("nan")}, "InvalidParameterValue", "The value NaN for parameter MetricData.member.1.Value"),
        ({"Value": 2.0**361}, "InvalidParameterValue", "for parameter MetricData.member.1.Value is invalid."),
        ({"Value": 1.0, "Unit": "Furlong"}, "InvalidParameterValue", "Furlong"),
        ({"Value": 1.0, "Timestamp": at(-15 * DAY_S)}, "InvalidParameterValue", "two weeks in the past"),
        ({"Value": 1.0, "Timestamp": at(3 * 3600)}, "InvalidParameterValue", "two hours in the future"),
        ({"Value": 1.0, "StorageResolution": 30}, "InvalidParameterValue", "StorageResolution"),
        ({"Value": 1.0, "Values": [1.0]}, "InvalidParameterCombination", "mutually exclusive"),
        ({"Values": [1.0, 2.0], "Counts": [1.0]}, "InvalidParameterValue", "same size"),
        ({"Values": [1.0] * 151}, "InvalidParameterValue", "greater than 150"),
        ({}, "InvalidParameterCombination", "At least one"),
    ],
)
async def test_values_that_are_refused(rig: MetricsRig, datum: dict[str, Any], code: str, told: str) -> None:
    error = await rig.calls.refused("PutMetricData", Namespace="app", MetricData=[{"MetricName": "m", **datum}])
    assert error.code == code
    assert told in error.message
    assert (await rig.calls("ListMetrics"))["Metrics"] == []


async def test_awss_namespaces_are_its_own(rig: MetricsRig) -> None:
    datum = {"MetricName": "m", "Value": 1.0}
    assert (await rig.calls.refused("PutMetricData", Namespace="AWS/x", MetricData=[datum])).code == (
        "InvalidParameterValue"
    )
    assert (await rig.calls.refused("PutMetricData", Namespace="app", MetricData=[datum] * 1001)).code == (
        "InvalidParameterValue"
    )


async def test_a_batch_is_kept_as_a_whole_or_not_at_all(rig: MetricsRig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("penstock.aws_api.cloudwatch.points.MAX_SERIES", 2)
    await rig.put(1, name="a")
    data = [{"MetricName": name, "Value": 1.0} for name in ("a", "b", "c")]
    assert (await rig.calls.refused("PutMetricData", Namespace="app", MetricData=data)).code == "ValidationError"
    assert [one["MetricName"] for one in (await rig.calls("ListMetrics"))["Metrics"]] == ["a"]
    assert [point["Sum"] for point in await rig.statistics("Sum", MetricName="a")] == [1]


async def test_metrics_are_listed_by_what_they_are(rig: MetricsRig) -> None:
    await rig.put(1, name="a", Dimensions=[{"Name": "host", "Value": "x"}])
    await rig.put(1, name="a", Dimensions=[{"Name": "host", "Value": "y"}])
    await rig.put(1, name="b")

    async def listed(**params: Any) -> list[tuple[str, int]]:
        found = (await rig.calls("ListMetrics", **params))["Metrics"]
        return [(one["MetricName"], len(one["Dimensions"])) for one in found]

    assert await listed() == [("a", 1), ("a", 1), ("b", 0)]
    assert await listed(MetricName="b") == [("b", 0)]
    assert await listed(Namespace="other") == []
    assert await listed(Dimensions=[{"Name": "host"}]) == [("a", 1), ("a", 1)]
    assert await listed(Dimensions=[{"Name": "host", "Value": "y"}]) == [("a", 1)]
    rig.clock.advance(4 * 3600)
    await rig.put(1, name="b", seconds=4 * 3600)
    assert await listed(RecentlyActive="PT3H") == [("b", 0)]
    rig.clock.advance(14 * DAY_S - 60)
    assert await listed() == [("b", 0)]


async def test_metrics_are_listed_in_pages(rig: MetricsRig) -> None:
    data = [{"MetricName": f"m{number:03}", "Value": 1.0} for number in range(600)]
    await rig.calls("PutMetricData", Namespace="app", MetricData=data)
    first = await rig.calls("ListMetrics")
    second = await rig.calls("ListMetrics", NextToken=first["NextToken"])
    names = [one["MetricName"] for page in (first, second) for one in page["Metrics"]]
    assert names == [f"m{number:03}" for number in range(600)]
    assert "NextToken" not in second
    assert (await rig.calls.refused("ListMetrics", NextToken="?")).code == "InvalidParameterValue"


async def test_values_survive_and_are_kept_by_region(tmp_path: Path) -> None:
    with metrics_rig(tmp_path) as rig:
        await rig.put(1, 2)
        clock = rig.clock
    store = Store(tmp_path / "state")
    service = CloudWatchService(store, clock)
    wanted = {
        "Namespace": "app",
        "MetricName": "m",
        "StartTime": at(-60),
        "EndTime": at(60),
        "Period": 120,
        "Statistics": ["Sum"],
    }
    (point,) = (await Calls(service)("GetMetricStatistics", **wanted))["Datapoints"]
    assert point["Sum"] == 3
    assert (await Calls(service, region="eu-west-1")("GetMetricStatistics", **wanted))["Datapoints"] == []
    store.close()


async def test_old_values_become_coarser_and_go(rig: MetricsRig) -> None:
    for minute in range(10):
        await rig.put(1, seconds=60 * minute)

    async def times() -> list[float]:
        points = await rig.statistics("Sum", StartTime=at(0), EndTime=at(600), Period=60)
        assert sum(point["Sum"] for point in points) in (0, 10)
        return [(point["Timestamp"] - at(0)).total_seconds() for point in points]

    async def age(days: int) -> None:
        rig.clock.advance(days * DAY_S)
        await rig.put(1, name="other", seconds=rig.clock.epoch() - EPOCH)
        await rig.put(1, name="other", seconds=rig.clock.epoch() - EPOCH)

    assert len(await times()) == 10
    await age(16)
    assert await times() == [0, 300]
    await age(50)
    assert await times() == [0]
    await age(400)
    assert await times() == []
    assert [one["MetricName"] for one in (await rig.calls("ListMetrics"))["Metrics"]] == ["other"]


async def test_an_hour_that_is_over_becomes_one_item(rig: MetricsRig) -> None:
    minutes, hours = rig.store.table("cloudwatch.minute"), rig.store.table("cloudwatch.hour")
    for hour in range(3):
        await rig.put(1, 2, seconds=3600 * hour + 60)
        await rig.put(4, seconds=3600 * hour + 120)
        rig.clock.advance(3600)

    async def sums() -> list[float]:
        points = await rig.statistics("Sum", StartTime=at(0), EndTime=at(4 * 3600), Period=60)
        return [point["Sum"] for point in points]

    assert await sums() == [3, 4] * 3
    await rig.put(8, seconds=3 * 3600)
    assert (len(minutes.items()), len(hours.items())) == (1, 3)
    await rig.put(16, seconds=60)
    assert await sums() == [19, 4, 3, 4, 3, 4, 8]
    assert (len(minutes.items()), len(hours.items())) == (1, 3)


async def test_what_is_published_is_kept_in_pieces(rig: MetricsRig, monkeypatch: pytest.MonkeyPatch) -> None:
    later: list[Callable[[], object]] = []
    monkeypatch.setattr(rig.clock, "call_soon", later.append)
    recorder = MetricsRecorder(rig.service.publish, EPOCH)
    for number in range(10):
        recorder.add(ScriptedFunction(function=f"fn{number}")).ended("success", 0.1)
    recorder.look(EPOCH + 60)
    turns = 0
    while later:
        later.pop()()
        turns += 1
        assert len(later) <= 1
    assert turns > 3
    recorder.close(EPOCH + 61)
    listed = (await rig.calls("ListMetrics", MetricName="Invocations"))["Metrics"]
    assert len(listed) == 31


async def test_what_lambda_publishes_can_be_asked_for(rig: MetricsRig) -> None:
    recorder = MetricsRecorder(rig.service.publish, EPOCH)
    function = recorder.add(ScriptedFunction())
    for duration in (0.1, 0.2, 0.3, 0.4):
        function.ended("success", duration)
    function.ended("error", 0.5)
    recorder.look(EPOCH + 60)
    dimensions = [{"Name": "FunctionName", "Value": "fn"}]
    wanted = {"Namespace": "AWS/Lambda", "Dimensions": dimensions}
    (errors,) = await rig.statistics("Sum", "Average", MetricName="Errors", **wanted)
    assert (errors["Sum"], errors["Average"]) == (1, 0.2)
    (middle,) = await rig.statistics("p50", MetricName="Duration", **wanted)
    assert middle["ExtendedStatistics"]["p50"] == pytest.approx(300, rel=0.004)
    listed = (await rig.calls("ListMetrics", Namespace="AWS/Lambda", MetricName="Duration"))["Metrics"]
    assert len(listed) == 4
    elsewhere = await Calls(rig.service, region="eu-west-1")("ListMetrics", MetricName="Duration")
    assert elsewhere["Metrics"] == listed


async def test_a_full_disk_loses_values_and_nothing_else(rig: MetricsRig, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    recorder = MetricsRecorder(rig.service.publish, EPOCH)
    function = recorder.add(ScriptedFunction())
    with monkeypatch.context() as patched:
        patched.setattr("penstock.aws_api.store.Table.put", full)
        function.ended("success", 0.1)
        recorder.look(EPOCH + 60)
    function.ended("success", 0.1)
    recorder.look(EPOCH + 120)
    (point,) = await rig.statistics(
        "Sum", Namespace="AWS/Lambda", MetricName="Invocations", Dimensions=[{"Name": "FunctionName", "Value": "fn"}]
    )
    assert point["Sum"] == 1


async def test_there_are_no_alarms(rig: MetricsRig) -> None:
    assert await rig.calls("DescribeAlarms") == {"CompositeAlarms": [], "MetricAlarms": []}
    assert await rig.calls("DescribeAlarmsForMetric", Namespace="a", MetricName="m") == {"MetricAlarms": []}
