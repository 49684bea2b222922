"""Security groups and their rules."""

from typing import Any

import pytest

from penstock.aws_api.ec2 import Ec2Service
from penstock.aws_api.store import Store
from support.aws_calls import Calls
from support.clock import VirtualClock


def where(name: str, *values: str) -> list[dict[str, Any]]:
    return [{"Name": name, "Values": list(values)}]


def web(port: int = 443, cidr: str = "0.0.0.0/0") -> dict[str, Any]:
    return {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": cidr, "Description": "web"}]}


async def make(ec2: Calls, name: str = "web") -> str:
    return str((await ec2("CreateSecurityGroup", GroupName=name, Description="d"))["GroupId"])


async def only(ec2: Calls, group_id: str) -> dict[str, Any]:
    (group,) = (await ec2("DescribeSecurityGroups", GroupIds=[group_id]))["SecurityGroups"]
    return dict(group)


async def test_the_default_group(ec2: Calls) -> None:
    (group,) = (await ec2("DescribeSecurityGroups", Filters=where("group-name", "default")))["SecurityGroups"]
    assert group["Description"] == "default VPC security group"
    assert group["IpPermissions"][0]["UserIdGroupPairs"][0]["GroupId"] == group["GroupId"]
    assert group["IpPermissionsEgress"][0]["IpRanges"] == [{"CidrIp": "0.0.0.0/0"}]
    assert (await ec2("DescribeSecurityGroups", GroupNames=["default"]))["SecurityGroups"] == [group]
    refused = await ec2.refused("DescribeSecurityGroups", GroupIds=["sg-1"])
    assert (refused.code, refused.message) == ("InvalidGroup.NotFound", "The security group 'sg-1' does not exist")
    refused = await ec2.refused("DescribeSecurityGroups", GroupNames=["none"])
    assert refused.message == f"The security group 'none' does not exist in default VPC '{group['VpcId']}'"
    refused = await ec2.refused("DeleteSecurityGroup", GroupId=group["GroupId"])
    assert refused.code == "CannotDelete"


async def test_a_group_is_made_and_survives(ec2: Calls, store: Store) -> None:
    tags = [{"ResourceType": "security-group", "Tags": [{"Key": "Name", "Value": "n"}]}]
    made = await ec2("CreateSecurityGroup", GroupName="web", Description="d", TagSpecifications=tags)
    again = Calls(Ec2Service(store, VirtualClock()))
    group = await only(again, made["GroupId"])
    assert (group["GroupName"], group["Tags"]) == ("web", [{"Key": "Name", "Value": "n"}])
    assert (group["IpPermissions"], group["SecurityGroupArn"]) == ([], made["SecurityGroupArn"])
    elsewhere = Calls(ec2.service, region="eu-west-1")
    assert len((await elsewhere("DescribeSecurityGroups"))["SecurityGroups"]) == 1
    refused = await ec2.refused("CreateSecurityGroup", GroupName="web", Description="d")
    assert refused.code == "InvalidGroup.Duplicate"
    assert await ec2("DeleteSecurityGroup", GroupName="web") == {"Return": True, "GroupId": made["GroupId"]}
    assert (await ec2.refused("DeleteSecurityGroup", GroupId=made["GroupId"])).code == "InvalidGroup.NotFound"


@pytest.mark.parametrize(
    ("name", "description", "code"),
    [
        ("default", "d", "InvalidGroup.Reserved"),
        ("sg-x", "d", "InvalidParameterValue"),
        ("", "d", "InvalidParameterValue"),
        ("web", "ä", "InvalidParameterValue"),
    ],
)
async def test_what_a_group_may_be_called(ec2: Calls, name: str, description: str, code: str) -> None:
    assert (await ec2.refused("CreateSecurityGroup", GroupName=name, Description=description)).code == code


async def test_a_group_of_another_vpc(ec2: Calls) -> None:
    refused = await ec2.refused("CreateSecurityGroup", GroupName="web", Description="d", VpcId="vpc-1")
    assert refused.code == "InvalidVpcID.NotFound"


async def test_rules_come_and_go(ec2: Calls) -> None:
    group_id = await make(ec2)
    v6 = web() | {"IpRanges": [], "Ipv6Ranges": [{"CidrIpv6": "::/0"}]}
    made = await ec2("AuthorizeSecurityGroupIngress", GroupId=group_id, IpPermissions=[web(), v6])
    rules = made["SecurityGroupRules"]
    assert [one.get("CidrIpv4") or one["CidrIpv6"] for one in rules] == ["0.0.0.0/0", "::/0"]
    (permission,) = (await only(ec2, group_id))["IpPermissions"]
    assert permission["IpRanges"] == [{"CidrIp": "0.0.0.0/0", "Description": "web"}]
    assert permission["Ipv6Ranges"] == [{"CidrIpv6": "::/0"}]
    listed = (await ec2("DescribeSecurityGroupRules", Filters=where("group-id", group_id)))["SecurityGroupRules"]
    assert [one for one in listed if not one["IsEgress"]] == rules
    found = await ec2("DescribeSecurityGroups", Filters=where("ip-permission.to-port", "443"))
    assert [one["GroupId"] for one in found["SecurityGroups"]] == [group_id]
    refused = await ec2.refused("AuthorizeSecurityGroupIngress", GroupId=group_id, IpPermissions=[web(80), web()])
    assert refused.code == "InvalidPermission.Duplicate"
    assert '"peer: 0.0.0.0/0, TCP, from port: 443, to port: 443, ALLOW" already exists' in refused.message
    gone = await ec2("RevokeSecurityGroupIngress", GroupId=group_id, IpPermissions=[web()])
    assert [one["SecurityGroupRuleId"] for one in gone["RevokedSecurityGroupRules"]] == [
        rules[0]["SecurityGroupRuleId"]
    ]
    refused = await ec2.refused("RevokeSecurityGroupIngress", GroupId=group_id, IpPermissions=[web()])
    assert refused.code == "InvalidPermission.NotFound"
    ids = [rules[1]["SecurityGroupRuleId"]]
    await ec2("RevokeSecurityGroupIngress", GroupId=group_id, SecurityGroupRuleIds=ids)
    assert (await only(ec2, group_id))["IpPermissions"] == []
    refused = await ec2.refused("RevokeSecurityGroupIngress", GroupId=group_id, SecurityGroupRuleIds=ids)
    assert refused.code == "InvalidSecurityGroupRuleId.NotFound"


async def test_a_rule_in_the_older_form(ec2: Calls) -> None:
    group_id = await make(ec2)
    old = {"IpProtocol": "6", "FromPort": 80, "ToPort": 81, "CidrIp": "10.1.2.3/8"}
    await ec2("AuthorizeSecurityGroupIngress", GroupName="web", **old)
    (permission,) = (await only(ec2, group_id))["IpPermissions"]
    assert (permission["IpProtocol"], permission["FromPort"], permission["ToPort"]) == ("tcp", 80, 81)
    assert permission["IpRanges"] == [{"CidrIp": "10.0.0.0/8"}]
    await ec2("AuthorizeSecurityGroupIngress", GroupName="web", SourceSecurityGroupName="default")
    permission = (await only(ec2, group_id))["IpPermissions"][1]
    assert (permission["IpProtocol"], len(permission["UserIdGroupPairs"])) == ("-1", 1)


async def test_egress_is_apart(ec2: Calls) -> None:
    group_id = await make(ec2)
    everywhere = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    refused = await ec2.refused("AuthorizeSecurityGroupEgress", GroupId=group_id, IpPermissions=[everywhere])
    assert refused.code == "InvalidPermission.Duplicate"
    await ec2("RevokeSecurityGroupEgress", GroupId=group_id, IpPermissions=[everywhere])
    await ec2("AuthorizeSecurityGroupIngress", GroupId=group_id, IpPermissions=[everywhere])
    group = await only(ec2, group_id)
    assert (len(group["IpPermissions"]), group["IpPermissionsEgress"]) == (1, [])


@pytest.mark.parametrize(
    ("permission", "code"),
    [
        ({"IpProtocol": "tcp", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}, "MissingParameter"),
        ({"IpRanges": [{"CidrIp": "0.0.0.0/0"}]}, "MissingParameter"),
        ({"IpProtocol": "-1"}, "MissingParameter"),
        (web(65_536), "InvalidParameterValue"),
        (web() | {"FromPort": 500}, "InvalidParameterValue"),
        (web(cidr="10.0.0.0/33"), "InvalidParameterValue"),
        (web(cidr="::/0"), "InvalidParameterValue"),
        ({"IpProtocol": "foo", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}, "InvalidParameterValue"),
        ({"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": "sg-none"}]}, "InvalidGroup.NotFound"),
    ],
)
async def test_a_rule_that_is_none(ec2: Calls, permission: dict[str, Any], code: str) -> None:
    group_id = await make(ec2)
    refused = await ec2.refused("AuthorizeSecurityGroupIngress", GroupId=group_id, IpPermissions=[permission])
    assert refused.code == code
    assert (await only(ec2, group_id))["IpPermissions"] == []


