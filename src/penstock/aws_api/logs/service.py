"""CloudWatch Logs: groups, streams and events, also those of the functions that run.

Not offered: Insights queries, metric filters, subscriptions, exports and deliveries.
"""

from collections.abc import Mapping

from penstock.aws_api.logs.catalogue import Catalogue
from penstock.aws_api.logs.events import EventOperations
from penstock.aws_api.logs.files import Files
from penstock.aws_api.logs.groups import GroupOperations
from penstock.aws_api.logs.ports import FunctionLogs, NoFunctions
from penstock.aws_api.logs.streams import StreamOperations
from penstock.aws_api.service import Operation
from penstock.aws_api.store import Store
from penstock.model.clock import Clock


class LogsService:
    def __init__(self, store: Store, clock: Clock, functions: FunctionLogs | None = None) -> None:
        catalogue = Catalogue(store, functions or NoFunctions())
        files = Files(catalogue, clock)
        streams = StreamOperations(catalogue, files, clock)
        self._operations: Mapping[str, Operation] = {
            **GroupOperations(catalogue, clock).operations,
            **streams.operations,
            **EventOperations(catalogue, files, streams, clock).operations,
        }

    @property
    def name(self) -> str:
        return "logs"

    @property
    def operations(self) -> Mapping[str, Operation]:
        return self._operations

    async def start(self) -> None:
        """Nothing is ever left half done: a line that was cut off is no event."""

    async def close(self) -> None:
        """Files are open only while they are read or written."""
