"""The instances of the capacity providers."""

from datetime import UTC, datetime
from typing import Any

import pytest

from penstock.aws_api.ec2 import Ec2Instance, Ec2Service
from penstock.aws_api.store import Store
from support.aws_calls import Calls
from support.clock import VirtualClock

PROVIDER = "arn:aws:lambda:us-east-1:123456789012:capacity-provider:cp"


def instance(number: int, zone: str = "us-east-1b", **fields: Any) -> Ec2Instance:
    values: dict[str, Any] = {
        "instance_id": f"i-0000000000000000{number}",
        "instance_type": "m7g.xlarge",
        "architecture": "arm64",
        "vcpus": 4,
        "zone": zone,
        "launched_at": 1_700_000_000.5,
        "capacity_provider_arn": PROVIDER,
    }
    return Ec2Instance(**values | fields)


@pytest.fixture
def running() -> list[Ec2Instance]:
    return []


@pytest.fixture
def calls(store: Store, running: list[Ec2Instance]) -> Calls:
    return Calls(Ec2Service(store, VirtualClock(), lambda: running))


async def shown(calls: Calls, **params: Any) -> list[dict[str, Any]]:
    answer = await calls("DescribeInstances", IncludeManagedResources=True, **params)
    return [one for reservation in answer["Reservations"] for one in reservation["Instances"]]


async def test_they_are_hidden_unless_asked_for(calls: Calls, running: list[Ec2Instance]) -> None:
    running.append(instance(1))
    assert await calls("DescribeInstances") == {"Reservations": []}
    (told,) = await shown(calls)
    assert told["Operator"] == {"Managed": True, "Principal": "scaler.lambda.amazonaws.com", "HiddenByDefault": True}
    assert (told["InstanceType"], told["Architecture"], told["State"]["Name"]) == ("m7g.xlarge", "arm64", "running")
    assert told["CpuOptions"] == {"CoreCount": 4, "ThreadsPerCore": 1}
    assert told["LaunchTime"] == datetime.fromtimestamp(1_700_000_000, UTC)
    assert told["Tags"] == [{"Key": "aws:lambda:capacity-provider", "Value": PROVIDER}]
    subnets = await calls("DescribeSubnets", SubnetIds=[told["SubnetId"]])
    assert subnets["Subnets"][0]["AvailabilityZone"] == "us-east-1b"
    assert told["SecurityGroups"][0]["GroupName"] == "default"
    assert told == (await shown(calls))[0], "what is made up stays the same"


async def test_which_are_asked_for(calls: Calls, running: list[Ec2Instance]) -> None:
    running += [instance(1), instance(2, state="pending"), instance(3, zone="eu-west-1a")]
    assert len(await shown(calls)) == 2, "those of another Region are not here"
    state = [{"Name": "instance-state-name", "Values": ["running"]}]
    assert [one["InstanceId"] for one in await shown(calls, Filters=state)] == [running[0].instance_id]
    tag = [{"Name": "tag:aws:lambda:capacity-provider", "Values": ["*cp"]}]
    assert len(await shown(calls, Filters=tag)) == 2
    assert len(await shown(calls, InstanceIds=[running[1].instance_id])) == 1
    refused = await calls.refused("DescribeInstances", InstanceIds=["i-1"], IncludeManagedResources=True)
    assert (refused.code, refused.message) == ("InvalidInstanceID.NotFound", "The instance ID 'i-1' does not exist")


async def test_their_status(calls: Calls, running: list[Ec2Instance]) -> None:
    running += [instance(1), instance(2, state="pending")]
    answer = await calls("DescribeInstanceStatus", IncludeManagedResources=True)
    assert [one["InstanceStatus"]["Status"] for one in answer["InstanceStatuses"]] == ["ok"]
    answer = await calls("DescribeInstanceStatus", IncludeManagedResources=True, IncludeAllInstances=True)
    assert len(answer["InstanceStatuses"]) == 2


async def test_where_they_are_can_be_told(calls: Calls, running: list[Ec2Instance]) -> None:
    subnet = (await calls("DescribeSubnets"))["Subnets"][4]["SubnetId"]
    group = (await calls("CreateSecurityGroup", GroupName="g", Description="d"))["GroupId"]
    running.append(instance(1, subnet_id=subnet, security_group_ids=(group,)))
    (told,) = await shown(calls)
    assert (told["SubnetId"], told["SecurityGroups"]) == (subnet, [{"GroupId": group, "GroupName": "g"}])
    assert (await calls.refused("DeleteSecurityGroup", GroupId=group)).code == "DependencyViolation"
    running.clear()
    await calls("DeleteSecurityGroup", GroupId=group)
