"""What is kept with an object besides its bytes, out of the parameters of the operations that make one."""

from collections.abc import Mapping
from typing import Any, Final

from penstock.aws_api.s3.acl import check_canned
from penstock.aws_api.s3.errors import not_implemented
from penstock.aws_api.s3.names import check_metadata, tags_of_header
from penstock.aws_api.s3.rows import ObjectVersion, packed, unpacked

# https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html
_HEADERS: Final = (
    "CacheControl",
    "ContentDisposition",
    "ContentEncoding",
    "ContentLanguage",
    "ContentType",
    "Expires",
    "StorageClass",
    "WebsiteRedirectLocation",
)
_ENCRYPTION: Final = ("ServerSideEncryption", "SSEKMSKeyId", "BucketKeyEnabled")
_DEFAULT_TYPE: Final = "binary/octet-stream"
# Parameters that change what S3 promises of the object: keeping it without them would be another thing.
_NOT_OFFERED: Final = {
    "SSECustomerAlgorithm": "x-amz-server-side-encryption-customer-algorithm",
    "CopySourceSSECustomerAlgorithm": "x-amz-copy-source-server-side-encryption-customer-algorithm",
    "ObjectLockMode": "x-amz-object-lock-mode",
    "ObjectLockRetainUntilDate": "x-amz-object-lock-retain-until-date",
    "ObjectLockLegalHoldStatus": "x-amz-object-lock-legal-hold",
    "WriteOffsetBytes": "x-amz-write-offset-bytes",
}


def attributes_of(bucket: Mapping[str, Any], params: Mapping[str, Any]) -> dict[str, Any]:
    """`headers`, `metadata` and `tags` of an ObjectVersion. Raises ServiceError."""
    check_offered(params)
    check_canned(bucket, params)
    metadata = {name.lower(): value for name, value in (params.get("Metadata") or {}).items()}
    check_metadata(metadata)
    headers = {name: packed(params[name]) for name in _HEADERS if params.get(name)}
    headers.setdefault("ContentType", _DEFAULT_TYPE)
    headers |= encryption_of(bucket, params)
    return {"headers": headers, "metadata": metadata, "tags": tags_of_header(params.get("Tagging") or "")}


def check_offered(params: Mapping[str, Any]) -> None:
    """Raises NotImplemented."""
    for name, header in _NOT_OFFERED.items():
        if params.get(name) is not None:
            raise not_implemented(header)


def encryption_of(bucket: Mapping[str, Any], params: Mapping[str, Any]) -> dict[str, Any]:
    """What the request asks for, or else the bucket's default: what S3 would say, as nothing is encrypted here.
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/default-bucket-encryption.html
    """
    if params.get("ServerSideEncryption"):
        return {name: params[name] for name in _ENCRYPTION if params.get(name) is not None}
    rules = (bucket.get("settings", {}).get("Encryption") or {}).get("Rules") or [{}]
    default = rules[0].get("ApplyServerSideEncryptionByDefault") or {}
    algorithm = default.get("SSEAlgorithm", "AES256")
    if algorithm == "AES256":
        return {"ServerSideEncryption": algorithm}
    told = {"ServerSideEncryption": algorithm, "BucketKeyEnabled": bool(rules[0].get("BucketKeyEnabled"))}
    return told | ({"SSEKMSKeyId": default["KMSMasterKeyID"]} if "KMSMasterKeyID" in default else {})


def encryption_told(headers: Mapping[str, Any]) -> dict[str, Any]:
    """The members of an answer that tell it."""
    return {name: headers[name] for name in _ENCRYPTION if name in headers}


def headers_told(version: ObjectVersion) -> dict[str, Any]:
    """The members of GetObject's answer. The storage class is not told when it is STANDARD.
    https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
    """
    headers: dict[str, Any] = unpacked(version.headers)
    if headers.get("StorageClass") == "STANDARD":
        del headers["StorageClass"]
    return headers
