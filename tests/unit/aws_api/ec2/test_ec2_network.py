"""The default VPC and what is asked about it."""

import ipaddress
from typing import Any

import pytest

from penstock.aws_api.ec2 import Ec2Service
from penstock.aws_api.ec2.zones import zone_id
from penstock.aws_api.store import Store
from support.aws_calls import Calls
from support.clock import VirtualClock


def where(name: str, *values: str) -> list[dict[str, Any]]:
    return [{"Name": name, "Values": list(values)}]


async def test_the_subnets_of_the_default_vpc(ec2: Calls) -> None:
    (vpc,) = (await ec2("DescribeVpcs", Filters=where("is-default", "true")))["Vpcs"]
    subnets = (await ec2("DescribeSubnets", Filters=where("default-for-az", "true")))["Subnets"]
    assert [one["AvailabilityZone"] for one in subnets] == [f"us-east-1{letter}" for letter in "abcdef"]
    assert {one["VpcId"] for one in subnets} == {vpc["VpcId"]}
    assert len({one["SubnetId"] for one in subnets}) == 6
    assert all(len(one["SubnetId"]) == len("subnet-0123456789abcdef0") for one in subnets)
    blocks = [ipaddress.ip_network(one["CidrBlock"]) for one in subnets]
    assert all(block.subnet_of(ipaddress.ip_network(vpc["CidrBlock"])) for block in blocks)  # type: ignore[arg-type]
    assert not any(one.overlaps(other) for one in blocks for other in blocks if one is not other)


async def test_ids_are_the_same_whenever_they_are_asked_for(ec2: Calls, store: Store) -> None:
    other = Calls(Ec2Service(store, VirtualClock()))
    assert await ec2("DescribeSubnets") == await other("DescribeSubnets")
    elsewhere = Calls(ec2.service, region="eu-central-1")
    theirs = (await elsewhere("DescribeSubnets"))["Subnets"]
    assert len(theirs) == 3
    ours = (await ec2("DescribeSubnets"))["Subnets"]
    assert not {one["SubnetId"] for one in theirs} & {one["SubnetId"] for one in ours}


@pytest.mark.parametrize(
    ("name", "values", "count"),
    [
        ("availability-zone", ["us-east-1a", "us-east-1b"], 2),
        ("availabilityZone", ["us-east-1?"], 6),
        ("availability-zone", ["us-*a"], 1),
        ("availability-zone", [r"us-\*a"], 0),
        ("availability-zone", ["US-EAST-1A"], 0),
        ("default-for-az", ["false"], 0),
        ("available-ip-address-count", ["4091"], 6),
        ("vpc-id", ["vpc-*"], 6),
        ("vpc-id", ["vpc-none"], 0),
        ("tag:Name", ["*"], 0),
        ("cidr-block", ["172.31.16.0/20"], 1),
        ("state", [], 0),
    ],
)
async def test_filters(ec2: Calls, name: str, values: list[str], count: int) -> None:
    assert len((await ec2("DescribeSubnets", Filters=where(name, *values)))["Subnets"]) == count


async def test_all_filters_have_to_fit(ec2: Calls) -> None:
    both = where("availability-zone", "us-east-1a") + where("cidr-block", "172.31.16.0/20")
    assert (await ec2("DescribeSubnets", Filters=both))["Subnets"] == []
    refused = await ec2.refused("DescribeSubnets", Filters=where("colour", "red"))
    assert (refused.code, refused.message) == ("InvalidParameterValue", "The filter 'colour' is invalid")


async def test_resources_by_id(ec2: Calls) -> None:
    subnets = (await ec2("DescribeSubnets"))["Subnets"]
    chosen = (await ec2("DescribeSubnets", SubnetIds=[subnets[1]["SubnetId"]]))["Subnets"]
    assert chosen == [subnets[1]]
    refused = await ec2.refused("DescribeSubnets", SubnetIds=["subnet-1", subnets[0]["SubnetId"]])
    assert (refused.code, refused.status) == ("InvalidSubnetID.NotFound", 400)
    assert refused.message == "The subnet ID 'subnet-1' does not exist"
    refused = await ec2.refused("DescribeSubnets", SubnetIds=["subnet-1", "subnet-2"])
    assert refused.message == "The subnet IDs 'subnet-1, subnet-2' do not exist"
    refused = await ec2.refused("DescribeVpcs", VpcIds=["vpc-1"])
    assert (refused.code, refused.message) == ("InvalidVpcID.NotFound", "The vpc ID 'vpc-1' does not exist")
    refused = await ec2.refused("DescribeNetworkInterfaces", NetworkInterfaceIds=["eni-1"])
    assert refused.code == "InvalidNetworkInterfaceID.NotFound"


async def test_a_page_at_a_time(ec2: Calls) -> None:
    first = await ec2("DescribeSubnets", MaxResults=5)
    assert len(first["Subnets"]) == 5
    second = await ec2("DescribeSubnets", MaxResults=5, NextToken=first["NextToken"])
    assert len(second["Subnets"]) == 1
    assert "NextToken" not in second
    for token in ("nonsense", "bm9uc2Vuc2U="):
        assert (await ec2.refused("DescribeSubnets", NextToken=token)).code == "InvalidParameterValue"


