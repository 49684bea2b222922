"""What the services say to requests that cannot be taken, each in its own words."""

from typing import Final

from penstock.aws_api.protocol.constraints import NOT_NULL, Violation, told
from penstock.aws_api.protocol.head import Form
from penstock.aws_api.protocol.unreadable import BAD_URI, UnreadableError
from penstock.aws_api.protocol.xml_reading import MALFORMED
from penstock.aws_api.service import ServiceError
from penstock.wire.signature_errors import SignatureError

# --- operations that are not there ---

# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html (InvalidAction, for query services too)
# https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html (NotImplemented)
# https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html (UnknownOperationException, 404)
# The JSON and REST ones as seen on AWS: https://github.com/mhart/dynalite (index.js), https://github.com/aws/aws-sdk-js
# (test/protocol/query.spec.coffee).
_UNKNOWN: Final = {
    Form.REST_JSON: (404, "UnknownOperationException"),
    Form.JSON: (400, "UnknownOperationException"),
    Form.CBOR: (404, "UnknownOperationException"),
    Form.QUERY: (400, "InvalidAction"),
    Form.EC2: (400, "InvalidAction"),
    Form.REST_XML: (404, "UnknownOperationException"),
    Form.S3: (501, "NotImplemented"),
}


def unknown_operation(form: Form, what: str, service: str, known: str) -> ServiceError:
    """`known` are the services that are offered, to be shown."""
    status, code = _UNKNOWN[form]
    of = f" of {service}" if service else ""
    return ServiceError(code, f"Penstock does not offer {what or 'an operation'}{of}: this port offers {known}", status)


def not_offered(form: Form, operation: str, service: str) -> ServiceError:
    """An operation that the service has on AWS."""
    message = f"The operation {operation} of {service} is not offered by Penstock"
    if form is Form.REST_JSON:
        return ServiceError("NotImplementedException", message, 501)
    status, code = _UNKNOWN[form]
    return ServiceError(code, message, status)


# --- bodies and parameters ---


def unreadable(form: Form, error: UnreadableError) -> ServiceError:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html,
    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html; the JSON services' as seen on AWS.
    """
    if form is Form.S3:
        if error.message == BAD_URI:
            return ServiceError("InvalidURI", BAD_URI)
        if error.message == MALFORMED or not error.parameter:
            return ServiceError("MalformedXML", MALFORMED)
        members = {"ArgumentName": error.parameter, "ArgumentValue": error.value}
        return ServiceError("InvalidArgument", f"Provided {error.message}", members=members)
    if form is Form.EC2:
        return _ec2_value(error.parameter, error.value, error.message)
    if form is Form.QUERY:
        return ServiceError("MalformedInput" if error.parameter else "MalformedQueryString", error.message)
    return ServiceError("SerializationException", error.message)


def broken(form: Form, service: str, found: list[Violation]) -> ServiceError:
    """Parameters that the model does not allow; there is at least one."""
    first = found[0]
    if form is Form.S3:
        return _s3_broken(first)
    if form is Form.EC2:
        # https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
        if first.constraint == NOT_NULL:
            return ServiceError("MissingParameter", f"The request must contain the parameter {first.path}")
        return _ec2_value(first.path, str(first.value), first.constraint)
    if (
        service == "lambda" and first.shape.name == "Runtime"
    ):  # as seen on AWS, in the snapshots that constraints.py names
        values = ", ".join(first.shape.traits.get("enum", ()))
        text = f"Value {first.value} at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: "
        return ServiceError("InvalidParameterValueException", f"{text}[{values}] or be a valid ARN")
    if service == "logs":  # https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html
        return ServiceError("InvalidParameterException", told(found))
    return ServiceError("ValidationError" if form is Form.QUERY else "ValidationException", told(found))


def _ec2_value(parameter: str, value: str, why: str) -> ServiceError:
    return ServiceError("InvalidParameterValue", f"Value ({value}) for parameter {parameter} is invalid. {why}")


def _s3_broken(first: Violation) -> ServiceError:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html; which of them when is assumed."""
    name = first.shape.wire_name(first.name)
    if not first.shape.location:
        if first.constraint == NOT_NULL and "." not in first.path:
            return ServiceError("MissingRequestBodyError", "Request Body is empty")
        return ServiceError("MalformedXML", MALFORMED)
    if first.constraint == NOT_NULL:
        what = "header" if first.shape.location == "header" else "parameter"
        return ServiceError("InvalidRequest", f"Missing required {what} for this request: {name}")
    members = {"ArgumentName": name, "ArgumentValue": str(first.value)}
    return ServiceError("InvalidArgument", f"Invalid value for {name}: {first.constraint}", members=members)


