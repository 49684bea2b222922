"""The port's answers to single requests, without a socket."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode
from xml.etree import ElementTree as Xml

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from penstock.control_plane.aws_api import AwsApi
from penstock.control_plane.aws_api.door import MAX_BODY_BYTES
from penstock.control_plane.registry import Registry
from penstock.router import Router
from penstock.wire.sigv4 import Key, Verifier
from support.answers import Answer, read_answer
from support.clock import VirtualClock
from support.functions import function
from support.runtime_rig import request
from support.transport import Peer

KEY = Key(access_key_id="AKIAEXAMPLE", secret_access_key="secret", account_id="123456789012", user="me")
FUNCTIONS = "/2015-03-31/functions"
DATE = "Tue, 14 Nov 2023 22:13:20 GMT"
FORM = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}


def peer(verifier: Verifier | None = None, epoch: float = 1_700_000_000.0) -> Peer:
    registry = Registry()
    registry.add(function(Path("/code")), Router(), url=None, code_sha256="c2hh", code_size=1, last_modified=0.0)
    api = AwsApi(registry, VirtualClock(epoch), "us-east-1", "123456789012", verifier=verifier)
    return Peer(api.open_exchange)


def call(
    method: str,
    target: str,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    on: Peer | None = None,
) -> Answer:
    """The one answer to a request."""
    client = on or peer()
    client.send(request(method, target, headers, body))
    answer, rest = read_answer(client.take(), method)
    assert rest == b""
    assert answer.complete
    return answer


def scope(service: str) -> dict[str, str]:
    """The head of a request signed for `service`; whether rightly does not matter."""
    credential = f"Credential=AKIA/20231114/us-east-1/{service}/aws4_request"
    return {"authorization": f"AWS4-HMAC-SHA256 {credential}, SignedHeaders=host, Signature=00"}


# --- what every answer has ---


@pytest.mark.parametrize("target", ["/", FUNCTIONS, f"{FUNCTIONS}/none", "/none"])
def test_every_answer_has_a_request_id_and_a_date(target: str) -> None:
    first, second = call("GET", target), call("GET", target)
    assert first.header("date") == DATE
    assert len(first.header("x-amzn-requestid") or "") == 36
    assert first.header("x-amzn-requestid") != second.header("x-amzn-requestid")


def test_a_connection_serves_one_request_after_another() -> None:
    client = peer()
    statuses = [call("GET", target, on=client).status for target in (FUNCTIONS, "/none", f"{FUNCTIONS}/app", "/")]
    assert statuses == [200, 404, 200, 200]
    assert not client.sees_end


def test_a_client_that_wants_to_close_is_told_so() -> None:
    client = peer()
    answer = call("GET", FUNCTIONS, {"connection": "close"}, on=client)
    assert answer.header("connection") == "close"
    assert client.sees_end


@pytest.mark.parametrize("target", ["/", FUNCTIONS, "/none"])
def test_head_has_no_body(target: str) -> None:
    answer = call("HEAD", target)
    assert answer.status == (200 if target == "/" else 404)
    assert int(answer.header("content-length") or 0) > 0


def test_a_body_with_a_get_is_read_and_does_not_matter() -> None:
    client = peer()
    assert call("GET", FUNCTIONS, body=b"x" * 1000, on=client).status == 200
    assert call("GET", FUNCTIONS, on=client).status == 200


def test_somebody_looks_what_is_here() -> None:
    answer = call("GET", "/")
    assert answer.status == 200
    assert answer.header("content-type") == "text/plain; charset=utf-8"
    assert answer.body == b"AWS-compatible endpoint of Penstock for Lambda: region us-east-1, account 123456789012\n"


def test_an_operation_is_answered() -> None:
    answer = call("GET", f"{FUNCTIONS}?FunctionVersion=ALL")
    assert answer.header("content-type") == "application/json"
    assert [item["Version"] for item in json.loads(answer.body)["Functions"]] == ["$LATEST", "1"]


# --- what is not offered ---


def test_lambda_operations_not_offered() -> None:
    answer = call("POST", FUNCTIONS, scope("lambda"), b"{}")
    assert (answer.status, answer.header("x-amzn-errortype")) == (501, "NotImplementedException")
    assert json.loads(answer.body) == {
        "Type": "Service",
        "message": "The operation CreateFunction of lambda is not offered by Penstock",
    }


@pytest.mark.parametrize("headers", [{}, scope("lambda"), scope("apigateway")])
def test_rest_json(headers: dict[str, str]) -> None:
    answer = call("GET", "/restapis?limit=1", headers)
    assert (answer.status, answer.header("x-amzn-errortype")) == (404, "UnknownOperationException")
    message = json.loads(answer.body)["message"]
    assert message.startswith("Penstock does not offer GET /restapis")
    assert ("of apigateway" in message) == (headers == scope("apigateway"))


def test_json() -> None:
    headers = {**scope("dynamodb"), "x-amz-target": "DynamoDB_20120810.ListTables"}
    answer = call("POST", "/", headers, b"{}")
    assert answer.status == 400
    told = json.loads(answer.body)
    assert told["__type"] == "UnknownOperationException"
    assert told["message"].startswith("Penstock does not offer ListTables of dynamodb:")


@pytest.mark.parametrize(
    ("method", "target", "body"),
    [
        ("POST", "/", b"Version=2011-06-15&Action=GetCallerIdentity"),
        ("POST", "/", b"Action=GetCallerIdentity&Version=2011-06-15"),
        ("GET", "/?Action=GetCallerIdentity&Version=2011-06-15", b""),
    ],
)
@pytest.mark.parametrize("signed", [True, False])
def test_query(method: str, target: str, body: bytes, signed: bool) -> None:
    headers = {**(FORM if body else {}), **(scope("sts") if signed else {})}
    answer = call(method, target, headers, body or None)
    assert (answer.status, answer.header("content-type")) == (400, "text/xml")
    root = Xml.fromstring(answer.body)
    assert root.tag == "ErrorResponse"
    assert (root.findtext("Error/Type"), root.findtext("Error/Code")) == ("Sender", "InvalidAction")
    assert (root.findtext("Error/Message") or "").startswith("Penstock does not offer GetCallerIdentity")
    assert root.findtext("RequestId") == answer.header("x-amzn-requestid")


@pytest.mark.parametrize("headers", [FORM, scope("lambda"), {**FORM, **scope("lambda")}])
def test_a_path_of_lambda_is_lambdas_whatever_its_body_is_called(headers: dict[str, str]) -> None:
    assert call("GET", f"{FUNCTIONS}/app?Action=x", headers).status == 200
    answer = call("DELETE", f"{FUNCTIONS}/app", headers, b"{}")
    assert (answer.status, answer.header("x-amzn-errortype")) == (501, "NotImplementedException")


def test_ec2() -> None:
    answer = call("POST", "/", {**FORM, **scope("ec2")}, b"Action=DescribeSubnets&Version=2016-11-15")
    assert answer.status == 400
    root = Xml.fromstring(answer.body)
    assert (root.tag, root.findtext("Errors/Error/Code")) == ("Response", "InvalidAction")
    assert (root.findtext("Errors/Error/Message") or "").startswith("Penstock does not offer DescribeSubnets of ec2:")
    assert root.findtext("RequestID") == answer.header("x-amzn-requestid")


@pytest.mark.parametrize(
    ("target", "headers"),
    [
        ("/bucket/key", scope("s3")),
        ("/", scope("s3")),
        ("/bucket/key?X-Amz-Credential=AKIA%2F20231114%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Signature=00", {}),
    ],
)
def test_s3(target: str, headers: dict[str, str]) -> None:
    answer = call("GET", target, headers)
    assert answer.status == 501
    root = Xml.fromstring(answer.body)
    assert (root.tag, root.findtext("Code")) == ("Error", "NotImplemented")
    assert root.findtext("RequestId") == answer.header("x-amz-request-id") == answer.header("x-amzn-requestid")


def test_rest_xml() -> None:
    answer = call("GET", "/2020-05-31/distribution", scope("cloudfront"))
    assert answer.status == 404
    assert Xml.fromstring(answer.body).findtext("Error/Code") == "UnknownOperationException"


def test_cbor() -> None:
    path = "/service/GraniteServiceVersion20100801/operation/ListMetrics"
    answer = call("POST", path, {**scope("monitoring"), "smithy-protocol": "rpc-v2-cbor"}, b"\xa0")
    assert (answer.status, answer.header("smithy-protocol")) == (404, "rpc-v2-cbor")
    assert answer.header("content-type") == "application/cbor"
    message = b"Penstock does not offer ListMetrics of monitoring: this port invokes and describes functions of lambda"
    texts = (b"__type", b"UnknownOperationException", b"message", message)
    assert answer.body == b"\xa2" + b"".join(b"\x79" + len(text).to_bytes(2, "big") + text for text in texts)


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({**FORM, **scope("sts")}, b"Action=%3Cscript%3E"),
        ({**FORM, **scope("sts")}, b"Action=<script>"),
        ({**FORM, **scope("sts")}, b"Action="),
        ({**FORM, **scope("sts")}, b"\xff\x00"),
        ({**FORM, **scope("sts")}, b"Action=" + b"A" * 200),
        ({"x-amz-target": "a b<c>"}, b""),
        ({"x-amz-target": "Service."}, b""),
    ],
)
def test_what_cannot_be_an_operation_is_not_repeated(headers: dict[str, str], body: bytes) -> None:
    answer = call("POST", "/", headers, body)
    assert answer.status == 400
    assert b"Penstock does not offer an operation" in answer.body
    assert len(answer.body) < 500


def test_options_is_no_operation() -> None:
    assert call("OPTIONS", FUNCTIONS).status == 404


# --- sizes ---


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({}, b'"message":"Request must be smaller than 1048576 bytes"'),
        (FORM, b"<Code>RequestTooLargeException</Code>"),
        (scope("s3"), b"<Error><Code>RequestTooLargeException</Code>"),
        ({"x-amz-target": "A.B"}, b'"__type":"RequestTooLargeException"'),
    ],
)
def test_a_body_too_large_is_refused_and_the_connection_closes(headers: dict[str, str], said: bytes) -> None:
    client = peer()
    client.send(request("PUT", "/", {**headers, "content-length": str(MAX_BODY_BYTES + 1)}))
    client.send(b"x" * MAX_BODY_BYTES)
    assert client.take() == b""
    client.send(b"x")
    answer, _ = read_answer(client.take())
    assert (answer.status, answer.header("connection")) == (413, "close")
    assert said in answer.body
    assert client.sees_end


def test_a_client_that_leaves_in_its_body_is_no_matter() -> None:
    client = peer()
    client.send(request("POST", "/", {"content-length": "10"}), b"12345").hang_up()
    assert client.take() == b""
    assert client.losses == 1


# --- signatures ---


def sign(target: str, secret: str = KEY.secret_access_key, service: str = "lambda") -> dict[str, str]:
    """The headers of a GET as botocore signs it now."""
    made = AWSRequest("GET", f"http://127.0.0.1{target}")
    SigV4Auth(Credentials(KEY.access_key_id, secret), service, "us-east-1").add_auth(made)
    return {name.lower(): value for name, value in made.headers.items()}


def at(date: str) -> Peer:
    """A port that wants signatures, at the moment of an X-Amz-Date."""
    epoch = datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    return peer(Verifier({KEY.access_key_id: KEY}, service="lambda", region="us-east-1"), epoch)


def test_a_signed_request_is_answered() -> None:
    headers = sign(f"{FUNCTIONS}/app")
    assert call("GET", f"{FUNCTIONS}/app", headers, on=at(headers["x-amz-date"])).status == 200


@pytest.mark.parametrize("target", [f"{FUNCTIONS}/app", f"{FUNCTIONS}/none", "/none"])
def test_an_unsigned_request_learns_nothing(target: str) -> None:
    answer = call("GET", target, on=at("20231114T221320Z"))
    assert (answer.status, answer.header("x-amzn-errortype")) == (403, "MissingAuthenticationTokenException")
    assert answer.header("date") == DATE


@pytest.mark.parametrize("target", [f"{FUNCTIONS}/app", f"{FUNCTIONS}/none", "/none"])
def test_a_wrong_signature_learns_nothing(target: str) -> None:
    headers = sign(target, secret="guessed")
    answer = call("GET", target, headers, on=at(headers["x-amz-date"]))
    assert (answer.status, answer.header("x-amzn-errortype")) == (403, "InvalidSignatureException")
    assert b"not found" not in answer.body


def test_a_signature_for_something_else_is_no_signature() -> None:
    headers = sign(FUNCTIONS)
    assert call("GET", f"{FUNCTIONS}/app", headers, on=at(headers["x-amz-date"])).status == 403


def test_what_no_service_offers_needs_no_signature() -> None:
    answer = call("GET", "/bucket/key", scope("s3"), on=at("20231114T221320Z"))
    assert answer.status == 501
    assert call("GET", "/", on=at("20231114T221320Z")).status == 200


# --- anything at all ---

TOKEN = st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=12)
VALUE = st.text([chr(code) for code in (*range(0x20, 0x7F), *range(0x80, 0x100))], max_size=40).map(str.strip)
NAMES = st.sampled_from(["authorization", "x-amz-target", "content-type", "smithy-protocol", "x-amz-date"]) | TOKEN
HEADERS = st.dictionaries(NAMES.filter(lambda name: name not in ("connection", "upgrade", "expect", "host")), VALUE)
TARGET = st.text([chr(code) for code in range(0x21, 0x7F)], max_size=60).map(lambda text: f"/{text}")
SOME = st.sampled_from(
    [FUNCTIONS, f"{FUNCTIONS}/app", "/2021-10-31/functions/app/url", "/2025-11-30/capacity-providers"]
)
QUERY = st.dictionaries(st.sampled_from(["MaxItems", "Marker", "Qualifier", "FunctionVersion", "State"]), VALUE)


@given(st.sampled_from(["GET", "PUT", "POST", "DELETE", "HEAD", "OPTIONS"]), TARGET, HEADERS, st.binary(max_size=60))
def test_every_request_is_answered_whole(method: str, target: str, headers: dict[str, str], body: bytes) -> None:
    framing = ("content-length", "transfer-encoding")
    answer = call(method, target, {name: value for name, value in headers.items() if name not in framing}, body)
    assert answer.status < 500 or answer.status == 501
    assert answer.header("x-amzn-requestid")


@given(SOME, QUERY)
def test_every_parameter_is_answered(target: str, query: dict[str, str]) -> None:
    answer = call("GET", f"{target}?{urlencode(query)}")
    assert answer.status in (200, 400, 404)
    json.loads(answer.body)
