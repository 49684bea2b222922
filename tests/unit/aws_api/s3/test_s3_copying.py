"""Objects copied."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from support.s3_rig import BUCKET, S3Rig


async def copy(rig: S3Rig, source: Any, key: str = "copy", **params: Any) -> dict[str, Any]:
    return await rig.calls("CopyObject", Bucket=BUCKET, Key=key, CopySource=source, **params)


async def test_a_copy_has_what_its_source_has(rig: S3Rig) -> None:
    put = await rig.put("a b/ä", b"hello", ContentType="text/plain", Metadata={"m": "1"}, Tagging="t=1")
    rig.clock.advance(10)
    told = await copy(rig, f"/{BUCKET}/a%20b/%C3%A4")
    assert told["CopyObjectResult"]["ETag"] == put["ETag"]
    got = await rig.calls("HeadObject", Bucket=BUCKET, Key="copy")
    assert (got["ContentType"], got["Metadata"], got["TagCount"]) == ("text/plain", {"m": "1"}, 1)
    assert got["LastModified"] == told["CopyObjectResult"]["LastModified"]
    await rig.calls("DeleteObject", Bucket=BUCKET, Key="a b/ä")
    rig.clock.advance(3600)
    assert await rig.body("copy") == b"hello", "it has bytes of its own"


async def test_a_copy_where_files_cannot_be_linked(rig: S3Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object) -> None:
        raise PermissionError

    monkeypatch.setattr("os.link", refuse)
    put = await rig.put("k", b"hello")
    told = await copy(rig, f"{BUCKET}/k")
    assert told["CopyObjectResult"]["ETag"] == put["ETag"]
    assert await rig.body("copy") == b"hello"


async def test_a_copy_can_have_other_metadata(rig: S3Rig) -> None:
    await rig.put("k", b"hello", ContentType="text/plain", Metadata={"m": "1"}, Tagging="t=1")
    replaced = {"MetadataDirective": "REPLACE", "TaggingDirective": "REPLACE"}
    await copy(rig, f"{BUCKET}/k", "k", Metadata={"n": "2"}, Tagging="u=2&v=3", **replaced)
    got = await rig.calls("HeadObject", Bucket=BUCKET, Key="k")
    assert (got["ContentType"], got["Metadata"], got["TagCount"]) == ("binary/octet-stream", {"n": "2"}, 2)
    refused = await rig.calls.refused("CopyObject", Bucket=BUCKET, Key="k", CopySource=f"{BUCKET}/k")
    assert (refused.code, "to itself without changing" in refused.message) == ("InvalidRequest", True)
    await copy(rig, f"{BUCKET}/k", "k", StorageClass="STANDARD_IA")
    got = await rig.calls("HeadObject", Bucket=BUCKET, Key="k")
    assert (got["StorageClass"], got["Metadata"]) == ("STANDARD_IA", {"n": "2"})


async def test_a_version_is_copied(rig: S3Rig) -> None:
    await rig.calls("PutBucketVersioning", Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    first = (await rig.put("k", b"1"))["VersionId"]
    await rig.put("k", b"2")
    told = await copy(rig, f"{BUCKET}/k?versionId={first}", "k")
    assert told["CopySourceVersionId"] == first
    assert await rig.body("k") == b"1"
    await copy(rig, f"{BUCKET}/k")
    assert await rig.body("copy") == b"1"


async def test_an_object_of_several_parts_becomes_one_of_one(rig: S3Rig) -> None:
    upload = (await rig.calls("CreateMultipartUpload", Bucket=BUCKET, Key="k"))["UploadId"]
    named = {"Bucket": BUCKET, "Key": "k", "UploadId": upload}
    etag = (await rig.calls("UploadPart", PartNumber=1, Body=b"hello", **named))["ETag"]
    parts = {"Parts": [{"PartNumber": 1, "ETag": etag}]}
    await rig.calls("CompleteMultipartUpload", MultipartUpload=parts, **named)
    told = await copy(rig, f"{BUCKET}/k")
    assert told["CopyObjectResult"]["ETag"] == etag
    assert await rig.body("copy") == b"hello"


async def test_sources_that_are_not_there(rig: S3Rig) -> None:
    async def code(source: str, **params: Any) -> str:
        named = {"Bucket": BUCKET, "Key": "copy", "CopySource": source}
        return (await rig.calls.refused("CopyObject", **named, **params)).code

    assert await code(f"{BUCKET}/none") == "NoSuchKey"
    assert await code("nowhere/none") == "NoSuchBucket"
    assert await code("none") == "InvalidArgument"
    await rig.put("k")
    assert await code(f"{BUCKET}/k?versionId={'x' * 32}") == "NoSuchVersion"
    assert await code(f"{BUCKET}/k", ExpectedSourceBucketOwner="210987654321") == "AccessDenied"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CopySourceIfMatch", '"x"'),
        ("CopySourceIfNoneMatch", "*"),
        ("CopySourceIfModifiedSince", timedelta(0)),
        ("CopySourceIfUnmodifiedSince", timedelta(seconds=-1)),
    ],
)
async def test_conditions_on_the_source(rig: S3Rig, name: str, value: Any) -> None:
    await rig.put("k")
    if isinstance(value, timedelta):
        value = datetime.fromtimestamp(rig.clock.epoch(), UTC) + value
    named = {"Bucket": BUCKET, "Key": "copy", "CopySource": f"{BUCKET}/k", name: value}
    refused = await rig.calls.refused("CopyObject", **named)
    assert (refused.code, refused.status) == ("PreconditionFailed", 412)
