"""What a request is for, what is read of it, and what is said when it cannot be read."""

import gzip
from collections.abc import Callable
from functools import cache
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.aws_api.protocol.codec import Codec
from penstock.aws_api.protocol.head import Form, Head, bucket_in_host
from penstock.aws_api.protocol.models import Models
from penstock.aws_api.service import ServiceError

Read = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def codecs(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Codec]:
    """Every operation is offered; of EC2's a few."""
    folder = tmp_path_factory.mktemp("models")

    @cache
    def codec(service: str) -> Codec:
        every = Models(folder).load(service, []).operations
        names = ("DescribeSubnets", "DescribeVpcs") if service == "ec2" else every
        return Codec(Models(folder).load(service, names), names)

    return codec


def head(method: str, target: str, *headers: tuple[str, str], service: str = "") -> Head:
    scope = f"AWS4-HMAC-SHA256 Credential=AK/20260301/eu-west-1/{service}/aws4_request, SignedHeaders=host, Signature=0"
    signed = (("authorization", scope),) if service else ()
    return Head(method, target, [(name.encode(), value.encode()) for name, value in (*signed, *headers)])


# --- which service ---

FORM = ("content-type", "application/x-www-form-urlencoded; charset=utf-8")


@pytest.mark.parametrize(
    ("request_head", "body", "service", "form"),
    [
        (head("POST", "/", FORM, service="sts"), b"", "sts", Form.QUERY),
        (head("POST", "/", service="monitoring"), b"", "cloudwatch", Form.QUERY),
        (head("POST", "/", ("x-amz-target", "A.B"), service="s3"), b"", "s3", Form.S3),
        (head("POST", "/", ("smithy-protocol", "rpc-v2-cbor"), service="sts"), b"", "sts", Form.QUERY),
        (head("POST", "/", ("x-amz-target", "A.ListTables"), service="dynamodb"), b"", "dynamodb", Form.JSON),
        (head("POST", "/", FORM, service="monitoring"), b"", "cloudwatch", Form.QUERY),
        (head("POST", "/", ("x-amz-target", "Logs_20140328.X"), service="logs"), b"", "logs", Form.JSON),
        (head("POST", "/", ("x-amz-target", "Logs_20140328.X")), b"", "logs", Form.JSON),
        (head("POST", "/", ("x-amz-target", "CloudApiService.X")), b"", "cloudcontrol", Form.JSON),
        (
            head(
                "POST",
                "/service/GraniteServiceVersion20100801/operation/ListMetrics",
                ("smithy-protocol", "rpc-v2-cbor"),
            ),
            b"",
            "cloudwatch",
            Form.CBOR,
        ),
        (head("POST", "/", FORM), b"Action=A&Version=2016-11-15", "ec2", Form.QUERY),
        (head("GET", "/?Action=A&Version=2010-05-15"), b"", "cloudformation", Form.QUERY),
        (head("GET", "/2015-03-31/functions"), b"", "lambda", Form.REST_JSON),
        (head("GET", "/bucket/key"), b"", "", Form.REST_JSON),
        (head("GET", "/key", ("host", "bucket.s3.localhost:4566")), b"", "s3", Form.S3),
        (head("GET", "/b/k?AWSAccessKeyId=AK&Signature=x%3D&Expires=1"), b"", "s3", Form.S3),
        (
            head("GET", "/b/k?X-Amz-Credential=AK%2F20260301%2Feu-west-1%2Fs3%2Faws4_request&X-Amz-Signature=0"),
            b"",
            "s3",
            Form.S3,
        ),
        (head("GET", "/", service="no-such"), b"", "no-such", Form.REST_JSON),
    ],
)
def test_the_service_of_a_request(request_head: Head, body: bytes, service: str, form: Form) -> None:
    assert (request_head.service_with(body), request_head.form) == (service, form)


def test_who_signed() -> None:
    signed = head("GET", "/", service="s3")
    assert (signed.access_key_id, signed.region, signed.version_2, signed.linked) == ("AK", "eu-west-1", False, False)
    older = head("GET", "/b/k?AWSAccessKeyId=AK%2F&Signature=x%3D&Expires=1")
    assert (older.access_key_id, older.region, older.version_2, older.linked) == ("AK/", "", True, True)
    assert head("GET", "/").access_key_id == ""


@pytest.mark.parametrize(
    ("host", "bucket"),
    [
        ("localhost", ""),
        ("127.0.0.1", ""),
        ("s3.localhost", ""),
        ("s3.us-east-1.localhost", ""),
        ("bucket.localhost", "bucket"),
        ("bucket.s3.localhost", "bucket"),
        ("my.bucket.s3.us-east-1.localhost", "my.bucket"),
        ("0123456789abcdef0123456789abcdef.lambda-url.us-east-1.localhost", ""),
        ("bucket.example", ""),
    ],
)
def test_a_bucket_in_the_host(host: str, bucket: str) -> None:
    assert bucket_in_host(host) == bucket


# --- routes ---


