"""ListParts and ListMultipartUploads."""

from collections.abc import Mapping
from typing import Any, Final

from penstock.aws_api.s3.errors import no_such_upload
from penstock.aws_api.s3.rows import moment
from penstock.aws_api.s3.state import S3State, owner, part_of, upload_of
from penstock.aws_api.s3.walk import asked, echoes
from penstock.aws_api.service import Answer, Call

# https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListParts.html
_MAX_PARTS: Final = 1000


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
        rows = self._state.uploads(params["Bucket"]).items()
        found = sorted((row["key"], row["initiated"], upload_id, row) for upload_id, row in rows)
        entries: list[tuple[str, str, Mapping[str, Any] | None]] = []
        passed = not id_marker or not marker
        for key, _, upload_id, row in found:
            if not key.startswith(wanted.prefix) or key < marker:
                continue
            if key == marker:
                if passed and id_marker:
                    entries.append((key, upload_id, row))
                passed = passed or upload_id == id_marker
                continue
            group = wanted.group_of(key)
            if group is None:
                entries.append((key, upload_id, row))
            elif group != marker and (group, "", None) not in entries:
                entries.append((group, "", None))
        shown = entries[: wanted.most]
        more = bool(shown) and len(entries) > wanted.most
        user = owner(bucket["account"])
        answer: Answer = {"Bucket": params["Bucket"], "MaxUploads": wanted.most, "IsTruncated": more}
        answer |= {"KeyMarker": wanted.told(marker), "UploadIdMarker": id_marker, "Prefix": wanted.told(wanted.prefix)}
        answer |= echoes(wanted, Delimiter=wanted.delimiter)
        if more:
            answer |= {"NextKeyMarker": wanted.told(shown[-1][0]), "NextUploadIdMarker": shown[-1][1]}
        uploads = [
            _upload_told(wanted.told(key), upload_id, row, user) for key, upload_id, row in shown if row is not None
        ]
        prefixes = [{"Prefix": wanted.told(key)} for key, _, row in shown if row is None]
        return answer | ({"Uploads": uploads} if uploads else {}) | ({"CommonPrefixes": prefixes} if prefixes else {})


def _part_told(number: int, row: Mapping[str, Any]) -> dict[str, Any]:
    part = part_of(row)
    told = {"PartNumber": number, "LastModified": moment(int(part.modified)), "ETag": f'"{part.etag}"'}
    return {**told, "Size": part.size, **part.checksums}


def _upload_told(key: str, upload_id: str, row: Mapping[str, Any], user: Mapping[str, str]) -> dict[str, Any]:
    upload = upload_of(row)
    told: dict[str, Any] = {"Key": key, "UploadId": upload_id, "Initiated": moment(int(upload.initiated))}
    told |= {"StorageClass": upload.attributes["headers"].get("StorageClass", "STANDARD")}
    if upload.checksum_algorithm:
        told |= {"ChecksumAlgorithm": upload.checksum_algorithm, "ChecksumType": upload.checksum_type}
    return {**told, "Owner": dict(user), "Initiator": dict(user)}
