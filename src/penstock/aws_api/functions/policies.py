"""Resource policies: statements by id. Here is one account, whose own users may do everything; what a policy decides is
whether a Function URL without authentication serves everybody (`is_public`).

https://docs.aws.amazon.com/lambda/latest/api/API_AddPermission.html
"""

from collections.abc import Mapping
from typing import Any

import orjson

from penstock.aws_api.functions.errors import missing, precondition, statement_exists
from penstock.aws_api.functions.lives import Lives
from penstock.aws_api.functions.state import LATEST, Record, State, new_revision
from penstock.aws_api.service import Answer, Call, Operation


class Policies:
    def __init__(self, state: State, lives: Lives) -> None:
        self._state = state
        self._lives = lives

    @property
    def operations(self) -> Mapping[str, Operation]:
        return {"AddPermission": self._add, "GetPolicy": self._get, "RemovePermission": self._remove}

    def _add(self, call: Call) -> Answer:
        params = call.params
        key, arn, policy = self._policy(call)
        _check_revision(policy, params)
        sid = params["StatementId"]
        if any(one["Sid"] == sid for one in policy["statements"]):
            raise statement_exists(sid)
        statement = _statement(params, arn, self._state.account_id)
        policy["statements"].append(statement)
        self._put(key, policy)
        return {"Statement": orjson.dumps(statement).decode()}

    def _get(self, call: Call) -> Answer:
        _, _, policy = self._policy(call)
        if not policy["statements"]:
            raise missing("The resource you requested does not exist.")
        document = {"Version": "2012-10-17", "Id": "default", "Statement": policy["statements"]}
        return {"Policy": orjson.dumps(document).decode(), "RevisionId": policy["revision"]}

    def _remove(self, call: Call) -> Answer:
        params = call.params
        key, _, policy = self._policy(call)
        _check_revision(policy, params)
        left = [one for one in policy["statements"] if one["Sid"] != params["StatementId"]]
        if len(left) == len(policy["statements"]):
            raise missing(f"Statement {params['StatementId']} is not found in resource policy.")
        self._put(key, {"statements": left})
        return {}

    def _policy(self, call: Call) -> tuple[str, str, Record]:
        """Its key, what it is for, and what it says: for a function, a version or an alias."""
        state = self._state
        name = state.read_name(call.params)
        if name.qualifier:
            state.resolve(name.name, name.qualifier)
        key = f"{name.name}/{name.qualifier or ''}"
        return key, state.function_arn(name.name, name.qualifier), state.policies.get(key) or {"statements": []}

    def _put(self, key: str, policy: Record) -> None:
        self._state.policies.put(key, policy | {"revision": new_revision()})
        name, _, qualifier = key.partition("/")
        self._lives.point_url(name, qualifier or LATEST)  # it may have become public, or be so no more


def _check_revision(policy: Record, params: Mapping[str, Any]) -> None:
    if params.get("RevisionId") not in (None, policy.get("revision")):
        raise precondition()


def _statement(params: Mapping[str, Any], arn: str, account_id: str) -> Record:
    conditions: dict[str, dict[str, str]] = {}
    if given := params.get("SourceArn"):
        conditions.setdefault("ArnLike", {})["AWS:SourceArn"] = given
    equals = {
        "AWS:SourceAccount": params.get("SourceAccount"),
        "lambda:FunctionUrlAuthType": params.get("FunctionUrlAuthType"),
        "lambda:EventSourceToken": params.get("EventSourceToken"),
        "aws:PrincipalOrgID": params.get("PrincipalOrgID"),
    }
    if found := {key: value for key, value in equals.items() if value}:
        conditions["StringEquals"] = found
    if params.get("InvokedViaFunctionUrl") is not None:
        told = "true" if params["InvokedViaFunctionUrl"] else "false"
        conditions["Bool"] = {"lambda:InvokedViaFunctionUrl": told}
    statement: Record = {
        "Sid": params["StatementId"],
        "Effect": "Allow",
        "Principal": _principal(params["Principal"], account_id),
        "Action": params["Action"],
        "Resource": arn,
    }
    return statement | ({"Condition": conditions} if conditions else {})


def _principal(given: str, account_id: str) -> str | dict[str, str]:
    if given == "*":
        return given
    if given.isdigit():
        return {"AWS": f"arn:aws:iam::{given or account_id}:root"}
    return {"AWS" if given.startswith("arn:") else "Service": given}
