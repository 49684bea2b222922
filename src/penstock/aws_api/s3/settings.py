"""What a bucket is configured with: kept and given back as it came."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from penstock.aws_api.s3.errors import malformed_xml
from penstock.aws_api.s3.names import MAX_BUCKET_TAGS, tag_set, tags_of
from penstock.aws_api.s3.rows import packed, unpacked
from penstock.aws_api.s3.state import S3State
from penstock.aws_api.service import Answer, Call, Operation, ServiceError

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-policies.html
_MAX_POLICY_BYTES: Final = 20 * 1024
_DEFAULT_ENCRYPTION: Final = {
    "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": False}]
}


@dataclass(frozen=True, slots=True)
class Setting:
    """`put`, `get` and `delete` are operations; `member` is where PutX has the value. GetX has it in the same place, or
    its members are those of the answer (`flat`). Where it is not set, GetX answers `default`, or `absent`: code, text.
    """

    name: str
    member: str
    put: str
    get: str
    delete: str = ""
    flat: bool = False
    default: Any = None
    absent: tuple[str, str] = ("", "")


# Codes and texts: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html#ErrorCodeList
SETTINGS: Final = (
    Setting(
        "Encryption",
        "ServerSideEncryptionConfiguration",
        "PutBucketEncryption",
        "GetBucketEncryption",
        "DeleteBucketEncryption",
        default=_DEFAULT_ENCRYPTION,
    ),
    Setting(
        "PublicAccessBlock",
        "PublicAccessBlockConfiguration",
        "PutPublicAccessBlock",
        "GetPublicAccessBlock",
        "DeletePublicAccessBlock",
        absent=("NoSuchPublicAccessBlockConfiguration", "The public access block configuration was not found"),
    ),
    Setting(
        "OwnershipControls",
        "OwnershipControls",
        "PutBucketOwnershipControls",
        "GetBucketOwnershipControls",
        "DeleteBucketOwnershipControls",
        absent=("OwnershipControlsNotFoundError", "The bucket ownership controls were not found"),
    ),
    Setting(
        "Lifecycle",
        "LifecycleConfiguration",
        "PutBucketLifecycleConfiguration",
        "GetBucketLifecycleConfiguration",
        "DeleteBucketLifecycle",
        flat=True,
        absent=("NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist"),
    ),
    Setting(
        "Notification",
        "NotificationConfiguration",
        "PutBucketNotificationConfiguration",
        "GetBucketNotificationConfiguration",
        flat=True,
        default={},
    ),
    Setting(
        "Cors",
        "CORSConfiguration",
        "PutBucketCors",
        "GetBucketCors",
        "DeleteBucketCors",
        flat=True,
        absent=("NoSuchCORSConfiguration", "The CORS configuration does not exist"),
    ),
    Setting(
        "Website",
        "WebsiteConfiguration",
        "PutBucketWebsite",
        "GetBucketWebsite",
        "DeleteBucketWebsite",
        flat=True,
        absent=("NoSuchWebsiteConfiguration", "The specified bucket does not have a website configuration"),
    ),
    Setting(
        "Logging",
        "BucketLoggingStatus",
        "PutBucketLogging",
        "GetBucketLogging",
        flat=True,
        default={},
    ),
    Setting(
        "Accelerate",
        "AccelerateConfiguration",
        "PutBucketAccelerateConfiguration",
        "GetBucketAccelerateConfiguration",
        flat=True,
        default={},
    ),
    Setting(
        "RequestPayment",
        "RequestPaymentConfiguration",
        "PutBucketRequestPayment",
        "GetBucketRequestPayment",
        flat=True,
        default={"Payer": "BucketOwner"},
    ),
    Setting(
        "Replication",
        "ReplicationConfiguration",
        "PutBucketReplication",
        "GetBucketReplication",
        "DeleteBucketReplication",
        absent=("ReplicationConfigurationNotFoundError", "The replication configuration was not found"),
    ),
)


class SettingOperations:
    def __init__(self, state: S3State) -> None:
        self._state = state
        self.operations: dict[str, Operation] = {
            "PutBucketPolicy": self.put_policy,
            "GetBucketPolicy": self.policy,
            "DeleteBucketPolicy": self._deleter("Policy"),
            "GetBucketPolicyStatus": self.policy_status,
            "PutBucketTagging": self.put_tags,
            "GetBucketTagging": self.tags,
            "DeleteBucketTagging": self._deleter("Tagging"),
            "GetObjectLockConfiguration": self.object_lock,
        }
        for setting in SETTINGS:
            self.operations[setting.put] = self._putter(setting)
            self.operations[setting.get] = self._getter(setting)
            if setting.delete:
                self.operations[setting.delete] = self._deleter(setting.name)

    def put_policy(self, call: Call) -> Answer:
        text = call.params["Policy"]
        if len(text.encode()) > _MAX_POLICY_BYTES:
            raise ServiceError(
                "PolicyTooLarge", "Normalized policy document exceeds the maximum allowed size of 20480 bytes."
            )
        if not _is_object(text):
            told = "Policies must be valid JSON and the first byte must be '{'"
            raise ServiceError("MalformedPolicy", told)
        self._set(call, "Policy", text)
        return {}

    def policy(self, call: Call) -> Answer:
        text = self._setting(call, "Policy")
        if text is None:
            name = call.params["Bucket"]
            text = "The bucket policy does not exist"
            raise ServiceError("NoSuchBucketPolicy", text, 404, {"BucketName": name})
        return {"Policy": text}

    def policy_status(self, call: Call) -> Answer:
        """Public is what allows anybody something, whatever its conditions (assumed)."""
        policy = json.loads(self.policy(call)["Policy"])
        statements = policy.get("Statement", [])
        found = statements if isinstance(statements, list) else [statements]
        public = any(one.get("Effect") == "Allow" and one.get("Principal") in ("*", {"AWS": "*"}) for one in found)
        return {"PolicyStatus": {"IsPublic": public}}

    def put_tags(self, call: Call) -> Answer:
        self._set(call, "Tagging", tags_of(call.params["Tagging"]["TagSet"], MAX_BUCKET_TAGS))
        return {}

    def tags(self, call: Call) -> Answer:
        tags = self._setting(call, "Tagging")
        if not tags:
            raise ServiceError("NoSuchTagSet", "The TagSet does not exist", 404, {"BucketName": call.params["Bucket"]})
        return {"TagSet": tag_set(tags)}

    def object_lock(self, call: Call) -> Answer:
        """No bucket can have it here."""
        self._state.bucket(call)
        text = "Object Lock configuration does not exist for this bucket"
        members = {"BucketName": call.params["Bucket"]}
        raise ServiceError("ObjectLockConfigurationNotFoundError", text, 404, members)

    def _putter(self, setting: Setting) -> Callable[[Call], Answer]:
        def put(call: Call) -> Answer:
            value = call.params.get(setting.member)
            if value is None:
                raise malformed_xml()
            self._set(call, setting.name, packed(value))
            return {}

        return put

    def _getter(self, setting: Setting) -> Callable[[Call], Answer]:
        def get(call: Call) -> Answer:
            kept = self._setting(call, setting.name)
            value = setting.default if kept is None else unpacked(kept)
            if value is None:
                code, text = setting.absent
                raise ServiceError(code, text, 404, {"BucketName": call.params["Bucket"]})
            return dict(value) if setting.flat else {setting.member: value}

        return get

    def _deleter(self, name: str) -> Callable[[Call], Answer]:
        def delete(call: Call) -> Answer:
            bucket = self._state.bucket(call)
            bucket["settings"].pop(name, None)
            self._state.save_bucket(call.params["Bucket"], bucket)
            return {}

        return delete

    def _setting(self, call: Call, name: str) -> Any:
        return self._state.bucket(call)["settings"].get(name)

    def _set(self, call: Call, name: str, value: Any) -> None:
        bucket = self._state.bucket(call)
        bucket["settings"][name] = value
        self._state.save_bucket(call.params["Bucket"], bucket)


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False
