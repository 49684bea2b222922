"""Objects put, read and deleted, and the conditions on it."""

import base64
import hashlib
import io
import os
from datetime import UTC, datetime, timedelta

import pytest

from penstock.aws_api.service import FilePart
from support.s3_rig import BUCKET, S3Rig, read


async def test_what_is_put_comes_back(rig: S3Rig) -> None:
    put = await rig.put(
        "a/b c?", b"hello", ContentType="text/plain", Metadata={"Name": "Wert"}, CacheControl="no-cache"
    )
    assert put["ETag"] == f'"{hashlib.md5(b"hello").hexdigest()}"'
    got = await rig.calls("GetObject", Bucket=BUCKET, Key="a/b c?")
    assert read(got) == b"hello"
    assert (got["ContentType"], got["CacheControl"], got["ContentLength"]) == ("text/plain", "no-cache", 5)
    assert got["Metadata"] == {"name": "Wert"}
    assert got["LastModified"] == datetime.fromtimestamp(rig.clock.epoch(), UTC)
    assert "VersionId" not in got
    head = await rig.calls("HeadObject", Bucket=BUCKET, Key="a/b c?")
    assert head == {name: value for name, value in got.items() if name != "Body"}


async def test_a_binary_file_is_copied_from_where_it_stands(rig: S3Rig) -> None:
    large = os.urandom(3_000_000)
    await rig.put("large", io.BytesIO(large))  # type: ignore[arg-type]
    assert await rig.body("large") == large
    got = await rig.calls("GetObject", Bucket=BUCKET, Key="large")
    assert isinstance(got["Body"], FilePart)
    await rig.put("empty", b"")
    assert await rig.body("empty") == b""


async def test_no_key_becomes_a_path(rig: S3Rig) -> None:
    for key in ("../../etc/passwd", "/", "a/../b", ".", "x" * 1024, "ä\n\u2028"):
        await rig.put(key, key.encode())
        assert await rig.body(key) == key.encode()
    assert all(len(path.name) == 32 and path.parent.parent.name == "s3" for path in rig.files())
    refused = await rig.calls.refused("PutObject", Bucket=BUCKET, Key="ä" * 513)
    assert (refused.code, refused.members) == ("KeyTooLongError", {"Size": "1026", "MaxSizeAllowed": "1024"})


async def test_an_overwritten_file_goes_a_little_later(rig: S3Rig) -> None:
    await rig.put("k", b"first")
    first = await rig.calls("GetObject", Bucket=BUCKET, Key="k")
    await rig.put("k", b"second")
    assert read(first) == b"first", "an answer may still be reading it"
    assert len(rig.files()) == 2
    rig.clock.advance(3600)
    assert len(rig.files()) == 1
    assert await rig.body("k") == b"second"


async def test_what_is_not_there(rig: S3Rig) -> None:
    refused = await rig.calls.refused("GetObject", Bucket=BUCKET, Key="no")
    assert (refused.code, refused.status, refused.members) == ("NoSuchKey", 404, {"Key": "no"})
    assert refused.message == "The specified key does not exist."
    refused = await rig.calls.refused("HeadObject", Bucket=BUCKET, Key="no")
    assert (refused.code, refused.status, refused.message) == ("404", 404, "Not Found")
    for operation in ("GetObject", "PutObject", "DeleteObject"):
        refused = await rig.calls.refused(operation, Bucket="nowhere", Key="k")
        assert (refused.code, refused.status) == ("NoSuchBucket", 404)
    assert await rig.calls("DeleteObject", Bucket=BUCKET, Key="no") == {}


@pytest.mark.parametrize(
    ("asked", "body", "told"),
    [
        ("bytes=0-3", b"0123", "bytes 0-3/10"),
        ("bytes=4-", b"456789", "bytes 4-9/10"),
        ("bytes=-3", b"789", "bytes 7-9/10"),
        ("bytes=-30", b"0123456789", "bytes 0-9/10"),
        ("bytes=8-100", b"89", "bytes 8-9/10"),
        ("bytes=5-2", b"0123456789", None),
        ("bytes=0-1,3-4", b"0123456789", None),
        ("lines=1-2", b"0123456789", None),
    ],
)
async def test_a_range(rig: S3Rig, asked: str, body: bytes, told: str | None) -> None:
    await rig.put("k", b"0123456789")
    got = await rig.calls("GetObject", Bucket=BUCKET, Key="k", Range=asked)
    assert (read(got), got.get("ContentRange"), got["ContentLength"]) == (body, told, len(body))


async def test_a_range_that_is_not_there(rig: S3Rig) -> None:
    await rig.put("k", b"0123456789")
    await rig.put("empty", b"")
    for key, asked in (("k", "bytes=10-"), ("k", "bytes=-0"), ("empty", "bytes=0-")):
        refused = await rig.calls.refused("GetObject", Bucket=BUCKET, Key=key, Range=asked)
        assert (refused.code, refused.status) == ("InvalidRange", 416)
    refused = await rig.calls.refused("HeadObject", Bucket=BUCKET, Key="k", Range="bytes=10-")
    assert (refused.code, refused.status) == ("416", 416)


