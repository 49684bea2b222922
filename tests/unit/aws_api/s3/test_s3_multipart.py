"""Objects uploaded in parts."""

import asyncio
import base64
import hashlib
import os
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.aws_api.s3.checksums import COMPOSITE, FULL_OBJECT, crc, of_parts
from support.s3_rig import BUCKET, S3Rig, read

PART = 5 * 1024 * 1024


async def begin(rig: S3Rig, key: str = "k", **params: Any) -> str:
    return str((await rig.calls("CreateMultipartUpload", Bucket=BUCKET, Key=key, **params))["UploadId"])


async def part(rig: S3Rig, upload: str, number: int, body: bytes, **params: Any) -> dict[str, Any]:
    told = await rig.calls(
        "UploadPart", Bucket=BUCKET, Key="k", UploadId=upload, PartNumber=number, Body=body, **params
    )
    return {"PartNumber": number, "ETag": told["ETag"]} | params


async def complete(rig: S3Rig, upload: str, parts: list[dict[str, Any]], **params: Any) -> dict[str, Any]:
    chosen = {"Parts": parts}
    return await rig.calls(
        "CompleteMultipartUpload", Bucket=BUCKET, Key="k", UploadId=upload, MultipartUpload=chosen, **params
    )


def etag_of(*bodies: bytes) -> str:
    digests = b"".join(hashlib.md5(body).digest() for body in bodies)
    return f'"{hashlib.md5(digests).hexdigest()}-{len(bodies)}"'


async def test_parts_become_an_object(rig: S3Rig) -> None:
    upload = await begin(rig, ContentType="text/plain", Metadata={"a": "b"})
    first, second = os.urandom(PART), b"the end"
    parts = [await part(rig, upload, 2, first), await part(rig, upload, 7, second)]
    assert (await rig.calls.refused("GetObject", Bucket=BUCKET, Key="k")).code == "NoSuchKey"
    done = await complete(rig, upload, parts, MpuObjectSize=PART + 7)
    assert done["ETag"] == etag_of(first, second)
    assert done["Location"] == f"http://127.0.0.1:4566/{BUCKET}/k"
    got = await rig.calls("GetObject", Bucket=BUCKET, Key="k")
    assert read(got) == first + second
    assert (got["ContentType"], got["Metadata"], got["ETag"]) == ("text/plain", {"a": "b"}, done["ETag"])
    rig.clock.advance(3600)
    assert len(rig.files()) == 1
    assert await complete(rig, upload, parts) == done, "the first answer may have been lost"
    refused = await rig.calls.refused("AbortMultipartUpload", Bucket=BUCKET, Key="k", UploadId=upload)
    assert refused.code == "NoSuchUpload"
    last = await rig.calls("GetObject", Bucket=BUCKET, Key="k", PartNumber=2)
    assert (read(last), last["PartsCount"]) == (second, 2)
    assert last["ContentRange"] == f"bytes {PART}-{PART + 6}/{PART + 7}"
    refused = await rig.calls.refused("GetObject", Bucket=BUCKET, Key="k", PartNumber=3)
    assert (refused.code, refused.status) == ("InvalidPartNumber", 416)
    asked = ["ObjectParts"]
    told = await rig.calls("GetObjectAttributes", Bucket=BUCKET, Key="k", ObjectAttributes=asked)
    assert told["ObjectParts"]["TotalPartsCount"] == 2


async def test_a_part_can_be_sent_again(rig: S3Rig) -> None:
    upload = await begin(rig)
    old = await part(rig, upload, 1, b"old")
    new = await part(rig, upload, 1, b"new")
    listed = await rig.calls("ListParts", Bucket=BUCKET, Key="k", UploadId=upload)
    assert [(one["PartNumber"], one["ETag"], one["Size"]) for one in listed["Parts"]] == [(1, new["ETag"], 3)]
    with pytest.raises(Exception, match="InvalidPart"):
        await complete(rig, upload, [old])
    await complete(rig, upload, [new])
    assert await rig.body("k") == b"new"


