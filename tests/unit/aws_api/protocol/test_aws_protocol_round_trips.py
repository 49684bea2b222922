"""Every operation there and back: what botocore writes is read here, and what is written here is read by botocore."""

from io import BytesIO
from pathlib import Path
from typing import Any, Final

import pytest
from botocore.compat import HTTPHeaders
from botocore.parsers import create_parser

from penstock.aws_api.protocol.answers import Reply, write_answer
from penstock.aws_api.protocol.codec import Codec
from penstock.aws_api.protocol.errors import write_error
from penstock.aws_api.protocol.head import Form
from penstock.aws_api.protocol.models import Models
from penstock.aws_api.protocol.shapes import ServiceModel
from penstock.aws_api.service import ServiceError
from support.aws_protocol_values import Values, plain, send, service_model

ROUNDS: Final = 2
SAMPLES: Final = {
    "ec2": (
        "DescribeSubnets DescribeSecurityGroups DescribeVpcs CreateVpc CreateSubnet CreateSecurityGroup RunInstances "
        "AuthorizeSecurityGroupIngress DescribeAvailabilityZones CreateTags DescribeInstances DescribeInstanceTypes"
    ),
    "iam": (
        "CreateRole GetRole ListRoles UpdateAssumeRolePolicy AttachRolePolicy PutRolePolicy GetRolePolicy TagRole "
        "SimulatePrincipalPolicy GetAccountSummary ListAttachedRolePolicies GenerateCredentialReport"
    ),
}
WHOLE: Final = ("lambda", "sts", "s3", "cloudformation", "logs", "cloudwatch")
PROTOCOLS: Final = {
    "lambda": [("rest-json", Form.REST_JSON)],
    "s3": [("rest-xml", Form.S3)],
    "sts": [("query", Form.QUERY)],
    "iam": [("query", Form.QUERY)],
    "ec2": [("ec2", Form.EC2)],
    "cloudformation": [("query", Form.QUERY)],
    "logs": [("json", Form.JSON)],
    "cloudwatch": [("smithy-rpc-v2-cbor", Form.CBOR), ("json", Form.JSON), ("query", Form.QUERY)],
}
CASES: Final = [(service, *each) for service, spoken in PROTOCOLS.items() for each in spoken]
IDS: Final = [f"{service}-{protocol}" for service, protocol, _ in CASES]


def names(service: str) -> list[str]:
    return list(service_model(service).operation_names) if service in WHOLE else SAMPLES[service].split()


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    return Models(tmp_path_factory.mktemp("models"))


def codec(models: Models, service: str) -> tuple[ServiceModel, Codec]:
    model = models.load(service, names(service))
    return model, Codec(model, names(service))


# Two operations at one path, told apart by nothing that is sent: the common one is meant.
REPLACED: Final = {
    "PutBucketLifecycle": "PutBucketLifecycleConfiguration",
    "GetBucketLifecycle": "GetBucketLifecycleConfiguration",
    "PutBucketNotification": "PutBucketNotificationConfiguration",
    "GetBucketNotification": "GetBucketNotificationConfiguration",
    "ListDirectoryBuckets": "ListBuckets",
}


@pytest.mark.parametrize(("service", "protocol", "form"), CASES, ids=IDS)
def test_requests(models: Models, service: str, protocol: str, form: Form, monkeypatch: pytest.MonkeyPatch) -> None:
    _, ours = codec(models, service)
    monkeypatch.setattr("penstock.aws_api.protocol.codec.violations", lambda shape, params: [])
    for name in names(service):
        if name in REPLACED:
            continue
        theirs = service_model(service).operation_model(name)
        for turn in range(ROUNDS):
            values = Values(f"{service} {name} {turn}", protocol)
            params = values.structure(theirs.input_shape) if theirs.input_shape else {}
            sent = send(theirs, params, protocol)
            assert sent.head.form is form
            assert sent.head.service == service
            asked = ours.read(form, sent.head, sent.body)
            assert asked is not None, name
            assert asked.operation.name == name
            found = plain(asked.params)
            if "ContentLength" not in params:
                found.pop("ContentLength", None)  # is sent in any case
            assert found == params | _unsent(theirs, params), name


def _unsent(theirs: Any, params: dict[str, Any]) -> dict[str, Any]:
    """A body that is not there is an empty one."""
    payload = theirs.input_shape.serialization.get("payload") if theirs.input_shape else None
    if not payload or payload in params:
        return {}
    if theirs.input_shape.members[payload].type_name == "blob":
        return {payload: b""}
    return {payload: {}} if theirs.metadata["protocol"] == "rest-json" else {}


