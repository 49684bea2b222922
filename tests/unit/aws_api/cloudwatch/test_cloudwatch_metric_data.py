"""GetMetricData: metrics, expressions and pages."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.aws_api.cloudwatch.metric_math import Names, parse
from penstock.aws_api.cloudwatch.metric_values import MathError, Range, TimeSeries
from support.fuzzing import examples
from support.metrics_rig import MetricsRig, at, metrics_rig, query

M1 = query("m1", "requests")
M2 = query("m2", "errors")


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[MetricsRig]:
    """Requests 10, 20, 30, 40 and errors 1, 0, 3 in the first minutes; the second minute has no errors' value."""
    with metrics_rig(tmp_path) as made:
        for minute, value in ((0, 10), (1, 20), (2, 30), (3, 40)):
            await made.put(value, seconds=60 * minute, name="requests")
        for minute, value in ((0, 1), (2, 3), (3, 0)):
            await made.put(value, seconds=60 * minute, name="errors")
        yield made


async def test_a_metric_by_its_period(rig: MetricsRig) -> None:
    assert await rig.data(M1) == {"m1": [10, 20, 30, 40]}
    assert await rig.data(query("m1", "requests", period=120), StartTime=at(60)) == {"m1": [30, 70]}
    assert await rig.data(query("m1", "requests", "Average", 300)) == {"m1": [25]}
    assert await rig.data(query("m1", "requests", "p50", 300)) == {"m1": [20]}


async def test_the_newest_come_first_unless_asked(rig: MetricsRig) -> None:
    answer = await rig.calls("GetMetricData", MetricDataQueries=[M1], StartTime=at(0), EndTime=at(180))
    (result,) = answer["MetricDataResults"]
    assert result == {
        "Id": "m1",
        "Label": "requests",
        "Timestamps": [at(120), at(60), at(0)],
        "Values": [30, 20, 10],
        "StatusCode": "Complete",
    }


@pytest.mark.parametrize(
    ("expression", "values"),
    [
        ("m2 / m1", [0.1, 0.1, 0]),
        ("m1 / m2", [10, 10]),
        ("100 * m2 / m1", [10, 10, 0]),
        ("m1 + m2 * 2 - 1", [11, 35, 39]),
        ("-m1", [-10, -20, -30, -40]),
        ("m1 ^ 2", [100, 400, 900, 1600]),
        ("2 ^ 3 ^ 0 * m1", [20, 40, 60, 80]),
        ("(m1 + m1) / 2", [10, 20, 30, 40]),
        ("m1 - MIN(m1)", [0, 10, 20, 30]),
        ("m1 / AVG(m1) * MAX(m1) / SUM(m1)", [0.16, 0.32, 0.48, 0.64]),
        ("SUM(METRICS())", [11, 20, 33, 40]),
        ("SUM(METRICS('1'))", [10, 20, 30, 40]),
        ("AVG([m1, m2])", [5.5, 20, 16.5, 20]),
        ("MAX([m1, m2 * 100])", [100, 20, 300, 40]),
        ("MIN([m1, m2])", [1, 20, 3, 0]),
        ("METRIC_COUNT(METRICS()) * m2", [2, 6, 0]),
        ("FIRST(METRICS()) + LAST([m1, m1])", [20, 40, 60, 80]),
        ("DIFF(m1)", [10, 10, 10]),
        ("RATE(m1) * PERIOD(m1)", [10, 10, 10]),
        ("RUNNING_SUM(m1)", [10, 30, 60, 100]),
        ("ABS(0 - m2)", [1, 3, 0]),
        ("CEIL(m1 / 15)", [1, 2, 2, 3]),
        ("FLOOR(m1 / 15)", [0, 1, 2, 2]),
        ("FILL(m2, 0)", [1, 0, 3, 0, 0]),
        ("FILL(m2, REPEAT)", [1, 1, 3, 0, 0]),
        ("FILL(m2, LINEAR)", [1, 2, 3, 0]),
        ("FILL(m2, m1)", [1, 20, 3, 0]),
        ("IF(m1 > 15, m1, 0)", [0, 20, 30, 40]),
        ("IF(m1 > 15 && m1 != 30, m1)", [20, 40]),
        ("IF(FILL(m2, 0) == 0 || m1 >= 40, 1, 2)", [2, 1, 2, 1]),
        ("m1 <= 20", [1, 1, 0, 0]),
    ],
)
async def test_expressions(rig: MetricsRig, expression: str, values: list[float]) -> None:
    found = await rig.data(M1, M2, {"Id": "e1", "Expression": expression}, EndTime=at(300))
    assert found["e1"] == pytest.approx(values)


async def test_expressions_build_on_each_other_in_any_order(rig: MetricsRig) -> None:
    found = await rig.data(
        {"Id": "e2", "Expression": "e1 * 2", "Label": "twice"},
        {"Id": "e1", "Expression": "m1 + 1", "ReturnData": False},
        {**M1, "ReturnData": False},
    )
    assert found == {"e2": [22, 42, 62, 82]}


