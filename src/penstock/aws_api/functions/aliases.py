"""Aliases: a name for a version, and for a second one with a weight."""

import re
from collections.abc import Mapping
from typing import Any, Final

from penstock.aws_api.functions import shapes
from penstock.aws_api.functions.errors import conflict, invalid, missing
from penstock.aws_api.functions.lives import Lives
from penstock.aws_api.functions.paging import page, paged
from penstock.aws_api.functions.state import LATEST, Record, State, check_revision, new_revision
from penstock.aws_api.service import Answer, Call, Operation

_NUMBER: Final = re.compile(r"[0-9]+")


class Aliases:
    def __init__(self, state: State, lives: Lives) -> None:
        self._state = state
        self._lives = lives

    @property
    def operations(self) -> Mapping[str, Operation]:
        return {
            "CreateAlias": self._create,
            "DeleteAlias": self._delete,
            "GetAlias": self._get,
            "ListAliases": self._list,
            "UpdateAlias": self._update,
        }

    def _create(self, call: Call) -> Answer:
        state, params = self._state, call.params
        name = state.read_name(params).name
        key = f"{name}/{params['Name']}"
        if key in state.aliases:
            raise conflict(f"Alias already exists: {state.function_arn(name, params['Name'])}")
        record: Record = {
            "function": name,
            "Name": params["Name"],
            "FunctionVersion": params["FunctionVersion"],
            "Description": params.get("Description", ""),
            "RevisionId": new_revision(),
        }
        self._put(key, record, params)
        return shapes.alias(state, record)

    def _update(self, call: Call) -> Answer:
        state, params = self._state, call.params
        name, key, record = self._find(call)
        state.check_own(name)
        check_revision(record, params)
        record |= {member: params[member] for member in ("FunctionVersion", "Description") if member in params}
        record["RevisionId"] = new_revision()
        self._put(key, record, params)
        self._lives.point_url(name, params["Name"])
        return shapes.alias(state, record)

    def _put(self, key: str, record: Record, params: Mapping[str, Any]) -> None:
        name = record["function"]
        if "RoutingConfig" in params:
            weights = dict((params["RoutingConfig"] or {}).get("AdditionalVersionWeights") or {})
            record.pop("RoutingConfig", None)
            if weights:
                self._check_weights(record, weights)
                record["RoutingConfig"] = {"AdditionalVersionWeights": weights}
        for version in (record["FunctionVersion"], *_weights(record)):
            if self._state.version(name, version) is None:
                raise missing(f"Function not found: {self._state.function_arn(name, version)}")
        self._state.aliases.put(key, record)

    def _check_weights(self, record: Record, weights: Mapping[str, float]) -> None:
        """https://docs.aws.amazon.com/lambda/latest/dg/configuring-alias-routing.html"""
        if len(weights) > 1:
            raise invalid("Number of items in AdditionalVersionWeights cannot be greater than 1")
        if record["FunctionVersion"] == LATEST:
            raise invalid("$LATEST is not supported for an alias pointing to more than 1 version")
        if record["FunctionVersion"] in weights:
            told = "is already included in routing configuration."
            raise invalid(f"Invalid function version {record['FunctionVersion']}. Function version {told}")
        for version in weights:
            if not _NUMBER.fullmatch(version):
                raise invalid(f"Invalid function version {version}: a weight is for a numbered version")

    def _get(self, call: Call) -> Answer:
        _, _, record = self._find(call)
        return shapes.alias(self._state, record)

    def _find(self, call: Call) -> tuple[str, str, Record]:
        state = self._state
        name = state.read_name(call.params).name
        key = f"{name}/{call.params['Name']}"
        record = state.aliases.get(key)
        if record is None:
            raise missing(f"Cannot find alias arn: {state.function_arn(name, call.params['Name'])}")
        return name, key, record

    def _list(self, call: Call) -> Answer:
        state, params = self._state, call.params
        name = state.read_name(params).name
        records = state.aliases.items(f"{name}/")
        if version := params.get("FunctionVersion"):
            records = [
                item for item in records if item[1]["FunctionVersion"] == version or version in _weights(item[1])
            ]
        taken, marker = page(records, lambda item: item[0], params)
        return paged("Aliases", [shapes.alias(state, record) for _, record in taken], marker)

    def _delete(self, call: Call) -> Answer:
        """An alias that is not there is no error, as on AWS."""
        state = self._state
        name, qualifier = state.read_name(call.params).name, call.params["Name"]
        key = f"{name}/{qualifier}"
        state.check_own(name)
        with state.store.transaction():
            for table in (state.aliases, state.url_configs, state.policies, state.event_invokes):
                table.delete(key)
        self._lives.close_url(name, qualifier)
        return {}


def _weights(alias: Record) -> dict[str, float]:
    found: dict[str, float] = (alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
    return found
