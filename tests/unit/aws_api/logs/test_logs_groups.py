"""Groups and streams made through the API."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.aws_calls import Calls
from support.logs_rig import EPOCH_MS, GROUP, STREAM, LogsRig, logs_rig, messages

ARN = "arn:aws:logs:us-east-1:123456789012:log-group:"


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[LogsRig]:
    with logs_rig(tmp_path) as made:
        yield made


async def test_a_group_is_made_described_and_deleted(rig: LogsRig) -> None:
    await rig.calls("CreateLogGroup", logGroupName="app", tags={"team": "a"})
    (group,) = (await rig.calls("DescribeLogGroups"))["logGroups"]
    assert group == {
        "logGroupName": "app",
        "creationTime": EPOCH_MS,
        "metricFilterCount": 0,
        "arn": f"{ARN}app:*",
        "storedBytes": 0,
        "logGroupClass": "STANDARD",
        "logGroupArn": f"{ARN}app",
        "deletionProtectionEnabled": False,
    }
    await rig.calls("DeleteLogGroup", logGroupName="app")
    assert (await rig.calls("DescribeLogGroups"))["logGroups"] == []
    error = await rig.calls.refused("DeleteLogGroup", logGroupName="app")
    assert error.code == "ResourceNotFoundException"


async def test_a_group_is_made_once(rig: LogsRig) -> None:
    await rig.calls("CreateLogGroup", logGroupName="app")
    error = await rig.calls.refused("CreateLogGroup", logGroupName="app")
    assert (error.code, error.message) == (
        "ResourceAlreadyExistsException",
        "The specified log group already exists",
    )


async def test_a_functions_group_is_taken_over_once(rig: LogsRig) -> None:
    rig.write("hello")
    await rig.calls("CreateLogGroup", logGroupName=GROUP)
    assert await rig.found() == ["hello"]
    assert (await rig.calls.refused("CreateLogGroup", logGroupName=GROUP)).code == "ResourceAlreadyExistsException"


@pytest.mark.parametrize("name", ["a b", "a:b", "ä", "x" * 513])
async def test_names_are_checked(rig: LogsRig, name: str) -> None:
    error = await rig.calls.refused("CreateLogGroup", logGroupName=name)
    assert error.code == "InvalidParameterException"
    assert "at 'logGroupName' failed to satisfy constraint" in error.message


async def test_groups_are_kept_by_region(rig: LogsRig) -> None:
    await rig.calls("CreateLogGroup", logGroupName="app")
    there = Calls(rig.service, region="eu-west-1")
    assert (await there("DescribeLogGroups"))["logGroups"] == []


async def test_groups_come_in_pages(rig: LogsRig) -> None:
    for number in range(7):
        await rig.calls("CreateLogGroup", logGroupName=f"g/{number}")
    rig.write("a function's")
    names: list[str] = []
    token: dict[str, str] = {}
    for _ in range(4):
        page = await rig.calls("DescribeLogGroups", limit=2, **token)
        names += [one["logGroupName"] for one in page["logGroups"]]
        token = {"nextToken": page["nextToken"]} if "nextToken" in page else {}
    assert (names, token) == ([GROUP, *(f"g/{number}" for number in range(7))], {})
    error = await rig.calls.refused("DescribeLogGroups", nextToken="?")
    assert (error.code, error.message) == ("InvalidParameterException", "The specified nextToken is invalid.")


async def test_groups_are_found_by_prefix_pattern_and_identifier(rig: LogsRig) -> None:
    for name in ("aws/DataLogs", "GroupDataLogs", "datalogs"):
        await rig.calls("CreateLogGroup", logGroupName=name)

    async def names(**params: object) -> list[str]:
        return [one["logGroupName"] for one in (await rig.calls("DescribeLogGroups", **params))["logGroups"]]

    assert await names(logGroupNamePrefix="aws") == ["aws/DataLogs"]
    assert await names(logGroupNamePattern="DataLogs") == ["GroupDataLogs", "aws/DataLogs"]
    assert await names(logGroupIdentifiers=["datalogs", f"{ARN}GroupDataLogs"]) == ["GroupDataLogs", "datalogs"]
    error = await rig.calls.refused("DescribeLogGroups", logGroupNamePrefix="a", logGroupNamePattern="b")
    assert "mutually exclusive" in error.message


async def test_list_log_groups_matches_names_and_tags(rig: LogsRig) -> None:
    for name, team in (("/aws/lambda/one", "a"), ("other/discovery", "b"), ("third", "a")):
        await rig.calls("CreateLogGroup", logGroupName=name, tags={"team": team})

    async def names(**params: object) -> list[str]:
        return [one["logGroupName"] for one in (await rig.calls("ListLogGroups", **params))["logGroups"]]

    assert await names(logGroupNamePattern="^/aws/lambda|discovery") == ["/aws/lambda/one", "other/discovery"]
    assert await names(logGroupTags=[{"key": "team", "values": ["a"]}]) == ["/aws/lambda/one", "third"]
    assert (await rig.calls.refused("ListLogGroups", logGroupNamePattern="(a+)+b")).code == "InvalidParameterException"


async def test_tags_by_name_and_by_arn(rig: LogsRig) -> None:
    await rig.calls("CreateLogGroup", logGroupName="app", tags={"a": "1"})
    await rig.calls("TagResource", resourceArn=f"{ARN}app", tags={"b": "2"})
    await rig.calls("TagLogGroup", logGroupName="app", tags={"c": "3"})
    assert (await rig.calls("ListTagsForResource", resourceArn=f"{ARN}app:*"))["tags"] == {"a": "1", "b": "2", "c": "3"}
    await rig.calls("UntagResource", resourceArn=f"{ARN}app", tagKeys=["a"])
    await rig.calls("UntagLogGroup", logGroupName="app", tags=["b", "nobody"])
    assert (await rig.calls("ListTagsLogGroup", logGroupName="app"))["tags"] == {"c": "3"}
    error = await rig.calls.refused("TagResource", resourceArn=f"{ARN}app", tags={str(n): "" for n in range(50)})
    assert error.code == "InvalidParameterException"
    assert (await rig.calls.refused("ListTagsForResource", resourceArn="app")).code == "InvalidParameterException"


async def test_retention_takes_awss_numbers(rig: LogsRig) -> None:
    await rig.calls("CreateLogGroup", logGroupName="app")
    await rig.calls("PutRetentionPolicy", logGroupName="app", retentionInDays=14)
    assert (await rig.calls("DescribeLogGroups"))["logGroups"][0]["retentionInDays"] == 14
    assert (await rig.calls.refused("PutRetentionPolicy", logGroupName="app", retentionInDays=2)).code == (
        "InvalidParameterException"
    )
    await rig.calls("DeleteRetentionPolicy", logGroupName="app")
    assert "retentionInDays" not in (await rig.calls("DescribeLogGroups"))["logGroups"][0]


async def test_there_are_no_filters(rig: LogsRig) -> None:
    assert await rig.calls("DescribeMetricFilters") == {"metricFilters": []}
    error = await rig.calls.refused("DescribeSubscriptionFilters", logGroupName="app")
    assert error.code == "ResourceNotFoundException"
    await rig.calls("CreateLogGroup", logGroupName="app")
    assert await rig.calls("DescribeSubscriptionFilters", logGroupName="app") == {"subscriptionFilters": []}


async def test_a_protected_group_stays(rig: LogsRig) -> None:
    await rig.calls("CreateLogGroup", logGroupName="app", deletionProtectionEnabled=True)
    assert (await rig.calls.refused("DeleteLogGroup", logGroupName="app")).code == "ValidationException"
    await rig.calls("PutLogGroupDeletionProtection", logGroupIdentifier="app", deletionProtectionEnabled=False)
    await rig.calls("DeleteLogGroup", logGroupName="app")


async def test_streams_are_made_listed_and_deleted(rig: LogsRig) -> None:
    await rig.calls("CreateLogGroup", logGroupName="app")
    for name in ("b", "a", "a2"):
        await rig.calls("CreateLogStream", logGroupName="app", logStreamName=name)
    error = await rig.calls.refused("CreateLogStream", logGroupName="app", logStreamName="a")
    assert (error.code, error.message) == ("ResourceAlreadyExistsException", "The specified log stream already exists")
    found = await rig.calls("DescribeLogStreams", logGroupIdentifier=f"{ARN}app", logStreamNamePrefix="a")
    assert [one["logStreamName"] for one in found["logStreams"]] == ["a", "a2"]
    assert "lastEventTimestamp" not in found["logStreams"][0]
    await rig.calls("DeleteLogStream", logGroupName="app", logStreamName="a")
    assert (await rig.calls.refused("DeleteLogStream", logGroupName="app", logStreamName="a")).code == (
        "ResourceNotFoundException"
    )


async def test_streams_come_in_pages_either_way(rig: LogsRig) -> None:
    await rig.calls("CreateLogGroup", logGroupName="app")
    for name in "abcde":
        await rig.calls("CreateLogStream", logGroupName="app", logStreamName=name)
        await _put(rig, name, "x", at_ms=ord(name) * -1000)

    async def names(**params: object) -> str:
        found, token = "", dict[str, str]()
        while True:
            page = await rig.calls("DescribeLogStreams", **{"logGroupName": "app", "limit": 2, **params, **token})
            found += "".join(one["logStreamName"] for one in page["logStreams"])
            if "nextToken" not in page:
                return found
            token = {"nextToken": page["nextToken"]}

    assert await names() == "abcde"
    assert await names(descending=True) == "edcba"
    assert await names(orderBy="LastEventTime") == "edcba"
    assert await names(orderBy="LastEventTime", descending=True) == "abcde"
    error = await rig.calls.refused(
        "DescribeLogStreams", logGroupName="app", orderBy="LastEventTime", logStreamNamePrefix="a"
    )
    assert error.message == "Cannot order by LastEventTime with a logStreamNamePrefix."


async def test_what_a_deleted_stream_held_does_not_come_back_with_its_name(rig: LogsRig) -> None:
    await rig.calls("CreateLogGroup", logGroupName="app")
    await rig.calls("CreateLogStream", logGroupName="app", logStreamName="a")
    await _put(rig, "a", "old")
    await rig.calls("DeleteLogStream", logGroupName="app", logStreamName="a")
    await rig.calls("CreateLogStream", logGroupName="app", logStreamName="a")
    await _put(rig, "a", "new", at_ms=-60_000)
    assert await rig.found(logGroupName="app") == ["new"]
    await rig.calls("DeleteLogGroup", logGroupName="app")
    await rig.calls("CreateLogGroup", logGroupName="app")
    assert await rig.found(logGroupName="app") == []
    assert list((rig.store.files / "logs").iterdir()) == []


async def test_events_may_be_put_where_a_function_writes(rig: LogsRig) -> None:
    rig.write("the function's", at_ms=1)
    assert (await rig.calls.refused("CreateLogStream", logGroupName=GROUP, logStreamName=STREAM)).code == (
        "ResourceAlreadyExistsException"
    )
    event = {"timestamp": EPOCH_MS, "message": "put"}
    await rig.calls("PutLogEvents", logGroupName=GROUP, logStreamName=STREAM, logEvents=[event])
    answer = await rig.calls("GetLogEvents", logGroupName=GROUP, logStreamName=STREAM, startFromHead=True)
    assert messages(answer) == ["put", "the function's"]


async def _put(rig: LogsRig, stream: str, message: str, at_ms: int = 0) -> None:
    event = {"timestamp": EPOCH_MS + at_ms, "message": message}
    await rig.calls("PutLogEvents", logGroupName="app", logStreamName=stream, logEvents=[event])
