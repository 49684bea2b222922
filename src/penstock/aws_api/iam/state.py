"""Roles and managed policies in their tables.

Names are unique within an account and not told apart by case:
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html#reference_iam-quotas-names
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from penstock.aws_api.iam.errors import no_such_entity
from penstock.aws_api.service import Call
from penstock.aws_api.store import Store
from penstock.model.clock import Clock


class IamState:
    def __init__(self, store: Store, clock: Clock) -> None:
        self.store = store
        self.clock = clock
        self._roles = store.table("iam.role")
        self._policies = store.table("iam.policy")

    def role(self, call: Call, name: str | None = None) -> dict[str, Any]:
        """The row of `name`, or of the role that the call names. Raises NoSuchEntity."""
        name = name if name is not None else call.params["RoleName"]
        found = self.find_role(call, name)
        if found is None:
            raise no_such_entity(f"The role with name {name} cannot be found.")
        return found

    def find_role(self, call: Call, name: str) -> dict[str, Any] | None:
        found = self._roles.get(_key(call, name))
        return None if found is None else dict(found)

    def roles(self, call: Call) -> list[dict[str, Any]]:
        """Those of the account, by name."""
        return [row for _, row in self._roles.items(_key(call, ""))]

    def save_role(self, call: Call, row: Mapping[str, Any]) -> None:
        self._roles.put(_key(call, row["RoleName"]), dict(row))

    def delete_role(self, call: Call, row: Mapping[str, Any]) -> None:
        self._roles.delete(_key(call, row["RoleName"]))

    def find_policy(self, call: Call, arn: str) -> dict[str, Any] | None:
        found = self._policies.get(_key(call, arn.rpartition("/")[2]))
        return dict(found) if found is not None and found["Arn"] == arn else None

    def policy_called(self, call: Call, name: str) -> bool:
        return _key(call, name) in self._policies

    def policies(self, call: Call) -> list[dict[str, Any]]:
        return [row for _, row in self._policies.items(_key(call, ""))]

    def save_policy(self, call: Call, row: Mapping[str, Any]) -> None:
        self._policies.put(_key(call, row["PolicyName"]), dict(row))

    def delete_policy(self, call: Call, row: Mapping[str, Any]) -> None:
        self._policies.delete(_key(call, row["PolicyName"]))

    def holders(self, call: Call, arn: str) -> list[dict[str, Any]]:
        """The roles a managed policy is attached to."""
        return [role for role in self.roles(call) if arn in role["Attached"]]

    def bounded(self, call: Call, arn: str) -> list[dict[str, Any]]:
        """The roles it is the permissions boundary of."""
        return [role for role in self.roles(call) if role.get("PermissionsBoundary") == arn]


def _key(call: Call, name: str) -> str:
    return f"{call.context.account_id}/{name.lower()}"


def moment(epoch: float) -> datetime:
    """IAM counts whole seconds."""
    return datetime.fromtimestamp(int(epoch), UTC)
