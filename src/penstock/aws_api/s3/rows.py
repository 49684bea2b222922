"""What the tables hold. Times are epoch seconds."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

# The version of an object that was put while versioning was not enabled.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/Versioning.html
NULL_VERSION: Final = "null"


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectVersion:
    """One version of an object, or a delete marker. `etag` without its quotes; `headers` are members of GetObject's
    answer such as ContentType; `parts` are the sizes of an upload's parts.
    """

    version_id: str
    modified: float
    marker: bool = False
    blob: str = ""
    size: int = 0
    etag: str = ""
    headers: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    checksums: dict[str, str] = field(default_factory=dict)
    parts: list[int] = field(default_factory=list)
    upload_id: str = ""

    @property
    def quoted_etag(self) -> str:
        return f'"{self.etag}"'

    @property
    def last_modified(self) -> datetime:
        """S3 counts whole seconds."""
        return moment(int(self.modified))


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A multipart upload that is under way. `attributes` are the fields of the ObjectVersion it becomes."""

    key: str
    initiated: float
    attributes: dict[str, Any]
    checksum_algorithm: str = ""
    checksum_type: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    blob: str
    size: int
    etag: str
    modified: float
    checksums: dict[str, str] = field(default_factory=dict)


def moment(epoch: float) -> datetime:
    return datetime.fromtimestamp(epoch, UTC)


def packed(value: Any) -> Any:
    """`value` as JSON can hold it: a time becomes `{"$epoch": seconds}`."""
    if isinstance(value, datetime):
        return {"$epoch": value.timestamp()}
    if isinstance(value, dict):
        return {key: packed(one) for key, one in value.items()}
    return [packed(one) for one in value] if isinstance(value, list | tuple) else value


def unpacked(value: Any) -> Any:
    if isinstance(value, dict):
        return moment(value["$epoch"]) if "$epoch" in value else {key: unpacked(one) for key, one in value.items()}
    return [unpacked(one) for one in value] if isinstance(value, list) else value