async def test_a_group_that_another_one_names_stays(ec2: Calls) -> None:
    first, second = await make(ec2, "first"), await make(ec2, "second")
    pair = {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": first}]}
    await ec2("AuthorizeSecurityGroupIngress", GroupId=second, IpPermissions=[pair])
    refused = await ec2.refused("DeleteSecurityGroup", GroupId=first)
    assert (refused.code, refused.message) == ("DependencyViolation", f"resource {first} has a dependent object")
    await ec2("DeleteSecurityGroup", GroupId=second)
    await ec2("DeleteSecurityGroup", GroupId=first)


async def test_how_many_rules_a_group_has(ec2: Calls) -> None:
    group_id = await make(ec2)
    await ec2("AuthorizeSecurityGroupIngress", GroupId=group_id, IpPermissions=[web(port) for port in range(60)])
    refused = await ec2.refused("AuthorizeSecurityGroupIngress", GroupId=group_id, IpPermissions=[web(60)])
    assert refused.code == "RulesPerSecurityGroupLimitExceeded"


async def test_the_default_group_can_be_changed(ec2: Calls) -> None:
    (before,) = (await ec2("DescribeSecurityGroups"))["SecurityGroups"]
    await ec2("AuthorizeSecurityGroupIngress", GroupId=before["GroupId"], IpPermissions=[web()])
    (after,) = (await ec2("DescribeSecurityGroups"))["SecurityGroups"]
    assert len(after["IpPermissions"]) == 2
