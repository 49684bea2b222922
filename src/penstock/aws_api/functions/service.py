"""The Lambda service, from its parts."""

from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Final, NamedTuple

from penstock.aws_api.functions.account import Account
from penstock.aws_api.functions.adopting import adopt
from penstock.aws_api.functions.aliases import Aliases
from penstock.aws_api.functions.code import Archives
from penstock.aws_api.functions.directory import FunctionDirectory
from penstock.aws_api.functions.event_invokes import EventInvokes
from penstock.aws_api.functions.functions import Functions
from penstock.aws_api.functions.host import Host, PublicUrl, Running
from penstock.aws_api.functions.layers import Layers
from penstock.aws_api.functions.lives import Lives
from penstock.aws_api.functions.policies import Policies
from penstock.aws_api.functions.providers import Providers
from penstock.aws_api.functions.publishing import Publishing
from penstock.aws_api.functions.scaling import Scaling
from penstock.aws_api.functions.state import LATEST, State
from penstock.aws_api.functions.tags import Tags
from penstock.aws_api.functions.urls import Urls
from penstock.aws_api.service import Answer, Call, Dispatcher, Operation, ServiceError
from penstock.aws_api.store import Store
from penstock.invoke_api.refusal import RefusalError
from penstock.model.clock import Clock
from penstock.model.function import Function


class FunctionLogGroup(NamedTuple):
    """Where a function's lines are shown. `created_ms` in epoch milliseconds."""

    name: str
    arn: str
    group: str
    created_ms: int


class LambdaService:
    """`host` runs versions and serves Function URLs; `layers` are contents of layers given by hand, ARN to path.

    Invocations come in by a door of their own, which asks `directory`.
    """

    name: Final = "lambda"

    def __init__(
        self,
        store: Store,
        clock: Clock,
        dispatcher: Dispatcher,
        host: Host,
        region: str,
        account_id: str,
        *,
        layers: Mapping[str, Path] | None = None,
        on_warning: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._state = State(store, clock, dispatcher, host, region, account_id)
        self._archives = Archives(self._state)
        self._lives = Lives(self._state, self._archives, layers or {})
        self._on_warning = on_warning
        self.directory = FunctionDirectory(self._state, self._lives)

    @cached_property
    def operations(self) -> Mapping[str, Operation]:
        state, archives, lives = self._state, self._archives, self._lives
        publishing = Publishing(state, lives)
        parts = (
            Functions(state, archives, lives, publishing),
            publishing,
            Aliases(state, lives),
            Urls(state, lives),
            Policies(state, lives),
            Layers(state, archives),
            Providers(state, lives),
            Scaling(state),
            Tags(state),
            EventInvokes(state, lives),
            Account(state),
        )
        return {name: self._telling(operation) for part in parts for name, operation in part.operations.items()}

    def _telling(self, operation: Operation) -> Operation:
        """What the doors refuse in the same words is a ServiceError here; and who takes an invocation is looked up anew
        after whatever was asked for.
        """

        async def run(call: Call) -> Answer:
            try:
                answer = operation(call)
                return answer if isinstance(answer, dict) else await answer
            except RefusalError as refusal:
                members = {"Type": "User"} if refusal.status < 500 else {}
                raise ServiceError(refusal.error_type, refusal.message, refusal.status, members) from None
            finally:
                self.directory.forget()

        return run

    async def start(self) -> None:
        """Bring up what is kept; its environments come up beside."""
        self._archives.start()
        for told in self._lives.start():
            self._on_warning(told)

    async def close(self) -> None:
        """What runs is the host's to end."""

    def adopt(
        self, function: Function, running: Running, url: PublicUrl | None, code_sha256: str, code_size: int
    ) -> None:
        """Show a function that `penstock up` runs from its template."""
        adopt(self._state, self._lives, function, running, url, code_sha256, code_size)

    def function_logs(self) -> list["FunctionLogGroup"]:
        """Of each function."""
        configs = (record["config"] for record in self._state.versions.values())
        made = {name: record["created"] for name, record in self._state.functions.items()}
        return [
            FunctionLogGroup(
                one["FunctionName"],
                self._state.function_arn(one["FunctionName"]),
                one["LoggingConfig"]["LogGroup"],
                round(made[one["FunctionName"]] * 1000),
            )
            for one in configs
            if one["Version"] == LATEST
        ]
