"""Tags of functions and capacity providers. https://docs.aws.amazon.com/lambda/latest/dg/configuration-tags.html"""

from collections.abc import Mapping
from typing import Final

from penstock.aws_api.functions.errors import invalid, missing
from penstock.aws_api.functions.state import Record, State
from penstock.aws_api.service import Answer, Call, Operation
from penstock.aws_api.store import Table

# https://docs.aws.amazon.com/lambda/latest/dg/configuration-tags.html (tag restrictions)
_MAX_TAGS: Final = 50


class Tags:
    def __init__(self, state: State) -> None:
        self._state = state

    @property
    def operations(self) -> Mapping[str, Operation]:
        return {"ListTags": self._list, "TagResource": self._tag, "UntagResource": self._untag}

    def _list(self, call: Call) -> Answer:
        return {"Tags": self._find(call)[2]["tags"]}

    def _tag(self, call: Call) -> Answer:
        table, key, record = self._find(call)
        tags = record["tags"] | dict(call.params["Tags"])
        if len(tags) > _MAX_TAGS:
            raise invalid(f"A resource can have at most {_MAX_TAGS} tags")  # assumed
        table.put(key, record | {"tags": tags})
        return {}

    def _untag(self, call: Call) -> Answer:
        table, key, record = self._find(call)
        gone = set(call.params["TagKeys"])
        table.put(key, record | {"tags": {name: value for name, value in record["tags"].items() if name not in gone}})
        return {}

    def _find(self, call: Call) -> tuple[Table, str, Record]:
        state, arn = self._state, call.params["Resource"]
        kind, _, name = arn.removeprefix(state.arn("", "").removesuffix("::")).lstrip(":").partition(":")
        tables = {"function": state.functions, "capacity-provider": state.providers}
        table = tables.get(kind)
        record = table.get(name) if table else None
        if table is None or record is None:
            raise missing(f"Function not found: {arn}" if kind == "function" else f"Resource not found: {arn}")
        return table, name, record
