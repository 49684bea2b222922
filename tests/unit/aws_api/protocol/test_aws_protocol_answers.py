"""Answers and errors byte by byte, where clients other than botocore look, and events with botocore's own reader."""

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from botocore.eventstream import EventStream
from botocore.exceptions import EventStreamError
from botocore.model import ShapeResolver
from botocore.parsers import create_parser
from hypothesis import given
from hypothesis import strategies as st

from penstock.aws_api.protocol.answers import Reply, write_answer
from penstock.aws_api.protocol.errors import write_error
from penstock.aws_api.protocol.events import EventBody
from penstock.aws_api.protocol.head import Form
from penstock.aws_api.protocol.models import Models
from penstock.aws_api.protocol.shapes import Operation, ServiceModel, Shape
from penstock.aws_api.protocol.xml_writing import text_element
from penstock.aws_api.service import ServiceError
from support.aws_protocol_values import service_model

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
OFFERED = {
    "sts": ["GetCallerIdentity"],
    "ec2": ["DescribeVpcs"],
    "s3": ["GetBucketAcl", "ListBuckets", "GetBucketPolicy", "GetObject", "SelectObjectContent"],
    "logs": ["StartLiveTail"],
    "lambda": ["GetFunction", "Invoke"],
    "cloudwatch": ["DeleteDashboards"],
}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    return Models(tmp_path_factory.mktemp("models"))


def load(models: Models, service: str, operation: str) -> tuple[ServiceModel, Operation]:
    model = models.load(service, OFFERED[service])
    found = model.operation(operation)
    assert found is not None
    return model, found


def text(reply: Reply) -> str:
    assert isinstance(reply.body, bytes)
    return reply.body.decode()


def fields(reply: Reply) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in reply.headers}


# --- XML ---


def test_a_query_answer(models: Models) -> None:
    reply = write_answer(Form.QUERY, *load(models, "sts", "GetCallerIdentity"), {"Account": "1", "Unknown": "x"}, "r")
    assert text(reply) == (
        f'{HEAD}<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
        "<GetCallerIdentityResult><Account>1</Account></GetCallerIdentityResult>"
        "<ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></GetCallerIdentityResponse>"
    )
    assert fields(reply) == {"content-type": "text/xml", "x-amzn-requestid": "r"}


def test_an_answer_of_ec2(models: Models) -> None:
    vpc = {"VpcId": "vpc-1", "IsDefault": True, "Tags": [{"Key": "a", "Value": "<b>"}]}
    reply = write_answer(Form.EC2, *load(models, "ec2", "DescribeVpcs"), {"Vpcs": [vpc]}, "r")
    root = ElementTree.fromstring(text(reply))
    assert root.tag == "{http://ec2.amazonaws.com/doc/2016-11-15/}DescribeVpcsResponse"
    assert "<requestId>r</requestId><vpcSet><item>" in text(reply)
    assert "<isDefault>true</isDefault>" in text(reply)
    assert "<tagSet><item><key>a</key><value>&lt;b&gt;</value></item></tagSet>" in text(reply)


def test_answers_of_s3(models: Models) -> None:
    when = datetime(2026, 3, 1, tzinfo=UTC)
    buckets = {"Buckets": [{"Name": "b", "CreationDate": when}], "Owner": {"ID": "me"}}
    listed = text(write_answer(Form.S3, *load(models, "s3", "ListBuckets"), buckets, "r"))
    assert listed.startswith(f'{HEAD}<ListAllMyBucketsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">')
    assert "<Bucket><Name>b</Name><CreationDate>2026-03-01T00:00:00.000Z</CreationDate></Bucket>" in listed
    grant = {"Grantee": {"Type": "CanonicalUser", "ID": "me"}, "Permission": "FULL_CONTROL"}
    acl = text(write_answer(Form.S3, *load(models, "s3", "GetBucketAcl"), {"Grants": [grant]}, "r"))
    grantee = '<Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser"><ID>me</ID>'
    assert f"<Grant>{grantee}</Grantee><Permission>FULL_CONTROL</Permission></Grant>" in acl
    policy = write_answer(Form.S3, *load(models, "s3", "GetBucketPolicy"), {"Policy": '{"a":1}'}, "r")
    assert text(policy) == '{"a":1}'
    assert fields(policy)["x-amz-request-id"] == "r"


