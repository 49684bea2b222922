"""What is true of the whole account. https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""

from collections.abc import Mapping
from typing import Final

from penstock.aws_api.functions.code import MAX_DIRECT_BYTES
from penstock.aws_api.functions.state import LATEST, State
from penstock.aws_api.service import Answer, Call, Operation
from penstock.packaging.archive import MAX_UNZIPPED_BYTES

_TOTAL_CODE_BYTES: Final = 75 * 1024**3
_CONCURRENT_EXECUTIONS: Final = 1_000


class Account:
    def __init__(self, state: State) -> None:
        self._state = state

    @property
    def operations(self) -> Mapping[str, Operation]:
        return {"GetAccountSettings": self._settings}

    def _settings(self, call: Call) -> Answer:
        configs = [record["config"] for _, record in self._state.versions.items()]
        layers = [record["content"] for _, record in self._state.layers.items()]
        return {
            "AccountLimit": {
                "TotalCodeSize": _TOTAL_CODE_BYTES,
                "CodeSizeUnzipped": MAX_UNZIPPED_BYTES,
                "CodeSizeZipped": MAX_DIRECT_BYTES,
                "ConcurrentExecutions": _CONCURRENT_EXECUTIONS,
                "UnreservedConcurrentExecutions": _CONCURRENT_EXECUTIONS,
            },
            "AccountUsage": {
                "TotalCodeSize": sum(one["CodeSize"] for one in (*configs, *layers)),
                "FunctionCount": sum(config["Version"] == LATEST for config in configs),
            },
        }
