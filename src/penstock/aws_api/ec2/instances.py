"""The instances of the capacity providers.

They are in the account's list, but hidden unless asked for:
https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances.html
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import IPv4Network
from typing import Any, Final, TypeAlias

from penstock.aws_api.ec2 import network
from penstock.aws_api.ec2.describing import by_ids
from penstock.aws_api.ec2.filters import Reader, Resource, member, select
from penstock.aws_api.ec2.paging import page
from penstock.aws_api.ec2.tags import Tags, tag_list
from penstock.aws_api.ec2.zones import zone_id
from penstock.aws_api.service import Answer, Call, Context, Operation

# https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AWSLambdaManagedEC2ResourceOperator.html
OPERATOR: Final = "scaler.lambda.amazonaws.com"
# https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-monitoring.html
_PROVIDER_TAG: Final = "aws:lambda:capacity-provider"
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_InstanceState.html
_STATES: Final = {"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ec2Instance:
    """`architecture` and `state` in EC2's words (`x86_64`, `arm64`; `pending`, `running`, `shutting-down`);
    `launched_at` in epoch seconds. Without a subnet it is taken to be in the default one of its zone, without security
    groups in the default one.
    """

    instance_id: str
    instance_type: str
    architecture: str
    vcpus: int
    zone: str
    launched_at: float
    state: str = "running"
    subnet_id: str = ""
    security_group_ids: tuple[str, ...] = ()
    capacity_provider_arn: str = ""


InstancesNow: TypeAlias = Callable[[], Sequence[Ec2Instance]]
GroupNames: TypeAlias = Callable[[Context], Mapping[str, str]]

_FILTERS: Final[Mapping[str, Reader]] = {
    "architecture": member("Architecture"),
    "availability-zone": member("Placement", "AvailabilityZone"),
    "availability-zone-id": member("Placement", "AvailabilityZoneId"),
    "image-id": member("ImageId"),
    "instance.group-id": member("SecurityGroups", "GroupId"),
    "instance.group-name": member("SecurityGroups", "GroupName"),
    "instance-id": member("InstanceId"),
    "instance-state-code": member("State", "Code"),
    "instance-state-name": member("State", "Name"),
    "instance-type": member("InstanceType"),
    "operator.managed": member("Operator", "Managed"),
    "operator.principal": member("Operator", "Principal"),
    "private-dns-name": member("PrivateDnsName"),
    "private-ip-address": member("PrivateIpAddress"),
    "subnet-id": member("SubnetId"),
    "tenancy": member("Placement", "Tenancy"),
    "vpc-id": member("VpcId"),
}


class InstanceOperations:
    """`group_names` tells the security groups of the account, by id."""

    def __init__(self, tags: Tags, instances: InstancesNow, group_names: GroupNames) -> None:
        self._tags = tags
        self._instances = instances
        self._group_names = group_names
        self.operations: dict[str, Operation] = {
            "DescribeInstances": self.describe,
            "DescribeInstanceStatus": self.statuses,
        }

    def ids(self, context: Context) -> list[str]:
        return [one.instance_id for one in self._here(context)]

    def used_groups(self, context: Context) -> set[str]:
        return {group for one in self._here(context) for group in one.security_group_ids}

    def describe(self, call: Call) -> Answer:
        """Each in a reservation of its own, as it was launched alone."""
        found = self._found(call)
        owner = call.context.account_id
        reservations = [
            {
                "ReservationId": network.stable_id("r", call.context, one["InstanceId"]),
                "OwnerId": owner,
                "Groups": [],
                "Instances": [one],
            }
            for one in found
        ]
        return page(reservations, call.params, "Reservations")

    def statuses(self, call: Call) -> Answer:
        """Of those that run, or of all."""
        shown = [
            {
                "InstanceId": one["InstanceId"],
                "AvailabilityZone": one["Placement"]["AvailabilityZone"],
                "InstanceState": one["State"],
                "InstanceStatus": _status(one),
                "SystemStatus": _status(one),
                "Operator": one["Operator"],
            }
            for one in self._found(call)
            if call.params.get("IncludeAllInstances") or one["State"]["Name"] == "running"
        ]
        return page(shown, call.params, "InstanceStatuses")

    def _found(self, call: Call) -> list[Resource]:
        shown = self._here(call.context) if call.params.get("IncludeManagedResources") else []
        known = [self._told(call.context, one) for one in shown]
        asked = call.params.get("InstanceIds")
        chosen = by_ids(known, "InstanceId", asked, "InvalidInstanceID.NotFound", "instance ID")
        return select(chosen, call.params.get("Filters"), _FILTERS)

    def _here(self, context: Context) -> list[Ec2Instance]:
        return [one for one in self._instances() if one.zone[:-1] == context.region]

    def _told(self, context: Context, one: Ec2Instance) -> Resource:
        names = self._group_names(context)
        groups = one.security_group_ids or (network.default_group_id(context),)
        tags = self._tags.of(context, one.instance_id)
        if one.capacity_provider_arn:
            tags[_PROVIDER_TAG] = one.capacity_provider_arn
        return {
            "InstanceId": one.instance_id,
            "State": {"Code": _STATES[one.state], "Name": one.state},
            "LaunchTime": datetime.fromtimestamp(int(one.launched_at), UTC),
            "SecurityGroups": [{"GroupId": group, "GroupName": names.get(group, "")} for group in groups],
            "Tags": tag_list(tags),
            "Monitoring": {"State": "disabled"},
            "AmiLaunchIndex": 0,
            "Operator": {"Managed": True, "Principal": OPERATOR, "HiddenByDefault": True},
            **_machine(context, one),
            **_place(context, one),
        }


def _machine(context: Context, one: Ec2Instance) -> Resource:
    threads = 1 if one.architecture == "arm64" else 2  # Graviton has no simultaneous multithreading
    return {
        "InstanceType": one.instance_type,
        "ImageId": network.stable_id("ami", context, one.architecture),
        "Architecture": one.architecture,
        "CpuOptions": {"CoreCount": max(1, one.vcpus // threads), "ThreadsPerCore": threads},
        "Hypervisor": "xen",
        "VirtualizationType": "hvm",
        "RootDeviceType": "ebs",
    }


def _place(context: Context, one: Ec2Instance) -> Resource:
    subnet = _subnet_of(context, one)
    address = _address(one.instance_id, subnet["CidrBlock"])
    return {
        "Placement": {
            "AvailabilityZone": one.zone,
            "AvailabilityZoneId": zone_id(one.zone),
            "GroupName": "",
            "Tenancy": "default",
        },
        "SubnetId": subnet["SubnetId"],
        "VpcId": subnet["VpcId"],
        "PrivateIpAddress": address,
        "PrivateDnsName": f"ip-{address.replace('.', '-')}.{context.region}.compute.internal",
        "PublicDnsName": "",
    }


def _status(instance: Mapping[str, Any]) -> dict[str, str]:
    return {"Status": "ok" if instance["State"]["Name"] == "running" else "not-applicable"}


def _subnet_of(context: Context, one: Ec2Instance) -> Resource:
    known = network.subnets(context)
    named = [subnet for subnet in known if subnet["SubnetId"] == one.subnet_id]
    in_zone = [subnet for subnet in known if subnet["AvailabilityZone"] == one.zone]
    return (named or in_zone or known)[0]


def _address(instance_id: str, cidr: str) -> str:
    """One of the subnet's, always the same; the first four and the last are AWS's.
    https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html
    """
    subnet = IPv4Network(cidr)
    number = int.from_bytes(hashlib.sha256(instance_id.encode()).digest()[:4], "big")
    return str(subnet[4 + number % (subnet.num_addresses - 5)])
