"""What the operations on buckets and objects share: the tables, and finding things in them."""

import dataclasses
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from penstock.aws_api.s3.blobs import Blobs
from penstock.aws_api.s3.errors import method_not_allowed, no_such_bucket, no_such_key, no_such_version
from penstock.aws_api.s3.names import check_version_id
from penstock.aws_api.s3.rows import NULL_VERSION, ObjectVersion, Part, Upload
from penstock.aws_api.service import Call, Context, ServiceError
from penstock.aws_api.store import Store, Table
from penstock.model.clock import Clock

_PAGE: Final = 500


class S3State:
    """Each bucket has tables of its own, for objects, uploads and their parts."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self.store = store
        self.clock = clock
        self.blobs = Blobs(store.files / "s3", clock)
        self.buckets = store.table("s3.bucket")
        self._leaving: list[str] | None = None

    @contextmanager
    def change(self) -> Iterator[None]:
        """All that is written inside is kept, or nothing; files no longer named go afterwards. May be nested."""
        if self._leaving is not None:
            yield
            return
        self._leaving = []
        try:
            with self.store.transaction():
                yield
            self.blobs.drop(self._leaving)
        finally:
            self._leaving = None

    def leave(self, blobs: Iterable[str]) -> None:
        """No row will name these once the change is over. Only inside `change`."""
        assert self._leaving is not None
        self._leaving.extend(blobs)

    def bucket(self, call: Call) -> dict[str, Any]:
        """The row of the bucket that is named in `Bucket`. Raises NoSuchBucket, AccessDenied."""
        name = call.params["Bucket"]
        row = self.buckets.get(name)
        if row is None:
            raise no_such_bucket(name)
        check_owner(row, call.params.get("ExpectedBucketOwner"))
        return dict(row)

    def save_bucket(self, name: str, row: Mapping[str, Any]) -> None:
        self.buckets.put(name, dict(row))

    def objects(self, bucket: str) -> Table:
        return self.store.table(f"s3.object.{bucket}")

    def uploads(self, bucket: str) -> Table:
        return self.store.table(f"s3.upload.{bucket}")

    def parts(self, bucket: str) -> Table:
        """By `<upload id>/<part number in five digits>`."""
        return self.store.table(f"s3.part.{bucket}")

    def versions(self, bucket: str, key: str) -> list[ObjectVersion]:
        """Newest first."""
        return versions_of(self.objects(bucket).get(key))

    def save_versions(self, bucket: str, key: str, versions: Sequence[ObjectVersion]) -> None:
        """In place of those that were there; the files of what is gone go as well."""
        kept = {one.blob for one in versions}
        gone = [one.blob for one in self.versions(bucket, key) if one.blob and one.blob not in kept]
        with self.change():
            if versions:
                self.objects(bucket).put(key, [dataclasses.asdict(one) for one in versions])
            else:
                self.objects(bucket).delete(key)
            self.leave(gone)

    def find(self, bucket: str, key: str, version_id: str | None, method: str = "GET") -> ObjectVersion:
        """The version that is asked for, or the current one. Raises NoSuchKey, NoSuchVersion, MethodNotAllowed."""
        versions = self.versions(bucket, key)
        if version_id is None:
            if not versions or versions[0].marker:
                raise no_such_key(key)
            return versions[0]
        check_version_id(version_id)
        found = next((one for one in versions if one.version_id == version_id), None)
        if found is None:
            raise no_such_version(key, version_id)
        if found.marker:
            raise method_not_allowed(method)
        return found

    def named_blobs(self) -> Iterator[set[str]]:
        """Those of all buckets, a page of rows at a time. What is written in between may be missing."""
        for bucket in [item[0] for item in self.buckets.items()]:
            for page in _pages(self.objects(bucket)):
                yield {version["blob"] for row in page for version in row}
            for page in _pages(self.parts(bucket)):
                yield {row["blob"] for row in page}


def _pages(table: Table) -> Iterator[list[Any]]:
    after = ""
    while page := table.page("", after, _PAGE):
        yield [row for _, row in page]
        after = page[-1][0]


def check_owner(row: Mapping[str, Any], expected: str | None) -> None:
    """Raises AccessDenied. https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html"""
    if expected is not None and expected != row["account"]:
        raise ServiceError("AccessDenied", "Access Denied", 403)


def versions_of(row: Any | None) -> list[ObjectVersion]:
    return [ObjectVersion(**one) for one in row or ()]


def upload_of(row: Mapping[str, Any]) -> Upload:
    return Upload(**row)


def part_of(row: Mapping[str, Any]) -> Part:
    return Part(**row)


def owner(account_id: str) -> dict[str, str]:
    """The canonical user id of an account: 64 hex digits.
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/finding-canonical-user-id.html
    """
    return {"ID": hashlib.sha256(f"canonical-user/{account_id}".encode()).hexdigest()}


def caller(context: Context) -> dict[str, str]:
    return owner(context.account_id)


def shown_version(version: ObjectVersion, row: Mapping[str, Any]) -> dict[str, str]:
    """VersionId is told of a bucket that has, or once had, versioning."""
    if row.get("versioning") or version.version_id != NULL_VERSION:
        return {"VersionId": version.version_id}
    return {}