async def test_parts_that_cannot_be_joined(rig: S3Rig) -> None:
    upload = await begin(rig)
    one, two = await part(rig, upload, 1, b"small"), await part(rig, upload, 2, b"too")

    async def code(parts: list[dict[str, Any]], **params: Any) -> str:
        chosen = {"Parts": parts}
        named = {"Bucket": BUCKET, "Key": "k", "UploadId": upload, "MultipartUpload": chosen} | params
        return (await rig.calls.refused("CompleteMultipartUpload", **named)).code

    assert await code([two, one]) == "InvalidPartOrder"
    assert await code([one, one]) == "InvalidPartOrder"
    assert await code([one, {"PartNumber": 3, "ETag": one["ETag"]}]) == "InvalidPart"
    assert await code([one, {"PartNumber": 2, "ETag": '"x"'}]) == "InvalidPart"
    assert await code([one, two]) == "EntityTooSmall"
    assert await code([]) == "MalformedXML"
    assert await code([two], MpuObjectSize=4) == "InvalidRequest"
    assert await code([two], Key="other") == "NoSuchUpload"
    assert await code([two], UploadId="x") == "NoSuchUpload"
    await complete(rig, upload, [two])


async def test_conditions_on_completing(rig: S3Rig) -> None:
    await rig.put("k", b"there")
    upload = await begin(rig)
    parts = [await part(rig, upload, 1, b"new")]
    with pytest.raises(Exception, match="PreconditionFailed"):
        await complete(rig, upload, parts, IfNoneMatch="*")
    assert await rig.body("k") == b"there"
    await complete(rig, upload, parts)


async def test_completing_it_twice_at_once(rig: S3Rig) -> None:
    """A client that waited too long asks again while the parts are still being joined."""
    upload = await begin(rig)
    parts = [await part(rig, upload, 1, os.urandom(3_000_000))]
    first, second = await asyncio.gather(complete(rig, upload, parts), complete(rig, upload, parts))
    assert first == second
    rig.clock.advance(3600)
    assert len(rig.files()) == 1


async def test_an_upload_is_given_up(rig: S3Rig) -> None:
    upload = await begin(rig)
    await part(rig, upload, 1, b"x")
    await rig.calls("AbortMultipartUpload", Bucket=BUCKET, Key="k", UploadId=upload)
    refused = await rig.calls.refused("UploadPart", Bucket=BUCKET, Key="k", UploadId=upload, PartNumber=1, Body=b"")
    assert (refused.code, refused.status, refused.members) == ("NoSuchUpload", 404, {"UploadId": upload})
    rig.clock.advance(3600)
    assert rig.files() == []


async def test_part_numbers(rig: S3Rig) -> None:
    upload = await begin(rig)
    for number in (0, 10_001):
        named = {"Bucket": BUCKET, "Key": "k", "UploadId": upload, "PartNumber": number}
        refused = await rig.calls.refused("UploadPart", **named)
        assert refused.message == "Part number must be an integer between 1 and 10000, inclusive"
    await part(rig, upload, 10_000, b"x")


async def test_parts_a_page_at_a_time(rig: S3Rig) -> None:
    upload = await begin(rig, ChecksumAlgorithm="CRC32")
    for number in (1, 5, 10, 100):
        await part(rig, upload, number, b"x")
    named = {"Bucket": BUCKET, "Key": "k", "UploadId": upload, "MaxParts": 3}
    first = await rig.calls("ListParts", **named)
    assert [one["PartNumber"] for one in first["Parts"]] == [1, 5, 10]
    assert (first["IsTruncated"], first["NextPartNumberMarker"]) == (True, 10)
    assert (first["ChecksumAlgorithm"], first["ChecksumType"]) == ("CRC32", "COMPOSITE")
    second = await rig.calls("ListParts", PartNumberMarker=10, **named)
    assert ([one["PartNumber"] for one in second["Parts"]], second["IsTruncated"]) == ([100], False)
    assert (await rig.calls.refused("ListParts", Bucket=BUCKET, Key="k", UploadId="x")).code == "NoSuchUpload"


async def test_uploads_a_page_at_a_time(rig: S3Rig) -> None:
    ids = []
    for key in ("a", "a", "b/1", "b/2", "c"):
        rig.clock.advance(1)
        ids.append(await begin(rig, key))
    found, prefixes = [], []
    params: dict[str, str] = {}
    for _ in range(10):
        answer = await rig.calls("ListMultipartUploads", Bucket=BUCKET, MaxUploads=1, Delimiter="/", **params)
        found += [one["UploadId"] for one in answer.get("Uploads", [])]
        prefixes += [one["Prefix"] for one in answer.get("CommonPrefixes", [])]
        if not answer["IsTruncated"]:
            break
        params = {"KeyMarker": answer["NextKeyMarker"], "UploadIdMarker": answer["NextUploadIdMarker"]}
    assert (found, prefixes) == ([ids[0], ids[1], ids[4]], ["b/"])
    answer = await rig.calls("ListMultipartUploads", Bucket=BUCKET, Prefix="b/")
    assert [one["Key"] for one in answer["Uploads"]] == ["b/1", "b/2"]


