"""DeleteObject and DeleteObjects. Deleting what is not there is no error."""

from collections.abc import Mapping
from typing import Any, Final

from penstock.aws_api.s3.conditions import check_delete
from penstock.aws_api.s3.errors import malformed_xml
from penstock.aws_api.s3.names import check_key, check_version_id
from penstock.aws_api.s3.rows import NULL_VERSION, ObjectVersion
from penstock.aws_api.s3.state import S3State
from penstock.aws_api.s3.versioning import ENABLED, with_delete, without_version
from penstock.aws_api.s3.writing import current_of, new_version_id
from penstock.aws_api.service import Answer, Call, Operation, ServiceError

# https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html
_MAX_KEYS: Final = 1000


class DeleteOperations:
    def __init__(self, state: S3State) -> None:
        self._state = state
        self.operations: dict[str, Operation] = {"DeleteObject": self.delete, "DeleteObjects": self.delete_many}

    def delete(self, call: Call) -> Answer:
        return self._delete(self._state.bucket(call), call.params["Bucket"], call.params)

    def delete_many(self, call: Call) -> Answer:
        """All in one transaction: a killed process has deleted all of them or none."""
        bucket, name = self._state.bucket(call), call.params["Bucket"]
        asked = call.params["Delete"]["Objects"]
        if not 0 < len(asked) <= _MAX_KEYS:
            raise malformed_xml()
        deleted, errors = [], []
        with self._state.change():
            for one in asked:
                told = {"Key": one["Key"]} | ({"VersionId": one["VersionId"]} if "VersionId" in one else {})
                try:
                    answer = self._delete(bucket, name, {**one, **({"IfMatch": one["ETag"]} if "ETag" in one else {})})
                except ServiceError as error:
                    errors.append({**told, "Code": error.code, "Message": error.message})
                    continue
                if answer.get("DeleteMarker"):
                    told |= {"DeleteMarker": True, "DeleteMarkerVersionId": answer["VersionId"]}
                deleted.append(told)
        quiet = call.params["Delete"].get("Quiet")
        return ({} if quiet else {"Deleted": deleted}) | ({"Errors": errors} if errors else {})

    def _delete(self, bucket: Mapping[str, Any], name: str, asked: Mapping[str, Any]) -> Answer:
        key, version_id = asked["Key"], asked.get("VersionId")
        check_key(key)
        versions = self._state.versions(name, key)
        if version_id is not None:
            return self._delete_version(name, key, versions, asked)
        check_delete(current_of(versions), asked)
        status = bucket.get("versioning")
        marker_id = new_version_id() if status == ENABLED else NULL_VERSION
        marker = ObjectVersion(version_id=marker_id, modified=self._state.clock.epoch(), marker=True)
        left, added = with_delete(versions, status, marker)
        self._state.save_versions(name, key, left)
        return {"DeleteMarker": True, "VersionId": added.version_id} if added else {}

    def _delete_version(self, name: str, key: str, versions: list[ObjectVersion], asked: Mapping[str, Any]) -> Answer:
        version_id = check_version_id(asked["VersionId"])
        left, gone = without_version(versions, version_id)
        check_delete(gone, asked)
        if gone is not None:
            self._state.save_versions(name, key, left)
        return {"VersionId": version_id} | ({"DeleteMarker": True} if gone and gone.marker else {})
