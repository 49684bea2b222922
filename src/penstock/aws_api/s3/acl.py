"""Access control lists, as far as they can be had with S3's default of bucket owner enforced: the owner has all.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html
"""

from collections.abc import Mapping
from typing import Any, Final

from penstock.aws_api.s3.errors import not_implemented
from penstock.aws_api.s3.state import S3State, owner
from penstock.aws_api.service import Answer, Call, Operation, ServiceError

_OWNERS: Final = frozenset({"private", "bucket-owner-full-control", "bucket-owner-read"})
_GRANTS: Final = ("GrantFullControl", "GrantRead", "GrantReadACP", "GrantWrite", "GrantWriteACP")
ENFORCED: Final = "BucketOwnerEnforced"


def check_canned(bucket: Mapping[str, Any], params: Mapping[str, Any]) -> None:
    """Raises AccessControlListNotSupported, and NotImplemented where the bucket's owner has turned ACLs on."""
    others = params.get("ACL", "private") not in _OWNERS or any(params.get(name) for name in _GRANTS)
    if not others:
        return
    rules = (bucket.get("settings", {}).get("OwnershipControls") or {}).get("Rules") or []
    if any(rule["ObjectOwnership"] != ENFORCED for rule in rules):
        raise not_implemented("x-amz-acl")
    raise ServiceError("AccessControlListNotSupported", "The bucket does not allow ACLs")


class AclOperations:
    def __init__(self, state: S3State) -> None:
        self._state = state
        self.operations: dict[str, Operation] = {
            "GetBucketAcl": self.bucket_acl,
            "GetObjectAcl": self.object_acl,
            "PutBucketAcl": self.put_bucket_acl,
            "PutObjectAcl": self.put_object_acl,
        }

    def bucket_acl(self, call: Call) -> Answer:
        return _owners(self._state.bucket(call))

    def object_acl(self, call: Call) -> Answer:
        bucket = self._state.bucket(call)
        self._state.find(call.params["Bucket"], call.params["Key"], call.params.get("VersionId"))
        return _owners(bucket)

    def put_bucket_acl(self, call: Call) -> Answer:
        self._check(self._state.bucket(call), call)
        return {}

    def put_object_acl(self, call: Call) -> Answer:
        bucket = self._state.bucket(call)
        self._state.find(call.params["Bucket"], call.params["Key"], call.params.get("VersionId"), "PUT")
        self._check(bucket, call)
        return {}

    def _check(self, bucket: Mapping[str, Any], call: Call) -> None:
        check_canned(bucket, call.params)
        policy = call.params.get("AccessControlPolicy")
        if policy and policy.get("Grants") != _owners(bucket)["Grants"]:
            check_canned(bucket, {"ACL": "of-others"})


def _owners(bucket: Mapping[str, Any]) -> Answer:
    user = owner(bucket["account"])
    return {"Owner": user, "Grants": [{"Grantee": {**user, "Type": "CanonicalUser"}, "Permission": "FULL_CONTROL"}]}