# --- sizes ---


def too_large(form: Form, limit: int) -> ServiceError:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html (EntityTooLarge)
    https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html (RequestTooLargeException, for its 413)
    """
    if form is Form.S3:
        text = "Your proposed upload exceeds the maximum allowed object size."
        return ServiceError("EntityTooLarge", text, members={"MaxSizeAllowed": str(limit)})
    message = f"Request must be smaller than {limit} bytes"
    code = "RequestEntityTooLarge" if form in (Form.QUERY, Form.EC2) else "RequestEntityTooLargeException"
    return ServiceError(code, message, 413)


# --- signatures ---

# The same check has other names elsewhere. Query: https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html.
# EC2: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html.
# S3: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html.
_QUERY_SIGNATURES: Final = {
    "MissingAuthenticationTokenException": (403, "MissingAuthenticationToken"),
    "IncompleteSignatureException": (400, "IncompleteSignature"),
    "InvalidSignatureException": (403, "SignatureDoesNotMatch"),
    "UnrecognizedClientException": (403, "InvalidClientTokenId"),
}
_S3_SIGNATURES: Final = {
    "MissingAuthenticationTokenException": ("AccessDenied", "Access Denied"),
    "IncompleteSignatureException": ("AuthorizationHeaderMalformed", ""),
    "InvalidSignatureException": ("SignatureDoesNotMatch", ""),
    "UnrecognizedClientException": (
        "InvalidAccessKeyId",
        "The AWS Access Key Id you provided does not exist in our records.",
    ),
}
_EXPIRED_LINK: Final = ("AccessDenied", "Request has expired")
_SKEWED: Final = (
    "RequestTimeTooSkewed",
    "The difference between the request time and the server's time is too large.",
)
_EC2_FAILURE: Final = "AWS was not able to validate the provided access credentials"


def bad_signature(form: Form, error: SignatureError, *, linked: bool = False) -> ServiceError:
    """`linked` tells a presigned link."""
    kind = error.error_type
    if form is Form.S3:
        if error.message.startswith(("Signature expired", "Signature not yet current")):
            return ServiceError(*(_EXPIRED_LINK if linked else _SKEWED), status=403)
        if linked and kind.startswith("Incomplete"):
            return ServiceError("AuthorizationQueryParametersError", error.message)
        code, text = _S3_SIGNATURES.get(kind, (kind, ""))
        return ServiceError(code, text or error.message, 400 if kind.startswith("Incomplete") else 403)
    if form is Form.EC2 and kind in ("InvalidSignatureException", "UnrecognizedClientException"):
        return ServiceError("AuthFailure", _EC2_FAILURE, 401)
    if form in (Form.QUERY, Form.EC2):
        status, code = _QUERY_SIGNATURES.get(kind, (error.status, kind))
        return ServiceError(code, error.message, status)
    # https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/CommonErrors.html: 400, and 403 for Lambda's.
    return ServiceError(kind, error.message, error.status if form is Form.REST_JSON else 400)


def fault(form: Form) -> ServiceError:
    """Ours. https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html"""
    text = "An internal error has occurred; the log of penstock says more"
    code = {
        Form.REST_JSON: "ServiceException",
        Form.S3: "InternalError",
        Form.EC2: "InternalError",
    }.get(form, "InternalFailure")
    return ServiceError(code, text, 500)


def no_room(form: Form) -> ServiceError:
    """The body of a request could not be kept."""
    error = fault(form)
    return ServiceError(error.code, "The request could not be kept on disk; the log of penstock says more", 500)
