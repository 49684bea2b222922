"""Buckets: made, listed, deleted; and whether they keep versions."""

import base64
from collections.abc import Mapping
from typing import Any, Final

from penstock.aws_api.s3.acl import ENFORCED, check_canned
from penstock.aws_api.s3.errors import invalid_argument, malformed_xml, not_implemented, without_body
from penstock.aws_api.s3.names import MAX_BUCKET_TAGS, check_bucket_name, tags_of
from penstock.aws_api.s3.rows import moment
from penstock.aws_api.s3.state import S3State, caller, check_owner
from penstock.aws_api.s3.versioning import ENABLED
from penstock.aws_api.service import Answer, Call, Operation, ServiceError

# https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html: the one Region without a LocationConstraint,
# and the one where creating one's own bucket again is no error.
_FIRST_REGION: Final = "us-east-1"
# https://docs.aws.amazon.com/AmazonS3/latest/API/API_Region.html and the page above: EU stands for eu-west-1.
_OLD_NAMES: Final = {"EU": "eu-west-1"}
# https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListBuckets.html
_MAX_BUCKETS: Final = 10_000
# What every new bucket has: https://docs.aws.amazon.com/AmazonS3/latest/userguide/create-bucket-faq.html
_PUBLIC_ACCESS_BLOCK: Final = {
    "BlockPublicAcls": True,
    "IgnorePublicAcls": True,
    "BlockPublicPolicy": True,
    "RestrictPublicBuckets": True,
}


class BucketOperations:
    def __init__(self, state: S3State) -> None:
        self._state = state
        self.operations: dict[str, Operation] = {
            "CreateBucket": self.create,
            "HeadBucket": self.head,
            "ListBuckets": self.list,
            "DeleteBucket": self.delete,
            "GetBucketLocation": self.location,
            "PutBucketVersioning": self.put_versioning,
            "GetBucketVersioning": self.versioning,
        }

    def create(self, call: Call) -> Answer:
        name = call.params["Bucket"]
        check_bucket_name(name)
        _check_offered(call.params)
        region = _region_of(call)
        found = self._state.buckets.get(name)
        if found is None:
            self._state.save_bucket(name, self._new_row(call, region))
        else:
            _check_may_create_again(found, call, region)
        return {"Location": f"/{name}", "BucketArn": f"arn:aws:s3:::{name}"}

    def _new_row(self, call: Call, region: str) -> dict[str, Any]:
        ownership = call.params.get("ObjectOwnership", ENFORCED)
        settings: dict[str, Any] = {
            "PublicAccessBlock": dict(_PUBLIC_ACCESS_BLOCK),
            "OwnershipControls": {"Rules": [{"ObjectOwnership": ownership}]},
        }
        if tags := (call.params.get("CreateBucketConfiguration") or {}).get("Tags"):
            settings["Tagging"] = tags_of(tags, MAX_BUCKET_TAGS)
        row = {
            "account": call.context.account_id,
            "region": region,
            "created": self._state.clock.epoch(),
            "settings": settings,
        }
        check_canned(row, call.params)
        return row

    def head(self, call: Call) -> Answer:
        try:
            bucket = self._state.bucket(call)
        except ServiceError as error:
            raise without_body(error) from None
        name = call.params["Bucket"]
        return {"BucketRegion": bucket["region"], "BucketArn": f"arn:aws:s3:::{name}", "AccessPointAlias": False}

    def list(self, call: Call) -> Answer:
        """Those of the account, of all Regions."""
        params = call.params
        prefix, most = params.get("Prefix") or "", min(params.get("MaxBuckets") or _MAX_BUCKETS, _MAX_BUCKETS)
        after = _decoded(params["ContinuationToken"]) if params.get("ContinuationToken") else ""
        rows = [
            (name, row)
            for name, row in self._state.buckets.items(prefix)
            if name > after
            and row["account"] == call.context.account_id
            and params.get("BucketRegion", row["region"]) == row["region"]
        ]
        answer: Answer = {"Buckets": [_listed(name, row) for name, row in rows[:most]], "Owner": caller(call.context)}
        if prefix:
            answer["Prefix"] = prefix
        if len(rows) > most:
            answer["ContinuationToken"] = base64.b64encode(rows[most - 1][0].encode()).decode()
        return answer

    def delete(self, call: Call) -> Answer:
        """Uploads that were not completed go with it."""
        name = call.params["Bucket"]
        self._state.bucket(call)
        if objects := self._state.objects(name).page("", "", 1):
            text = "The bucket you tried to delete is not empty"
            if len(objects[0][1]) > 1 or objects[0][1][0]["marker"]:
                text += ". You must delete all versions in the bucket."
            raise ServiceError("BucketNotEmpty", text, 409, {"BucketName": name})
        with self._state.change():
            for table in (self._state.uploads(name), self._state.parts(name)):
                for key, row in table.items():
                    table.delete(key)
                    self._state.leave([row["blob"]] if "blob" in row else [])
            self._state.buckets.delete(name)
        return {}

    def location(self, call: Call) -> Answer:
        region = self._state.bucket(call)["region"]
        return {} if region == _FIRST_REGION else {"LocationConstraint": region}

    def put_versioning(self, call: Call) -> Answer:
        bucket = self._state.bucket(call)
        asked = call.params["VersioningConfiguration"]
        if asked.get("MFADelete") == ENABLED:
            raise not_implemented("x-amz-mfa")
        if "Status" not in asked:
            raise malformed_xml()
        self._state.save_bucket(call.params["Bucket"], bucket | {"versioning": asked["Status"]})
        return {}

    def versioning(self, call: Call) -> Answer:
        """Empty, where it was never set."""
        status = self._state.bucket(call).get("versioning")
        return {"Status": status} if status else {}