def test_nothing_ends_a_header(models: Models) -> None:
    answer = {"Body": b"", "ContentType": "a\r\nSet-Cookie: b", "Metadata": {"a\r\nb: ": "c\nd", "é": "é"}}
    reply = write_answer(Form.S3, *load(models, "s3", "GetObject"), answer, "r")
    assert dict(reply.headers) == {
        b"content-type": b"a  Set-Cookie: b",
        b"x-amz-meta-a--b--": b"c d",
        b"x-amz-meta--": b"=?UTF-8?B?w6k=?=",
        b"x-amzn-requestid": b"r",
        b"x-amz-request-id": b"r",
    }


@given(st.text())
def test_any_text_can_be_read_back(value: str) -> None:
    found = ElementTree.fromstring(text_element("a", value)).text or ""
    written = "".join(each if _in_xml(each) else "\ufffd" for each in value)
    assert found == written


def _in_xml(character: str) -> bool:
    """https://www.w3.org/TR/xml/#charsets"""
    code = ord(character)
    return code in (9, 10, 13) or 32 <= code < 0xD800 or 0xE000 <= code < 0xFFFE or code > 0xFFFF


# --- errors ---


def test_errors_without_a_service() -> None:
    error = ServiceError("Code", "<message>", 418, {"More": 1})
    inside = "<Code>Code</Code><Message>&lt;message&gt;</Message><More>1</More>"
    expected = {
        Form.REST_JSON: '{"message":"<message>","More":1}',
        Form.JSON: '{"__type":"Code","message":"<message>","More":1}',
        Form.QUERY: "<ErrorResponse><Error><Type>Sender</Type>"
        f"{inside}</Error><RequestId>r</RequestId></ErrorResponse>",
        Form.EC2: f"<Response><Errors><Error>{inside}</Error></Errors><RequestID>r</RequestID></Response>",
        Form.S3: f"<Error>{inside}<RequestId>r</RequestId><HostId>r</HostId></Error>",
    }
    for form, content in expected.items():
        reply = write_error(form, None, error, "r")
        assert (reply.status, text(reply).removeprefix(HEAD)) == (418, content)
    assert fields(write_error(Form.REST_JSON, None, error, "r"))["x-amzn-errortype"] == "Code"


def test_the_status_of_an_error_is_the_models_unless_it_was_said(models: Models) -> None:
    model, _ = load(models, "lambda", "GetFunction")
    assert write_error(Form.REST_JSON, model, ServiceError("ResourceNotFoundException", "m"), "r").status == 404
    assert write_error(Form.REST_JSON, model, ServiceError("ResourceNotFoundException", "m", 410), "r").status == 410
    assert write_error(Form.REST_JSON, model, ServiceError("Unmodelled", "m"), "r").status == 400
    logs, _ = load(models, "logs", "StartLiveTail")
    assert write_error(Form.JSON, logs, ServiceError("ServiceUnavailableException", "m"), "r").status == 500


def test_codes_of_a_service_that_spoke_the_query_protocol_once(models: Models) -> None:
    """An error may be named by its shape or by its code."""
    model, _ = load(models, "cloudwatch", "DeleteDashboards")
    for form in (Form.JSON, Form.CBOR):
        headers = fields(write_error(form, model, ServiceError("DashboardNotFoundError", "m"), "r"))
        assert headers["x-amzn-query-error"] == "ResourceNotFound;Sender"
    reply = write_error(Form.QUERY, model, ServiceError("DashboardNotFoundError", "m"), "r")
    assert "<Code>ResourceNotFound</Code>" in text(reply)


# --- events ---


async def nothing() -> AsyncIterator[Mapping[str, Any]]:
    events: list[Mapping[str, Any]] = []
    for event in events:
        yield event


