"""Buckets with versioning: https://docs.aws.amazon.com/AmazonS3/latest/userguide/Versioning.html."""

import pytest

from support.s3_rig import BUCKET, S3Rig


async def versioning(rig: S3Rig, status: str) -> None:
    await rig.calls("PutBucketVersioning", Bucket=BUCKET, VersioningConfiguration={"Status": status})
    assert await rig.calls("GetBucketVersioning", Bucket=BUCKET) == {"Status": status}


async def versions(rig: S3Rig, **params: object) -> list[tuple[str, str, bool]]:
    """Key, id, whether it is the latest; delete markers after the versions."""
    answer = await rig.calls("ListObjectVersions", Bucket=BUCKET, **params)
    entries = answer.get("Versions", []) + answer.get("DeleteMarkers", [])
    return [(one["Key"], one["VersionId"], one["IsLatest"]) for one in entries]


async def test_every_put_is_a_version(rig: S3Rig) -> None:
    await versioning(rig, "Enabled")
    first = (await rig.put("k", b"1"))["VersionId"]
    second = (await rig.put("k", b"2"))["VersionId"]
    assert await rig.body("k") == b"2"
    assert await rig.body("k", VersionId=first) == b"1"
    got = await rig.calls("HeadObject", Bucket=BUCKET, Key="k")
    assert got["VersionId"] == second
    assert await versions(rig) == [("k", second, True), ("k", first, False)]
    listed = await rig.calls("ListObjectsV2", Bucket=BUCKET)
    assert [one["Size"] for one in listed["Contents"]] == [1]


async def test_a_delete_is_a_marker_that_can_be_taken_away(rig: S3Rig) -> None:
    await versioning(rig, "Enabled")
    first = (await rig.put("k", b"1"))["VersionId"]
    deleted = await rig.calls("DeleteObject", Bucket=BUCKET, Key="k")
    assert deleted["DeleteMarker"] is True
    assert (await rig.calls.refused("GetObject", Bucket=BUCKET, Key="k")).code == "NoSuchKey"
    refused = await rig.calls.refused("GetObject", Bucket=BUCKET, Key="k", VersionId=deleted["VersionId"])
    assert (refused.code, refused.status) == ("MethodNotAllowed", 405)
    assert "Contents" not in await rig.calls("ListObjectsV2", Bucket=BUCKET)
    assert await versions(rig) == [("k", first, False), ("k", deleted["VersionId"], True)]
    gone = await rig.calls("DeleteObject", Bucket=BUCKET, Key="k", VersionId=deleted["VersionId"])
    assert gone == {"DeleteMarker": True, "VersionId": deleted["VersionId"]}
    assert await rig.body("k") == b"1"
    gone = await rig.calls("DeleteObject", Bucket=BUCKET, Key="k", VersionId=first)
    assert gone == {"VersionId": first}
    assert await versions(rig) == []
    await rig.calls("DeleteBucket", Bucket=BUCKET)


async def test_what_was_there_before_is_the_null_version(rig: S3Rig) -> None:
    await rig.put("k", b"0")
    assert await versions(rig) == [("k", "null", True)]
    await versioning(rig, "Enabled")
    new = (await rig.put("k", b"1"))["VersionId"]
    assert await versions(rig) == [("k", new, True), ("k", "null", False)]
    assert await rig.body("k", VersionId="null") == b"0"


async def test_suspended_versioning_has_one_null_version(rig: S3Rig) -> None:
    await versioning(rig, "Enabled")
    kept = (await rig.put("k", b"kept"))["VersionId"]
    await versioning(rig, "Suspended")
    assert (await rig.put("k", b"a"))["VersionId"] == "null"
    await rig.put("k", b"b")
    assert await versions(rig) == [("k", "null", True), ("k", kept, False)]
    assert await rig.body("k") == b"b"
    deleted = await rig.calls("DeleteObject", Bucket=BUCKET, Key="k")
    assert deleted == {"DeleteMarker": True, "VersionId": "null"}
    assert await versions(rig) == [("k", kept, False), ("k", "null", True)]
    assert await rig.body("k", VersionId=kept) == b"kept"
    rig.clock.advance(3600)
    assert len(rig.files()) == 1