@pytest.mark.parametrize(
    ("method", "target", "headers", "operation", "params"),
    [
        ("GET", "/", (), "ListBuckets", {}),
        ("GET", "/b", (), "ListObjects", {"Bucket": "b"}),
        ("GET", "/b/", (), "ListObjects", {"Bucket": "b"}),
        ("GET", "/b?list-type=2&prefix=a%2Fb", (), "ListObjectsV2", {"Bucket": "b", "Prefix": "a/b"}),
        ("GET", "/b?list-type=2&delimiter=%2F", (), "ListObjectsV2", {"Bucket": "b", "Delimiter": "/"}),
        ("GET", "/b/k", (), "GetObject", {"Bucket": "b", "Key": "k"}),
        ("GET", "/b/a/", (), "GetObject", {"Bucket": "b", "Key": "a/"}),
        ("GET", "/b//a", (), "GetObject", {"Bucket": "b", "Key": "/a"}),
        ("GET", "/b/%2525", (), "GetObject", {"Bucket": "b", "Key": "%25"}),
        ("GET", "/b/a+b", (), "GetObject", {"Bucket": "b", "Key": "a+b"}),
        ("GET", "/b/k?x-id=GetObject", (), "GetObject", {"Bucket": "b", "Key": "k"}),
        ("GET", "/b/k?uploadId=u", (), "ListParts", {"Bucket": "b", "Key": "k", "UploadId": "u"}),
        ("GET", "/b/k?acl", (), "GetObjectAcl", {"Bucket": "b", "Key": "k"}),
        (
            "GET",
            "/b/k",
            (("x-amz-checksum-mode", "enabled"),),
            "GetObject",
            {"Bucket": "b", "Key": "k", "ChecksumMode": "ENABLED"},
        ),
        ("HEAD", "/b", (), "HeadBucket", {"Bucket": "b"}),
        ("DELETE", "/b/k?uploadId=u", (), "AbortMultipartUpload", {"Bucket": "b", "Key": "k", "UploadId": "u"}),
        ("DELETE", "/b/k", (), "DeleteObject", {"Bucket": "b", "Key": "k"}),
        (
            "PUT",
            "/b/k?partNumber=3&uploadId=u",
            (("x-amz-copy-source", "/c/d"),),
            "UploadPartCopy",
            {"Bucket": "b", "Key": "k", "PartNumber": 3, "UploadId": "u", "CopySource": "/c/d"},
        ),
        (
            "PUT",
            "/b/k",
            (("x-amz-copy-source", "c/d"),),
            "CopyObject",
            {"Bucket": "b", "Key": "k", "CopySource": "c/d"},
        ),
        ("GET", "/b?analytics&id=a", (), "GetBucketAnalyticsConfiguration", {"Bucket": "b", "Id": "a"}),
        ("GET", "/b?analytics", (), "ListBucketAnalyticsConfigurations", {"Bucket": "b"}),
        ("GET", "/b?lifecycle", (), "GetBucketLifecycleConfiguration", {"Bucket": "b"}),
    ],
)
def test_routes_of_s3(
    codecs: Any, method: str, target: str, headers: tuple[tuple[str, str], ...], operation: str, params: dict[str, Any]
) -> None:
    asked = codecs("s3").read(Form.S3, head(method, target, *headers, service="s3"), BytesIO())
    assert asked.operation.name == operation
    assert {name: value for name, value in asked.params.items() if name != "Body"} == params


def test_headers_of_a_link_may_be_in_its_query(codecs: Any) -> None:
    target = "/b/k?x-amz-acl=private&x-amz-meta-Who=me"
    asked = codecs("s3").read(Form.S3, head("PUT", target, service="s3"), BytesIO())
    assert (asked.params["ACL"], asked.params["Metadata"]) == ("private", {"who": "me"})


def test_a_path_that_is_no_utf8(codecs: Any) -> None:
    error = refused(codecs("s3"), Form.S3, head("GET", "/b/%ff", service="s3"), b"")
    assert (error.code, error.status) == ("InvalidURI", 400)


def test_nothing_at_a_path(codecs: Any) -> None:
    assert (
        codecs("lambda").read(Form.REST_JSON, head("GET", "/2015-03-31/nothing", service="lambda"), BytesIO()) is None
    )
    assert codecs("s3").read(Form.S3, head("PATCH", "/b/k", service="s3"), BytesIO()) is None
    target = ("x-amz-target", "Logs_20140328.Nothing")
    assert codecs("logs").read(Form.JSON, head("POST", "/", target), BytesIO()) is None
    assert codecs("sts").read(Form.QUERY, head("POST", "/", FORM), BytesIO(b"Action=Nothing")) is None


# --- what cannot be read ---