async def test_reading_under_conditions(rig: S3Rig) -> None:
    etag = (await rig.put("k", b"hello"))["ETag"]
    now = datetime.fromtimestamp(rig.clock.epoch(), UTC)
    old, new = now - timedelta(seconds=1), now + timedelta(seconds=1)

    async def outcome(**params: object) -> str:
        try:
            await rig.calls("GetObject", Bucket=BUCKET, Key="k", **params)
        except Exception as error:
            return str(getattr(error, "code", error))
        return "200"

    assert await outcome(IfMatch=etag) == "200"
    assert await outcome(IfMatch=etag.strip('"')) == "200"
    assert await outcome(IfMatch='"other"') == "PreconditionFailed"
    assert await outcome(IfMatch=etag, IfUnmodifiedSince=old) == "200", "a tag outweighs a time"
    assert await outcome(IfUnmodifiedSince=old) == "PreconditionFailed"
    assert await outcome(IfUnmodifiedSince=now) == "200"
    assert await outcome(IfNoneMatch=etag) == "304"
    assert await outcome(IfNoneMatch=f'"other", W/{etag}') == "304"
    assert await outcome(IfNoneMatch='"other"', IfModifiedSince=new) == "200"
    assert await outcome(IfModifiedSince=now) == "304"
    assert await outcome(IfModifiedSince=old) == "200"


async def test_writing_under_conditions(rig: S3Rig) -> None:
    refused = await rig.calls.refused("PutObject", Bucket=BUCKET, Key="k", IfMatch='"x"')
    assert refused.code == "NoSuchKey"
    etag = (await rig.put("k", b"1", IfNoneMatch="*"))["ETag"]
    refused = await rig.calls.refused("PutObject", Bucket=BUCKET, Key="k", IfNoneMatch="*")
    assert (refused.code, refused.status, refused.members) == (
        "PreconditionFailed",
        412,
        {"Condition": "If-None-Match"},
    )
    await rig.put("k", b"2", IfMatch=etag)
    refused = await rig.calls.refused("PutObject", Bucket=BUCKET, Key="k", IfMatch=etag)
    assert refused.code == "PreconditionFailed"
    refused = await rig.calls.refused("DeleteObject", Bucket=BUCKET, Key="k", IfMatch=etag)
    assert refused.code == "PreconditionFailed"
    assert await rig.body("k") == b"2"


async def test_content_md5_is_checked(rig: S3Rig) -> None:
    good = base64.b64encode(hashlib.md5(b"x").digest()).decode()
    await rig.put("k", b"x", ContentMD5=good)
    refused = await rig.calls.refused("PutObject", Bucket=BUCKET, Key="k", Body=b"y", ContentMD5=good)
    assert (refused.code, refused.members) == ("BadDigest", {"ExpectedDigest": good})
    refused = await rig.calls.refused("PutObject", Bucket=BUCKET, Key="k", Body=b"y", ContentMD5="nonsense")
    assert refused.code == "InvalidDigest"
    assert await rig.body("k") == b"x"
    rig.clock.advance(3600)
    assert len(rig.files()) == 1


async def test_checksums_are_given_back_when_asked_for(rig: S3Rig) -> None:
    put = await rig.put("k", b"hello", ChecksumCRC32="NhCmhg==")
    assert (put["ChecksumCRC32"], put["ChecksumType"]) == ("NhCmhg==", "FULL_OBJECT")
    got = await rig.calls("GetObject", Bucket=BUCKET, Key="k")
    assert "ChecksumCRC32" not in got
    got = await rig.calls("HeadObject", Bucket=BUCKET, Key="k", ChecksumMode="ENABLED")
    assert (got["ChecksumCRC32"], got["ChecksumType"]) == ("NhCmhg==", "FULL_OBJECT")
    got = await rig.calls("GetObject", Bucket=BUCKET, Key="k", ChecksumMode="ENABLED", Range="bytes=0-1")
    assert "ChecksumCRC32" not in got, "it is not that of the part"
    listed = await rig.calls("ListObjectsV2", Bucket=BUCKET)
    assert listed["Contents"][0]["ChecksumAlgorithm"] == ["CRC32"]


async def test_headers_of_the_answer_can_be_chosen(rig: S3Rig) -> None:
    expires = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
    await rig.put("k", ContentType="text/plain", Expires=expires, StorageClass="STANDARD")
    got = await rig.calls("GetObject", Bucket=BUCKET, Key="k", ResponseContentType="text/html")
    assert (got["ContentType"], got["Expires"]) == ("text/html", expires)
    assert "StorageClass" not in got


