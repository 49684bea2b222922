"""Errors in the form of each protocol, so that any AWS client can tell its user what went wrong."""

from collections.abc import Mapping
from typing import Any, Final

import orjson

from penstock.aws_api.protocol import cbor
from penstock.aws_api.protocol.answers import CBOR, JSON, S3_XML, XML, Reply, json_type
from penstock.aws_api.protocol.head import Form
from penstock.aws_api.protocol.rest_writing import write_headers
from penstock.aws_api.protocol.shapes import ServiceModel, Shape, xml_namespace
from penstock.aws_api.protocol.trees import write_members as tree_members
from penstock.aws_api.protocol.xml_writing import (
    XML_HEAD,
    element,
    namespace_attribute,
    text_element,
    write_members,
)
from penstock.aws_api.service import ServiceError

# What ServiceError has when nothing was said.
_DEFAULT_STATUS: Final = 400


def write_error(form: Form, model: ServiceModel | None, error: ServiceError, request_id: str) -> Reply:
    """Without a `model`, for a service that is not offered, an error is a code and a message."""
    shape = model.error(error.code) if model else None
    if shape is not None and error.code == shape.name != shape.error_code:
        error = ServiceError(shape.error_code, error.message, error.status, error.members)
    status = _status(error, shape)
    headers = [(b"x-amzn-requestid", request_id.encode())]
    if form in (Form.REST_JSON, Form.JSON, Form.CBOR):
        reply = _write_tree(form, model, error, shape, status)
    else:
        reply = _write_xml(form, model, error, shape, status, request_id)
    reply.headers += headers
    return reply


def _status(error: ServiceError, shape: Shape | None) -> int:
    if error.status != _DEFAULT_STATUS or shape is None:
        return error.status
    return shape.error_status or (500 if shape.traits.get("fault") else _DEFAULT_STATUS)


def _members(error: ServiceError, shape: Shape | None, status: int) -> dict[str, Any]:
    """The message under the name that the shape has for it, and the further members."""
    if shape is None:
        return {"message": error.message, **error.members}
    name = next((name for name in shape.members if name.lower() == "message"), "message")
    kind = {"Type": "User" if status < 500 else "Service"} if "Type" in shape.members else {}
    return {name: error.message, **kind, **error.members}


def _write_tree(form: Form, model: ServiceModel | None, error: ServiceError, shape: Shape | None, status: int) -> Reply:
    members = _members(error, shape, status)
    written = tree_members(shape, members, binary=form is Form.CBOR) if shape else dict(members)
    if not any(name.lower() == "message" for name in written):
        written["message"] = error.message  # the shape has none, and clients look for it
    name = shape.name if shape else error.code
    if form is Form.REST_JSON:
        extra = write_headers(shape, members) if shape else []
        kind = (b"x-amzn-errortype", name.encode())
        return Reply(status, [(b"content-type", JSON), kind, *extra], orjson.dumps(written))
    written = {"__type": name, **written}
    compatible = _query_compatible(model, error, status)
    if form is Form.CBOR:
        headers = [(b"smithy-protocol", b"rpc-v2-cbor"), (b"content-type", CBOR), *compatible]
        return Reply(status, headers, cbor.dumps(written))
    return Reply(status, [(b"content-type", json_type(model)), *compatible], orjson.dumps(written))


def _query_compatible(model: ServiceModel | None, error: ServiceError, status: int) -> list[tuple[bytes, bytes]]:
    """Services that spoke the query protocol once still tell its codes:
    https://smithy.io/2.0/aws/protocols/aws-query-protocol.html#aws-protocols-awsquerycompatible-trait
    """
    if model is None or "awsQueryCompatible" not in model.metadata:
        return []
    return [(b"x-amzn-query-error", f"{error.code};{_fault(status)}".encode())]


def _fault(status: int) -> str:
    return "Sender" if status < 500 else "Receiver"


def _write_xml(
    form: Form, model: ServiceModel | None, error: ServiceError, shape: Shape | None, status: int, request_id: str
) -> Reply:
    inside = text_element("Code", error.code) + text_element("Message", error.message)
    inside += _more(error.members, shape)
    if form is Form.S3:
        inside += text_element("RequestId", request_id) + text_element("HostId", request_id)
        document = element("Error", inside)
        headers = [(b"content-type", S3_XML), (b"x-amz-request-id", request_id.encode())]
        return Reply(status, headers, (XML_HEAD + document).encode())
    if form is Form.EC2:
        errors = element("Errors", element("Error", inside))
        document = element("Response", errors + text_element("RequestID", request_id))
    else:
        error_element = element("Error", text_element("Type", _fault(status)) + inside)
        namespace = namespace_attribute(xml_namespace(model) if model else "")
        document = element("ErrorResponse", error_element + text_element("RequestId", request_id), namespace)
    return Reply(status, [(b"content-type", XML)], (XML_HEAD + document).encode())


def _more(members: Mapping[str, Any], shape: Shape | None) -> str:
    modelled = {name for name in shape.members if name.lower() != "message"} if shape else set()
    inside = write_members(shape, {name: members[name] for name in modelled & members.keys()}) if shape else ""
    rest = (text_element(name, str(value)) for name, value in members.items() if name not in modelled)
    return inside + "".join(rest)
