"""Function URLs."""

import re
from collections.abc import Mapping
from typing import Any, Final

from penstock.aws_api.functions.errors import conflict, missing
from penstock.aws_api.functions.lives import Lives
from penstock.aws_api.functions.paging import page, paged
from penstock.aws_api.functions.state import LATEST, Record, State, moment
from penstock.aws_api.service import Answer, Call, Operation
from penstock.invoke_api.refusal import RefusalError, validation_error

_VERSION: Final = re.compile(r"[0-9]+")
_MEMBERS: Final = ("AuthType", "Cors", "InvokeMode")


class Urls:
    def __init__(self, state: State, lives: Lives) -> None:
        self._state = state
        self._lives = lives

    @property
    def operations(self) -> Mapping[str, Operation]:
        return {
            "CreateFunctionUrlConfig": self._create,
            "DeleteFunctionUrlConfig": self._delete,
            "GetFunctionUrlConfig": self._get,
            "ListFunctionUrlConfigs": self._list,
            "UpdateFunctionUrlConfig": self._update,
        }

    def _create(self, call: Call) -> Answer:
        state, params = self._state, call.params
        name, qualifier = self._name(call)
        key = f"{name}/{qualifier}"
        state.resolve(name, qualifier)
        if key in state.url_configs:
            arn = self._arn(name, qualifier)
            raise conflict(
                f"Failed to create function url config for [functionArn = {arn}]. "
                "Error message:  FunctionUrlConfig exists for this Lambda function"
            )
        now = moment(state.clock.epoch())
        shape: Record = {"InvokeMode": "BUFFERED", "CreationTime": now, "LastModifiedTime": now}
        shape |= {member: params[member] for member in _MEMBERS if params.get(member)}
        self._lives.reader.url_config(name, shape)  # before anything is kept
        state.url_configs.put(key, {"shape": shape})
        self._lives.open_url(name, qualifier)
        return self._shown(name, qualifier, shape, without="LastModifiedTime")

    def _update(self, call: Call) -> Answer:
        state, params = self._state, call.params
        name, qualifier, shape = self._find(call)
        state.check_own(name)
        shape |= {member: params[member] for member in _MEMBERS if member in params}
        shape["LastModifiedTime"] = moment(state.clock.epoch())
        self._lives.reader.url_config(name, shape)
        state.url_configs.put(f"{name}/{qualifier}", {"shape": shape})
        self._lives.point_url(name, qualifier)
        return self._shown(name, qualifier, shape)

    def _get(self, call: Call) -> Answer:
        return self._shown(*self._find(call))

    def _list(self, call: Call) -> Answer:
        state = self._state
        try:
            name = state.read_name(call.params).name
        except RefusalError as refusal:
            raise missing("Function does not exist") if refusal.status == 404 else refusal from None
        taken, marker = page(state.url_configs.items(f"{name}/"), lambda item: item[0], call.params)
        items = [self._shown(name, key.partition("/")[2], record["shape"]) for key, record in taken]
        return paged("FunctionUrlConfigs", items, marker)

    def _delete(self, call: Call) -> Answer:
        name, qualifier, _ = self._find(call)
        self._state.check_own(name)
        self._state.url_configs.delete(f"{name}/{qualifier}")
        self._lives.close_url(name, qualifier)
        return {}

    def _find(self, call: Call) -> tuple[str, str, Record]:
        name, qualifier = self._name(call)
        found = self._state.url_configs.get(f"{name}/{qualifier}")
        if found is None:
            raise missing("The resource you requested does not exist.")
        return name, qualifier, found["shape"]

    def _name(self, call: Call) -> tuple[str, str]:
        """A URL is for the function itself or for an alias."""
        name = self._state.read_name(call.params)
        if call.params.get("Qualifier") == LATEST:
            raise _bad_qualifier(LATEST, r"((?!^\d+$)^[0-9a-zA-Z-_]+$)")
        if name.qualifier and _VERSION.fullmatch(name.qualifier):
            raise _bad_qualifier(name.qualifier, r"(^\$LATEST$)|((?!^[0-9]+$)([a-zA-Z0-9-_]+))")
        return name.name, name.qualifier or LATEST

    def _shown(self, name: str, qualifier: str, shape: Mapping[str, Any], without: str = "") -> Answer:
        url = self._state.urls.get((name, qualifier))
        shown = {key: value for key, value in shape.items() if key != without}
        return {"FunctionUrl": url.address if url else "", "FunctionArn": self._arn(name, qualifier)} | shown

    def _arn(self, name: str, qualifier: str) -> str:
        return self._state.function_arn(name, None if qualifier == LATEST else qualifier)


def _bad_qualifier(qualifier: str, pattern: str) -> Exception:
    return validation_error("qualifier", qualifier, f"Member must satisfy regular expression pattern: {pattern}")