def _region_of(call: Call) -> str:
    """Where the bucket is to be. Raises IllegalLocationConstraintException, InvalidLocationConstraint."""
    asked = (call.params.get("CreateBucketConfiguration") or {}).get("LocationConstraint")
    here = call.context.region
    if asked == _FIRST_REGION:
        members = {"LocationConstraint": asked}
        raise ServiceError("InvalidLocationConstraint", "The specified location-constraint is not valid", 400, members)
    region = str(_OLD_NAMES.get(asked, asked)) if asked else _FIRST_REGION
    if here not in (_FIRST_REGION, region):
        told = asked or "unspecified"
        text = (
            f"The {told} location constraint is incompatible for the region specific endpoint this request was sent to."
        )
        raise ServiceError("IllegalLocationConstraintException", text)
    return region


def _check_may_create_again(found: Mapping[str, Any], call: Call, region: str) -> None:
    """Raises BucketAlreadyExists, BucketAlreadyOwnedByYou."""
    name = call.params["Bucket"]
    try:
        check_owner(found, call.context.account_id)
    except ServiceError:
        text = (
            "The requested bucket name is not available. The bucket namespace is shared by all users of the system. "
            "Please select a different name and try again."
        )
        raise ServiceError("BucketAlreadyExists", text, 409, {"BucketName": name}) from None
    if not region == found["region"] == call.context.region == _FIRST_REGION:
        text = "Your previous request to create the named bucket succeeded and you already own it."
        raise ServiceError("BucketAlreadyOwnedByYou", text, 409, {"BucketName": name})


def _check_offered(params: Mapping[str, Any]) -> None:
    """Raises NotImplemented: directory buckets, object lock and names of an account's own are not offered."""
    configuration = params.get("CreateBucketConfiguration") or {}
    if configuration.get("Bucket") or configuration.get("Location"):
        raise not_implemented("CreateBucketConfiguration")
    if params.get("ObjectLockEnabledForBucket"):
        raise not_implemented("x-amz-bucket-object-lock-enabled")
    if params.get("BucketNamespace", "global") != "global":
        raise not_implemented("x-amz-bucket-namespace")


def _listed(name: str, row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "Name": name,
        "CreationDate": moment(int(row["created"])),
        "BucketRegion": row["region"],
        "BucketArn": f"arn:aws:s3:::{name}",
    }


def _decoded(token: str) -> str:
    """Raises InvalidArgument."""
    try:
        return base64.b64decode(token, validate=True).decode()
    except ValueError:
        raise invalid_argument("The continuation token provided is incorrect", "continuation-token", token) from None
