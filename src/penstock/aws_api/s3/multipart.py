"""Objects uploaded in parts: https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html."""

import dataclasses
import hashlib
import secrets
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

from penstock.aws_api.s3.attributes import attributes_of, check_offered, encryption_told
from penstock.aws_api.s3.checksums import MEMBERS, default_type, given, of_parts, type_of
from penstock.aws_api.s3.conditions import check_write
from penstock.aws_api.s3.errors import entity_too_small, invalid_argument, malformed_xml, no_such_upload
from penstock.aws_api.s3.names import check_key
from penstock.aws_api.s3.ranges import span_to_copy
from penstock.aws_api.s3.rows import ObjectVersion, Part, Upload, moment
from penstock.aws_api.s3.state import S3State, part_of, shown_version, upload_of
from penstock.aws_api.s3.uploads_listing import UploadListing
from penstock.aws_api.s3.writing import commit, current_of, find_source, received
from penstock.aws_api.service import Answer, Call, Operation, ServiceError

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
MAX_PARTS: Final = 10_000
_MIN_PART_BYTES: Final = 5 * 1024 * 1024


class MultipartOperations:
    def __init__(self, state: S3State) -> None:
        self._state = state
        listing = UploadListing(state)
        self.operations: dict[str, Operation] = {
            "CreateMultipartUpload": self.create,
            "UploadPart": self.upload_part,
            "UploadPartCopy": self.copy_part,
            "CompleteMultipartUpload": self.complete,
            "AbortMultipartUpload": self.abort,
            "ListParts": listing.parts,
            "ListMultipartUploads": listing.uploads,
        }

    def create(self, call: Call) -> Answer:
        params, bucket = call.params, self._state.bucket(call)
        check_key(params["Key"])
        algorithm = params.get("ChecksumAlgorithm") or ""
        upload = Upload(
            key=params["Key"],
            initiated=self._state.clock.epoch(),
            attributes=attributes_of(bucket, params),
            checksum_algorithm=algorithm,
            checksum_type=(params.get("ChecksumType") or default_type(algorithm)) if algorithm else "",
        )
        upload_id = secrets.token_urlsafe(48)
        self._state.uploads(params["Bucket"]).put(upload_id, dataclasses.asdict(upload))
        told = {"Bucket": params["Bucket"], "Key": params["Key"], "UploadId": upload_id}
        if algorithm:
            told |= {"ChecksumAlgorithm": algorithm, "ChecksumType": upload.checksum_type}
        return {**told, **encryption_told(upload.attributes["headers"])}

    async def upload_part(self, call: Call) -> Answer:
        number = _part_number(call.params)
        check_offered(call.params)
        upload = find_upload(self._state, call)
        blob = await received(self._state, call.params)
        part = Part(
            blob=blob.name,
            size=blob.size,
            etag=blob.md5,
            modified=self._state.clock.epoch(),
            checksums=given(call.params),
        )
        self._save_part(call, number, part)
        return {"ETag": f'"{part.etag}"', **part.checksums, **encryption_told(upload.attributes["headers"])}

    async def copy_part(self, call: Call) -> Answer:
        params = call.params
        number = _part_number(params)
        check_offered(params)
        upload = find_upload(self._state, call)
        source, told = find_source(self._state, params)
        asked = params.get("CopySourceRange")
        offset, length = 0, source.size
        if asked:
            span = span_to_copy(asked, source.size)
            offset, length = span.offset, span.length
        blob = await self._state.blobs.part(source.blob, offset, length)
        part = Part(blob=blob.name, size=blob.size, etag=blob.md5, modified=self._state.clock.epoch())
        self._save_part(call, number, part)
        result = {"ETag": f'"{part.etag}"', "LastModified": moment(int(part.modified))}
        return {"CopyPartResult": result, **told, **encryption_told(upload.attributes["headers"])}

    async def complete(self, call: Call) -> Answer:
        """Asking again, because the first answer was lost, gives the same answer."""
        params = call.params
        self._state.bucket(call)
        if done := self._already(call):
            return done
        upload = find_upload(self._state, call)
        check_write(params["Key"], current_of(self._state.versions(params["Bucket"], params["Key"])), params)
        chosen = self._chosen(call)
        size = sum(part.size for part in chosen)
        _check_size(params.get("MpuObjectSize"), size)
        checksums = _checksums(upload, chosen, params)
        blob = await self._state.blobs.joined((part.blob for part in chosen), size)
        if done := self._already(call):  # it was asked again while the parts were joined
            self._state.blobs.drop([blob.name])
            return done
        with self._state.change():
            self._find_again(call, blob.name)
            version, told = commit(
                self._state,
                call,
                blob,
                etag=_etag(chosen),
                parts=[part.size for part in chosen],
                checksums=checksums,
                upload_id=params["UploadId"],
                **upload.attributes,
            )
            self._forget(params["Bucket"], params["UploadId"])
        return _completed(call, version, told)

    def _already(self, call: Call) -> Answer | None:
        """What completing it answered, when the object that it made is the current one."""
        bucket = self._state.bucket(call)
        current = current_of(self._state.versions(call.params["Bucket"], call.params["Key"]))
        if current is None or current.upload_id != call.params["UploadId"]:
            return None
        return _completed(call, current, shown_version(current, bucket))

    def abort(self, call: Call) -> Answer:
        find_upload(self._state, call)
        with self._state.change():
            self._forget(call.params["Bucket"], call.params["UploadId"])
        return {}

    def _find_again(self, call: Call, blob: str) -> None:
        """The upload may have been aborted while its parts were joined. Raises NoSuchUpload."""
        try:
            find_upload(self._state, call)
        except ServiceError:
            self._state.blobs.drop([blob])
            raise

    def _save_part(self, call: Call, number: int, part: Part) -> None:
        """In place of an earlier one of that number."""
        self._find_again(call, part.blob)
        parts, key = self._state.parts(call.params["Bucket"]), _part_key(call.params["UploadId"], number)
        before = parts.get(key)
        with self._state.change():
            parts.put(key, dataclasses.asdict(part))
            self._state.leave([before["blob"]] if before else [])

    def _forget(self, bucket: str, upload_id: str) -> None:
        rows = self._state.parts(bucket).items(f"{upload_id}/")
        for key, _ in rows:
            self._state.parts(bucket).delete(key)
        self._state.uploads(bucket).delete(upload_id)
        self._state.leave(row["blob"] for _, row in rows)

    def _chosen(self, call: Call) -> list[Part]:
        """The parts that are to be joined. Raises MalformedXML, InvalidPartOrder, InvalidPart, EntityTooSmall."""
        asked = (call.params.get("MultipartUpload") or {}).get("Parts") or []
        numbers = [one.get("PartNumber", 0) for one in asked]
        if not asked or len(asked) > MAX_PARTS:
            raise malformed_xml()
        if any(later <= earlier for earlier, later in pairwise(numbers)):
            text = "The list of parts was not in ascending order. Parts must be ordered by part number."
            raise ServiceError("InvalidPartOrder", text, 400, {"UploadId": call.params["UploadId"]})
        rows = dict(self._state.parts(call.params["Bucket"]).items(f"{call.params['UploadId']}/"))
        chosen = [
            _checked(rows.get(_part_key(call.params["UploadId"], one.get("PartNumber", 0))), one) for one in asked
        ]
        for number, part in list(zip(numbers, chosen, strict=True))[:-1]:
            if part.size < _MIN_PART_BYTES:
                raise entity_too_small(part.size, _MIN_PART_BYTES, number, part.etag)
        return chosen


