"""What happens to the versions of one key, newest first. Pure.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/Versioning.html and the pages below it.
"""

from collections.abc import Sequence
from typing import Final

from penstock.aws_api.s3.rows import NULL_VERSION, ObjectVersion

ENABLED: Final = "Enabled"
SUSPENDED: Final = "Suspended"


def with_put(versions: Sequence[ObjectVersion], new: ObjectVersion) -> list[ObjectVersion]:
    """`new` is current. The null version, of which there is one at most, takes the place of the one before."""
    if new.version_id != NULL_VERSION:
        return [new, *versions]
    return [new, *(one for one in versions if one.version_id != NULL_VERSION)]


def without_version(
    versions: Sequence[ObjectVersion], version_id: str
) -> tuple[list[ObjectVersion], ObjectVersion | None]:
    """What is left, and what was taken away for good: nothing, where there is no such version."""
    gone = next((one for one in versions if one.version_id == version_id), None)
    return [one for one in versions if one is not gone], gone


def with_delete(
    versions: Sequence[ObjectVersion], status: str | None, marker: ObjectVersion
) -> tuple[list[ObjectVersion], ObjectVersion | None]:
    """What is left, and the delete marker that was added: none, where versioning was never enabled."""
    if status is None:
        return [one for one in versions if one.version_id != NULL_VERSION], None
    return with_put(versions, marker), marker
