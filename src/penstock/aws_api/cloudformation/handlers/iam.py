"""AWS::IAM::Role, Policy and ManagedPolicy.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-iam-role.html
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-iam-policy.html
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-iam-managedpolicy.html
"""

from typing import Any, ClassVar, Final

from penstock.aws_api.cloudformation.handlers.base import Calls, Handler, Job, already_exists, tags_of
from penstock.aws_api.cloudformation.handlers.schema import TEXTS, Items, Members, Plain, Schema
from penstock.aws_api.cloudformation.records import Json
from penstock.template.intrinsics import partition

# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
_LONGEST_ROLE: Final = 64
_LONGEST_POLICY: Final = 128
_POLICIES: Final = Items(
    Members({"PolicyName": Plain.TEXT, "PolicyDocument": Plain.POLICY}, ("PolicyName", "PolicyDocument"))
)


class RoleHandler(Handler):
    type = "AWS::IAM::Role"
    schema = Schema(
        more={
            "AssumeRolePolicyDocument": Plain.POLICY,
            "Description": Plain.TEXT,
            "ManagedPolicyArns": TEXTS,
            "MaxSessionDuration": Plain.WHOLE,
            "Path": Plain.TEXT,
            "PermissionsBoundary": Plain.TEXT,
            "Policies": _POLICIES,
            "RoleName": Plain.TEXT,
            "Tags": Plain.TAGS,
        },
        required=("AssumeRolePolicyDocument",),
    )
    name_property = "RoleName"
    create_only = frozenset(("Path", "RoleName"))
    attributes = ("Arn", "RoleId")
    taggable = True
    needs_operation: ClassVar[Calls] = {"PermissionsBoundary": ("iam", "PutRolePermissionsBoundary")}

    async def draft(self, job: Job) -> str:
        name = job.properties.get("RoleName")
        if name and await job.try_call("iam", "GetRole", RoleName=name) is not None:
            raise already_exists(self.type, name)
        return name or job.generated_name(_LONGEST_ROLE)

    async def create(self, job: Job) -> None:
        name, properties = job.physical_id, job.properties
        apart = ("ManagedPolicyArns", "Policies", "RoleName", "Tags")
        given = {key: value for key, value in properties.items() if key not in apart}
        answer = await job.call("iam", "CreateRole", RoleName=name, **given, Tags=tags_of(job.tags) or None)
        role = answer["Role"]
        job.initiated(name, Arn=role["Arn"], RoleId=role["RoleId"])
        await self._policies(job)

    async def update(self, job: Job) -> None:
        name, properties, changed = job.physical_id, job.properties, job.changed
        if "AssumeRolePolicyDocument" in changed:
            document = properties["AssumeRolePolicyDocument"]
            await job.call("iam", "UpdateAssumeRolePolicy", RoleName=name, PolicyDocument=document)
        if changed & {"Description", "MaxSessionDuration"}:
            description = properties.get("Description", "")
            longest = properties.get("MaxSessionDuration", 3600)
            await job.call("iam", "UpdateRole", RoleName=name, Description=description, MaxSessionDuration=longest)
        if "PermissionsBoundary" in changed:
            boundary = properties.get("PermissionsBoundary")
            operation = "PutRolePermissionsBoundary" if boundary else "DeleteRolePermissionsBoundary"
            await job.call("iam", operation, RoleName=name, PermissionsBoundary=boundary)
        await self._policies(job)
        await self._tag(job)

    async def _policies(self, job: Job) -> None:
        name = job.physical_id
        old, new = _listed(job.previous), _listed(job.properties)
        for arn in [item for item in new if item not in old]:
            await job.call("iam", "AttachRolePolicy", RoleName=name, PolicyArn=arn)
        for arn in [item for item in old if item not in new]:
            await job.try_call("iam", "DetachRolePolicy", RoleName=name, PolicyArn=arn)
        had, wanted = _inline(job.previous), _inline(job.properties)
        for policy, text in wanted.items():
            if had.get(policy) != text:
                await job.call("iam", "PutRolePolicy", RoleName=name, PolicyName=policy, PolicyDocument=text)
        for policy in [item for item in had if item not in wanted]:
            await job.try_call("iam", "DeleteRolePolicy", RoleName=name, PolicyName=policy)

    async def _tag(self, job: Job) -> None:
        gone = [key for key in job.previous_tags if key not in job.tags]
        new = {key: value for key, value in job.tags.items() if job.previous_tags.get(key) != value}
        if gone:
            await job.call("iam", "UntagRole", RoleName=job.physical_id, TagKeys=gone)
        if new:
            await job.call("iam", "TagRole", RoleName=job.physical_id, Tags=tags_of(new))

    async def delete(self, job: Job) -> None:
        """Only what the stack attached is detached: IAM refuses while anything else holds the role."""
        name = job.physical_id
        for arn in _listed(job.properties):
            await job.try_call("iam", "DetachRolePolicy", RoleName=name, PolicyArn=arn)
        for policy in _inline(job.properties):
            await job.try_call("iam", "DeleteRolePolicy", RoleName=name, PolicyName=policy)
        await job.try_call("iam", "DeleteRole", RoleName=name)


def _listed(properties: Json) -> list[str]:
    return list(dict.fromkeys(properties.get("ManagedPolicyArns", [])))


def _inline(properties: Json) -> dict[str, str]:
    return {item["PolicyName"]: item["PolicyDocument"] for item in properties.get("Policies", [])}


# Who a policy can be put to: the property, the calls' parameter, and the ends of the calls' names.
_HOLDERS: Final = (("Roles", "RoleName", "Role"), ("Users", "UserName", "User"), ("Groups", "GroupName", "Group"))


