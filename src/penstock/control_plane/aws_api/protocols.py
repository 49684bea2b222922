"""The protocols that AWS clients speak to one endpoint: told apart by a request's head, each with its form of an error.

https://smithy.io/2.0/aws/protocols/index.html
"""

import re
from enum import Enum, auto
from typing import Final
from xml.sax.saxutils import escape

import orjson

from penstock.invoke_api.refusal import RefusalError
from penstock.wire.aws_errors import error_response
from penstock.wire.http_messages import Headers, response

# Signing names whose protocol only the service tells.
_S3: Final = frozenset({"s3", "s3express", "s3-object-lambda", "s3-outposts"})
_REST_XML: Final = frozenset({"cloudfront", "route53"})

_FORM: Final = b"application/x-www-form-urlencoded"
_XML_HEAD: Final = '<?xml version="1.0" encoding="UTF-8"?>\n'
# In a scope: `<key>/<date>/<region>/<service>/aws4_request`.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
_SCOPE: Final = re.compile(rb"Credential=[^,\s&]*(?:/|%2F)([a-z0-9-]+)(?:/|%2F)aws4_request", re.IGNORECASE)
_ACTION: Final = re.compile(rb"(?:^|[?&])Action=([A-Za-z0-9]{1,128})(?:&|$)")
_TARGET: Final = re.compile(rb"(?:[A-Za-z0-9_]+\.)*([A-Za-z0-9]{1,128})")


class Protocol(Enum):
    REST_JSON = auto()
    """Lambda's."""
    JSON = auto()
    CBOR = auto()
    QUERY = auto()
    EC2 = auto()
    REST_XML = auto()
    S3 = auto()


# What a service of that protocol says to an operation it does not have.
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html (InvalidAction)
# https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html (NotImplemented)
# https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html (UnknownOperationException, 404)
# JSON as observed: 400 and {"__type": "...#UnknownOperationException"}.
_UNKNOWN: Final = {
    Protocol.REST_JSON: (404, "UnknownOperationException"),
    Protocol.JSON: (400, "UnknownOperationException"),
    Protocol.CBOR: (404, "UnknownOperationException"),
    Protocol.QUERY: (400, "InvalidAction"),
    Protocol.EC2: (400, "InvalidAction"),
    Protocol.REST_XML: (404, "UnknownOperationException"),
    Protocol.S3: (501, "NotImplemented"),
}


def signed_service(target: bytes, headers: Headers) -> str:
    """The service a request was signed for, in its headers or its query; empty when it was not signed."""
    authorization = next((value for name, value in headers if name == b"authorization"), b"")
    found = _SCOPE.search(authorization) or _SCOPE.search(target.partition(b"?")[2])
    return found[1].decode().lower() if found else ""


def recognise(target: bytes, headers: Headers, service: str) -> Protocol:
    """The protocol a request is in, as far as its head tells."""
    # The first of a name counts: a client sends one.
    fields = dict(reversed(headers))
    if fields.get(b"smithy-protocol") == b"rpc-v2-cbor":
        return Protocol.CBOR
    if b"x-amz-target" in fields:
        return Protocol.JSON
    if service in _S3:
        return Protocol.S3
    if service == "ec2":
        return Protocol.EC2
    if service in _REST_XML:
        return Protocol.REST_XML
    if fields.get(b"content-type", b"").startswith(_FORM) or _ACTION.search(target.partition(b"?")[2]):
        return Protocol.QUERY
    return Protocol.REST_JSON


def unknown_operation(protocol: Protocol, service: str, target: bytes, headers: Headers, body: bytes) -> RefusalError:
    """What is not offered, named as far as it can be told: rest protocols name operations by paths alone."""
    found: re.Match[bytes] | None = None
    if protocol is Protocol.JSON:
        found = _TARGET.fullmatch(next(value for name, value in headers if name == b"x-amz-target"))
    elif protocol in (Protocol.QUERY, Protocol.EC2):
        found = _ACTION.search(body) or _ACTION.search(target.partition(b"?")[2])
    elif protocol is Protocol.CBOR:
        found = _TARGET.fullmatch(target.rpartition(b"/")[2])
    operation = f"The operation {found[1].decode()}" if found else "The operation asked for"
    status, code = _UNKNOWN[protocol]
    return RefusalError(status, code, f"{operation}{f' of {service}' if service else ''} is not offered: {_OFFERED}")


_OFFERED: Final = "Penstock answers operations of lambda that invoke and describe functions"


def render(protocol: Protocol, refusal: RefusalError, request_id: str, extra: bytes) -> bytes:
    """A complete response in the protocol's own form. `extra` holds whole header lines."""
    if protocol is Protocol.REST_JSON:
        code, message = refusal.error_type, refusal.message
        return error_response(refusal.status, code, message, request_id=request_id, reason=refusal.reason, extra=extra)
    extra += f"x-amzn-requestid: {request_id}\r\n".encode()
    if protocol is Protocol.JSON:
        value = {"__type": refusal.error_type, "message": refusal.message}
        return response(refusal.status, b"application/x-amz-json-1.1", orjson.dumps(value), extra)
    if protocol is Protocol.CBOR:
        body = b"\xa2" + b"".join(map(_cbor_text, ("__type", refusal.error_type, "message", refusal.message)))
        return response(refusal.status, b"application/cbor", body, b"smithy-protocol: rpc-v2-cbor\r\n" + extra)
    if protocol is Protocol.S3:
        extra += f"x-amz-request-id: {request_id}\r\n".encode()
    return response(refusal.status, b"text/xml", _xml(protocol, refusal, request_id), extra)


def _xml(protocol: Protocol, refusal: RefusalError, request_id: str) -> bytes:
    error = f"<Code>{escape(refusal.error_type)}</Code><Message>{escape(refusal.message)}</Message>"
    if protocol is Protocol.S3:
        text = f"<Error>{error}<RequestId>{request_id}</RequestId></Error>"
    elif protocol is Protocol.EC2:
        text = f"<Response><Errors><Error>{error}</Error></Errors><RequestID>{request_id}</RequestID></Response>"
    else:
        kind = "Sender" if refusal.status < 500 else "Receiver"
        error = f"<Error><Type>{kind}</Type>{error}</Error>"
        text = f"<ErrorResponse>{error}<RequestId>{request_id}</RequestId></ErrorResponse>"
    return (_XML_HEAD + text).encode()


def _cbor_text(text: str) -> bytes:
    """A CBOR text string with its length in two bytes (RFC 8949 section 3.1, major type 3)."""
    data = text.encode()
    return b"\x79" + len(data).to_bytes(2, "big") + data