async def test_where_it_is(ec2: Calls) -> None:
    zones = (await ec2("DescribeAvailabilityZones", Filters=where("zone-id", "use1-az3")))["AvailabilityZones"]
    assert [one["ZoneName"] for one in zones] == ["us-east-1c"]
    refused = await ec2.refused("DescribeAvailabilityZones", ZoneNames=["us-east-1z"])
    assert refused.message == "Invalid availability zone: [us-east-1z]"
    regions = (await ec2("DescribeRegions"))["Regions"]
    assert len(regions) == 17
    everywhere = (await ec2("DescribeRegions", AllRegions=True))["Regions"]
    assert len(everywhere) > len(regions)
    assert {"me-south-1", "us-east-1"} <= {one["RegionName"] for one in everywhere}
    there = Calls(ec2.service, region="me-south-1")
    told = (await there("DescribeRegions", RegionNames=["me-south-1"]))["Regions"]
    assert [one["OptInStatus"] for one in told] == ["opted-in"]


@pytest.mark.parametrize(
    ("zone", "short"),
    [
        ("us-east-1a", "use1-az1"),
        ("eu-west-2b", "euw2-az2"),
        ("ap-southeast-2c", "apse2-az3"),
        ("ap-northeast-1a", "apne1-az1"),
        ("us-gov-west-1a", "usgw1-az1"),
        ("ca-central-1b", "cac1-az2"),
        ("here-a", "here-az1"),
        ("x-1a", "x1-az1"),
    ],
)
def test_the_ids_of_zones(zone: str, short: str) -> None:
    assert zone_id(zone) == short


async def test_routes_and_attributes(ec2: Calls) -> None:
    (vpc,) = (await ec2("DescribeVpcs"))["Vpcs"]
    (table,) = (await ec2("DescribeRouteTables", Filters=where("association.main", "true")))["RouteTables"]
    (gateway,) = (await ec2("DescribeInternetGateways", Filters=where("attachment.vpc-id", vpc["VpcId"])))[
        "InternetGateways"
    ]
    assert gateway["InternetGatewayId"] in {route["GatewayId"] for route in table["Routes"]}
    attributes = (await ec2("DescribeAccountAttributes", AttributeNames=["default-vpc"]))["AccountAttributes"]
    assert attributes == [
        {"AttributeName": "default-vpc", "AttributeValues": [{"AttributeValue": vpc["VpcId"]}]},
    ]
    told = await ec2("DescribeVpcAttribute", Attribute="enableDnsSupport", VpcId=vpc["VpcId"])
    assert told == {"VpcId": vpc["VpcId"], "EnableDnsSupport": {"Value": True}}
    assert (await ec2("DescribeNetworkInterfaces"))["NetworkInterfaces"] == []


async def test_a_try_does_nothing(ec2: Calls) -> None:
    refused = await ec2.refused("CreateSecurityGroup", GroupName="g", Description="d", DryRun=True)
    assert (refused.code, refused.status) == ("DryRunOperation", 412)
    assert len((await ec2("DescribeSecurityGroups"))["SecurityGroups"]) == 1


async def test_tags(ec2: Calls) -> None:
    subnet = (await ec2("DescribeSubnets"))["Subnets"][0]["SubnetId"]
    await ec2("CreateTags", Resources=[subnet], Tags=[{"Key": "Name", "Value": "one"}, {"Key": "b", "Value": "2"}])
    (found,) = (await ec2("DescribeSubnets", Filters=where("tag:Name", "o*")))["Subnets"]
    assert found["SubnetId"] == subnet
    assert found["Tags"] == [{"Key": "Name", "Value": "one"}, {"Key": "b", "Value": "2"}]
    tags = (await ec2("DescribeTags", Filters=where("resource-type", "subnet")))["Tags"]
    assert {tag["ResourceId"] for tag in tags} == {subnet}
    await ec2("DeleteTags", Resources=[subnet], Tags=[{"Key": "Name", "Value": "other"}, {"Key": "b"}])
    (found,) = (await ec2("DescribeSubnets", SubnetIds=[subnet]))["Subnets"]
    assert found["Tags"] == [{"Key": "Name", "Value": "one"}]
    await ec2("DeleteTags", Resources=[subnet])
    assert (await ec2("DescribeTags"))["Tags"] == []
    refused = await ec2.refused("CreateTags", Resources=["vpc-none"], Tags=[{"Key": "a", "Value": ""}])
    assert refused.code == "InvalidID"
    refused = await ec2.refused("CreateTags", Resources=[subnet], Tags=[{"Key": "aws:a", "Value": ""}])
    assert refused.code == "InvalidParameterValue"
    many = [{"Key": f"k{number}", "Value": ""} for number in range(51)]
    refused = await ec2.refused("CreateTags", Resources=[subnet], Tags=many)
    assert refused.code == "TagLimitExceeded"
