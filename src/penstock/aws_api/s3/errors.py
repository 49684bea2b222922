"""Refusals in S3's words: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html.

Texts that the page words differently from what S3 sends are as SDK users quote them in public threads.
"""

from http import HTTPStatus
from typing import Any

from penstock.aws_api.service import ServiceError


def no_such_bucket(bucket: str) -> ServiceError:
    return ServiceError("NoSuchBucket", "The specified bucket does not exist", 404, {"BucketName": bucket})


def no_such_key(key: str) -> ServiceError:
    return ServiceError("NoSuchKey", "The specified key does not exist.", 404, {"Key": key})


def no_such_version(key: str, version_id: str) -> ServiceError:
    members = {"Key": key, "VersionId": version_id}
    return ServiceError("NoSuchVersion", "The specified version does not exist.", 404, members)


def no_such_upload(upload_id: str) -> ServiceError:
    text = (
        "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or "
        "completed."
    )
    return ServiceError("NoSuchUpload", text, 404, {"UploadId": upload_id})


def invalid_argument(message: str, name: str, value: object) -> ServiceError:
    members = {"ArgumentName": name, "ArgumentValue": str(value)}
    return ServiceError("InvalidArgument", message, 400, members)


def invalid_request(message: str) -> ServiceError:
    return ServiceError("InvalidRequest", message)


def precondition_failed(condition: str) -> ServiceError:
    text = "At least one of the pre-conditions you specified did not hold"
    return ServiceError("PreconditionFailed", text, 412, {"Condition": condition})


def not_modified() -> ServiceError:
    return ServiceError("304", "Not Modified", 304)


def invalid_range(requested: str, size: int) -> ServiceError:
    members = {"RangeRequested": requested, "ActualObjectSize": str(size)}
    return ServiceError("InvalidRange", "The requested range is not satisfiable", 416, members)


def method_not_allowed(method: str) -> ServiceError:
    text = "The specified method is not allowed against this resource."
    return ServiceError("MethodNotAllowed", text, 405, {"Method": method, "ResourceType": "DeleteMarker"})


def malformed_xml() -> ServiceError:
    text = "The XML you provided was not well-formed or did not validate against our published schema"
    return ServiceError("MalformedXML", text)


def not_implemented(header: str) -> ServiceError:
    text = "A header you provided implies functionality that is not implemented."
    return ServiceError("NotImplemented", text, 501, {"Header": header})


def without_body(error: ServiceError) -> ServiceError:
    """As a HEAD tells it: there is no body, so all that a client sees is the status."""
    return ServiceError(str(error.status), HTTPStatus(error.status).phrase, error.status)


def entity_too_small(size: int, minimum: int, number: int, etag: str) -> ServiceError:
    members: dict[str, Any] = {
        "ProposedSize": str(size),
        "MinSizeAllowed": str(minimum),
        "PartNumber": str(number),
        "ETag": etag,
    }
    return ServiceError("EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size", 400, members)
