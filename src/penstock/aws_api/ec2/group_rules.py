"""Describing security groups and their rules, and changing the rules."""

import dataclasses
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

from penstock.aws_api.ec2.describing import by_ids
from penstock.aws_api.ec2.errors import not_found
from penstock.aws_api.ec2.filters import Reader, Resource, member, select
from penstock.aws_api.ec2.groups import Group, Groups, group_arn, new_rule_id, no_such_name
from penstock.aws_api.ec2.paging import page
from penstock.aws_api.ec2.rules import Rule, duplicate, permissions, revoked_told, rule_told, rules_of
from penstock.aws_api.ec2.tags import Tags, tags_specified
from penstock.aws_api.service import Answer, Call, Context, Operation, ServiceError

# https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html#vpc-limits-security-groups: for each direction
_MAX_RULES: Final = 60


def _of_permissions(prefix: str, member_name: str) -> dict[str, Reader]:
    """https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSecurityGroups.html"""
    return {
        f"{prefix}cidr": member(member_name, "IpRanges", "CidrIp"),
        f"{prefix}from-port": member(member_name, "FromPort"),
        f"{prefix}group-id": member(member_name, "UserIdGroupPairs", "GroupId"),
        f"{prefix}ipv6-cidr": member(member_name, "Ipv6Ranges", "CidrIpv6"),
        f"{prefix}prefix-list-id": member(member_name, "PrefixListIds", "PrefixListId"),
        f"{prefix}protocol": member(member_name, "IpProtocol"),
        f"{prefix}to-port": member(member_name, "ToPort"),
        f"{prefix}user-id": member(member_name, "UserIdGroupPairs", "UserId"),
    }


_GROUP: Final[Mapping[str, Reader]] = {
    "description": member("Description"),
    "group-id": member("GroupId"),
    "group-name": member("GroupName"),
    "owner-id": member("OwnerId"),
    "vpc-id": member("VpcId"),
    **_of_permissions("ip-permission.", "IpPermissions"),
    **_of_permissions("egress.ip-permission.", "IpPermissionsEgress"),
}
_RULE: Final[Mapping[str, Reader]] = {
    "group-id": member("GroupId"),
    "security-group-rule-id": member("SecurityGroupRuleId"),
}


class GroupRuleOperations:
    def __init__(self, groups: Groups, tags: Tags) -> None:
        self._groups = groups
        self._tags = tags
        self.operations: dict[str, Operation] = {
            "DescribeSecurityGroups": self.describe,
            "DescribeSecurityGroupRules": self.describe_rules,
            "AuthorizeSecurityGroupIngress": partial(self.authorize, egress=False),
            "AuthorizeSecurityGroupEgress": partial(self.authorize, egress=True),
            "RevokeSecurityGroupIngress": partial(self.revoke, egress=False),
            "RevokeSecurityGroupEgress": partial(self.revoke, egress=True),
        }

    def describe(self, call: Call) -> Answer:
        context, params = call.context, call.params
        told = [_told(context, one) for one in self._groups.all(context)]
        known = self._tags.put_on(context, told, "GroupId")
        chosen = by_ids(known, "GroupId", params.get("GroupIds"), "InvalidGroup.NotFound", "security group")
        for name in params.get("GroupNames") or ():
            if all(one["GroupName"] != name for one in known):
                raise no_such_name(context, name)
        if names := params.get("GroupNames"):
            chosen = [one for one in chosen if one["GroupName"] in names]
        return page(select(chosen, params.get("Filters"), _GROUP), params, "SecurityGroups")

    def describe_rules(self, call: Call) -> Answer:
        context = call.context
        known = [
            rule_told(rule, group.group_id, context.account_id, context.region)
            for group in self._groups.all(context)
            for rule in group.rules
        ]
        asked = call.params.get("SecurityGroupRuleIds")
        chosen = by_ids(
            known, "SecurityGroupRuleId", asked, "InvalidSecurityGroupRuleId.NotFound", "security group rule ID"
        )
        return page(select(chosen, call.params.get("Filters"), _RULE), call.params, "SecurityGroupRules")

    def authorize(self, call: Call, egress: bool) -> Answer:
        """All of them, or none where one is there already. Raises InvalidPermission.Duplicate."""
        context, group = call.context, self._groups.of_call(call)
        tags = tags_specified(call, "security-group-rule")
        new = [
            dataclasses.replace(rule, rule_id=new_rule_id(), tags=tags)
            for rule in rules_of(call.params, egress, group.group_id, self._ids(context))
        ]
        known = {rule.meaning for rule in group.rules}
        for rule in new:
            if rule.meaning in known:
                raise duplicate(rule)
            known.add(rule.meaning)
        rules = [*group.rules, *new]
        if sum(rule.egress == egress for rule in rules) > _MAX_RULES:
            text = "The maximum number of rules per security group has been reached."
            raise ServiceError("RulesPerSecurityGroupLimitExceeded", text)
        self._groups.save(context, dataclasses.replace(group, rules=rules))
        told = [rule_told(rule, group.group_id, context.account_id, context.region) for rule in new]
        return {"Return": True, "SecurityGroupRules": told}

    def revoke(self, call: Call, egress: bool) -> Answer:
        """Raises InvalidPermission.NotFound, InvalidSecurityGroupRuleId.NotFound."""
        context, group = call.context, self._groups.of_call(call)
        gone = self._meant(call, group, egress)
        rules = [rule for rule in group.rules if rule not in gone]
        self._groups.save(context, dataclasses.replace(group, rules=rules))
        return {"Return": True, "RevokedSecurityGroupRules": [revoked_told(rule, group.group_id) for rule in gone]}

    def _meant(self, call: Call, group: Group, egress: bool) -> Sequence[Rule]:
        if ids := call.params.get("SecurityGroupRuleIds"):
            known = {rule.rule_id: rule for rule in group.rules if rule.egress == egress}
            unknown = [one for one in ids if one not in known]
            if unknown:
                raise not_found("InvalidSecurityGroupRuleId.NotFound", "security group rule ID", unknown)
            return [known[one] for one in ids]
        by_meaning = {rule.meaning: rule for rule in group.rules}
        asked = rules_of(call.params, egress, group.group_id, self._ids(call.context))
        if any(rule.meaning not in by_meaning for rule in asked):
            text = "The specified rule does not exist in this security group."
            raise ServiceError("InvalidPermission.NotFound", text)
        return [by_meaning[rule.meaning] for rule in asked]

    def _ids(self, context: Context) -> dict[str, str]:
        """By name."""
        return {name: group_id for group_id, name in self._groups.names(context).items()}


def _told(context: Context, group: Group) -> Resource:
    told: dict[str, Any] = {
        "GroupId": group.group_id,
        "GroupName": group.name,
        "SecurityGroupArn": group_arn(context, group.group_id),
        "Description": group.description,
        "OwnerId": context.account_id,
        "VpcId": group.vpc_id,
        "IpPermissions": permissions((one for one in group.rules if not one.egress), context.account_id),
        "IpPermissionsEgress": permissions((one for one in group.rules if one.egress), context.account_id),
    }
    return told
