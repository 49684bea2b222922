"""Managed policies of the account, and their versions.

https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_managed-versioning.html
"""

from collections.abc import Mapping
from typing import Any, Final

from penstock.aws_api.iam.documents import check_managed_policy, in_answer
from penstock.aws_api.iam.errors import already_exists, delete_conflict, limit_exceeded, no_such_entity
from penstock.aws_api.iam.managed import aws_policy
from penstock.aws_api.iam.names import (
    MAX_POLICY_NAME,
    arn,
    check_name,
    checked_path,
    tag_list,
    tags_of,
    unique_id,
    without_tags,
)
from penstock.aws_api.iam.paging import page
from penstock.aws_api.iam.state import IamState, moment
from penstock.aws_api.service import Answer, Call, Operation

_MAX_VERSIONS: Final = 5


class PolicyOperations:
    def __init__(self, state: IamState) -> None:
        self._state = state
        self.operations: dict[str, Operation] = {
            "CreatePolicy": self.create,
            "GetPolicy": self.get,
            "ListPolicies": self.list,
            "DeletePolicy": self.delete,
            "CreatePolicyVersion": self.create_version,
            "GetPolicyVersion": self.version,
            "ListPolicyVersions": self.versions,
            "DeletePolicyVersion": self.delete_version,
            "SetDefaultPolicyVersion": self.set_default,
            "ListEntitiesForPolicy": self.entities,
            "TagPolicy": self.tag,
            "UntagPolicy": self.untag,
            "ListPolicyTags": self.tags,
        }

    def create(self, call: Call) -> Answer:
        params, now = call.params, self._state.clock.epoch()
        name, path = params["PolicyName"], checked_path(params)
        check_name(name, "policyName", MAX_POLICY_NAME)
        check_managed_policy(params["PolicyDocument"])
        tags = tags_of({}, params.get("Tags"))
        if self._state.policy_called(call, name):
            raise already_exists(f"A policy called {name} already exists. Duplicate names are not allowed.")
        row = {
            "PolicyName": name,
            "PolicyId": unique_id("ANPA"),
            "Arn": arn(call.context.account_id, "policy", path, name),
            "Path": path,
            "DefaultVersionId": "v1",
            "Description": params.get("Description") or "",
            "CreateDate": now,
            "UpdateDate": now,
            "Versions": {"v1": {"Document": params["PolicyDocument"], "CreateDate": now}},
            "Made": 1,
            "Tags": tags,
        }
        self._state.save_policy(call, row)
        policy = self._told(call, row)
        policy.pop("Description", None)  # CreatePolicy's answer is without it
        return {"Policy": policy}

    def get(self, call: Call) -> Answer:
        return {"Policy": self._told(call, self._known(call))}

    def list(self, call: Call) -> Answer:
        """Of AWS's own, those that are attached: there is no list of the others here."""
        params = call.params
        scope, prefix = params.get("Scope") or "All", params.get("PathPrefix") or "/"
        found = self._state.policies(call) if scope != "AWS" else []
        if scope != "Local":
            used = {one for role in self._state.roles(call) for one in role["Attached"]}
            found += [row for row in map(aws_policy, sorted(used)) if row is not None]
        told = [self._told(call, row) for row in found if row["Path"].startswith(prefix)]
        if params.get("OnlyAttached"):
            told = [policy for policy in told if policy["AttachmentCount"]]
        for policy in told:
            policy.pop("Description", None)
            policy.pop("Tags", None)
        return page(told, params, "Policies")

    def delete(self, call: Call) -> Answer:
        row = self._own(call)
        if self._state.holders(call, row["Arn"]) or self._state.bounded(call, row["Arn"]):
            raise delete_conflict("Cannot delete a policy attached to entities.")
        if len(row["Versions"]) > 1:
            raise delete_conflict(
                "This policy has more than one version. Before you delete a policy, you must delete the policy's "
                "versions. The default version is deleted with the policy."
            )
        self._state.delete_policy(call, row)
        return {}

    def create_version(self, call: Call) -> Answer:
        row, text = self._own(call), call.params["PolicyDocument"]
        check_managed_policy(text)
        if len(row["Versions"]) >= _MAX_VERSIONS:
            raise limit_exceeded(
                f"A managed policy can have up to {_MAX_VERSIONS} versions. Before you create a new version, you must "
                "delete an existing version."
            )
        now = self._state.clock.epoch()
        row["Made"] += 1
        version_id = f"v{row['Made']}"
        row["Versions"][version_id] = {"Document": text, "CreateDate": now}
        row["UpdateDate"] = now
        if call.params.get("SetAsDefault"):
            row["DefaultVersionId"] = version_id
        self._state.save_policy(call, row)
        return {"PolicyVersion": _version_told(row, version_id)}

    def version(self, call: Call) -> Answer:
        row, version_id = self._known(call), call.params["VersionId"]
        _check_version(row, version_id)
        document = in_answer(row["Versions"][version_id]["Document"])
        return {"PolicyVersion": _version_told(row, version_id) | {"Document": document}}

    def versions(self, call: Call) -> Answer:
        """Newest first. Of AWS's own no documents are known, so none are listed."""
        row = self._known(call)
        found = [_version_told(row, version_id) for version_id in reversed(row["Versions"])]
        return page(found, call.params, "Versions")

    def delete_version(self, call: Call) -> Answer:
        row, version_id = self._own(call), call.params["VersionId"]
        _check_version(row, version_id)
        if version_id == row["DefaultVersionId"]:
            raise delete_conflict("Cannot delete the default version of a policy.")
        del row["Versions"][version_id]
        self._state.save_policy(call, row)
        return {}

    def set_default(self, call: Call) -> Answer:
        row, version_id = self._own(call), call.params["VersionId"]
        _check_version(row, version_id)
        self._state.save_policy(call, row | {"DefaultVersionId": version_id})
        return {}

    def entities(self, call: Call) -> Answer:
        """Only roles can have a policy here."""
        row, params = self._known(call), call.params
        prefix, wanted = params.get("PathPrefix") or "/", params.get("EntityFilter") in (None, "Role")
        bounds = params.get("PolicyUsageFilter") == "PermissionsBoundary"
        roles = (self._state.bounded if bounds else self._state.holders)(call, row["Arn"]) if wanted else []
        found = [
            {"RoleName": role["RoleName"], "RoleId": role["RoleId"]}
            for role in roles
            if role["Path"].startswith(prefix)
        ]
        return page(found, params, "PolicyRoles") | {"PolicyGroups": [], "PolicyUsers": []}

    def tag(self, call: Call) -> Answer:
        row = self._own(call)
        self._state.save_policy(call, row | {"Tags": tags_of(row["Tags"], call.params["Tags"])})
        return {}

    def untag(self, call: Call) -> Answer:
        row = self._own(call)
        self._state.save_policy(call, row | {"Tags": without_tags(row["Tags"], call.params["TagKeys"])})
        return {}

    def tags(self, call: Call) -> Answer:
        return page(tag_list(self._known(call)["Tags"]), call.params, "Tags")

    def _own(self, call: Call) -> dict[str, Any]:
        """Raises NoSuchEntity."""
        found = self._state.find_policy(call, call.params["PolicyArn"])
        if found is None:
            raise no_such_entity(f"Policy {call.params['PolicyArn']} was not found.")
        return found

    def _known(self, call: Call) -> dict[str, Any]:
        """The account's or AWS's. Raises NoSuchEntity."""
        return aws_policy(call.params["PolicyArn"]) or self._own(call)

    def _told(self, call: Call, row: Mapping[str, Any]) -> dict[str, Any]:
        same = ("PolicyName", "PolicyId", "Arn", "Path", "DefaultVersionId")
        policy: dict[str, Any] = {name: row[name] for name in same}
        policy |= {
            "AttachmentCount": len(self._state.holders(call, row["Arn"])),
            "PermissionsBoundaryUsageCount": len(self._state.bounded(call, row["Arn"])),
            "IsAttachable": True,
            "CreateDate": moment(row["CreateDate"]),
            "UpdateDate": moment(row["UpdateDate"]),
        }
        if row.get("Description"):
            policy["Description"] = row["Description"]
        if row["Tags"]:
            policy["Tags"] = tag_list(row["Tags"])
        return policy


def _version_told(row: Mapping[str, Any], version_id: str) -> dict[str, Any]:
    return {
        "VersionId": version_id,
        "IsDefaultVersion": version_id == row["DefaultVersionId"],
        "CreateDate": moment(row["Versions"][version_id]["CreateDate"]),
    }


def _check_version(row: Mapping[str, Any], version_id: str) -> None:
    """Raises NoSuchEntity."""
    if version_id not in row["Versions"]:
        raise no_such_entity(f"Policy {row['Arn']} version {version_id} does not exist or is not attachable.")
