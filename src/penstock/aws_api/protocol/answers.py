"""A good answer in its protocol's form."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from penstock.aws_api.protocol import cbor
from penstock.aws_api.protocol.events import EventBody
from penstock.aws_api.protocol.head import Form
from penstock.aws_api.protocol.rest_writing import status_of, write_headers
from penstock.aws_api.protocol.shapes import Operation, ServiceModel, Shape, xml_namespace
from penstock.aws_api.protocol.trees import write_members as tree_members
from penstock.aws_api.protocol.trees import write_tree
from penstock.aws_api.protocol.xml_writing import (
    XML_HEAD,
    element,
    escape,
    namespace_attribute,
    text_element,
    write_members,
)
from penstock.aws_api.service import Answer, FilePart
from penstock.wire.http_messages import Headers

JSON: Final = b"application/json"
CBOR: Final = b"application/cbor"
XML: Final = b"text/xml"
S3_XML: Final = b"application/xml"
_S3_NAMESPACE: Final = "http://s3.amazonaws.com/doc/2006-03-01/"

# What S3 calls the root of an answer; the model does not say it.
# https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html
_S3_ROOTS: Final = {
    "ListBuckets": "ListAllMyBucketsResult",
    "ListObjects": "ListBucketResult",
    "ListObjectsV2": "ListBucketResult",
    "ListObjectVersions": "ListVersionsResult",
    "ListMultipartUploads": "ListMultipartUploadsResult",
    "ListParts": "ListPartsResult",
    "CreateMultipartUpload": "InitiateMultipartUploadResult",
    "CompleteMultipartUpload": "CompleteMultipartUploadResult",
    "DeleteObjects": "DeleteResult",
    "GetBucketVersioning": "VersioningConfiguration",
    "GetBucketTagging": "Tagging",
    "GetObjectTagging": "Tagging",
    "GetBucketAcl": "AccessControlPolicy",
    "GetObjectAcl": "AccessControlPolicy",
    "GetBucketCors": "CORSConfiguration",
    "GetBucketLifecycleConfiguration": "LifecycleConfiguration",
    "GetBucketLogging": "BucketLoggingStatus",
    "GetBucketWebsite": "WebsiteConfiguration",
    "GetBucketRequestPayment": "RequestPaymentConfiguration",
    "GetObjectAttributes": "GetObjectAttributesResponse",
}


@dataclass(slots=True)
class Reply:
    """An answer before it is sent. Headers are those beside the length, the date and the connection's."""

    status: int
    headers: Headers = field(default_factory=list)
    body: "bytes | FilePart | EventBody" = b""


def write_answer(form: Form, model: ServiceModel, operation: Operation, answer: Answer, request_id: str) -> Reply:
    """Raises TypeError, ValueError or KeyError for an answer that is not of the operation's shape."""
    reply = _WRITERS[form](model, operation, answer, request_id)
    reply.headers.append((b"x-amzn-requestid", request_id.encode()))
    if form is Form.S3:
        reply.headers.append((b"x-amz-request-id", request_id.encode()))
    return reply


# --- JSON and CBOR ---


def json_type(model: ServiceModel | None) -> bytes:
    version: str = model.metadata.get("jsonVersion", "1.1") if model else "1.1"
    return f"application/x-amz-json-{version}".encode()


def _json(model: ServiceModel, operation: Operation, answer: Answer, _: str) -> Reply:
    shape = operation.output
    if shape is not None and shape.event_stream:
        return _rpc_events(Form.JSON, shape, answer)
    value = tree_members(shape, answer) if shape else {}
    return Reply(operation.status, [(b"content-type", json_type(model))], orjson.dumps(value))


def _cbor(model: ServiceModel, operation: Operation, answer: Answer, _: str) -> Reply:
    shape = operation.output
    protocol = (b"smithy-protocol", b"rpc-v2-cbor")
    if shape is not None and shape.event_stream:
        reply = _rpc_events(Form.CBOR, shape, answer)
        reply.headers.append(protocol)
        return reply
    body = cbor.dumps(tree_members(shape, answer, binary=True) if shape else {})
    return Reply(operation.status, [protocol, (b"content-type", CBOR)], body)


def _rpc_events(form: Form, shape: Shape, answer: Answer) -> Reply:
    """The members beside the events are the first message:
    https://smithy.io/2.0/aws/amazon-eventstream.html#initial-messages
    """
    name = shape.event_stream
    rest = {key: value for key, value in answer.items() if key != name}
    first = tree_members(shape, rest, binary=form is Form.CBOR)
    initial = cbor.dumps(first) if form is Form.CBOR else orjson.dumps(first)
    return _events(form, shape.members[name], answer[name], [], 200, initial)


