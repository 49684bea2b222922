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
        """Attaching and putting what is there already changes nothing."""
        name, new, wanted = job.physical_id, _listed([job.properties]), _inline([job.properties])
        if "ManagedPolicyArns" in job.changed:
            for arn in new:
                await job.call("iam", "AttachRolePolicy", RoleName=name, PolicyArn=arn)
            await self._detach(job, [arn for arn in _listed(job.perhaps) if arn not in new])
        if "Policies" in job.changed:
            for policy, text in wanted.items():
                await job.call("iam", "PutRolePolicy", RoleName=name, PolicyName=policy, PolicyDocument=text)
            await self._drop(job, [policy for policy in _inline(job.perhaps) if policy not in wanted])

    async def _detach(self, job: Job, arns: list[str]) -> None:
        for arn in arns:
            await job.try_call("iam", "DetachRolePolicy", RoleName=job.physical_id, PolicyArn=arn)

    async def _drop(self, job: Job, policies: list[str]) -> None:
        for policy in policies:
            await job.try_call("iam", "DeleteRolePolicy", RoleName=job.physical_id, PolicyName=policy)

    async def _tag(self, job: Job) -> None:
        gone, new = job.tag_changes()
        if gone:
            await job.call("iam", "UntagRole", RoleName=job.physical_id, TagKeys=gone)
        if new:
            await job.call("iam", "TagRole", RoleName=job.physical_id, Tags=tags_of(new))

    async def delete(self, job: Job) -> None:
        """Only what the stack attached is detached: IAM refuses while anything else holds the role."""
        await self._detach(job, _listed(job.perhaps))
        await self._drop(job, list(_inline(job.perhaps)))
        await job.try_call("iam", "DeleteRole", RoleName=job.physical_id)


def _listed(states: list[Json]) -> list[str]:
    return list(dict.fromkeys(arn for state in states for arn in state.get("ManagedPolicyArns", [])))


def _inline(states: list[Json]) -> dict[str, str]:
    return {item["PolicyName"]: item["PolicyDocument"] for state in states for item in state.get("Policies", [])}


# Who a policy can be put to: the property, the calls' parameter, and the ends of the calls' names.
_HOLDERS: Final = (("Roles", "RoleName", "Role"), ("Users", "UserName", "User"), ("Groups", "GroupName", "Group"))


def _pairs(states: list[Json]) -> set[tuple[str, str, str]]:
    """`(parameter, noun, name)` of every holder."""
    return {
        (parameter, noun, name) for state in states for key, parameter, noun in _HOLDERS for name in state.get(key, [])
    }


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
        await self._put(job, _pairs([job.properties]))

    async def update(self, job: Job) -> None:
        await self._put(job, _pairs([job.properties]))
        await self._take_back(job, _pairs(job.perhaps) - _pairs([job.properties]))

    async def delete(self, job: Job) -> None:
        await self._take_back(job, _pairs(job.perhaps))

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
        await self._attach(job, "Attach", _pairs([job.properties]))

    async def update(self, job: Job) -> None:
        if "PolicyDocument" in job.changed:
            await self._new_version(job)
        await self._attach(job, "Attach", _pairs([job.properties]))
        await self._attach(job, "Detach", _pairs(job.perhaps) - _pairs([job.properties]))

    async def delete(self, job: Job) -> None:
        await self._attach(job, "Detach", _pairs(job.perhaps))
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
