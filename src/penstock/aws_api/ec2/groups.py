"""Security groups: the default one, and those that are made.

https://docs.aws.amazon.com/vpc/latest/userguide/vpc-security-groups.html
They are kept, and hold nothing up: what runs here shares the machine's network.
"""

import dataclasses
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from penstock.aws_api.ec2.errors import invalid_value, missing, not_found
from penstock.aws_api.ec2.network import default_group_id, stable_id, vpc_id
from penstock.aws_api.ec2.rules import ALL, Rule
from penstock.aws_api.ec2.tags import Tags, tags_specified
from penstock.aws_api.service import Answer, Call, Context, Operation, ServiceError
from penstock.aws_api.store import Store

DEFAULT: Final = "default"
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSecurityGroup.html
_TEXT: Final = re.compile(r"[\w .:/()#,@\[\]+=&;{}!$*-]{1,255}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    group_id: str
    name: str
    description: str
    vpc_id: str
    rules: list[Rule]


class Groups:
    """The default group is one of them from the start; it has a row once it was changed."""

    def __init__(self, store: Store) -> None:
        self._table = store.table("ec2.security_group")

    def all(self, context: Context) -> list[Group]:
        made = [_group(row) for _, row in self._table.items(_key(context, ""))]
        default = default_group_id(context)
        if all(one.group_id != default for one in made):
            made.insert(0, _default_group(context))
        return made

    def find(self, context: Context, group_id: str) -> Group:
        """Raises InvalidGroup.NotFound."""
        found = next((one for one in self.all(context) if one.group_id == group_id), None)
        if found is None:
            raise not_found("InvalidGroup.NotFound", "security group", [group_id])
        return found

    def of_call(self, call: Call) -> Group:
        """The one of GroupId or GroupName. Raises MissingParameter, InvalidGroup.NotFound."""
        if group_id := call.params.get("GroupId"):
            return self.find(call.context, group_id)
        name = call.params.get("GroupName")
        if not name:
            raise missing("groupName or groupId")
        found = next((one for one in self.all(call.context) if one.name == name), None)
        if found is None:
            raise no_such_name(call.context, name)
        return found

    def names(self, context: Context) -> dict[str, str]:
        """By id."""
        return {one.group_id: one.name for one in self.all(context)}

    def save(self, context: Context, group: Group) -> None:
        self._table.put(_key(context, group.group_id), dataclasses.asdict(group))

    def delete(self, context: Context, group: Group) -> None:
        self._table.delete(_key(context, group.group_id))


class GroupOperations:
    """`in_use` tells the groups of what runs, by id."""

    def __init__(self, store: Store, groups: Groups, tags: Tags, in_use: Callable[[Context], set[str]]) -> None:
        self._store = store
        self._groups = groups
        self._tags = tags
        self._in_use = in_use
        self.operations: dict[str, Operation] = {
            "CreateSecurityGroup": self.create,
            "DeleteSecurityGroup": self.delete,
        }

    def create(self, call: Call) -> Answer:
        name, context = call.params["GroupName"], call.context
        vpc = call.params.get("VpcId") or vpc_id(context)
        if vpc != vpc_id(context):
            raise not_found("InvalidVpcID.NotFound", "vpc ID", [vpc])
        self._check_name(context, name, vpc)
        if not _TEXT.fullmatch(call.params["Description"]):
            raise invalid_value(
                "Invalid security group description. Valid descriptions are strings less than 256 characters"
            )
        tags = tags_specified(call, "security-group")
        group = Group(
            group_id=f"sg-0{secrets.token_hex(8)}",
            name=name,
            description=call.params["Description"],
            vpc_id=vpc,
            rules=[_everywhere(new_rule_id())],
        )
        with self._store.transaction():
            self._groups.save(context, group)
            self._tags.set(context, group.group_id, tags)
        answer: Answer = {"GroupId": group.group_id, "SecurityGroupArn": group_arn(context, group.group_id)}
        return answer | ({"Tags": [{"Key": key, "Value": value} for key, value in tags.items()]} if tags else {})

    def _check_name(self, context: Context, name: str, vpc: str) -> None:
        """Raises InvalidParameterValue, InvalidGroup.Reserved, InvalidGroup.Duplicate."""
        if not _TEXT.fullmatch(name) or name.startswith("sg-"):
            raise invalid_value(f"Value ({name}) for parameter GroupName is invalid.")
        if name == DEFAULT:
            raise ServiceError("InvalidGroup.Reserved", f"Cannot use reserved security group name: {name}")
        if name in self._groups.names(context).values():
            text = f"The security group '{name}' already exists for VPC '{vpc}'"
            raise ServiceError("InvalidGroup.Duplicate", text)

    def delete(self, call: Call) -> Answer:
        group = self._groups.of_call(call)
        if group.name == DEFAULT:
            text = f'the specified group: "{group.group_id}" name: "{DEFAULT}" cannot be deleted by a user'
            raise ServiceError("CannotDelete", text)
        named = {
            rule.peer for one in self._groups.all(call.context) if one.group_id != group.group_id for rule in one.rules
        }
        if group.group_id in named | self._in_use(call.context):
            raise ServiceError("DependencyViolation", f"resource {group.group_id} has a dependent object")
        with self._store.transaction():
            self._groups.delete(call.context, group)
            self._tags.set(call.context, group.group_id, {})
        return {"Return": True, "GroupId": group.group_id}


def no_such_name(context: Context, name: str) -> ServiceError:
    text = f"The security group '{name}' does not exist in default VPC '{vpc_id(context)}'"
    return ServiceError("InvalidGroup.NotFound", text)


def group_arn(context: Context, group_id: str) -> str:
    return f"arn:aws:ec2:{context.region}:{context.account_id}:security-group/{group_id}"


def new_rule_id() -> str:
    return f"sgr-0{secrets.token_hex(8)}"


def _everywhere(rule_id: str) -> Rule:
    """What every new group has: https://docs.aws.amazon.com/vpc/latest/userguide/vpc-security-groups.html."""
    return Rule(rule_id=rule_id, egress=True, protocol=ALL, first=None, last=None, kind="IpRanges", peer="0.0.0.0/0")


def _default_group(context: Context) -> Group:
    """https://docs.aws.amazon.com/vpc/latest/userguide/default-security-group.html"""
    group_id = default_group_id(context)
    among = Rule(
        rule_id=stable_id("sgr", context, "in"),
        egress=False,
        protocol=ALL,
        first=None,
        last=None,
        kind="UserIdGroupPairs",
        peer=group_id,
    )
    return Group(
        group_id=group_id,
        name=DEFAULT,
        description="default VPC security group",
        vpc_id=vpc_id(context),
        rules=[among, _everywhere(stable_id("sgr", context, "out"))],
    )


def _group(row: dict[str, Any]) -> Group:
    return Group(**{**row, "rules": [Rule(**one) for one in row["rules"]]})


def _key(context: Context, group_id: str) -> str:
    return f"{context.account_id}/{context.region}/{group_id}"
