"""The policies of a role: inline ones, and managed ones that are attached to it.

https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_managed-vs-inline.html
"""

from typing import Final

from penstock.aws_api.iam.documents import MAX_INLINE, check_identity_policy, in_answer, size_of
from penstock.aws_api.iam.errors import limit_exceeded, no_such_entity
from penstock.aws_api.iam.managed import check_attachable
from penstock.aws_api.iam.names import MAX_POLICY_NAME, check_name
from penstock.aws_api.iam.paging import page
from penstock.aws_api.iam.roles import check_changeable
from penstock.aws_api.iam.state import IamState
from penstock.aws_api.service import Answer, Call, Operation

# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html: ten, and 25 where the quota was raised.
_MAX_ATTACHED: Final = 10


class RolePolicyOperations:
    def __init__(self, state: IamState) -> None:
        self._state = state
        self.operations: dict[str, Operation] = {
            "PutRolePolicy": self.put,
            "GetRolePolicy": self.get,
            "ListRolePolicies": self.list,
            "DeleteRolePolicy": self.delete,
            "AttachRolePolicy": self.attach,
            "DetachRolePolicy": self.detach,
            "ListAttachedRolePolicies": self.attached,
        }

    def put(self, call: Call) -> Answer:
        row = self._state.role(call)
        check_changeable(row)
        name, text = call.params["PolicyName"], call.params["PolicyDocument"]
        check_name(name, "policyName", MAX_POLICY_NAME)
        check_identity_policy(text)
        inline = row["Inline"] | {name: text}
        if sum(size_of(one) for one in inline.values()) > MAX_INLINE:
            role = row["RoleName"]
            raise limit_exceeded(f"Maximum policy size of {MAX_INLINE} bytes exceeded for role {role}")
        self._state.save_role(call, row | {"Inline": inline})
        return {}

    def get(self, call: Call) -> Answer:
        row, name = self._state.role(call), call.params["PolicyName"]
        if name not in row["Inline"]:
            raise _no_such_policy(name)
        return {"RoleName": row["RoleName"], "PolicyName": name, "PolicyDocument": in_answer(row["Inline"][name])}

    def list(self, call: Call) -> Answer:
        return page(sorted(self._state.role(call)["Inline"]), call.params, "PolicyNames")

    def delete(self, call: Call) -> Answer:
        row, name = self._state.role(call), call.params["PolicyName"]
        if row["Inline"].pop(name, None) is None:
            raise _no_such_policy(name)
        self._state.save_role(call, row)
        return {}

    def attach(self, call: Call) -> Answer:
        """Attaching it again changes nothing."""
        row, arn = self._state.role(call), call.params["PolicyArn"]
        check_changeable(row)
        check_attachable(self._state, call, arn)
        if arn not in row["Attached"]:
            if len(row["Attached"]) >= _MAX_ATTACHED:
                raise limit_exceeded(f"Cannot exceed quota for PoliciesPerRole: {_MAX_ATTACHED}")
            self._state.save_role(call, row | {"Attached": [*row["Attached"], arn]})
        return {}

    def detach(self, call: Call) -> Answer:
        row, arn = self._state.role(call), call.params["PolicyArn"]
        check_changeable(row)
        if arn not in row["Attached"]:
            raise no_such_entity(f"Policy {arn} was not found.")
        self._state.save_role(call, row | {"Attached": [one for one in row["Attached"] if one != arn]})
        return {}

    def attached(self, call: Call) -> Answer:
        prefix = call.params.get("PathPrefix") or "/"
        arns = [arn for arn in self._state.role(call)["Attached"] if _path(arn).startswith(prefix)]
        found = [{"PolicyName": arn.rpartition("/")[2], "PolicyArn": arn} for arn in arns]
        return page(found, call.params, "AttachedPolicies")


def _path(arn: str) -> str:
    """`/service-role/` of `arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole`."""
    return arn.partition(":policy")[2].rpartition("/")[0] + "/"


def _no_such_policy(name: str) -> Exception:
    return no_such_entity(f"The role policy with name {name} cannot be found.")