async def test_parts_out_of_other_objects(rig: S3Rig) -> None:
    await rig.put("source", b"0123456789")
    upload = await begin(rig)
    named = {"Bucket": BUCKET, "Key": "k", "UploadId": upload, "PartNumber": 1}
    told = await rig.calls("UploadPartCopy", CopySource=f"{BUCKET}/source", CopySourceRange="bytes=2-5", **named)
    etag = told["CopyPartResult"]["ETag"]
    await complete(rig, upload, [{"PartNumber": 1, "ETag": etag}])
    assert await rig.body("k") == b"2345"
    upload = await begin(rig)
    named["UploadId"] = upload
    for asked in ("bytes=2-", "bytes=5-2", "bytes=0-10"):
        refused = await rig.calls.refused(
            "UploadPartCopy", CopySource=f"{BUCKET}/source", CopySourceRange=asked, **named
        )
        assert refused.code == "InvalidArgument"
    told = await rig.calls("UploadPartCopy", CopySource=f"{BUCKET}/source", **named)
    await complete(rig, upload, [{"PartNumber": 1, "ETag": told["CopyPartResult"]["ETag"]}])
    assert await rig.body("k") == b"0123456789"


def crc32(body: bytes) -> str:
    return base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()


async def test_checksums_of_parts(rig: S3Rig) -> None:
    upload = await begin(rig, ChecksumAlgorithm="CRC32")
    parts = [await part(rig, upload, 1, b"hello", ChecksumCRC32=crc32(b"hello"))]
    done = await complete(rig, upload, parts)
    whole = crc32(zlib.crc32(b"hello").to_bytes(4, "big"))
    assert (done["ChecksumCRC32"], done["ChecksumType"]) == (f"{whole}-1", "COMPOSITE")
    got = await rig.calls("HeadObject", Bucket=BUCKET, Key="k", ChecksumMode="ENABLED")
    assert (got["ChecksumCRC32"], got["ChecksumType"]) == (f"{whole}-1", "COMPOSITE")
    upload = await begin(rig, ChecksumAlgorithm="CRC32", ChecksumType="FULL_OBJECT")
    parts = [await part(rig, upload, 1, b"hello", ChecksumCRC32=crc32(b"hello"))]
    with pytest.raises(Exception, match="BadDigest"):
        await complete(rig, upload, parts, ChecksumCRC32=crc32(b"other"))
    done = await complete(rig, upload, parts, ChecksumCRC32=crc32(b"hello"))
    assert (done["ChecksumCRC32"], done["ChecksumType"]) == (crc32(b"hello"), "FULL_OBJECT")


@given(bodies=st.lists(st.binary(max_size=40), min_size=1, max_size=5))
def test_the_crc_of_the_whole_follows_from_those_of_the_parts(bodies: list[bytes]) -> None:
    joined = b"".join(bodies)
    parts = [(crc32(body), len(body)) for body in bodies]
    assert of_parts("ChecksumCRC32", parts, FULL_OBJECT) == crc32(joined)
    for member, polynomial, width in (
        ("ChecksumCRC32C", 0x82F63B78, 32),
        ("ChecksumCRC64NVME", 0x9A6C9329AC4BC9B5, 64),
    ):

        def of(body: bytes, polynomial: int = polynomial, width: int = width) -> str:
            return base64.b64encode(crc(body, polynomial, width).to_bytes(width // 8, "big")).decode()

        assert of_parts(member, [(of(body), len(body)) for body in bodies], FULL_OBJECT) == of(joined)


def test_crcs_of_known_bytes() -> None:
    """The check values of "123456789": https://reveng.sourceforge.io/crc-catalogue/all.htm."""
    assert crc(b"123456789", 0xEDB88320, 32) == 0xCBF43926 == zlib.crc32(b"123456789")
    assert crc(b"123456789", 0x82F63B78, 32) == 0xE3069283
    assert crc(b"123456789", 0x9A6C9329AC4BC9B5, 64) == 0xAE8B14860A799888


def test_a_checksum_that_cannot_be_had() -> None:
    assert of_parts("ChecksumSHA256", [("", 3)], COMPOSITE) is None
    assert of_parts("ChecksumXXHASH64", [("AAAA", 3)], COMPOSITE) is None
    assert of_parts("ChecksumSHA256", [("AAAA", 3)], FULL_OBJECT) is None
