"""Errors in the form of each protocol, so that any AWS client can tell its user what went wrong."""

from typing import Final
from xml.sax.saxutils import escape

import orjson

from penstock.control_plane.aws_api.request import Protocol, Request
from penstock.invoke_api.refusal import RefusalError
from penstock.wire.aws_errors import error_response
from penstock.wire.http_messages import response

_XML_HEAD: Final = '<?xml version="1.0" encoding="UTF-8"?>\n'

# What a service says to an operation it does not have.
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html (InvalidAction, for query services too)
# https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html (NotImplemented)
# https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html (UnknownOperationException, 404)
# The JSON and REST ones as seen on AWS: https://github.com/mhart/dynalite (index.js), https://github.com/aws/aws-sdk-js
# (test/protocol/query.spec.coffee).
_UNKNOWN: Final = {
    Protocol.REST_JSON: (404, "UnknownOperationException"),
    Protocol.JSON: (400, "UnknownOperationException"),
    Protocol.CBOR: (404, "UnknownOperationException"),
    Protocol.QUERY: (400, "InvalidAction"),
    Protocol.EC2: (400, "InvalidAction"),
    Protocol.REST_XML: (404, "UnknownOperationException"),
    Protocol.S3: (501, "NotImplemented"),
}


def unknown_operation(request: Request, body: bytes) -> RefusalError:
    """The refusal of what no service here offers."""
    status, code = _UNKNOWN[request.protocol]
    what = request.operation(body) or "an operation"
    of = f" of {request.service}" if request.service else ""
    message = f"Penstock does not offer {what}{of}: this port invokes and describes functions of lambda"
    return RefusalError(status, code, message)


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
    """A text string with its length in two bytes (RFC 8949 section 3.1, major type 3)."""
    data = text.encode()
    return b"\x79" + len(data).to_bytes(2, "big") + data
