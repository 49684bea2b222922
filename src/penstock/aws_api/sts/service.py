"""The operations."""

import re
from collections.abc import Mapping
from typing import Any, Final

from penstock.aws_api.service import Answer, Call, Dispatcher, Operation, ServiceError
from penstock.aws_api.store import Store
from penstock.aws_api.sts.sessions import Session, Sessions
from penstock.model.clock import Clock
from penstock.wire.sigv4 import Key

# The user that every key is taken for, where no key file says whose it is.
_USER: Final = "penstock"
_ROLE_ARN: Final = re.compile(r"arn:aws[a-z-]*:iam::(\d{12}):role(/(?:[\x21-\x7e]+/)?)([\w+=,.@-]{1,64})", re.ASCII)
_SESSION_NAME: Final = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)
# https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html and API_GetSessionToken.html
_MIN_S: Final = 900
_ROLE_S: Final = 3600
_TOKEN_S: Final = 43_200
_MAX_TOKEN_S: Final = 129_600
# https://docs.aws.amazon.com/STS/latest/APIReference/API_GetAccessKeyInfo.html
_ACCESS_KEY_ID: Final = re.compile(r"\w{16,128}", re.ASCII)


class StsService:
    """`users` are the keys of a key file, by access key id; any other key is the user `penstock`. `sessions` are those
    and the temporary ones that were given out: what may sign, where signatures are verified.

    Every caller may assume every role of the account: trust policies are kept, not enforced.
    """

    name: Final = "sts"

    def __init__(
        self, store: Store, clock: Clock, dispatcher: Dispatcher, users: Mapping[str, Key] | None = None
    ) -> None:
        self.sessions = Sessions(store, clock, users or {})
        self._dispatcher = dispatcher
        self._users = users or {}
        self._operations: dict[str, Operation] = {
            "GetCallerIdentity": self.caller_identity,
            "AssumeRole": self.assume_role,
            "GetSessionToken": self.session_token,
            "GetAccessKeyInfo": self.access_key_info,
        }

    @property
    def operations(self) -> Mapping[str, Operation]:
        return self._operations

    async def start(self) -> None:
        self.sessions.prune()

    async def close(self) -> None:
        """Nothing to end."""

    def caller_identity(self, call: Call) -> Answer:
        if session := self.sessions.find(call.context.access_key_id):
            return {"UserId": session.caller_id, "Account": session.account_id, "Arn": session.arn}
        key = self._user(call)
        return {"UserId": key.caller_id, "Account": key.account_id, "Arn": key.user_arn}

    async def assume_role(self, call: Call) -> Answer:
        params = call.params
        name = params["RoleSessionName"]
        if not _SESSION_NAME.fullmatch(name):
            raise _invalid(name, "roleSessionName", r"satisfy regular expression pattern: [\w+=,.@-]*")
        seconds = params.get("DurationSeconds") or _ROLE_S
        _check_seconds(seconds, _TOKEN_S)
        role = await self._role(call)
        if seconds > role["MaxSessionDuration"]:
            text = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
            raise ServiceError("ValidationError", text)
        arn = f"arn:aws:sts::{call.context.account_id}:assumed-role/{role['RoleName']}/{name}"
        user = {"AssumedRoleId": f"{role['RoleId']}:{name}", "Arn": arn}
        session = self.sessions.open(
            account_id=call.context.account_id, arn=arn, caller_id=user["AssumedRoleId"], user=name, seconds=seconds
        )
        answer: Answer = {"Credentials": session.credentials(), "AssumedRoleUser": user}
        return answer | ({"SourceIdentity": params["SourceIdentity"]} if params.get("SourceIdentity") else {})

    def session_token(self, call: Call) -> Answer:
        """Keys of a role cannot have more of them."""
        if self.sessions.find(call.context.access_key_id):
            raise ServiceError("AccessDenied", "Cannot call GetSessionToken with session credentials", 403)
        seconds = call.params.get("DurationSeconds") or _TOKEN_S
        _check_seconds(seconds, _MAX_TOKEN_S)
        key = self._user(call)
        session: Session = self.sessions.open(
            account_id=key.account_id, arn=key.user_arn, caller_id=key.caller_id, user=key.user, seconds=seconds
        )
        return {"Credentials": session.credentials()}

    def access_key_info(self, call: Call) -> Answer:
        access_key_id = call.params["AccessKeyId"]
        if not _ACCESS_KEY_ID.fullmatch(access_key_id):
            raise _invalid(access_key_id, "accessKeyId", r"satisfy regular expression pattern: [\w]*")
        key = self.sessions.get(access_key_id)
        return {"Account": key.account_id if key else call.context.account_id}

    def _user(self, call: Call) -> Key:
        found = self._users.get(call.context.access_key_id)
        account_id = call.context.account_id
        return found or Key(access_key_id="", secret_access_key="", account_id=account_id, user=_USER)

    async def _role(self, call: Call) -> dict[str, Any]:
        """IAM's row of the role. Raises AccessDenied: STS does not tell whether there is such a role."""
        arn = call.params["RoleArn"]
        found = _ROLE_ARN.fullmatch(arn)
        if found and found[1] == call.context.account_id:
            try:
                answer = await self._dispatcher.call("iam", "GetRole", {"RoleName": found[3]}, call.context)
            except ServiceError as error:
                if error.code != "NoSuchEntity":
                    raise
            else:
                if answer["Role"]["Arn"] == arn:
                    return dict(answer["Role"])
        caller = self.caller_identity(call)["Arn"]
        text = f"User: {caller} is not authorized to perform: sts:AssumeRole on resource: {arn}"
        raise ServiceError("AccessDenied", text, 403)


def _check_seconds(seconds: int, most: int) -> None:
    """Raises ValidationError."""
    if seconds < _MIN_S:
        raise _invalid(seconds, "durationSeconds", f"have value greater than or equal to {_MIN_S}")
    if seconds > most:
        raise _invalid(seconds, "durationSeconds", f"have value less than or equal to {most}")


def _invalid(value: object, member: str, constraint: str) -> ServiceError:
    text = (
        f"1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: "
        f"Member must {constraint}"
    )
    return ServiceError("ValidationError", text)