async def test_a_version_that_is_not_there(rig: S3Rig) -> None:
    await versioning(rig, "Enabled")
    await rig.put("k")
    refused = await rig.calls.refused("GetObject", Bucket=BUCKET, Key="k", VersionId="x" * 32)
    assert (refused.code, refused.status) == ("NoSuchVersion", 404)
    refused = await rig.calls.refused("GetObject", Bucket=BUCKET, Key="k", VersionId="no version!")
    assert (refused.code, refused.message) == ("InvalidArgument", "Invalid version id specified")
    gone = await rig.calls("DeleteObject", Bucket=BUCKET, Key="k", VersionId="x" * 32)
    assert gone == {"VersionId": "x" * 32}
    assert len(await versions(rig)) == 1


async def test_many_are_deleted_with_markers(rig: S3Rig) -> None:
    await versioning(rig, "Enabled")
    first = (await rig.put("a"))["VersionId"]
    objects = [{"Key": "a"}, {"Key": "a", "VersionId": first}]
    told = (await rig.calls("DeleteObjects", Bucket=BUCKET, Delete={"Objects": objects}))["Deleted"]
    assert (told[0]["Key"], told[0]["DeleteMarker"], len(told[0]["DeleteMarkerVersionId"])) == ("a", True, 32)
    assert told[1] == {"Key": "a", "VersionId": first}
    assert await versions(rig) == [("a", told[0]["DeleteMarkerVersionId"], True)]


@pytest.mark.parametrize("most", [1, 2, 3])
async def test_the_list_a_page_at_a_time(rig: S3Rig, most: int) -> None:
    await versioning(rig, "Enabled")
    for key in ("a", "b", "b", "b", "d/1", "d/2"):
        await rig.put(key)
    await rig.calls("DeleteObject", Bucket=BUCKET, Key="a")
    found, markers, prefixes = 0, 0, []
    params: dict[str, str] = {}
    for _ in range(10):
        answer = await rig.calls("ListObjectVersions", Bucket=BUCKET, MaxKeys=most, Delimiter="/", **params)
        found += len(answer.get("Versions", []))
        markers += len(answer.get("DeleteMarkers", []))
        prefixes += [one["Prefix"] for one in answer.get("CommonPrefixes", [])]
        if not answer["IsTruncated"]:
            break
        params = {"KeyMarker": answer["NextKeyMarker"]}
        if "NextVersionIdMarker" in answer:
            params["VersionIdMarker"] = answer["NextVersionIdMarker"]
    assert (found, markers, prefixes) == (4, 1, ["d/"])
    refused = await rig.calls.refused("ListObjectVersions", Bucket=BUCKET, VersionIdMarker="x")
    assert refused.code == "InvalidArgument"


async def test_tags_of_a_version(rig: S3Rig) -> None:
    await versioning(rig, "Enabled")
    first = (await rig.put("k", Tagging="a=1"))["VersionId"]
    second = (await rig.put("k", Tagging="a=2"))["VersionId"]
    tags = {"TagSet": [{"Key": "a", "Value": "3"}]}
    answer = await rig.calls("PutObjectTagging", Bucket=BUCKET, Key="k", VersionId=first, Tagging=tags)
    assert answer == {"VersionId": first}
    told = await rig.calls("GetObjectTagging", Bucket=BUCKET, Key="k", VersionId=first)
    assert told["TagSet"] == tags["TagSet"]
    told = await rig.calls("GetObjectTagging", Bucket=BUCKET, Key="k")
    assert (told["TagSet"][0]["Value"], told["VersionId"]) == ("2", second)
