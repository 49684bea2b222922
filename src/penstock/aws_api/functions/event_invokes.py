"""What becomes of asynchronous invocations: retries, age, destinations.

https://docs.aws.amazon.com/lambda/latest/api/API_PutFunctionEventInvokeConfig.html
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from penstock.aws_api.functions.errors import missing
from penstock.aws_api.functions.lives import Lives
from penstock.aws_api.functions.paging import page, paged
from penstock.aws_api.functions.state import LATEST, Record, State
from penstock.aws_api.service import Answer, Call, Operation

_MEMBERS: Final = ("DestinationConfig", "MaximumEventAgeInSeconds", "MaximumRetryAttempts")


class EventInvokes:
    def __init__(self, state: State, lives: Lives) -> None:
        self._state = state
        self._lives = lives

    @property
    def operations(self) -> Mapping[str, Operation]:
        return {
            "DeleteFunctionEventInvokeConfig": self._delete,
            "GetFunctionEventInvokeConfig": self._get,
            "ListFunctionEventInvokeConfigs": self._list,
            "PutFunctionEventInvokeConfig": self._put,
            "UpdateFunctionEventInvokeConfig": self._update,
        }

    def _put(self, call: Call) -> Answer:
        return self._change(call, {})

    def _update(self, call: Call) -> Answer:
        return self._change(call, self._find(call)[2])

    def _change(self, call: Call, before: Mapping[str, Any]) -> Answer:
        name, qualifier = self._name(call)
        shape: Record = dict(before) | {member: call.params[member] for member in _MEMBERS if member in call.params}
        self._lives.reader.event_invoke(name, shape)  # before anything is kept
        shape["LastModified"] = self._state.clock.epoch()
        self._state.event_invokes.put(f"{name}/{qualifier}", shape)
        self._lives.refresh(name)
        return self._shown(name, qualifier, shape)

    def _get(self, call: Call) -> Answer:
        return self._shown(*self._find(call))

    def _find(self, call: Call) -> tuple[str, str, Record]:
        name, qualifier = self._name(call)
        found = self._state.event_invokes.get(f"{name}/{qualifier}")
        if found is None:
            raise missing(f"The function {self._arn(name, qualifier)} doesn't have an EventInvokeConfig")
        return name, qualifier, found

    def _list(self, call: Call) -> Answer:
        name, _ = self._name(call)
        taken, marker = page(self._state.event_invokes.items(f"{name}/"), lambda item: item[0], call.params)
        items = [self._shown(name, key.partition("/")[2], shape) for key, shape in taken]
        return paged("FunctionEventInvokeConfigs", items, marker)

    def _delete(self, call: Call) -> Answer:
        name, qualifier, _ = self._find(call)
        self._state.event_invokes.delete(f"{name}/{qualifier}")
        self._lives.refresh(name)
        return {}

    def _name(self, call: Call) -> tuple[str, str]:
        name = self._state.read_name(call.params)
        self._state.resolve(name.name, name.qualifier)
        return name.name, name.qualifier or LATEST

    def _shown(self, name: str, qualifier: str, shape: Mapping[str, Any]) -> Answer:
        shown = dict(shape) | {"LastModified": datetime.fromtimestamp(shape["LastModified"], UTC)}
        shown.setdefault("DestinationConfig", {"OnSuccess": {}, "OnFailure": {}})
        return {"FunctionArn": self._arn(name, qualifier)} | shown

    def _arn(self, name: str, qualifier: str) -> str:
        return self._state.function_arn(name, qualifier)
