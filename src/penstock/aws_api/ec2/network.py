"""The default VPC and what comes with it: https://docs.aws.amazon.com/vpc/latest/userguide/default-vpc-components.html."""

import hashlib
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from penstock.aws_api.ec2.zones import zone_id, zone_names
from penstock.aws_api.service import Context

Resource: TypeAlias = dict[str, Any]

_VPC_CIDR: Final = "172.31.0.0/16"
_ANYWHERE: Final = "0.0.0.0/0"
# Of the 4,096 addresses of a /20, AWS keeps five: https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html
_FREE_ADDRESSES: Final = 4091


def stable_id(prefix: str, context: Context, *parts: str) -> str:
    """`subnet-` and 17 hex digits, the same whenever it is asked for. `i-` and others are as long.
    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/resource-ids.html
    """
    text = "/".join((prefix, context.account_id, context.region, *parts))
    return f"{prefix}-0{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def vpc_id(context: Context) -> str:
    return stable_id("vpc", context)


def default_group_id(context: Context) -> str:
    return stable_id("sg", context, "default")


def vpcs(context: Context) -> list[Resource]:
    association = {
        "AssociationId": stable_id("vpc-cidr-assoc", context),
        "CidrBlock": _VPC_CIDR,
        "CidrBlockState": {"State": "associated"},
    }
    vpc: Resource = {
        "VpcId": vpc_id(context),
        "OwnerId": context.account_id,
        "CidrBlock": _VPC_CIDR,
        "CidrBlockAssociationSet": [association],
        "DhcpOptionsId": stable_id("dopt", context),
        "InstanceTenancy": "default",
        "IsDefault": True,
        "State": "available",
    }
    return [vpc]


def subnets(context: Context) -> list[Resource]:
    """One in each zone."""
    return [_subnet(context, zone, number) for number, zone in enumerate(zone_names(context.region))]


def _subnet(context: Context, zone: str, number: int) -> Resource:
    subnet_id = stable_id("subnet", context, zone)
    return {
        "SubnetId": subnet_id,
        "SubnetArn": f"arn:aws:ec2:{context.region}:{context.account_id}:subnet/{subnet_id}",
        "OwnerId": context.account_id,
        "VpcId": vpc_id(context),
        "AvailabilityZone": zone,
        "AvailabilityZoneId": zone_id(zone),
        "CidrBlock": f"172.31.{16 * number}.0/20",
        "AvailableIpAddressCount": _FREE_ADDRESSES,
        "DefaultForAz": True,
        "MapPublicIpOnLaunch": True,
        "MapCustomerOwnedIpOnLaunch": False,
        "AssignIpv6AddressOnCreation": False,
        "Ipv6CidrBlockAssociationSet": [],
        "Ipv6Native": False,
        "EnableDns64": False,
        "PrivateDnsNameOptionsOnLaunch": {
            "HostnameType": "ip-name",
            "EnableResourceNameDnsARecord": False,
            "EnableResourceNameDnsAAAARecord": False,
        },
        "State": "available",
    }


def internet_gateways(context: Context) -> list[Resource]:
    gateway: Resource = {
        "InternetGatewayId": stable_id("igw", context),
        "OwnerId": context.account_id,
        "Attachments": [{"State": "available", "VpcId": vpc_id(context)}],
    }
    return [gateway]


def route_tables(context: Context) -> list[Resource]:
    """The main one, which all subnets share."""
    table_id = stable_id("rtb", context)
    association = {
        "Main": True,
        "RouteTableAssociationId": stable_id("rtbassoc", context),
        "RouteTableId": table_id,
        "AssociationState": {"State": "associated"},
    }
    table: Resource = {
        "RouteTableId": table_id,
        "VpcId": vpc_id(context),
        "OwnerId": context.account_id,
        "Associations": [association],
        "PropagatingVgws": [],
        "Routes": [
            _route(_VPC_CIDR, "local", "CreateRouteTable"),
            _route(_ANYWHERE, stable_id("igw", context), "CreateRoute"),
        ],
    }
    return [table]


def _route(cidr: str, gateway: str, origin: str) -> Mapping[str, str]:
    return {"DestinationCidrBlock": cidr, "GatewayId": gateway, "Origin": origin, "State": "active"}
