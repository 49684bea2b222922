"""The one user there is: who asks, unless the key file says otherwise."""

from typing import Any, Final

from penstock.aws_api.iam.errors import no_such_entity
from penstock.aws_api.iam.paging import page
from penstock.aws_api.iam.state import moment
from penstock.aws_api.service import Answer, Call, Operation
from penstock.wire.sigv4 import Key

USER: Final = "penstock"
# A moment that is always the same: the user was there before anything was asked. `assumed`
_MADE: Final = 1_704_067_200.0


class UserOperations:
    """https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetUser.html"""

    def __init__(self) -> None:
        self.operations: dict[str, Operation] = {
            "GetUser": self.get,
            "ListUsers": self.list,
            "ListAccountAliases": self.aliases,
        }

    def get(self, call: Call) -> Answer:
        name = call.params.get("UserName") or USER
        if name != USER:
            raise no_such_entity(f"The user with name {name} cannot be found.")
        return {"User": _told(call)}

    def list(self, call: Call) -> Answer:
        found = [_told(call)] if (call.params.get("PathPrefix") or "/") == "/" else []
        return page(found, call.params, "Users")

    def aliases(self, call: Call) -> Answer:
        return page([], call.params, "AccountAliases")


def _told(call: Call) -> dict[str, Any]:
    key = Key(access_key_id="", secret_access_key="", account_id=call.context.account_id, user=USER)
    return {
        "UserName": USER,
        "Path": "/",
        "UserId": key.caller_id,
        "Arn": key.user_arn,
        "CreateDate": moment(_MADE),
    }
