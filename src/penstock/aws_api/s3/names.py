"""What a bucket, a key, metadata and tags may be called."""

import re
from collections.abc import Mapping, Sequence
from ipaddress import AddressValueError, IPv4Address
from typing import Any, Final
from urllib.parse import parse_qsl

from penstock.aws_api.s3.errors import invalid_argument
from penstock.aws_api.service import ServiceError

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
# Without `amzn-s3-demo-`, reserved for the examples in AWS's texts: a local endpoint is where they are tried out.
_PREFIXES: Final = ("xn--", "sthree-")
_SUFFIXES: Final = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3", "-an")
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
_MAX_KEY_BYTES: Final = 1024
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html
_MAX_METADATA_BYTES: Final = 2048
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html
MAX_OBJECT_TAGS: Final = 10
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/CostAllocTagging.html
MAX_BUCKET_TAGS: Final = 50
_MAX_TAG_KEY: Final = 128
_MAX_TAG_VALUE: Final = 256
# A version id that we gave, or that of an object put while versioning was not enabled.
_VERSION_ID: Final = re.compile(r"[A-Za-z0-9._]{1,1024}")


def check_bucket_name(name: str) -> None:
    """Raises InvalidBucketName."""
    fits = _BUCKET.fullmatch(name) and ".." not in name and not _is_address(name)
    if not fits or name.startswith(_PREFIXES) or name.endswith(_SUFFIXES):
        raise ServiceError("InvalidBucketName", "The specified bucket is not valid.", 400, {"BucketName": name})


def _is_address(name: str) -> bool:
    try:
        IPv4Address(name)
    except AddressValueError:
        return False
    return True


def check_key(key: str) -> None:
    """Raises KeyTooLongError."""
    size = len(key.encode())
    if size > _MAX_KEY_BYTES:
        members = {"Size": str(size), "MaxSizeAllowed": str(_MAX_KEY_BYTES)}
        raise ServiceError("KeyTooLongError", "Your key is too long", 400, members)


def check_metadata(metadata: Mapping[str, str]) -> None:
    """Raises MetadataTooLarge."""
    size = sum(len(name.encode()) + len(value.encode()) for name, value in metadata.items())
    if size > _MAX_METADATA_BYTES:
        text = "Your metadata headers exceed the maximum allowed metadata size"
        members = {"Size": str(size), "MaxSizeAllowed": str(_MAX_METADATA_BYTES)}
        raise ServiceError("MetadataTooLarge", text, 400, members)


def check_version_id(version_id: str) -> str:
    """Raises InvalidArgument."""
    if not _VERSION_ID.fullmatch(version_id):
        raise invalid_argument("Invalid version id specified", "versionId", version_id)
    return version_id


def tags_of(tag_set: Sequence[Mapping[str, Any]], most: int) -> dict[str, str]:
    """Raises InvalidTag, or BadRequest where there are more than `most`."""
    tags = {tag["Key"]: tag["Value"] for tag in tag_set}
    if len(tags) < len(tag_set):
        raise ServiceError("InvalidTag", "Cannot provide multiple Tags with the same key")
    if len(tags) > most:
        raise ServiceError("BadRequest", f"Object tags cannot be greater than {most}")
    for key, value in tags.items():
        if not 0 < len(key) <= _MAX_TAG_KEY or key.startswith("aws:"):
            raise ServiceError("InvalidTag", "The TagKey you have provided is invalid", 400, {"TagKey": key})
        if len(value) > _MAX_TAG_VALUE:
            raise ServiceError("InvalidTag", "The TagValue you have provided is invalid", 400, {"TagValue": value})
    return tags


def tags_of_header(text: str) -> dict[str, str]:
    """`k=v&k2=v2`, as the header x-amz-tagging has them. Raises InvalidArgument."""
    pairs = parse_qsl(text, keep_blank_values=True)
    if len(dict(pairs)) < len(pairs):
        told = (
            "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag "
            "name duplicates."
        )
        raise invalid_argument(told, "x-amz-tagging", text)
    return tags_of([{"Key": key, "Value": value} for key, value in pairs], MAX_OBJECT_TAGS)


def tag_set(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]