def _pairs(properties: Json) -> set[tuple[str, str, str]]:
    """`(parameter, noun, name)` of every holder."""
    return {(parameter, noun, name) for key, parameter, noun in _HOLDERS for name in properties.get(key, [])}


class PolicyHandler(Handler):
    """An inline policy of roles, users and groups."""

    type = "AWS::IAM::Policy"
    schema = Schema(
        more={
            "PolicyDocument": Plain.POLICY,
            "PolicyName": Plain.TEXT,
            "Roles": TEXTS,
            "Users": TEXTS,
            "Groups": TEXTS,
        },
        required=("PolicyDocument", "PolicyName"),
    )
    attributes = ("Id",)
    create_only = frozenset(("PolicyName",))
    needs_operation: ClassVar[Calls] = {"Users": ("iam", "PutUserPolicy"), "Groups": ("iam", "PutGroupPolicy")}

    async def draft(self, job: Job) -> str:
        return job.generated_name(_LONGEST_POLICY)

    async def create(self, job: Job) -> None:
        # Begun with the first call: all that may have been put must be found again.
        job.initiated(job.physical_id, Id=job.physical_id)
        await self._put(job, _pairs(job.properties))

    async def update(self, job: Job) -> None:
        await self._put(job, _pairs(job.properties))
        await self._take_back(job, _pairs(job.previous) - _pairs(job.properties))

    async def delete(self, job: Job) -> None:
        await self._take_back(job, _pairs(job.properties))

    async def _put(self, job: Job, pairs: set[tuple[str, str, str]]) -> None:
        name, text = job.properties["PolicyName"], job.properties["PolicyDocument"]
        for parameter, noun, holder in sorted(pairs):
            await job.call("iam", f"Put{noun}Policy", **{parameter: holder}, PolicyName=name, PolicyDocument=text)

    async def _take_back(self, job: Job, pairs: set[tuple[str, str, str]]) -> None:
        name = job.properties["PolicyName"]
        for parameter, noun, holder in sorted(pairs):
            await job.try_call("iam", f"Delete{noun}Policy", **{parameter: holder}, PolicyName=name)


class ManagedPolicyHandler(Handler):
    type = "AWS::IAM::ManagedPolicy"
    schema = Schema(
        more={
            "Description": Plain.TEXT,
            "Groups": TEXTS,
            "ManagedPolicyName": Plain.TEXT,
            "Path": Plain.TEXT,
            "PolicyDocument": Plain.POLICY,
            "Roles": TEXTS,
            "Users": TEXTS,
        },
        required=("PolicyDocument",),
    )
    name_property = "ManagedPolicyName"
    create_only = frozenset(("Description", "ManagedPolicyName", "Path"))
    attributes = ("PolicyArn", "PolicyId")
    needs_operation: ClassVar[Calls] = {"Users": ("iam", "AttachUserPolicy"), "Groups": ("iam", "AttachGroupPolicy")}

    async def draft(self, job: Job) -> str:
        name = job.properties.get("ManagedPolicyName") or job.generated_name(_LONGEST_POLICY)
        context, path = job.context, job.properties.get("Path", "/")
        arn = f"arn:{partition(context.region)}:iam::{context.account_id}:policy{path}{name}"
        if await job.try_call("iam", "GetPolicy", PolicyArn=arn) is not None:
            raise already_exists(self.type, arn)
        return arn

    async def create(self, job: Job) -> None:
        answer = await job.call(
            "iam",
            "CreatePolicy",
            PolicyName=job.physical_id.rpartition("/")[2],
            PolicyDocument=job.properties["PolicyDocument"],
            Path=job.properties.get("Path"),
            Description=job.properties.get("Description"),
        )
        policy = answer["Policy"]
        job.initiated(policy["Arn"], PolicyArn=policy["Arn"], PolicyId=policy["PolicyId"])
        await self._attach(job, "Attach", _pairs(job.properties))

    async def update(self, job: Job) -> None:
        if "PolicyDocument" in job.changed:
            await self._new_version(job)
        await self._attach(job, "Attach", _pairs(job.properties) - _pairs(job.previous))
        await self._attach(job, "Detach", _pairs(job.previous) - _pairs(job.properties))

    async def delete(self, job: Job) -> None:
        await self._attach(job, "Detach", _pairs(job.properties))
        for version in await self._old_versions(job):
            await job.try_call("iam", "DeletePolicyVersion", PolicyArn=job.physical_id, VersionId=version)
        await job.try_call("iam", "DeletePolicy", PolicyArn=job.physical_id)

    async def _new_version(self, job: Job) -> None:
        """IAM keeps five versions: the old ones make room.

        https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_managed-versioning.html
        """
        arn = job.physical_id
        for version in await self._old_versions(job):
            await job.try_call("iam", "DeletePolicyVersion", PolicyArn=arn, VersionId=version)
        text = job.properties["PolicyDocument"]
        await job.call("iam", "CreatePolicyVersion", PolicyArn=arn, PolicyDocument=text, SetAsDefault=True)

    async def _old_versions(self, job: Job) -> list[str]:
        if not job.ground.dispatcher.offers("iam", "ListPolicyVersions"):
            return []
        answer: Any = await job.try_call("iam", "ListPolicyVersions", PolicyArn=job.physical_id) or {}
        return [item["VersionId"] for item in answer.get("Versions", []) if not item.get("IsDefaultVersion")]

    async def _attach(self, job: Job, verb: str, pairs: set[tuple[str, str, str]]) -> None:
        for parameter, noun, holder in sorted(pairs):
            call = job.call if verb == "Attach" else job.try_call
            await call("iam", f"{verb}{noun}Policy", **{parameter: holder}, PolicyArn=job.physical_id)
