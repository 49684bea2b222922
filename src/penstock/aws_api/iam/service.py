"""The service: its operations put together."""

from collections.abc import Mapping
from typing import Final

from penstock.aws_api.iam.linked_roles import LinkedRoleOperations
from penstock.aws_api.iam.policies import PolicyOperations
from penstock.aws_api.iam.role_policies import RolePolicyOperations
from penstock.aws_api.iam.roles import RoleOperations
from penstock.aws_api.iam.state import IamState
from penstock.aws_api.iam.users import UserOperations
from penstock.aws_api.service import Operation
from penstock.aws_api.store import Store
from penstock.model.clock import Clock


class IamService:
    """What it keeps is the account's, whatever the Region."""

    name: Final = "iam"

    def __init__(self, store: Store, clock: Clock) -> None:
        state = IamState(store, clock)
        self._operations: dict[str, Operation] = {
            **RoleOperations(state).operations,
            **RolePolicyOperations(state).operations,
            **PolicyOperations(state).operations,
            **LinkedRoleOperations(state).operations,
            **UserOperations().operations,
        }

    @property
    def operations(self) -> Mapping[str, Operation]:
        return self._operations

    async def start(self) -> None:
        """Each call is one write, so nothing is ever half done."""

    async def close(self) -> None:
        """Nothing to end."""
