"""PutObject and CopyObject, and what every write of an object has in common."""

import secrets
import string
from collections.abc import Mapping
from typing import Any, BinaryIO, Final
from urllib.parse import parse_qs, unquote

from penstock.aws_api.s3.attributes import attributes_of, check_offered, encryption_told
from penstock.aws_api.s3.blobs import Blob
from penstock.aws_api.s3.checksums import given, md5_matches, type_of
from penstock.aws_api.s3.conditions import check_copy_source, check_write
from penstock.aws_api.s3.errors import invalid_argument, invalid_request, no_such_bucket
from penstock.aws_api.s3.names import check_key, tags_of_header
from penstock.aws_api.s3.rows import NULL_VERSION, ObjectVersion
from penstock.aws_api.s3.state import S3State, check_owner, shown_version
from penstock.aws_api.s3.versioning import ENABLED, with_put
from penstock.aws_api.service import Answer, Call, Operation, ServiceError

_VERSION_LETTERS: Final = string.ascii_letters + string.digits + "._"
_REPLACE: Final = "REPLACE"
# What may change when an object is copied onto itself.
_CHANGES: Final = ("StorageClass", "WebsiteRedirectLocation", "ServerSideEncryption")


def new_version_id() -> str:
    """32 letters, as S3's are."""
    return "".join(secrets.choice(_VERSION_LETTERS) for _ in range(32))


def current_of(versions: list[ObjectVersion]) -> ObjectVersion | None:
    return versions[0] if versions and not versions[0].marker else None


def commit(state: S3State, call: Call, blob: Blob, **attributes: Any) -> tuple[ObjectVersion, dict[str, str]]:
    """Make `blob` the current version of the call's object; and the member VersionId, where there is one to tell.

    Looks at the bucket and the conditions again: much may have happened while the bytes came in. Raises ServiceError,
    and the blob is dropped.
    """
    name, key = call.params["Bucket"], call.params["Key"]
    try:
        with state.change():
            bucket = state.bucket(call)
            versions = state.versions(name, key)
            check_write(key, current_of(versions), call.params)
            version_id = new_version_id() if bucket.get("versioning") == ENABLED else NULL_VERSION
            attributes.setdefault("etag", blob.md5)
            new = ObjectVersion(
                version_id=version_id, modified=state.clock.epoch(), blob=blob.name, size=blob.size, **attributes
            )
            state.save_versions(name, key, with_put(versions, new))
    except BaseException:
        state.blobs.drop([blob.name])
        raise
    return new, shown_version(new, bucket)


async def received(state: S3State, params: Mapping[str, Any]) -> Blob:
    """The body of PutObject or UploadPart, on disk. Raises InvalidDigest, BadDigest."""
    body: BinaryIO | bytes = params.get("Body") or b""
    blob = await state.blobs.keep(body)
    try:
        _check_md5(params.get("ContentMD5"), blob.md5)
    except ServiceError:
        state.blobs.drop([blob.name])
        raise
    return blob