async def test_what_would_change_a_promise_is_refused(rig: S3Rig) -> None:
    for params in (
        {"SSECustomerAlgorithm": "AES256"},
        {"ObjectLockMode": "GOVERNANCE"},
        {"IfNoneMatch": '"x"'},
    ):
        refused = await rig.calls.refused("PutObject", Bucket=BUCKET, Key="k", **params)
        assert (refused.code, refused.status) == ("NotImplemented", 501)
    refused = await rig.calls.refused("PutObject", Bucket=BUCKET, Key="k", ACL="public-read")
    assert refused.code == "AccessControlListNotSupported"
    await rig.put("k", ACL="bucket-owner-full-control")


async def test_metadata_and_tags_have_bounds(rig: S3Rig) -> None:
    refused = await rig.calls.refused("PutObject", Bucket=BUCKET, Key="k", Metadata={"a": "x" * 2048})
    assert refused.code == "MetadataTooLarge"
    refused = await rig.calls.refused("PutObject", Bucket=BUCKET, Key="k", Tagging="a=1&a=2")
    assert refused.code == "InvalidArgument"
    many = "&".join(f"k{number}=v" for number in range(11))
    refused = await rig.calls.refused("PutObject", Bucket=BUCKET, Key="k", Tagging=many)
    assert refused.code == "BadRequest"


async def test_tags(rig: S3Rig) -> None:
    await rig.put("k", Tagging="a=1&b=x%20y")
    tags = [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "x y"}]
    assert (await rig.calls("GetObjectTagging", Bucket=BUCKET, Key="k"))["TagSet"] == tags
    assert (await rig.calls("GetObject", Bucket=BUCKET, Key="k"))["TagCount"] == 2
    await rig.calls("PutObjectTagging", Bucket=BUCKET, Key="k", Tagging={"TagSet": tags[:1]})
    assert (await rig.calls("GetObjectTagging", Bucket=BUCKET, Key="k"))["TagSet"] == tags[:1]
    await rig.calls("DeleteObjectTagging", Bucket=BUCKET, Key="k")
    assert (await rig.calls("GetObjectTagging", Bucket=BUCKET, Key="k"))["TagSet"] == []
    double = {"TagSet": [tags[0], tags[0]]}
    refused = await rig.calls.refused("PutObjectTagging", Bucket=BUCKET, Key="k", Tagging=double)
    assert refused.code == "InvalidTag"


async def test_many_are_deleted_at_once(rig: S3Rig) -> None:
    for key in ("a", "b", "c"):
        await rig.put(key)
    objects = [{"Key": "a"}, {"Key": "none"}, {"Key": "b", "ETag": '"other"'}]
    answer = await rig.calls("DeleteObjects", Bucket=BUCKET, Delete={"Objects": objects})
    assert answer["Deleted"] == [{"Key": "a"}, {"Key": "none"}]
    assert [(one["Key"], one["Code"]) for one in answer["Errors"]] == [("b", "PreconditionFailed")]
    quiet = {"Objects": [{"Key": "b"}], "Quiet": True}
    assert await rig.calls("DeleteObjects", Bucket=BUCKET, Delete=quiet) == {}
    listed = await rig.calls("ListObjectsV2", Bucket=BUCKET)
    assert [one["Key"] for one in listed["Contents"]] == ["c"]
    too_many = {"Objects": [{"Key": str(number)} for number in range(1001)]}
    assert (await rig.calls.refused("DeleteObjects", Bucket=BUCKET, Delete=too_many)).code == "MalformedXML"


async def test_attributes(rig: S3Rig) -> None:
    put = await rig.put("k", b"hello", ChecksumCRC32="NhCmhg==")
    asked = ["ETag", "Checksum", "ObjectSize", "StorageClass", "ObjectParts"]
    answer = await rig.calls("GetObjectAttributes", Bucket=BUCKET, Key="k", ObjectAttributes=asked)
    del answer["LastModified"]
    assert answer == {
        "ETag": put["ETag"].strip('"'),
        "ObjectSize": 5,
        "StorageClass": "STANDARD",
        "Checksum": {"ChecksumCRC32": "NhCmhg==", "ChecksumType": "FULL_OBJECT"},
    }


async def test_the_owner_alone_has_access(rig: S3Rig) -> None:
    await rig.put("k")
    for operation, params in (("GetBucketAcl", {}), ("GetObjectAcl", {"Key": "k"})):
        answer = await rig.calls(operation, Bucket=BUCKET, **params)
        (grant,) = answer["Grants"]
        assert (grant["Permission"], grant["Grantee"]["ID"]) == ("FULL_CONTROL", answer["Owner"]["ID"])
    await rig.calls("PutBucketAcl", Bucket=BUCKET, ACL="private")
    await rig.calls("PutObjectAcl", Bucket=BUCKET, Key="k", ACL="private")
    refused = await rig.calls.refused("PutObjectAcl", Bucket=BUCKET, Key="k", ACL="public-read")
    assert refused.code == "AccessControlListNotSupported"