@pytest.mark.parametrize(("service", "protocol", "form"), CASES, ids=IDS)
def test_answers(models: Models, service: str, protocol: str, form: Form) -> None:
    model, _ = codec(models, service)
    parse: Any = create_parser(protocol).parse
    for name in names(service):
        theirs, operation = service_model(service).operation_model(name), model.operation(name)
        assert operation is not None
        # The second has two members of one name; the third is not as its model says.
        if theirs.has_event_stream_output or name in ("GetBucketNotification", "GetBucketLocation"):
            continue
        for turn in range(ROUNDS):
            values = Values(f"{service} {name} {turn}", protocol, answering=True)
            answer = values.structure(theirs.output_shape) if theirs.output_shape else {}
            reply = write_answer(form, model, operation, answer, "the-request")
            parsed = plain(parse(received(reply, streaming=theirs.has_streaming_output), theirs.output_shape))
            metadata = parsed.pop("ResponseMetadata")
            if protocol != "smithy-rpc-v2-cbor" or theirs.output_shape:
                assert metadata["RequestId"] == "the-request"
            assert parsed == _always_there(theirs, reply.status) | answer, name


def received(reply: Reply, *, streaming: bool = False) -> dict[str, Any]:
    """What botocore makes of an answer before it parses it."""
    assert isinstance(reply.body, bytes)
    headers = HTTPHeaders.from_pairs([(name.decode(), value.decode()) for name, value in reply.headers])
    return {"status_code": reply.status, "headers": headers, "body": BytesIO(reply.body) if streaming else reply.body}


def _always_there(theirs: Any, status: int) -> dict[str, Any]:
    """What botocore's parser gives whether it was sent or not."""
    shape = theirs.output_shape
    there: dict[str, Any] = {}
    for name, member in shape.members.items() if shape else ():
        location = member.serialization.get("location")
        if location in ("headers", "statusCode"):
            there[name] = {} if location == "headers" else status
    payload = shape.serialization.get("payload") if shape else None
    if payload:
        empty: dict[str, Any] = {"blob": b"", "string": "", "structure": {}}
        there[payload] = empty[shape.members[payload].type_name]
    if theirs.name == "GetObject":
        there["ContentType"] = "binary/octet-stream"
    return there


@pytest.mark.parametrize(("service", "protocol", "form"), CASES, ids=IDS)
def test_errors(models: Models, service: str, protocol: str, form: Form) -> None:
    """Each error that an operation has in the model, with its members."""
    model, _ = codec(models, service)
    parse: Any = create_parser(protocol).parse
    for name in names(service):
        for shape in errors_of(service, name):
            values = Values(f"{service} {name} {shape.name}", protocol, answering=True).structure(shape)
            members = {key: value for key, value in values.items() if key.lower() != "message"}
            error = ServiceError(shape.error_code, "what went <wrong>", members=members)
            reply = write_error(form, model, error, "the-request")
            response = received(reply)
            parsed = parse(response, None)
            assert (parsed["Error"]["Code"], parsed["Error"]["Message"]) == (shape.error_code, "what went <wrong>")
            assert parsed["ResponseMetadata"].get("RequestId") == "the-request"
            modelled = plain(parse(response, shape))
            modelled.pop("ResponseMetadata", None)
            defaults = {"Type": "User" if reply.status < 500 else "Service"} if protocol == "rest-json" else {}
            found = {key: value for key, value in modelled.items() if key.lower() != "message"}
            assert found in (members, defaults | members)
            assert reply.status == shape.metadata.get("error", {}).get("httpStatusCode", reply.status)


def errors_of(service: str, operation: str) -> list[Any]:
    return list(service_model(service).operation_model(operation).error_shapes)


def test_a_model_is_kept_pruned(tmp_path: Path) -> None:
    first = Models(tmp_path).load("ec2", ["DescribeSubnets"])
    (kept,) = tmp_path.iterdir()
    assert kept.stat().st_size < 200_000
    assert len(first.operations) > 700
    again = Models(tmp_path).load("ec2", ["DescribeSubnets"])
    operation = again.operation("DescribeSubnets")
    assert operation is not None
    assert operation.output is not None
    assert operation.output.members["Subnets"].member.members["SubnetId"].kind == "string"
    kept.write_bytes(b"{broken")
    assert Models(tmp_path).load("ec2", ["DescribeSubnets"]).operations == first.operations


def test_a_service_that_botocore_does_not_know(tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        Models(tmp_path).load("no-such-service", [])
