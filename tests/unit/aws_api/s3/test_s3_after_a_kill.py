"""What is there after the process was killed at any moment."""

import asyncio
import io
import threading
from pathlib import Path
from typing import Any

import pytest

from penstock.aws_api.service import Call
from penstock.aws_api.store import Table
from support.s3_rig import BUCKET, S3Rig

NEW = b"n" * 2_000_000


class KilledError(BaseException):
    pass


async def test_what_was_answered_is_there(rig: S3Rig) -> None:
    await rig.put("k", b"kept", Metadata={"m": "1"})
    upload = (await rig.calls("CreateMultipartUpload", Bucket=BUCKET, Key="u"))["UploadId"]
    named = {"Bucket": BUCKET, "Key": "u", "UploadId": upload}
    etag = (await rig.calls("UploadPart", PartNumber=1, Body=b"part", **named))["ETag"]
    await rig.reopened()
    assert await rig.body("k") == b"kept"
    parts = {"Parts": [{"PartNumber": 1, "ETag": etag}]}
    await rig.calls("CompleteMultipartUpload", MultipartUpload=parts, **named)
    assert await rig.body("u") == b"part"


async def test_files_that_nothing_names_are_removed(rig: S3Rig) -> None:
    await rig.put("k", b"kept")
    await rig.put("k", b"kept again")  # the first one's file would have gone a little later
    (rig.folder / "files/s3/ab").mkdir(exist_ok=True)
    (rig.folder / "files/s3/ab/ab-half-written").write_bytes(b"x")
    await rig.reopened()
    assert len(rig.files()) == 1
    assert await rig.body("k") == b"kept again"


@pytest.mark.parametrize("write", range(4))
async def test_a_write_that_is_cut_off_changes_nothing_or_all(
    rig: S3Rig, monkeypatch: pytest.MonkeyPatch, write: int
) -> None:
    """The database is left as it stands at the n-th write of completing an upload."""
    await rig.put("k", b"old")
    upload = (await rig.calls("CreateMultipartUpload", Bucket=BUCKET, Key="k"))["UploadId"]
    named = {"Bucket": BUCKET, "Key": "k", "UploadId": upload}
    etag = (await rig.calls("UploadPart", PartNumber=1, Body=NEW, **named))["ETag"]
    parts = {"Parts": [{"PartNumber": 1, "ETag": etag}]}
    writes = 0

    def cut_off(original: Any) -> Any:
        def perform(self: Table, *args: Any) -> Any:
            nonlocal writes
            writes += 1
            if writes == write + 1:
                raise KilledError
            return original(self, *args)

        return perform

    killed = False
    with monkeypatch.context() as patch:
        patch.setattr(Table, "put", cut_off(Table.put))
        patch.setattr(Table, "delete", cut_off(Table.delete))
        try:
            await rig.calls("CompleteMultipartUpload", MultipartUpload=parts, **named)
        except KilledError:
            killed = True
    assert killed == (write < 3), "putting the object, deleting the part and the upload are all there are"
    await rig.reopened()
    assert await rig.body("k") == (b"old" if killed else NEW)
    assert len(rig.files()) == (2 if killed else 1)
    if killed:
        await rig.calls("CompleteMultipartUpload", MultipartUpload=parts, **named)
        assert await rig.body("k") == NEW


class SlowBody(io.BytesIO):
    """Whoever reads past its beginning waits until he is let go on."""

    def __init__(self, body: bytes) -> None:
        super().__init__(body)
        self.reads = 0
        self.reading = threading.Event()
        self.go_on = threading.Event()

    def read(self, size: int | None = -1, /) -> bytes:
        self.reads += 1
        if self.reads == 2:
            self.reading.set()
            assert self.go_on.wait(10)
        return super().read(size)


async def started(rig: S3Rig, key: str) -> tuple["asyncio.Task[Any]", SlowBody]:
    """A put whose bytes are still coming in."""
    body = SlowBody(NEW)
    call = Call("PutObject", {"Bucket": BUCKET, "Key": key, "Body": body}, rig.calls.context)
    answer = rig.service.operations["PutObject"](call)
    assert not isinstance(answer, dict)
    task = asyncio.ensure_future(answer)
    await asyncio.to_thread(body.reading.wait, 10)
    return task, body


async def test_a_client_that_leaves_leaves_nothing(rig: S3Rig) -> None:
    task, body = await started(rig, "k")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    body.go_on.set()
    assert (await rig.calls.refused("GetObject", Bucket=BUCKET, Key="k")).code == "NoSuchKey"
    await asyncio.get_running_loop().shutdown_default_executor()
    rig.clock.advance(3600)
    assert rig.files() == []


async def test_the_bucket_may_go_while_bytes_come_in(rig: S3Rig) -> None:
    task, body = await started(rig, "k")
    await rig.calls("DeleteBucket", Bucket=BUCKET)
    body.go_on.set()
    with pytest.raises(Exception, match="NoSuchBucket"):
        await task
    rig.clock.advance(3600)
    assert rig.files() == []


async def test_the_first_to_finish_wins_a_conditional_write(rig: S3Rig) -> None:
    body = SlowBody(NEW)
    params = {"Bucket": BUCKET, "Key": "k", "Body": body, "IfNoneMatch": "*"}
    answer = rig.service.operations["PutObject"](Call("PutObject", params, rig.calls.context))
    assert not isinstance(answer, dict)
    task = asyncio.ensure_future(answer)
    await asyncio.to_thread(body.reading.wait, 10)
    await rig.put("k", b"first")
    body.go_on.set()
    with pytest.raises(Exception, match="PreconditionFailed"):
        await task
    assert await rig.body("k") == b"first"


async def test_what_comes_while_it_looks_stays(rig: S3Rig) -> None:
    await rig.put("old", b"1")
    await rig.service.start()
    await rig.put("new", b"2")
    await rig.calls("CopyObject", Bucket=BUCKET, Key="copy", CopySource=f"{BUCKET}/old")
    await rig.calls("DeleteObject", Bucket=BUCKET, Key="old")
    for _ in range(10):
        await asyncio.sleep(0)
    assert len(rig.files()) == 3, "the one that was deleted has still its time"
    assert (await rig.body("new"), await rig.body("copy")) == (b"2", b"1")


async def test_closing_removes_what_would_have_gone_later(tmp_path: Path) -> None:
    rig = S3Rig(tmp_path)
    await rig.calls("CreateBucket", Bucket=BUCKET)
    await rig.put("k", b"1")
    await rig.put("k", b"2")
    await rig.close()
    assert len(rig.files()) == 1
    assert rig.clock.waiting == 0
