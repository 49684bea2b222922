"""The tags of an object, which can be changed after it was put."""

import dataclasses

from penstock.aws_api.s3.names import MAX_OBJECT_TAGS, tag_set, tags_of
from penstock.aws_api.s3.state import S3State, shown_version
from penstock.aws_api.service import Answer, Call, Operation


class TagOperations:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html"""

    def __init__(self, state: S3State) -> None:
        self._state = state
        self.operations: dict[str, Operation] = {
            "GetObjectTagging": self.get,
            "PutObjectTagging": self.put,
            "DeleteObjectTagging": self.delete,
        }

    def get(self, call: Call) -> Answer:
        bucket, params = self._state.bucket(call), call.params
        version = self._state.find(params["Bucket"], params["Key"], params.get("VersionId"))
        return {"TagSet": tag_set(version.tags), **shown_version(version, bucket)}

    def put(self, call: Call) -> Answer:
        return self._set(call, tags_of(call.params["Tagging"]["TagSet"], MAX_OBJECT_TAGS), "PUT")

    def delete(self, call: Call) -> Answer:
        return self._set(call, {}, "DELETE")

    def _set(self, call: Call, tags: dict[str, str], method: str) -> Answer:
        bucket, name, key = self._state.bucket(call), call.params["Bucket"], call.params["Key"]
        version = self._state.find(name, key, call.params.get("VersionId"), method)
        versions = self._state.versions(name, key)
        changed = [dataclasses.replace(one, tags=tags) if one == version else one for one in versions]
        self._state.save_versions(name, key, changed)
        return dict(shown_version(version, bucket))
