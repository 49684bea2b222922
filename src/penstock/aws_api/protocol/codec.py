"""One service's protocols: a request becomes operation and parameters."""

import gzip
import zlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import IO, Any, Final
from urllib.parse import parse_qsl

import orjson

from penstock.aws_api.protocol import cbor
from penstock.aws_api.protocol.constraints import violations
from penstock.aws_api.protocol.forms import parse_form, read_form
from penstock.aws_api.protocol.head import Form, Head, s3_path
from penstock.aws_api.protocol.rest_reading import Parts, read_parts
from penstock.aws_api.protocol.routes import Routes, read_query
from penstock.aws_api.protocol.shapes import Operation, ServiceModel, Shape
from penstock.aws_api.protocol.trees import read_tree
from penstock.aws_api.protocol.unreadable import UnreadableError
from penstock.aws_api.protocol.wording import broken, not_offered, unreadable
from penstock.aws_api.protocol.xml_reading import parse_xml, read_element
from penstock.model.limits import MIB

# What a compressed body may become (assumed): PutMetricData takes 1 MB, compressed or not.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html
_MAX_DECOMPRESSED: Final = 8 * MIB
_REST: Final = (Form.REST_JSON, Form.REST_XML, Form.S3)


@dataclass(frozen=True, slots=True)
class Asked:
    """An operation that is offered, with its parameters, which are as the model wants them."""

    operation: Operation
    params: dict[str, Any]


class Codec:
    """Reads the requests to one service. `offered` are the operations that are called."""

    def __init__(self, model: ServiceModel, offered: Collection[str]) -> None:
        self.model = model
        self._offered = offered
        self._routes = Routes(model, offered)

    def read(self, form: Form, head: Head, body: IO[bytes]) -> Asked | None:
        """`body` stands at its beginning. None when the service has no such operation. Raises ServiceError."""
        try:
            asked = self._read_rest(head, body) if form in _REST else self._read_named(form, head, body)
        except UnreadableError as error:
            raise unreadable(form, error) from None
        if asked is not None and asked.operation.input is not None:
            self._check(form, asked)
        return asked

    def _offered_operation(self, form: Form, name: str) -> Operation | None:
        """Raises ServiceError when AWS has it and Penstock does not."""
        operation = self.model.operation(name)
        if operation is not None and name not in self._offered:
            raise not_offered(form, name, self.model.name)
        return operation

    def _check(self, form: Form, asked: Asked) -> None:
        shape = asked.operation.input
        found = violations(shape, asked.params) if shape else []
        if form is Form.S3:
            # S3 says of a region more than that it is none of the list: that is the service's.
            found = [each for each in found if each.shape.name != "BucketLocationConstraint"]
        if found:
            raise broken(form, self.model.name, found)

    # --- REST ---

    def _read_rest(self, head: Head, body: IO[bytes]) -> Asked | None:
        s3 = self.model.name == "s3"
        form = Form.S3 if s3 else Form.REST_JSON
        if s3:
            head = _with_hoisted_headers(head)
        query = read_query(head.query)
        single = {name: values[0] for name, values in query.items()}
        path = s3_path(head) if s3 else head.path
        match = self._routes.find(head.method, path, single, [name.decode("latin-1") for name, _ in head.headers])
        operation = self._offered_operation(form, match.operation) if match else None
        if match is None or operation is None:
            return None
        if operation.input is None:
            return Asked(operation, {})
        parts = Parts(match.labels, query, head.headers, body)
        return Asked(operation, read_parts(operation.input, parts, _read_xml if s3 else _read_json))

    # --- by name ---

    def _read_named(self, form: Form, head: Head, body: IO[bytes]) -> Asked | None:
        content = _decompressed(head, body.read())
        operation = self._offered_operation(form, head.operation(content))
        if operation is None:
            return None
        shape = operation.input
        if form in (Form.QUERY, Form.EC2):
            text = _text(content) or head.query
            return Asked(operation, read_form(shape, parse_form(text), ec2=form is Form.EC2) if shape else {})
        if shape is None or not content:
            return Asked(operation, {})
        return Asked(operation, _read_cbor(shape, content) if form is Form.CBOR else _read_json(shape, content))


def _text(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise UnreadableError("The body is no UTF-8") from None


def _read_json(shape: Shape, content: bytes) -> Any:
    try:
        value = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise UnreadableError(f"Could not parse request body into json: {error}") from None
    return read_tree(shape, value)


def _read_cbor(shape: Shape, content: bytes) -> Any:
    try:
        value = cbor.loads(content)
    except ValueError as error:
        raise UnreadableError(f"Could not parse request body into CBOR: {error}") from None
    return read_tree(shape, value)


def _read_xml(shape: Shape, content: bytes) -> Any:
    return read_element(shape, parse_xml(content))


def _decompressed(head: Head, content: bytes) -> bytes:
    """A body of PutMetricData may be compressed:
    https://smithy.io/2.0/spec/behavior-traits.html#requestcompression-trait
    """
    if head.field(b"content-encoding").lower() != "gzip":
        return content
    try:
        with gzip.GzipFile(fileobj=BytesIO(content)) as file:
            found = file.read(_MAX_DECOMPRESSED + 1)
    except (OSError, EOFError, zlib.error):
        raise UnreadableError("The body is no gzip") from None
    if len(found) > _MAX_DECOMPRESSED:
        raise UnreadableError(f"The body holds more than {_MAX_DECOMPRESSED} bytes")
    return found


# --- S3 ---


def _with_hoisted_headers(head: Head) -> Head:
    """A presigned request may carry in its query what else would be `x-amz-` headers.

    https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
    """
    if "x-amz-" not in head.query.lower():
        return head
    there: Mapping[bytes, bytes] = dict(head.headers)
    pairs = ((name.lower().encode(), value.encode()) for name, value in parse_qsl(head.query, keep_blank_values=True))
    hoisted = [(name, value) for name, value in pairs if name.startswith(b"x-amz-") and name not in there]
    return Head(head.method, head.target, head.headers + hoisted)
