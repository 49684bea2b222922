"""The service: its operations put together, and what happens before the first call and after the last."""

import asyncio
from collections.abc import Mapping
from typing import Final

from penstock.aws_api.s3.acl import AclOperations
from penstock.aws_api.s3.buckets import BucketOperations
from penstock.aws_api.s3.deleting import DeleteOperations
from penstock.aws_api.s3.listing import ListOperations
from penstock.aws_api.s3.multipart import MultipartOperations
from penstock.aws_api.s3.reading import ReadOperations
from penstock.aws_api.s3.settings import SettingOperations
from penstock.aws_api.s3.state import S3State
from penstock.aws_api.s3.tagging import TagOperations
from penstock.aws_api.s3.writing import WriteOperations
from penstock.aws_api.service import Operation
from penstock.aws_api.store import Store
from penstock.model.clock import Clock

_PARTS: Final = (
    BucketOperations,
    SettingOperations,
    AclOperations,
    WriteOperations,
    ReadOperations,
    DeleteOperations,
    ListOperations,
    TagOperations,
    MultipartOperations,
)


class S3Service:
    """Rows in `store`, bytes in files in its folder `s3`."""

    name: Final = "s3"

    def __init__(self, store: Store, clock: Clock) -> None:
        self._state = S3State(store, clock)
        self._sweeping: asyncio.Task[None] | None = None
        self._operations: dict[str, Operation] = {}
        for part in _PARTS:
            self._operations |= part(self._state).operations

    @property
    def operations(self) -> Mapping[str, Operation]:
        return self._operations

    async def start(self) -> None:
        """Begin to look for the files of puts that a killed process did not finish, which may take a while."""
        self._sweeping = asyncio.create_task(self._sweep(self._state.blobs.names()))

    async def close(self) -> None:
        if self._sweeping is not None:
            self._sweeping.cancel()
            await asyncio.gather(self._sweeping, return_exceptions=True)
        self._state.blobs.close()

    async def _sweep(self, unnamed: set[str]) -> None:
        """Files that come meanwhile are not among them, and no row takes over another one's file."""
        for named in self._state.named_blobs():
            unnamed -= named
            await asyncio.sleep(0)
        self._state.blobs.remove(unnamed)
