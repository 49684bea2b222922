"""What the default VPC is made of, and where it is."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from penstock.aws_api.ec2 import network
from penstock.aws_api.ec2.errors import invalid_value, not_found
from penstock.aws_api.ec2.filters import Reader, Resource, member, select
from penstock.aws_api.ec2.paging import page
from penstock.aws_api.ec2.tags import Tags
from penstock.aws_api.ec2.zones import regions, zone, zone_names
from penstock.aws_api.service import Answer, Call, Context, Operation

# The pages of the operations have the names: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSubnets.html
# and so on. Some have an older spelling that still counts.
_VPC: Final[Mapping[str, Reader]] = {
    "cidr": member("CidrBlock"),
    "cidr-block-association.association-id": member("CidrBlockAssociationSet", "AssociationId"),
    "cidr-block-association.cidr-block": member("CidrBlockAssociationSet", "CidrBlock"),
    "cidr-block-association.state": member("CidrBlockAssociationSet", "CidrBlockState", "State"),
    "dhcp-options-id": member("DhcpOptionsId"),
    "is-default": member("IsDefault"),
    "isDefault": member("IsDefault"),
    "owner-id": member("OwnerId"),
    "state": member("State"),
    "vpc-id": member("VpcId"),
}
_SUBNET: Final[Mapping[str, Reader]] = {
    "availability-zone": member("AvailabilityZone"),
    "availabilityZone": member("AvailabilityZone"),
    "availability-zone-id": member("AvailabilityZoneId"),
    "availabilityZoneId": member("AvailabilityZoneId"),
    "available-ip-address-count": member("AvailableIpAddressCount"),
    "cidr": member("CidrBlock"),
    "cidr-block": member("CidrBlock"),
    "cidrBlock": member("CidrBlock"),
    "default-for-az": member("DefaultForAz"),
    "defaultForAz": member("DefaultForAz"),
    "ipv6-native": member("Ipv6Native"),
    "map-public-ip-on-launch": member("MapPublicIpOnLaunch"),
    "owner-id": member("OwnerId"),
    "state": member("State"),
    "subnet-arn": member("SubnetArn"),
    "subnet-id": member("SubnetId"),
    "vpc-id": member("VpcId"),
}
_ROUTE_TABLE: Final[Mapping[str, Reader]] = {
    "association.gateway-id": member("Associations", "GatewayId"),
    "association.main": member("Associations", "Main"),
    "association.route-table-association-id": member("Associations", "RouteTableAssociationId"),
    "association.route-table-id": member("Associations", "RouteTableId"),
    "association.subnet-id": member("Associations", "SubnetId"),
    "owner-id": member("OwnerId"),
    "route-table-id": member("RouteTableId"),
    "route.destination-cidr-block": member("Routes", "DestinationCidrBlock"),
    "route.gateway-id": member("Routes", "GatewayId"),
    "route.nat-gateway-id": member("Routes", "NatGatewayId"),
    "route.origin": member("Routes", "Origin"),
    "route.state": member("Routes", "State"),
    "vpc-id": member("VpcId"),
}
_INTERNET_GATEWAY: Final[Mapping[str, Reader]] = {
    "attachment.state": member("Attachments", "State"),
    "attachment.vpc-id": member("Attachments", "VpcId"),
    "internet-gateway-id": member("InternetGatewayId"),
    "owner-id": member("OwnerId"),
}
_ZONE: Final[Mapping[str, Reader]] = {
    "group-name": member("GroupName"),
    "message": member("Messages", "Message"),
    "opt-in-status": member("OptInStatus"),
    "region-name": member("RegionName"),
    "state": member("State"),
    "zone-id": member("ZoneId"),
    "zone-name": member("ZoneName"),
    "zone-type": member("ZoneType"),
}
_REGION: Final[Mapping[str, Reader]] = {
    "endpoint": member("Endpoint"),
    "opt-in-status": member("OptInStatus"),
    "region-name": member("RegionName"),
}


class DescribeOperations:
    def __init__(self, tags: Tags) -> None:
        self._tags = tags
        self.operations: dict[str, Operation] = {
            "DescribeVpcs": self._lister(network.vpcs, "Vpcs", "VpcId", _VPC, "InvalidVpcID.NotFound", "vpc ID"),
            "DescribeSubnets": self._lister(
                network.subnets, "Subnets", "SubnetId", _SUBNET, "InvalidSubnetID.NotFound", "subnet ID"
            ),
            "DescribeRouteTables": self._lister(
                network.route_tables,
                "RouteTables",
                "RouteTableId",
                _ROUTE_TABLE,
                "InvalidRouteTableID.NotFound",
                "routeTable ID",
            ),
            "DescribeInternetGateways": self._lister(
                network.internet_gateways,
                "InternetGateways",
                "InternetGatewayId",
                _INTERNET_GATEWAY,
                "InvalidInternetGatewayID.NotFound",
                "internetGateway ID",
            ),
            "DescribeAvailabilityZones": self.zones,
            "DescribeRegions": self.regions,
            "DescribeAccountAttributes": self.account_attributes,
            "DescribeVpcAttribute": self.vpc_attribute,
            "DescribeNetworkInterfaces": self.network_interfaces,
        }

    def _lister(
        self,
        resources: Callable[[Context], list[Resource]],
        plural: str,
        id_name: str,
        readers: Mapping[str, Reader],
        code: str,
        noun: str,
    ) -> Operation:
        def describe(call: Call) -> Answer:
            known = self._tags.put_on(call.context, resources(call.context), id_name)
            chosen = by_ids(known, id_name, call.params.get(f"{id_name}s"), code, noun)
            return page(select(chosen, call.params.get("Filters"), readers), call.params, plural)

        return describe

    def zones(self, call: Call) -> Answer:
        known = [zone(name) for name in zone_names(call.context.region)]
        named = _among(known, "ZoneName", call.params.get("ZoneNames"), "availability zone")
        chosen = _among(named, "ZoneId", call.params.get("ZoneIds"), "availability zone-id")
        return {"AvailabilityZones": select(chosen, call.params.get("Filters"), _ZONE)}

    def regions(self, call: Call) -> Answer:
        """Those that are not enabled are told only to who asks for all, or for one by name."""
        known, asked = regions(call.context.region), call.params.get("RegionNames")
        chosen = _among(known, "RegionName", asked, "region")
        if not asked and not call.params.get("AllRegions"):
            chosen = [one for one in known if one["OptInStatus"] != "not-opted-in"]
        return {"Regions": select(chosen, call.params.get("Filters"), _REGION)}

    def account_attributes(self, call: Call) -> Answer:
        values = {"supported-platforms": "VPC", "default-vpc": network.vpc_id(call.context)}
        asked = call.params.get("AttributeNames") or list(values)
        told = [
            {"AttributeName": name, "AttributeValues": [{"AttributeValue": values[name]}]}
            for name in asked
            if name in values
        ]
        return {"AccountAttributes": told}

    def vpc_attribute(self, call: Call) -> Answer:
        """https://docs.aws.amazon.com/vpc/latest/userguide/vpc-dns.html: a default VPC has both DNS attributes."""
        asked, vpc_id = call.params["Attribute"], call.params["VpcId"]
        by_ids(network.vpcs(call.context), "VpcId", [vpc_id], "InvalidVpcID.NotFound", "vpc ID")
        values = {"enableDnsSupport": True, "enableDnsHostnames": True, "enableNetworkAddressUsageMetrics": False}
        return {"VpcId": vpc_id, asked[0].upper() + asked[1:]: {"Value": values[asked]}}

    def network_interfaces(self, call: Call) -> Answer:
        """There are none: all that runs shares the machine's."""
        by_ids(
            [],
            "NetworkInterfaceId",
            call.params.get("NetworkInterfaceIds"),
            "InvalidNetworkInterfaceID.NotFound",
            "networkInterface ID",
        )
        return page([], call.params, "NetworkInterfaces")


def by_ids(
    known: Sequence[Resource], id_name: str, asked: Sequence[str] | None, code: str, noun: str
) -> Sequence[Resource]:
    """Those that are asked for, or all. Raises `code`."""
    if not asked:
        return known
    found = {one[id_name] for one in known}
    unknown = [one for one in asked if one not in found]
    if unknown:
        raise not_found(code, noun, unknown)
    return [one for one in known if one[id_name] in asked]


def _among(known: Sequence[Resource], name: str, asked: Sequence[str] | None, noun: str) -> Sequence[Any]:
    """Raises InvalidParameterValue."""
    from_known = {one[name] for one in known}
    unknown = [one for one in asked or () if one not in from_known]
    if unknown:
        raise invalid_value(f"Invalid {noun}: [{', '.join(unknown)}]")
    return [one for one in known if one[name] in asked] if asked else known
