"""The keys of a bucket, with prefix and delimiter, a page at a time."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.aws_api.s3.walk import Asked, Group, walk
from penstock.aws_api.store import Store
from support.s3_rig import BUCKET, S3Rig


@pytest.fixture
async def filled(rig: S3Rig) -> S3Rig:
    for key in ("a.txt", "photos/2006/a", "photos/2006/b", "photos/2007/c", "photos/d", "z z+ä"):
        await rig.put(key, key.encode())
    return rig


def names(answer: dict[str, Any]) -> tuple[list[str], list[str]]:
    keys = [one["Key"] for one in answer.get("Contents", [])]
    return keys, [one["Prefix"] for one in answer.get("CommonPrefixes", [])]


async def test_prefix_and_delimiter(filled: S3Rig) -> None:
    answer = await filled.calls("ListObjectsV2", Bucket=BUCKET, Delimiter="/")
    assert names(answer) == (["a.txt", "z z+ä"], ["photos/"])
    assert (answer["KeyCount"], answer["IsTruncated"], answer["MaxKeys"]) == (3, False, 1000)
    answer = await filled.calls("ListObjectsV2", Bucket=BUCKET, Prefix="photos/", Delimiter="/")
    assert names(answer) == (["photos/d"], ["photos/2006/", "photos/2007/"])
    answer = await filled.calls("ListObjectsV2", Bucket=BUCKET, Prefix="photos/2006/")
    assert names(answer) == (["photos/2006/a", "photos/2006/b"], [])
    assert (answer["Contents"][0]["Size"], answer["Contents"][0]["StorageClass"]) == (13, "STANDARD")
    assert "Owner" not in answer["Contents"][0]
    answer = await filled.calls("ListObjectsV2", Bucket=BUCKET, Prefix="none", FetchOwner=True)
    assert names(answer) == ([], [])


async def test_a_key_can_come_url_encoded(filled: S3Rig) -> None:
    answer = await filled.calls("ListObjectsV2", Bucket=BUCKET, Prefix="z ", EncodingType="url")
    assert names(answer) == (["z+z%2B%C3%A4"], [])
    assert (answer["Prefix"], answer["EncodingType"]) == ("z+", "url")
    answer = await filled.calls("ListObjects", Bucket=BUCKET, Marker="z ", Delimiter="/", EncodingType="url")
    assert [unquote_plus(key) for key in names(answer)[0]] == ["z z+ä"]
    assert (answer["Marker"], answer["Delimiter"]) == ("z+", "/")


@pytest.mark.parametrize("most", [1, 2, 3, 100])
async def test_v2_a_page_at_a_time(filled: S3Rig, most: int) -> None:
    keys, prefixes = [], []
    params: dict[str, str] = {}
    for _ in range(10):
        answer = await filled.calls("ListObjectsV2", Bucket=BUCKET, Delimiter="/", MaxKeys=most, **params)
        assert answer["KeyCount"] <= most
        keys += names(answer)[0]
        prefixes += names(answer)[1]
        if not answer["IsTruncated"]:
            break
        params = {"ContinuationToken": answer["NextContinuationToken"]}
    assert (keys, prefixes) == (["a.txt", "z z+ä"], ["photos/"])


@pytest.mark.parametrize("delimiter", ["", "/"])
async def test_v1_a_page_at_a_time(filled: S3Rig, delimiter: str) -> None:
    """NextMarker comes with a delimiter alone; else the last key is the next marker."""
    keys, prefixes, marker = [], [], ""
    for _ in range(10):
        answer = await filled.calls("ListObjects", Bucket=BUCKET, Delimiter=delimiter, MaxKeys=2, Marker=marker)
        keys += names(answer)[0]
        prefixes += names(answer)[1]
        if not answer["IsTruncated"]:
            break
        assert ("NextMarker" in answer) == bool(delimiter)
        marker = answer.get("NextMarker", keys[-1])
    assert (len(keys), prefixes) == ((2, ["photos/"]) if delimiter else (6, []))


async def test_where_to_start(filled: S3Rig) -> None:
    answer = await filled.calls("ListObjectsV2", Bucket=BUCKET, StartAfter="photos/2006/a", MaxKeys=2)
    assert names(answer)[0] == ["photos/2006/b", "photos/2007/c"]
    assert answer["StartAfter"] == "photos/2006/a"
    for token in ("", "%", "/w=="):
        refused = await filled.calls.refused("ListObjectsV2", Bucket=BUCKET, ContinuationToken=token)
        assert refused.message == "The continuation token provided is incorrect"


async def test_how_many(filled: S3Rig) -> None:
    answer = await filled.calls("ListObjectsV2", Bucket=BUCKET, MaxKeys=0)
    assert (names(answer), answer["IsTruncated"]) == (([], []), False)
    assert (await filled.calls("ListObjectsV2", Bucket=BUCKET, MaxKeys=5000))["MaxKeys"] == 1000
    refused = await filled.calls.refused("ListObjectsV2", Bucket=BUCKET, MaxKeys=-1)
    assert refused.message == "Argument maxKeys must be an integer between 0 and 2147483647"


KEYS = st.text(alphabet="ab/-ä\U0001f600", min_size=1, max_size=6)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    store = Store(tmp_path_factory.mktemp("shared"))
    store.table("s3.object.y").put("zzz", [])
    yield store
    store.close()


@given(keys=st.sets(KEYS, max_size=25), prefix=KEYS | st.just(""), delimiter=st.sampled_from(["", "/", "-", "a/"]))
def test_a_walk_finds_what_a_plain_search_finds(shared: Store, keys: set[str], prefix: str, delimiter: str) -> None:
    table = shared.table("s3.object.x")
    with shared.transaction():
        for old in [item[0] for item in table.items()]:
            table.delete(old)
        for key in keys:
            table.put(key, [{"version_id": "null", "modified": 0.0, "blob": key}])
    wanted = Asked(prefix, delimiter, 1000, False)
    found = list(walk(table, wanted, "", lambda one: True))
    expected = list(dict.fromkeys(wanted.group_of(key) or key for key in sorted(keys) if key.startswith(prefix)))
    assert [one.prefix if isinstance(one, Group) else one.key for one in found] == expected
    for one in found:
        assert isinstance(one, Group) or one.versions[0].blob == one.key


async def test_a_large_bucket_is_read_a_page_at_a_time(rig: S3Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """What stands behind a common prefix need not be read."""
    objects = rig.service._state.objects(BUCKET)
    row = [{"version_id": "null", "modified": 0.0}]
    with rig.store.transaction():
        for number in range(3000):
            objects.put(f"many/{number:05}", row)
        objects.put("one", row)
    reads = []
    page = type(objects).page

    def counted(self: Any, prefix: str, after: str, limit: int) -> Any:
        found = page(self, prefix, after, limit)
        reads.append(len(found))
        return found

    monkeypatch.setattr(type(objects), "page", counted)
    answer = await rig.calls("ListObjectsV2", Bucket=BUCKET, Delimiter="/")
    assert names(answer) == (["one"], ["many/"])
    assert sum(reads) < 600
