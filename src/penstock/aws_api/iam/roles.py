"""Roles: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles.html."""

from collections.abc import Mapping
from typing import Any, Final

from penstock.aws_api.iam.documents import check_trust_policy, in_answer
from penstock.aws_api.iam.errors import already_exists, delete_conflict, invalid_input, validation_error
from penstock.aws_api.iam.managed import check_attachable
from penstock.aws_api.iam.names import (
    MAX_ROLE_NAME,
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
from penstock.aws_api.service import Answer, Call, Operation, ServiceError

# https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html
_SESSION_S: Final = 3600
_MAX_SESSION_S: Final = 43_200
_MAX_DESCRIPTION: Final = 1000
SERVICE_PATH: Final = "/aws-service-role/"


class RoleOperations:
    def __init__(self, state: IamState) -> None:
        self._state = state
        self.operations: dict[str, Operation] = {
            "CreateRole": self.create,
            "GetRole": self.get,
            "ListRoles": self.list,
            "UpdateRole": self.update,
            "UpdateRoleDescription": self.update_description,
            "DeleteRole": self.delete,
            "UpdateAssumeRolePolicy": self.update_trust,
            "PutRolePermissionsBoundary": self.put_boundary,
            "DeleteRolePermissionsBoundary": self.delete_boundary,
            "TagRole": self.tag,
            "UntagRole": self.untag,
            "ListRoleTags": self.tags,
            "ListInstanceProfilesForRole": self.instance_profiles,
        }

    def create(self, call: Call) -> Answer:
        params = call.params
        path = checked_path(params)
        if path.startswith(SERVICE_PATH):
            raise invalid_input(f"Roles with path {SERVICE_PATH} are made by CreateServiceLinkedRole.")
        check_name(params["RoleName"], "roleName", MAX_ROLE_NAME)
        row = new_role(call, params["RoleName"], path, params["AssumeRolePolicyDocument"], self._state.clock.epoch())
        row["MaxSessionDuration"] = _session(params)
        row["Tags"] = tags_of({}, params.get("Tags"))
        if params.get("Description"):
            row["Description"] = _description(params)
        if boundary := params.get("PermissionsBoundary"):
            check_attachable(self._state, call, boundary)
            row["PermissionsBoundary"] = boundary
        if self._state.find_role(call, params["RoleName"]) is not None:
            raise already_exists(f"Role with name {params['RoleName']} already exists.")
        self._state.save_role(call, row)
        return {"Role": told(row)}

    def get(self, call: Call) -> Answer:
        return {"Role": told(self._state.role(call)) | {"RoleLastUsed": {}}}

    def list(self, call: Call) -> Answer:
        """Without tags and boundaries: https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListRoles.html."""
        prefix = call.params.get("PathPrefix") or "/"
        found = [told(row) for row in self._state.roles(call) if row["Path"].startswith(prefix)]
        for role in found:
            role.pop("Tags", None)
            role.pop("PermissionsBoundary", None)
        return page(found, call.params, "Roles")

    def update(self, call: Call) -> Answer:
        row = self._changeable(call)
        if call.params.get("Description") is not None:
            row["Description"] = _description(call.params)
        if call.params.get("MaxSessionDuration") is not None:
            row["MaxSessionDuration"] = _session(call.params)
        self._state.save_role(call, row)
        return {}

    def update_description(self, call: Call) -> Answer:
        row = self._changeable(call) | {"Description": _description(call.params)}
        self._state.save_role(call, row)
        return {"Role": told(row)}

    def delete(self, call: Call) -> Answer:
        row = self._changeable(call)
        if row["Attached"]:
            raise delete_conflict("Cannot delete entity, must detach all policies first.")
        if row["Inline"]:
            raise delete_conflict("Cannot delete entity, must delete policies first.")
        self._state.delete_role(call, row)
        return {}

    def update_trust(self, call: Call) -> Answer:
        row = self._changeable(call)
        check_trust_policy(call.params["PolicyDocument"])
        self._state.save_role(call, row | {"AssumeRolePolicyDocument": call.params["PolicyDocument"]})
        return {}

    def put_boundary(self, call: Call) -> Answer:
        row = self._changeable(call)
        check_attachable(self._state, call, call.params["PermissionsBoundary"])
        self._state.save_role(call, row | {"PermissionsBoundary": call.params["PermissionsBoundary"]})
        return {}

    def delete_boundary(self, call: Call) -> Answer:
        row = self._changeable(call)
        row.pop("PermissionsBoundary", None)
        self._state.save_role(call, row)
        return {}

    def tag(self, call: Call) -> Answer:
        row = self._state.role(call)
        self._state.save_role(call, row | {"Tags": tags_of(row["Tags"], call.params["Tags"])})
        return {}

    def untag(self, call: Call) -> Answer:
        row = self._state.role(call)
        self._state.save_role(call, row | {"Tags": without_tags(row["Tags"], call.params["TagKeys"])})
        return {}

    def tags(self, call: Call) -> Answer:
        return page(tag_list(self._state.role(call)["Tags"]), call.params, "Tags")

    def instance_profiles(self, call: Call) -> Answer:
        """There are none here, and a role is asked about before it is deleted."""
        self._state.role(call)
        return page([], call.params, "InstanceProfiles")

    def _changeable(self, call: Call) -> dict[str, Any]:
        """Raises NoSuchEntity, UnmodifiableEntity."""
        row = self._state.role(call)
        check_changeable(row)
        return row


def check_changeable(row: Mapping[str, Any]) -> None:
    """Raises UnmodifiableEntity: a service-linked role is its service's."""
    if row["Path"].startswith(SERVICE_PATH):
        name = row["RoleName"]
        text = f"Cannot perform the operation on the protected role '{name}' - this role is only modifiable by AWS"
        raise ServiceError("UnmodifiableEntity", text, 400)


def new_role(call: Call, name: str, path: str, trust: str, now: float) -> dict[str, Any]:
    """A row, with nothing attached. Raises MalformedPolicyDocument, LimitExceeded."""
    check_trust_policy(trust)
    return {
        "RoleName": name,
        "Path": path,
        "RoleId": unique_id("AROA"),
        "Arn": arn(call.context.account_id, "role", path, name),
        "CreateDate": now,
        "AssumeRolePolicyDocument": trust,
        "MaxSessionDuration": _SESSION_S,
        "Tags": {},
        "Inline": {},
        "Attached": [],
    }


def told(row: Mapping[str, Any]) -> dict[str, Any]:
    """As an answer tells of a role."""
    same = ("RoleName", "Path", "RoleId", "Arn", "MaxSessionDuration")
    role: dict[str, Any] = {name: row[name] for name in same}
    role["CreateDate"] = moment(row["CreateDate"])
    role["AssumeRolePolicyDocument"] = in_answer(row["AssumeRolePolicyDocument"])
    if row.get("Description"):
        role["Description"] = row["Description"]
    if row["Tags"]:
        role["Tags"] = tag_list(row["Tags"])
    if boundary := row.get("PermissionsBoundary"):
        role["PermissionsBoundary"] = {
            "PermissionsBoundaryType": "PermissionsBoundaryPolicy",
            "PermissionsBoundaryArn": boundary,
        }
    return role


def _session(params: Mapping[str, Any]) -> int:
    """Raises ValidationError."""
    seconds = int(params.get("MaxSessionDuration") or _SESSION_S)
    if seconds < _SESSION_S:
        raise validation_error(seconds, "maxSessionDuration", f"have value greater than or equal to {_SESSION_S}")
    if seconds > _MAX_SESSION_S:
        raise validation_error(seconds, "maxSessionDuration", f"have value less than or equal to {_MAX_SESSION_S}")
    return seconds


def _description(params: Mapping[str, Any]) -> str:
    """Raises ValidationError."""
    text = str(params["Description"])
    if len(text) > _MAX_DESCRIPTION:
        raise validation_error(text, "description", f"have length less than or equal to {_MAX_DESCRIPTION}")
    return text