def refused(codec: Codec, form: Form, request: Head, body: bytes) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        codec.read(form, request, BytesIO(body))
    return caught.value


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{", "Could not parse request body into json: "),
        (b"[]", "Unexpected field type"),
        (b"\xff", "Could not parse request body into json: "),
        (b'{"limit": "5"}', "STRING_VALUE cannot be converted to Integer"),
        (b'{"limit": true}', "TRUE_VALUE cannot be converted to Integer"),
        (b'{"limit": {}}', "Start of structure or map found where not expected"),
        (b'{"logGroupName": 5}', "NUMBER_VALUE cannot be converted to String"),
        (b'{"logStreamNames": "a"}', "Unexpected field type"),
        (b'{"logStreamNames": {}}', "Start of structure or map found where not expected"),
        (b'{"interleaved": "true"}', "STRING_VALUE cannot be converted to Boolean"),
        (b'{"startTime": 1e400}', ""),
    ],
)
def test_json_that_is_not_of_the_shape(codecs: Any, body: bytes, message: str) -> None:
    request = head("POST", "/", ("x-amz-target", "Logs_20140328.FilterLogEvents"), service="logs")
    error = refused(codecs("logs"), Form.JSON, request, body)
    assert error.code == "SerializationException"
    assert error.message.startswith(message)


def test_json_nested_without_end(codecs: Any) -> None:
    request = head("POST", "/2015-03-31/functions", service="lambda")
    for body in (b'{"Code":' * 900 + b"{}" + b"}" * 900, b"[" * 100_000):
        assert refused(codecs("lambda"), Form.REST_JSON, request, body).status == 400


def test_forms_that_cannot_be_read(codecs: Any) -> None:
    request = head("POST", "/", FORM, service="sts")
    error = refused(codecs("sts"), Form.QUERY, request, b"Action=GetSessionToken&DurationSeconds=long")
    assert (error.code, error.message) == ("MalformedInput", "DurationSeconds is no integer")
    error = refused(codecs("sts"), Form.QUERY, request, b"Action=GetSessionToken&SerialNumber=\xff")
    assert error.code == "MalformedQueryString"
    request = head("POST", "/", FORM, service="ec2")
    error = refused(codecs("ec2"), Form.EC2, request, b"Action=DescribeSubnets&DryRun=perhaps")
    assert error.code == "InvalidParameterValue"
    assert error.message == "Value (perhaps) for parameter DryRun is invalid. DryRun is no boolean"


def test_forms_with_odd_names(codecs: Any) -> None:
    body = (
        b"Action=DescribeVpcs&VpcId.2=b&VpcId.10=c&VpcId.1=a&VpcId.x=d&VpcId&Filter.1.Value.1=v&Filter.1.Name=n&.=&a.=b"
    )
    asked = codecs("ec2").read(Form.EC2, head("POST", "/", FORM, service="ec2"), BytesIO(body))
    assert asked.params == {"VpcIds": ["a", "b", "c"], "Filters": [{"Name": "n", "Values": ["v"]}]}


def test_a_body_that_is_compressed_beyond_measure(codecs: Any) -> None:
    request = head(
        "POST",
        "/",
        ("x-amz-target", "GraniteServiceVersion20100801.PutMetricData"),
        ("content-encoding", "gzip"),
        service="monitoring",
    )
    for body in (gzip.compress(bytes(20 * 1024 * 1024)), b"no gzip", gzip.compress(b"{}")[:-4]):
        assert refused(codecs("cloudwatch"), Form.JSON, request, body).code == "SerializationException"


CALLS = [
    ("s3", Form.S3, head("PUT", "/b?lifecycle", service="s3")),
    ("s3", Form.S3, head("POST", "/b?delete", service="s3")),
    ("lambda", Form.REST_JSON, head("POST", "/2015-03-31/functions", service="lambda")),
    ("iam", Form.QUERY, head("POST", "/", FORM, service="iam")),
    ("ec2", Form.EC2, head("POST", "/", FORM, service="ec2")),
    ("cloudwatch", Form.CBOR, head("POST", "/service/GraniteServiceVersion20100801/operation/PutMetricData")),
]
WORDS = (
    b'<a> </a> <Delete> <Object> <Key> &#x0; { "Code" : [ } 1e999 & = Action=CreateRole Tags.member.1.Key . %ff '
    b"\xbf \xff \x63abc null <!DOCTYPE"
)
PIECES = st.sampled_from(WORDS.split(b" "))


def status(codec: Codec, form: Form, request: Head, body: bytes) -> int:
    try:
        codec.read(form, request, BytesIO(body))
    except ServiceError as error:
        return error.status
    return 200


@given(st.sampled_from(CALLS), st.lists(PIECES | st.binary(max_size=4), max_size=12))
def test_no_body_makes_us_fail(codecs: Any, call: tuple[str, Form, Head], pieces: list[bytes]) -> None:
    service, form, request = call
    assert status(codecs(service), form, request, b"".join(pieces)) in (200, 400)


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=40), st.sampled_from(["s3", "lambda"]))
def test_no_target_makes_us_fail(codecs: Any, target: str, service: str) -> None:
    form = Form.S3 if service == "s3" else Form.REST_JSON
    assert status(codecs(service), form, head("GET", f"/{target}", service=service), b"") in (200, 400)
