"""Layers: numbered versions of an archive, and who may use them."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from penstock.aws_api.functions.code import Archives
from penstock.aws_api.functions.errors import invalid, missing, precondition, statement_exists
from penstock.aws_api.functions.paging import page, paged
from penstock.aws_api.functions.reading import layer_key
from penstock.aws_api.functions.state import Record, State, new_revision
from penstock.aws_api.service import Answer, Call, Operation

# LayerVersionArn of botocore's model lambda/2015-03-31.
_ARN: Final = re.compile(r"arn:[a-zA-Z0-9-]+:lambda:[a-zA-Z0-9-]+:\d{12}:layer:([a-zA-Z0-9-_]+):([0-9]+)")
_LAST: Final = 9_999_999_999
_GIVEN: Final = ("CompatibleArchitectures", "CompatibleRuntimes", "LicenseInfo")


class Layers:
    def __init__(self, state: State, archives: Archives) -> None:
        self._state = state
        self._archives = archives

    @property
    def operations(self) -> Mapping[str, Operation]:
        return {
            "AddLayerVersionPermission": self._add_permission,
            "DeleteLayerVersion": self._delete,
            "GetLayerVersion": self._get,
            "GetLayerVersionByArn": self._get_by_arn,
            "GetLayerVersionPolicy": self._get_policy,
            "ListLayerVersions": self._list_versions,
            "ListLayers": self._list,
            "PublishLayerVersion": self._publish,
            "RemoveLayerVersionPermission": self._remove_permission,
        }

    async def _publish(self, call: Call) -> Answer:
        state, params = self._state, call.params
        name = _name(params["LayerName"])
        archive = await self._archives.take(params["Content"])
        counters = state.store.table("lambda.layer-number")
        number = (counters.get(name) or 0) + 1  # of a version that was deleted it is never used again
        arn = state.arn("layer", f"{name}:{number}")
        record: Record = {
            "arn": arn,
            "number": number,
            "code": archive.file,
            "content": {"CodeSha256": archive.sha256, "CodeSize": archive.size},
            "created": state.now(),
            "description": params.get("Description", ""),
            "given": {member: params[member] for member in _GIVEN if params.get(member)},
            "policy": {"statements": []},
        }
        with state.store.transaction():
            counters.put(name, number)
            state.layers.put(layer_key(name, str(number)), record)
        return self._shown(record)

    def _shown(self, record: Record) -> Answer:
        content = record["content"] | {"Location": self._archives.path(record["code"]).as_uri()}
        return {"Content": content, "LayerArn": record["arn"].rpartition(":")[0]} | _listed(record)

    def _get(self, call: Call) -> Answer:
        return self._shown(self._find(call)[1])

    def _get_by_arn(self, call: Call) -> Answer:
        found = _ARN.fullmatch(call.params["Arn"])
        record = self._state.layers.get(layer_key(found[1], found[2])) if found else None
        if record is None or record["arn"] != call.params["Arn"]:
            raise missing("The resource you requested does not exist.")
        return self._shown(record)

    def _find(self, call: Call) -> tuple[str, Record]:
        key = layer_key(_name(call.params["LayerName"]), str(call.params["VersionNumber"]))
        record = self._state.layers.get(key)
        if record is None:
            raise missing("The resource you requested does not exist.")
        return key, record

    def _list(self, call: Call) -> Answer:
        """Each layer once, with its newest version."""
        newest = {
            key.partition("/")[0]: record for key, record in self._state.layers.items() if _suits(record, call.params)
        }
        taken, marker = page(list(newest.items()), lambda item: item[0], call.params)
        items = [
            {"LayerName": name, "LayerArn": record["arn"].rpartition(":")[0], "LatestMatchingVersion": _listed(record)}
            for name, record in taken
        ]
        return paged("Layers", items, marker)

    def _list_versions(self, call: Call) -> Answer:
        """The newest first."""
        name = _name(call.params["LayerName"])
        records = [one for _, one in self._state.layers.items(f"{name}/") if _suits(one, call.params)][::-1]
        taken, marker = page(records, lambda record: f"{_LAST - record['number']:010}", call.params)
        return paged("LayerVersions", [_listed(record) for record in taken], marker)

    def _delete(self, call: Call) -> Answer:
        """One that is not there is no error. Functions that have it go on: what they run of it is their own copy."""
        key = layer_key(_name(call.params["LayerName"]), str(call.params["VersionNumber"]))
        if self._state.layers.delete(key):
            self._archives.sweep()
        return {}

    # --- who may use them ---

    def _add_permission(self, call: Call) -> Answer:
        params = call.params
        key, record = self._find(call)
        policy = record["policy"]
        _check_revision(policy, params)
        if any(one["Sid"] == params["StatementId"] for one in policy["statements"]):
            raise statement_exists(params["StatementId"])
        principal = params["Principal"]
        statement: Record = {
            "Sid": params["StatementId"],
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{principal}:root"} if principal.isdigit() else principal,
            "Action": params["Action"],
            "Resource": record["arn"],
        }
        if params.get("OrganizationId"):
            statement["Condition"] = {"StringEquals": {"aws:PrincipalOrgID": params["OrganizationId"]}}
        revision = self._put_policy(key, record, [*policy["statements"], statement])
        return {"Statement": orjson.dumps(statement).decode(), "RevisionId": revision}

    def _get_policy(self, call: Call) -> Answer:
        policy = self._find(call)[1]["policy"]
        if not policy["statements"]:
            raise missing("No policy is associated with the given resource.")
        document = {"Version": "2012-10-17", "Id": "default", "Statement": policy["statements"]}
        return {"Policy": orjson.dumps(document).decode(), "RevisionId": policy["revision"]}

    def _remove_permission(self, call: Call) -> Answer:
        key, record = self._find(call)
        policy, sid = record["policy"], call.params["StatementId"]
        _check_revision(policy, call.params)
        left = [one for one in policy["statements"] if one["Sid"] != sid]
        if len(left) == len(policy["statements"]):
            raise missing(f"Statement {sid} is not found in resource policy.")
        self._put_policy(key, record, left)
        return {}

    def _put_policy(self, key: str, record: Record, statements: Sequence[Record]) -> str:
        revision = new_revision()
        record["policy"] = {"statements": list(statements), "revision": revision}
        self._state.layers.put(key, record)
        return revision


def _name(given: str) -> str:
    """LayerName is a name or a layer's ARN."""
    name = given.rpartition(":layer:")[2]
    if ":" in name:
        raise invalid(f"{given} names a version; a layer's name or ARN is wanted")
    return name


def _listed(record: Record) -> Record:
    """A LayerVersionsListItem."""
    item: Record = {
        "LayerVersionArn": record["arn"],
        "Version": record["number"],
        "Description": record["description"],
        "CreatedDate": record["created"],
    }
    given: Record = record["given"]
    return item | given


def _suits(record: Record, params: Mapping[str, Any]) -> bool:
    """A version that says nothing of runtimes or architectures suits no filter, as on AWS."""
    runtime, architecture = params.get("CompatibleRuntime"), params.get("CompatibleArchitecture")
    given = record["given"]
    if runtime and runtime not in given.get("CompatibleRuntimes", ()):
        return False
    return not architecture or bool(architecture in given.get("CompatibleArchitectures", ()))


def _check_revision(policy: Record, params: Mapping[str, Any]) -> None:
    if params.get("RevisionId") not in (None, policy.get("revision")):
        raise precondition()