class WriteOperations:
    def __init__(self, state: S3State) -> None:
        self._state = state
        self.operations: dict[str, Operation] = {"PutObject": self.put, "CopyObject": self.copy}

    async def put(self, call: Call) -> Answer:
        key, params = call.params["Key"], call.params
        bucket = self._state.bucket(call)
        check_key(key)
        check_write(key, current_of(self._state.versions(params["Bucket"], key)), params)
        attributes = attributes_of(bucket, params)
        blob = await received(self._state, params)
        version, told = commit(self._state, call, blob, checksums=given(params), **attributes)
        told |= encryption_told(version.headers) | version.checksums | type_of(version.checksums)
        return {"ETag": version.quoted_etag, **told}

    async def copy(self, call: Call) -> Answer:
        params = call.params
        bucket = self._state.bucket(call)
        check_offered(params)
        check_key(params["Key"])
        source, source_told = find_source(self._state, params)
        attributes = _attributes_of_copy(bucket, source, params)
        if _is_itself(params) and params.get("MetadataDirective") != _REPLACE:
            raise invalid_request(
                "This copy request is illegal because it is trying to copy an object to itself without changing the "
                "object's metadata, storage class, website redirect location or encryption attributes."
            )
        blob = await self._copied(source)
        version, told = commit(self._state, call, blob, checksums=_whole(source.checksums), **attributes)
        result = {"ETag": version.quoted_etag, "LastModified": version.last_modified, **version.checksums}
        result |= type_of(version.checksums)
        return {"CopyObjectResult": result, **source_told, **told, **encryption_told(version.headers)}

    async def _copied(self, source: ObjectVersion) -> Blob:
        """An object of several parts becomes one of one part, with the MD5 of its bytes as its tag."""
        if source.parts:
            return await self._state.blobs.part(source.blob, 0, source.size)
        return await self._state.blobs.twin(Blob(source.blob, source.size, source.etag))


def find_source(state: S3State, params: Mapping[str, Any]) -> tuple[ObjectVersion, dict[str, str]]:
    """What is to be copied, and the member CopySourceVersionId. Raises ServiceError."""
    name, key, version_id = _source_of(params["CopySource"])
    row = state.buckets.get(name)
    if row is None:
        raise no_such_bucket(name)
    check_owner(row, params.get("ExpectedSourceBucketOwner"))
    version = state.find(name, key, version_id)
    check_copy_source(version, params)
    told = shown_version(version, row)
    return version, {"CopySourceVersionId": told["VersionId"]} if told else {}


def _source_of(source: str) -> tuple[str, str, str | None]:
    """Bucket, key and version id out of URL-encoded text. Raises InvalidArgument."""
    path, _, query = source.partition("?")
    bucket, _, key = unquote(path).lstrip("/").partition("/")
    if not bucket or not key or bucket.startswith("arn:"):
        text = "Copy Source must mention the source bucket and key: sourcebucket/sourcekey"
        raise invalid_argument(text, "x-amz-copy-source", source)
    version_ids = parse_qs(query).get("versionId")
    return bucket, key, version_ids[0] if version_ids else None


def _is_itself(params: Mapping[str, Any]) -> bool:
    source = _source_of(params["CopySource"])
    return source == (params["Bucket"], params["Key"], None) and not any(params.get(name) for name in _CHANGES)


def _attributes_of_copy(bucket: Mapping[str, Any], source: ObjectVersion, params: Mapping[str, Any]) -> dict[str, Any]:
    """What is asked for, beside what the source has: https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html."""
    asked = attributes_of(bucket, params)
    if params.get("MetadataDirective") != _REPLACE:
        changes = {name: asked["headers"][name] for name in _CHANGES if params.get(name)}
        of_source = {name: value for name, value in source.headers.items() if name not in ("StorageClass", *_CHANGES)}
        asked |= {"headers": of_source | encryption_told(asked["headers"]) | changes, "metadata": source.metadata}
    if params.get("TaggingDirective") == _REPLACE:
        return asked | {"tags": tags_of_header(params.get("Tagging") or "")}
    return asked | {"tags": source.tags}


def _whole(checksums: Mapping[str, str]) -> dict[str, str]:
    """Those of the bytes: a composite one is not that of the copy."""
    return {name: text for name, text in checksums.items() if "-" not in text}


def _check_md5(content_md5: str | None, md5: str) -> None:
    """Raises InvalidDigest, BadDigest."""
    if content_md5 is None:
        return
    matches = md5_matches(content_md5, md5)
    if matches is None:
        raise ServiceError(
            "InvalidDigest", "The Content-MD5 you specified was invalid.", 400, {"Content-MD5": content_md5}
        )
    if not matches:
        text = "The Content-MD5 you specified did not match what we received."
        raise ServiceError("BadDigest", text, 400, {"ExpectedDigest": content_md5})