async def test_a_list_has_several_results(rig: MetricsRig) -> None:
    wanted = [M1, M2, {"Id": "e1", "Expression": "METRICS() * 2", "Label": "twice"}]
    answer = await rig.calls("GetMetricData", MetricDataQueries=wanted, StartTime=at(0), EndTime=at(600))
    found = [(one["Id"], one["Label"]) for one in answer["MetricDataResults"]]
    assert found == [("m1", "requests"), ("m2", "errors"), ("e1", "twice requests"), ("e1", "twice errors")]


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("ANOMALY_DETECTION_BAND(m1, 2)", "Error in expression 'e1': Function 'ANOMALY_DETECTION_BAND' not found"),
        ("SEARCH('{AWS/Lambda}', 'Sum')", "SEARCH in an expression is not supported here"),
        ("SELECT AVG(x) FROM y", "SELECT in an expression is not supported here"),
        ("m9 + 1", "Error in expression 'e1': m9 is not defined"),
        ("e1 + 1", "Error in expression 'e1': e1 is computed from itself"),
        ("SUM(m1)", "Error in expression 'e1': the result is a number and no time series"),
        ("m1 +", "it ends too early"),
        ("m1 m2", "unexpected 'm2'"),
        ("m1 $ 2", "unexpected '$'"),
        ("(m1", "')' is missing"),
        ("METRICS() + METRICS()", "does not take two lists"),
        ("SUM(m1, m2)", "2 arguments instead of 1"),
        ("1 / 0 + m1", "has no result"),
        ("(" * 200 + "m1" + ")" * 200, "nested too deep"),
        ("m1 + " * 600 + "m1", "longer than 2048 characters"),
    ],
)
async def test_expressions_that_are_refused(rig: MetricsRig, expression: str, told: str) -> None:
    wanted = {"MetricDataQueries": [M1, M2, {"Id": "e1", "Expression": expression}]}
    error = await rig.calls.refused("GetMetricData", **wanted, StartTime=at(0), EndTime=at(600))
    assert error.code == "ValidationError"
    assert told in error.message


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"MetricDataQueries": []}, "MissingParameter"),
        ({"MetricDataQueries": [{"Id": "m1"}]}, "ValidationError"),
        ({"MetricDataQueries": [{**M1, "Id": "M1"}]}, "ValidationError"),
        ({"MetricDataQueries": [M1, M1]}, "ValidationError"),
        ({"MetricDataQueries": [{**M1, "Expression": "1"}]}, "ValidationError"),
        ({"MetricDataQueries": [query("m1", "requests", "Median")]}, "InvalidParameterValue"),
        ({"MetricDataQueries": [query("m1", "requests", "tm99")]}, "ValidationError"),
        ({"MetricDataQueries": [query("m1", "requests", period=90)]}, "InvalidParameterValue"),
        ({"MaxDatapoints": 100_801}, "InvalidParameterValue"),
        ({"NextToken": "x"}, "InvalidNextToken"),
        ({"EndTime": at(0)}, "InvalidParameterValue"),
    ],
)
async def test_requests_that_are_refused(rig: MetricsRig, params: dict[str, Any], code: str) -> None:
    given = {"MetricDataQueries": [M1], "StartTime": at(0), "EndTime": at(600), **params}
    assert (await rig.calls.refused("GetMetricData", **given)).code == code


async def test_many_expressions_in_a_chain_are_refused_and_do_not_break(rig: MetricsRig) -> None:
    chain = [{"Id": f"e{number}", "Expression": f"e{number + 1} + 1"} for number in range(498)]
    wanted = [*chain, {"Id": "e498", "Expression": "m1"}, M1]
    error = await rig.calls.refused("GetMetricData", MetricDataQueries=wanted, StartTime=at(0), EndTime=at(600))
    assert "builds on too many others" in error.message


async def test_doubling_lists_are_bounded(rig: MetricsRig) -> None:
    doubled = [{"Id": f"e{number}", "Expression": f"[e{number - 1}, e{number - 1}]"} for number in range(1, 30)]
    wanted = [M1, {"Id": "e0", "Expression": "METRICS()"}, *doubled]
    error = await rig.calls.refused("GetMetricData", MetricDataQueries=wanted, StartTime=at(0), EndTime=at(600))
    assert "more than 500 time series" in error.message


async def test_data_come_in_pages(rig: MetricsRig) -> None:
    wanted = {"MetricDataQueries": [M1, M2], "StartTime": at(0), "EndTime": at(600), "ScanBy": "TimestampAscending"}
    found: dict[str, list[float]] = {"m1": [], "m2": []}
    states: list[list[str]] = []
    token: dict[str, str] = {}
    for _ in range(3):
        answer = await rig.calls("GetMetricData", **wanted, MaxDatapoints=3, **token)
        for one in answer["MetricDataResults"]:
            found[one["Id"]] += one["Values"]
        states.append([one["StatusCode"] for one in answer["MetricDataResults"]])
        token = {"NextToken": answer["NextToken"]} if "NextToken" in answer else {}
    assert (found, token) == ({"m1": [10, 20, 30, 40], "m2": [1, 3, 0]}, {})
    assert states == [["PartialData", "PartialData"], ["Complete", "PartialData"], ["Complete", "Complete"]]


@settings(max_examples=examples(200), deadline=None)
@given(st.text(st.sampled_from("m12()[]+-*/^<>=!&|,.'\" SUMFILREPETAVGDIXC"), max_size=24))
def test_any_text_is_an_expression_or_is_refused(text: str) -> None:
    names = Names(lambda name: TimeSeries({0: 1.0, 60: 2.0}, 60), ["m1"], Range(0, 600))
    try:
        value = parse(text)(names)
    except MathError:
        return
    assert isinstance(value, float | TimeSeries | list)
