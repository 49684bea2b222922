"""The rules of security groups: out of an operation's parameters, and as permissions or rules in an answer.

https://docs.aws.amazon.com/vpc/latest/userguide/security-group-rules.html
"""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any, Final

from penstock.aws_api.ec2.errors import invalid_value, missing
from penstock.aws_api.service import ServiceError

ALL: Final = "-1"
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpPermission.html, numbers as IANA assigns them
_NAMES: Final = {"6": "tcp", "17": "udp", "1": "icmp", "58": "icmpv6", "all": ALL}
_WITH_PORTS: Final = ("tcp", "udp")
_WITH_TYPES: Final = ("icmp", "icmpv6")
_MAX_PORT: Final = 65_535
# Of IpPermission: the list, and the member of each that names the other side.
_PEERS: Final = {
    "IpRanges": "CidrIp",
    "Ipv6Ranges": "CidrIpv6",
    "PrefixListIds": "PrefixListId",
    "UserIdGroupPairs": "GroupId",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """`kind` is the list of IpPermission that `peer` belongs to."""

    rule_id: str
    egress: bool
    protocol: str
    first: int | None
    last: int | None
    kind: str
    peer: str
    description: str = ""
    tags: dict[str, str] = dataclasses.field(default_factory=dict)

    @property
    def meaning(self) -> tuple[object, ...]:
        """Two rules of a group that have the same are the same."""
        return (self.egress, self.protocol, self.first, self.last, self.kind, self.peer)


def rules_of(params: Mapping[str, Any], egress: bool, group_id: str, names: Mapping[str, str]) -> list[Rule]:
    """Those that an operation is about, without ids. `names`: the groups' ids, by name.

    Raises InvalidParameterValue, MissingParameter, InvalidGroup.NotFound.
    """
    permissions = params.get("IpPermissions") or _flat(params)
    if not permissions:
        raise missing("ipPermissions")
    return [rule for one in permissions for rule in _rules(one, egress, group_id, names)]


def _flat(params: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The older form: one permission, spelled out in the operation's own parameters."""
    if params.get("SourceSecurityGroupName"):
        pairs = [{"GroupName": params["SourceSecurityGroupName"]}]
        return [{"IpProtocol": params.get("IpProtocol", ALL), "UserIdGroupPairs": pairs, **_ports(params)}]
    if params.get("CidrIp") or params.get("IpProtocol"):
        ranges = [{"CidrIp": params["CidrIp"]}] if params.get("CidrIp") else []
        return [{"IpProtocol": params.get("IpProtocol"), "IpRanges": ranges, **_ports(params)}]
    return []


def _ports(params: Mapping[str, Any]) -> dict[str, Any]:
    return {name: params[name] for name in ("FromPort", "ToPort") if params.get(name) is not None}


def _rules(permission: Mapping[str, Any], egress: bool, group_id: str, names: Mapping[str, str]) -> Iterator[Rule]:
    protocol, first, last = _traffic(permission)
    found = [(kind, one) for kind in _PEERS for one in permission.get(kind) or ()]
    if not found:
        raise missing("ipRanges")
    for kind, one in found:
        yield Rule(
            rule_id="",
            egress=egress,
            protocol=protocol,
            first=first,
            last=last,
            kind=kind,
            peer=_peer(kind, one, group_id, names),
            description=one.get("Description") or "",
        )


def _traffic(permission: Mapping[str, Any]) -> tuple[str, int | None, int | None]:
    """Protocol and ports; for ICMP, type and code. Raises MissingParameter, InvalidParameterValue."""
    asked = str(permission.get("IpProtocol") or "").lower()
    if not asked:
        raise missing("ipProtocol")
    protocol = _NAMES.get(asked, asked)
    first, last = permission.get("FromPort"), permission.get("ToPort")
    if protocol in _WITH_PORTS:
        if first is None or last is None:
            raise ServiceError("MissingParameter", "Invalid value 'Must specify both from and to ports with TCP/UDP.'")
        for port in (first, last):
            if not 0 <= port <= _MAX_PORT:
                raise invalid_value(
                    f"Invalid value '{port}' for portRange. Must specify port between 0 and {_MAX_PORT}."
                )
        if first > last:
            raise invalid_value(f"Invalid TCP/UDP port range ({first}:{last})")
        return protocol, first, last
    if protocol in _WITH_TYPES:
        return protocol, -1 if first is None else first, -1 if last is None else last
    if protocol != ALL and not protocol.isdecimal():
        raise invalid_value(f"Invalid value '{asked}' for IP protocol. Unknown protocol.")
    return protocol, None, None


def _peer(kind: str, one: Mapping[str, Any], group_id: str, names: Mapping[str, str]) -> str:
    if kind == "UserIdGroupPairs":
        found = one.get("GroupId") or names.get(one.get("GroupName") or "")
        if found is None or (found != group_id and found not in names.values()):
            asked = one.get("GroupId") or one.get("GroupName")
            raise ServiceError("InvalidGroup.NotFound", f"The security group '{asked}' does not exist")
        return str(found)
    peer = one.get(_PEERS[kind])
    if not peer:
        raise missing(_PEERS[kind])
    if kind == "PrefixListIds":
        return str(peer)
    try:
        block = ip_network(peer, strict=False)
    except ValueError:
        raise invalid_value(f"CIDR block {peer} is malformed") from None
    if (block.version == 6) != (kind == "Ipv6Ranges"):
        raise invalid_value(f"CIDR block {peer} is malformed")
    return str(block)


def permissions(rules: Iterable[Rule], account_id: str) -> list[dict[str, Any]]:
    """Those of the same traffic are one permission."""
    grouped: dict[tuple[str, int | None, int | None], dict[str, Any]] = {}
    for rule in rules:
        key = (rule.protocol, rule.first, rule.last)
        told = grouped.setdefault(
            key, {"IpProtocol": rule.protocol, **_ports_told(rule), **{kind: [] for kind in _PEERS}}
        )
        peer: dict[str, Any] = {_PEERS[rule.kind]: rule.peer}
        if rule.kind == "UserIdGroupPairs":
            peer["UserId"] = account_id
        if rule.description:
            peer["Description"] = rule.description
        told[rule.kind].append(peer)
    return list(grouped.values())


def rule_told(rule: Rule, group_id: str, account_id: str, region: str) -> dict[str, Any]:
    """As SecurityGroupRule has it. Its ports are -1 where all are meant."""
    told: dict[str, Any] = {
        "SecurityGroupRuleId": rule.rule_id,
        "SecurityGroupRuleArn": f"arn:aws:ec2:{region}:{account_id}:security-group-rule/{rule.rule_id}",
        "GroupId": group_id,
        "GroupOwnerId": account_id,
        "IsEgress": rule.egress,
        "IpProtocol": rule.protocol,
        "FromPort": -1 if rule.first is None else rule.first,
        "ToPort": -1 if rule.last is None else rule.last,
        "Tags": [{"Key": key, "Value": value} for key, value in sorted(rule.tags.items())],
    }
    if rule.kind == "UserIdGroupPairs":
        told["ReferencedGroupInfo"] = {"GroupId": rule.peer, "UserId": account_id}
    else:
        told[{"IpRanges": "CidrIpv4"}.get(rule.kind, _PEERS[rule.kind])] = rule.peer
    return told | ({"Description": rule.description} if rule.description else {})


def revoked_told(rule: Rule, group_id: str) -> dict[str, Any]:
    told = rule_told(rule, group_id, "", "")
    for name in ("SecurityGroupRuleArn", "GroupOwnerId", "Tags", "ReferencedGroupInfo"):
        told.pop(name, None)
    return told | ({"ReferencedGroupId": rule.peer} if rule.kind == "UserIdGroupPairs" else {})


def duplicate(rule: Rule) -> ServiceError:
    ports = "" if rule.first is None else f", from port: {rule.first}, to port: {rule.last}"
    protocol = "ALL" if rule.protocol == ALL else rule.protocol.upper()
    text = f'the specified rule "peer: {rule.peer}, {protocol}{ports}, ALLOW" already exists'
    return ServiceError("InvalidPermission.Duplicate", text)


def _ports_told(rule: Rule) -> dict[str, int]:
    return {} if rule.first is None or rule.last is None else {"FromPort": rule.first, "ToPort": rule.last}