class Raw(BytesIO):
    """A response's body, as botocore wants it."""

    def stream(self) -> Any:
        yield self.read()


def read_events(service: str, operation: str, protocol: str, data: bytes) -> Any:
    """As botocore's client reads them."""
    shape: Any = service_model(service).operation_model(operation).output_shape
    stream: Any = shape.members[shape.event_stream_name]
    parser: Any = create_parser(protocol)

    return EventStream(Raw(data), stream, parser._event_stream_parser, operation)


def body_of(models: Models, service: str, operation: str, form: Form, initial: bytes | None = None) -> EventBody:
    output: Shape | None = load(models, service, operation)[1].output
    assert output is not None
    return EventBody(form, output.members[output.event_stream], nothing(), initial)


def test_events_of_json(models: Models) -> None:
    body = body_of(models, "logs", "StartLiveTail", Form.JSON, initial=b'{"a":1}')
    events: list[Any] = [
        {"sessionStart": {"requestId": "q", "logGroupIdentifiers": ["g"]}},
        {"sessionUpdate": {"sessionMetadata": {"sampled": True}, "sessionResults": []}},
    ]
    stream = read_events("logs", "StartLiveTail", "json", body.first() + b"".join(map(body.event, events)))
    assert stream.get_initial_response().payload == b'{"a":1}'
    assert list(stream) == events


def test_events_of_xml(models: Models) -> None:
    """One with bytes, one with a structure, two with nothing."""
    body = body_of(models, "s3", "SelectObjectContent", Form.S3)
    events: list[Any] = [
        {"Records": {"Payload": b"\0a,b\n"}},
        {"Cont": {}},
        {"Stats": {"Details": {"BytesScanned": 5, "BytesReturned": 2}}},
        {"End": {}},
    ]
    data = b"".join(map(body.event, events))
    assert body.first() == b""
    assert list(read_events("s3", "SelectObjectContent", "rest-xml", data)) == events


@pytest.mark.parametrize(("code", "kind"), [("SessionStreamingException", b"exception"), ("InternalFailure", b"error")])
def test_the_error_that_ends_a_stream(models: Models, code: str, kind: bytes) -> None:
    body = body_of(models, "logs", "StartLiveTail", Form.JSON)
    data = body.error(ServiceError(code, "it broke"))
    assert kind in data
    with pytest.raises(EventStreamError) as caught:
        list(read_events("logs", "StartLiveTail", "json", data))
    assert caught.value.response["Error"] == {"Code": code, "Message": "it broke"}


def test_headers_of_events() -> None:
    """Every type that a member in a header may have; no service that is offered has one."""
    shapes: dict[str, Any] = {
        "Yes": {"type": "boolean"},
        "Number": {"type": "integer"},
        "Large": {"type": "long"},
        "Text": {"type": "string"},
        "Bytes": {"type": "blob"},
        "When": {"type": "timestamp"},
        "Rest": {"type": "string"},
    }
    members = {name: {"shape": name, "eventheader": True} for name in shapes if name != "Rest"}
    members["Rest"] = {"shape": "Rest", "eventpayload": True}
    shapes["One"] = {"type": "structure", "event": True, "members": members}
    shapes["All"] = {"type": "structure", "eventstream": True, "members": {"One": {"shape": "One"}}}
    event = {
        "Yes": False,
        "Number": -5,
        "Large": 2**40,
        "Text": "é",
        "Bytes": b"\xff",
        "When": datetime(2026, 3, 1, 12, 0, 0, 5000, tzinfo=UTC),
        "Rest": "the rest",
    }
    data = EventBody(Form.JSON, Shape(shapes, {"shape": "All"}), nothing(), None).event({"One": event})
    theirs: Any = ShapeResolver(shapes).get_shape_by_name("All")
    parser: Any = create_parser("json")

    assert list(EventStream(Raw(data), theirs, parser._event_stream_parser, "X")) == [{"One": event}]


def test_a_cache_that_cannot_be_written(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_bytes(b"")
    assert "GetCallerIdentity" in Models(blocked / "cache").load("sts", ["GetCallerIdentity"]).operations
