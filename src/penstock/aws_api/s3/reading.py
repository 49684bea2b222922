"""GetObject, HeadObject and GetObjectAttributes."""

from collections.abc import Mapping
from typing import Any, Final

from penstock.aws_api.s3.attributes import headers_told
from penstock.aws_api.s3.checksums import type_of
from penstock.aws_api.s3.conditions import check_read
from penstock.aws_api.s3.errors import invalid_request, without_body
from penstock.aws_api.s3.ranges import Span, span_of, span_of_part
from penstock.aws_api.s3.rows import ObjectVersion
from penstock.aws_api.s3.state import S3State, shown_version
from penstock.aws_api.service import Answer, Call, FilePart, Operation, ServiceError

# https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectAttributes.html
_MAX_PARTS: Final = 1000
_OVERRIDES: Final = (
    "CacheControl",
    "ContentDisposition",
    "ContentEncoding",
    "ContentLanguage",
    "ContentType",
    "Expires",
)


class ReadOperations:
    def __init__(self, state: S3State) -> None:
        self._state = state
        self.operations: dict[str, Operation] = {
            "GetObject": self.get,
            "HeadObject": self.head,
            "GetObjectAttributes": self.attributes,
        }

    def get(self, call: Call) -> Answer:
        """A part of it is answered with ContentRange: as 206, on the wire."""
        answer, version, span = self._found(call, "GET")
        path = self._state.blobs.path(version.blob)
        return answer | {"Body": FilePart(path, span.offset, span.length) if span.length else b""}

    def head(self, call: Call) -> Answer:
        try:
            return self._found(call, "HEAD")[0]
        except ServiceError as error:
            raise without_body(error) from None

    def attributes(self, call: Call) -> Answer:
        params, bucket = call.params, self._state.bucket(call)
        version = self._state.find(params["Bucket"], params["Key"], params.get("VersionId"))
        told: dict[str, Any] = {
            "ETag": version.etag,
            "ObjectSize": version.size,
            "StorageClass": version.headers.get("StorageClass", "STANDARD"),
        }
        if version.checksums:
            told["Checksum"] = version.checksums | type_of(version.checksums)
        if version.parts:
            told["ObjectParts"] = _parts_told(version, params)
        asked = params["ObjectAttributes"]
        answer = {name: value for name, value in told.items() if name in asked}
        return {**answer, "LastModified": version.last_modified, **shown_version(version, bucket)}

    def _found(self, call: Call, method: str) -> tuple[Answer, ObjectVersion, Span]:
        params, bucket = call.params, self._state.bucket(call)
        version = self._state.find(params["Bucket"], params["Key"], params.get("VersionId"), method)
        check_read(version, params)
        span = _asked_span(version, params)
        answer: Answer = {
            "AcceptRanges": "bytes",
            "LastModified": version.last_modified,
            "ETag": version.quoted_etag,
            "Metadata": dict(version.metadata),
            **headers_told(version),
            **shown_version(version, bucket),
            **_overrides(params),
        }
        if version.tags:
            answer["TagCount"] = len(version.tags)
        if version.parts and params.get("PartNumber"):
            answer["PartsCount"] = len(version.parts)
        if span is not None and span.length:
            answer["ContentRange"] = span.content_range(version.size)
        elif params.get("ChecksumMode") == "ENABLED":
            answer |= version.checksums | type_of(version.checksums)
        span = span or Span(0, version.size)
        return answer | {"ContentLength": span.length}, version, span


def _asked_span(version: ObjectVersion, params: Mapping[str, Any]) -> Span | None:
    """None is all of it. Raises InvalidRange, InvalidPartNumber, InvalidRequest."""
    asked, number = params.get("Range"), params.get("PartNumber")
    if asked and number is not None:
        raise invalid_request("Cannot specify both Range header and partNumber query parameter")
    if number is not None:
        return span_of_part(number, version.parts, version.size)
    return span_of(asked, version.size) if asked else None


def _overrides(params: Mapping[str, Any]) -> dict[str, Any]:
    """The headers that a request, a presigned one above all, asks to be answered with."""
    return {name: params[f"Response{name}"] for name in _OVERRIDES if params.get(f"Response{name}") is not None}


def _parts_told(version: ObjectVersion, params: Mapping[str, Any]) -> dict[str, Any]:
    """Which parts there are is only told of an object with checksums; the parts' own are not kept."""
    most, after = min(params.get("MaxParts", _MAX_PARTS), _MAX_PARTS), params.get("PartNumberMarker") or 0
    return {
        "TotalPartsCount": len(version.parts),
        "PartNumberMarker": after,
        "NextPartNumberMarker": min(after + most, len(version.parts)),
        "MaxParts": most,
        "IsTruncated": after + most < len(version.parts),
    }
