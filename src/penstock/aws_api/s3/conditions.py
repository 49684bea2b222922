"""Requests that depend on what is there: https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-requests.html."""

import re
from collections.abc import Mapping
from typing import Any, Final

from penstock.aws_api.s3.errors import no_such_key, not_implemented, not_modified, precondition_failed
from penstock.aws_api.s3.rows import ObjectVersion

_COPY: Final = "CopySource"
_TAG: Final = re.compile(r'(?:W/)?"([^"]*)"|([^",\s]+)')


def check_read(version: ObjectVersion, params: Mapping[str, Any]) -> None:
    """Raises PreconditionFailed and 304. A tag outweighs the time beside it.
    https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
    """
    _check_is_expected(version, params, "")
    if _is_unchanged(version, params, ""):
        raise not_modified()


def check_copy_source(version: ObjectVersion, params: Mapping[str, Any]) -> None:
    """Raises PreconditionFailed. https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html"""
    _check_is_expected(version, params, _COPY)
    if _is_unchanged(version, params, _COPY):
        raise precondition_failed("x-amz-copy-source-If-None-Match")


def check_write(key: str, current: ObjectVersion | None, params: Mapping[str, Any]) -> None:
    """`current` is none where there is no object, or a delete marker. Raises NoSuchKey, PreconditionFailed.
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
    """
    if (expected := params.get("IfMatch")) is not None:
        if current is None:
            raise no_such_key(key)
        if not _matches(current, expected):
            raise precondition_failed("If-Match")
    if (unwanted := params.get("IfNoneMatch")) is not None:
        if unwanted.strip() != "*":
            raise not_implemented("If-None-Match")
        if current is not None:
            raise precondition_failed("If-None-Match")


def check_delete(current: ObjectVersion | None, params: Mapping[str, Any]) -> None:
    """Raises PreconditionFailed. https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-deletes.html"""
    expected = params.get("IfMatch")
    if expected is not None and (current is None or not _matches(current, expected)):
        raise precondition_failed("If-Match")


def _check_is_expected(version: ObjectVersion, params: Mapping[str, Any], prefix: str) -> None:
    expected = params.get(f"{prefix}IfMatch")
    since = params.get(f"{prefix}IfUnmodifiedSince")
    if expected is not None:
        if not _matches(version, expected):
            raise precondition_failed("If-Match")
    elif since is not None and version.last_modified > since:
        raise precondition_failed("If-Unmodified-Since")


def _is_unchanged(version: ObjectVersion, params: Mapping[str, Any], prefix: str) -> bool:
    known = params.get(f"{prefix}IfNoneMatch")
    since = params.get(f"{prefix}IfModifiedSince")
    if known is not None:
        return _matches(version, known)
    return since is not None and version.last_modified <= since


def _matches(version: ObjectVersion, tags: str) -> bool:
    """`tags` is `*`, or one or several entity tags, with or without quotes."""
    return tags.strip() == "*" or any((quoted or bare) == version.etag for quoted, bare in _TAG.findall(tags))
