"""An S3 service over a store of its own."""

import asyncio
from pathlib import Path
from typing import Any

from penstock.aws_api.s3 import S3Service
from penstock.aws_api.service import FilePart
from penstock.aws_api.store import Store
from support.aws_calls import Calls
from support.clock import VirtualClock

BUCKET = "a-bucket"


class S3Rig:
    """`rig.calls(...)`; `folder` keeps the state, so that it can be opened again."""

    def __init__(self, folder: Path, region: str = "us-east-1") -> None:
        self.folder = folder
        self.clock = VirtualClock()
        self._region = region
        self._open()

    def _open(self) -> None:
        self.store = Store(self.folder)
        self.service = S3Service(self.store, self.clock)
        self.calls = Calls(self.service, region=self._region)

    async def reopened(self) -> "S3Rig":
        """As after a kill: nothing is closed in order but the database, which one process alone may hold."""
        self.store.close()
        self._open()
        before = asyncio.all_tasks()
        await self.service.start()
        await asyncio.gather(*(asyncio.all_tasks() - before))
        return self

    async def put(self, key: str, body: bytes = b"x", **params: Any) -> dict[str, Any]:
        self.clock.advance(1)
        return await self.calls("PutObject", Bucket=BUCKET, Key=key, Body=body, **params)

    async def body(self, key: str, **params: Any) -> bytes:
        return read(await self.calls("GetObject", Bucket=BUCKET, Key=key, **params))

    def files(self) -> list[Path]:
        return sorted(self.store.files.glob("s3/*/*"))

    async def close(self) -> None:
        await self.service.close()
        self.store.close()


def read(answer: dict[str, Any]) -> bytes:
    """The bytes of GetObject's answer, as the door sends them."""
    body = answer["Body"]
    if isinstance(body, bytes):
        return body
    assert isinstance(body, FilePart)
    with body.path.open("rb") as file:
        file.seek(body.offset)
        return file.read(body.length)