def find_upload(state: S3State, call: Call) -> Upload:
    """Raises NoSuchUpload, NoSuchBucket."""
    state.bucket(call)
    row = state.uploads(call.params["Bucket"]).get(call.params["UploadId"])
    if row is None or row["key"] != call.params["Key"]:
        raise no_such_upload(call.params["UploadId"])
    return upload_of(row)


def _part_key(upload_id: str, number: int) -> str:
    return f"{upload_id}/{number:05}"


def _part_number(params: Mapping[str, Any]) -> int:
    """Raises InvalidArgument."""
    number: int = params["PartNumber"]
    if not 1 <= number <= MAX_PARTS:
        text = f"Part number must be an integer between 1 and {MAX_PARTS}, inclusive"
        raise invalid_argument(text, "partNumber", number)
    return number


def _checked(row: Mapping[str, Any] | None, asked: Mapping[str, Any]) -> Part:
    """Raises InvalidPart."""
    part = part_of(row) if row is not None else None
    if (
        part is None
        or asked.get("ETag", "").strip('"') != part.etag
        or any(asked[name] != part.checksums.get(name, asked[name]) for name in MEMBERS if asked.get(name))
    ):
        text = (
            "One or more of the specified parts could not be found.  The part may not have been uploaded, or the "
            "specified entity tag may not match the part's entity tag."
        )
        members = {"PartNumber": str(asked.get("PartNumber", "")), "ETag": asked.get("ETag", "").strip('"')}
        raise ServiceError("InvalidPart", text, 400, members)
    return part


def _check_size(expected: int | None, size: int) -> None:
    """Raises InvalidRequest."""
    if expected is not None and expected != size:
        text = "The provided 'x-amz-mp-object-size' header does not match what was computed."
        raise ServiceError("InvalidRequest", text)


def _etag(parts: Sequence[Part]) -> str:
    """The MD5 of the parts' MD5s, and how many they are.
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
    """
    digests = b"".join(bytes.fromhex(part.etag) for part in parts)
    return f"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-{len(parts)}"


def _checksums(upload: Upload, parts: Sequence[Part], params: Mapping[str, Any]) -> dict[str, str]:
    """That of the upload's algorithm, from those of the parts, or as the client gives it. Raises BadDigest."""
    asked = given(params)
    if not upload.checksum_algorithm:
        return asked
    member = f"Checksum{upload.checksum_algorithm}"
    found = of_parts(member, [(part.checksums.get(member, ""), part.size) for part in parts], upload.checksum_type)
    if found is None:
        return asked
    if asked.get(member, found).partition("-")[0] != found.partition("-")[0]:
        text = f"The {upload.checksum_algorithm} you specified did not match the calculated checksum."
        raise ServiceError("BadDigest", text)
    return {member: found}


def _completed(call: Call, version: ObjectVersion, told: Mapping[str, str]) -> Answer:
    name, key = call.params["Bucket"], call.params["Key"]
    answer = {"Location": f"{call.context.endpoint}/{name}/{key}", "Bucket": name, "Key": key}
    answer |= {"ETag": version.quoted_etag, **told, **version.checksums, **type_of(version.checksums)}
    return {**answer, **encryption_told(version.headers)}