def _events(
    form: Form,
    shape: Shape,
    events: AsyncIterator[Mapping[str, Any]],
    headers: Headers,
    status: int,
    initial: bytes | None,
) -> Reply:
    body = EventBody(form, shape, events, initial)
    return Reply(status, [(b"content-type", b"application/vnd.amazon.eventstream"), *headers], body)


# --- query and EC2 ---


def _query(model: ServiceModel, operation: Operation, answer: Answer, request_id: str) -> Reply:
    shape = operation.output
    inside = ""
    if shape is not None:
        content = write_members(shape, answer)
        wrapper = shape.traits.get("resultWrapper")
        inside = element(wrapper, content) if wrapper else content
    inside += element("ResponseMetadata", text_element("RequestId", request_id))
    return _document(f"{operation.name}Response", inside, xml_namespace(model))


def _ec2(model: ServiceModel, operation: Operation, answer: Answer, request_id: str) -> Reply:
    content = write_members(operation.output, answer) if operation.output else ""
    inside = text_element("requestId", request_id) + content
    return _document(f"{operation.name}Response", inside, f"{xml_namespace(model)}/")


def _document(root: str, inside: str, namespace: str, content_type: bytes = XML, status: int = 200) -> Reply:
    text = XML_HEAD + element(root, inside, namespace_attribute(namespace))
    return Reply(status, [(b"content-type", content_type)], text.encode())


# --- REST ---


def _rest_json(_: ServiceModel, operation: Operation, answer: Answer, __: str) -> Reply:
    shape = operation.output
    status = status_of(shape, answer, operation.status)
    if shape is None:
        return Reply(status)
    headers = write_headers(shape, answer)
    if shape.payload:
        return _payload(Form.REST_JSON, shape, answer, headers, status)
    has_body = any(not member.location for member in shape.members.values())
    if status == 204 or not has_body:
        return Reply(status, headers)
    return Reply(status, [(b"content-type", JSON), *headers], orjson.dumps(tree_members(shape, answer)))


def _rest_xml(_: ServiceModel, operation: Operation, answer: Answer, __: str) -> Reply:
    shape = operation.output
    status = status_of(shape, answer, operation.status)
    if shape is None:
        return Reply(status)
    headers = write_headers(shape, answer)
    if operation.name == "GetObject" and answer.get("ContentRange"):
        status = 206  # https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
    if shape.payload:
        return _payload(Form.S3, shape, answer, headers, status)
    if not any(not member.location for member in shape.members.values()):
        return Reply(status, headers)
    if operation.name == "GetBucketLocation":  # is a single element, unlike its model
        inside = escape(str(answer.get("LocationConstraint") or ""))
        root = "LocationConstraint"
    else:
        inside, root = write_members(shape, answer), _S3_ROOTS.get(operation.name, shape.wire_name(shape.name))
    reply = _document(root, inside, _S3_NAMESPACE, S3_XML, status)
    reply.headers += headers
    return reply


def _payload(form: Form, shape: Shape, answer: Answer, headers: Headers, status: int) -> Reply:
    """An answer whose body is one member."""
    member, value = shape.members[shape.payload], answer.get(shape.payload)
    if member.traits.get("eventstream"):
        return _events(form, member, answer[shape.payload], headers, status, None)
    if value is None:
        return Reply(status, headers)
    typed = any(name == b"content-type" for name, _ in headers)
    if member.kind == "blob":
        kind = [] if typed else [(b"content-type", b"binary/octet-stream" if form is Form.S3 else JSON)]
        return Reply(status, headers + kind, value if isinstance(value, FilePart) else bytes(value))
    if member.kind == "string":
        return Reply(status, headers if typed else [*headers, (b"content-type", JSON)], str(value).encode())
    if form is Form.REST_JSON:
        return Reply(status, [(b"content-type", JSON), *headers], orjson.dumps(write_tree(member, value)))
    root = member.wire_name(shape.payload)
    reply = _document(root, write_members(member, value), _S3_NAMESPACE, S3_XML, status)
    reply.headers += headers
    return reply


_WRITERS: Final = {
    Form.JSON: _json,
    Form.CBOR: _cbor,
    Form.QUERY: _query,
    Form.EC2: _ec2,
    Form.REST_JSON: _rest_json,
    Form.REST_XML: _rest_xml,
    Form.S3: _rest_xml,
}
