"""ListParts and ListMultipartUploads."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from penstock.aws_api.s3.errors import no_such_upload
from penstock.aws_api.s3.rows import Upload, moment
from penstock.aws_api.s3.state import S3State, owner, part_of, upload_of
from penstock.aws_api.s3.walk import Asked, asked, echoes
from penstock.aws_api.service import Answer, Call

# https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListParts.html
_MAX_PARTS: Final = 1000


@dataclass(frozen=True, slots=True)
class _Entry:
    """An upload, or with None a common prefix of several."""

    key: str
    upload_id: str
    upload: Upload | None


class UploadListing:
    def __init__(self, state: S3State) -> None:
        self._state = state

    def parts(self, call: Call) -> Answer:
        params, bucket = call.params, self._state.bucket(call)
        name, upload_id = params["Bucket"], params["UploadId"]
        row = self._state.uploads(name).get(upload_id)
        if row is None or row["key"] != params["Key"]:
            raise no_such_upload(upload_id)
        upload = upload_of(row)
        most, marker = min(params.get("MaxParts", _MAX_PARTS), _MAX_PARTS), params.get("PartNumberMarker") or 0
        rows = [(int(key[-5:]), one) for key, one in self._state.parts(name).items(f"{upload_id}/")]
        found = [(number, one) for number, one in rows if number > marker]
        shown = found[:most]
        user = owner(bucket["account"])
        answer: Answer = {"Bucket": name, "Key": upload.key, "UploadId": upload_id, "Owner": user, "Initiator": user}
        answer |= {"MaxParts": most, "PartNumberMarker": marker, "IsTruncated": len(found) > most}
        answer |= {"NextPartNumberMarker": shown[-1][0] if shown else 0}
        answer |= {"StorageClass": upload.attributes["headers"].get("StorageClass", "STANDARD")}
        if upload.checksum_algorithm:
            answer |= {"ChecksumAlgorithm": upload.checksum_algorithm, "ChecksumType": upload.checksum_type}
        if shown:
            answer["Parts"] = [_part_told(number, one) for number, one in shown]
        return answer

    def uploads(self, call: Call) -> Answer:
        """By key, those of one key by the time they were begun.
        https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListMultipartUploads.html
        """
        params, bucket = call.params, self._state.bucket(call)
        wanted = asked(dict(params), "MaxUploads")
        marker, id_marker = params.get("KeyMarker") or "", params.get("UploadIdMarker") or ""
        entries = list(self._entries(params["Bucket"], wanted, marker, id_marker))
        shown = entries[: wanted.most]
        more = bool(shown) and len(entries) > wanted.most
        answer: Answer = {"Bucket": params["Bucket"], "MaxUploads": wanted.most, "IsTruncated": more}
        answer |= {"KeyMarker": wanted.told(marker), "UploadIdMarker": id_marker, "Prefix": wanted.told(wanted.prefix)}
        answer |= echoes(wanted, Delimiter=wanted.delimiter)
        if more:
            answer |= {"NextKeyMarker": wanted.told(shown[-1].key), "NextUploadIdMarker": shown[-1].upload_id}
        user = owner(bucket["account"])
        uploads = [_upload_told(one, wanted, user) for one in shown if one.upload is not None]
        prefixes = [{"Prefix": wanted.told(one.key)} for one in shown if one.upload is None]
        return answer | ({"Uploads": uploads} if uploads else {}) | ({"CommonPrefixes": prefixes} if prefixes else {})

    def _entries(self, bucket: str, wanted: Asked, marker: str, id_marker: str) -> Iterator[_Entry]:
        """Those after the markers. `id_marker` counts only beside `marker`."""
        rows = self._state.uploads(bucket).items()
        found = sorted((row["key"], row["initiated"], upload_id, row) for upload_id, row in rows)
        passed = not id_marker
        last_group = None
        for key, _, upload_id, row in found:
            if not key.startswith(wanted.prefix) or key < marker:
                continue
            if key == marker and marker:
                if passed and id_marker:
                    yield _Entry(key, upload_id, upload_of(row))
                passed = passed or upload_id == id_marker
                continue
            group = wanted.group_of(key)
            if group is None:
                yield _Entry(key, upload_id, upload_of(row))
            elif group not in (marker, last_group):
                last_group = group
                yield _Entry(group, "", None)


def _part_told(number: int, row: Mapping[str, Any]) -> dict[str, Any]:
    part = part_of(row)
    told = {"PartNumber": number, "LastModified": moment(int(part.modified)), "ETag": f'"{part.etag}"'}
    return {**told, "Size": part.size, **part.checksums}


def _upload_told(entry: _Entry, wanted: Asked, user: Mapping[str, str]) -> dict[str, Any]:
    upload = entry.upload
    assert upload is not None
    told: dict[str, Any] = {
        "Key": wanted.told(entry.key),
        "UploadId": entry.upload_id,
        "Initiated": moment(int(upload.initiated)),
        "StorageClass": upload.attributes["headers"].get("StorageClass", "STANDARD"),
    }
    if upload.checksum_algorithm:
        told |= {"ChecksumAlgorithm": upload.checksum_algorithm, "ChecksumType": upload.checksum_type}
    return {**told, "Owner": dict(user), "Initiator": dict(user)}
