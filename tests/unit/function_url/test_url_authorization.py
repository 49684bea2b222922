"""AuthType AWS_IAM: signed requests reach the function with their caller, others hear why not."""

from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from penstock.function_url import FunctionUrl
from penstock.model.function import AuthType, Cors, FunctionUrlConfig
from penstock.router import Router
from penstock.wire.sigv4 import Verifier
from support.answers import Answer
from support.clock import VirtualClock
from support.functions import function
from support.signing import HOST, KEY, KEYS, MISMATCH, POST, REGION, SERVICE, TEMPORARY, Request, Signer
from support.url_story import Rig

NOW = VirtualClock().epoch()
SIGNER = Signer(time=NOW)
FORBIDDEN = {
    "Message": "Forbidden. For troubleshooting Function URL authorization issues, "
    "see: https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"
}


def sent(request: Request) -> bytes:
    headers = (*request.headers, ("content-length", str(len(request.body)))) if request.body else request.headers
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
    return f"{request.method} {request.target} HTTP/1.1\r\n{lines}\r\n".encode() + request.body


def rig(cors: Cors | None = None) -> Rig:
    return Rig(verifier=Verifier(KEYS, service=SERVICE, region=REGION), cors=cors)


def refused(request: Request) -> tuple[Rig, Answer]:
    made = rig().request(sent(request))
    assert made.target.taken == []
    answer = made.answer(request.method)
    assert answer.status == made.record.status == 403
    assert answer.header("x-amzn-requestid") == made.record.request_id
    assert answer.header("content-type") == "application/json"
    assert not made.peer.sees_end
    return made, answer


@pytest.mark.parametrize("key", [KEY, TEMPORARY])
@pytest.mark.parametrize("request_", [Request(), POST, replace(POST, body=b"x" * 100_000)])
def test_signed_request_reaches_the_function(key: object, request_: Request) -> None:
    signer = replace(SIGNER, key=key)  # type: ignore[arg-type]
    made = rig().request(sent(signer.sign(request_)))
    event = orjson.loads(made.target.events[0])
    context = event["requestContext"]
    assert context["accountId"] == "123456789012"
    assert context["authorizer"] == {
        "iam": {
            "accessKey": signer.key.access_key_id,
            "accountId": "123456789012",
            "callerId": signer.key.caller_id,
            "cognitoIdentity": None,
            "principalOrgId": None,
            "userArn": f"arn:aws:iam::123456789012:user/{signer.key.user}",
            "userId": signer.key.caller_id,
        }
    }
    assert "authorization" not in event["headers"]
    assert event["headers"]["x-amz-date"] == signer.timestamp
    assert KEY.secret_access_key.encode() not in made.target.events[0]


def test_presigned_url_reaches_the_function() -> None:
    made = rig().request(sent(SIGNER.presign(Request("GET", "/a"), {"X-Amz-Expires": "60"})))
    event = orjson.loads(made.target.events[0])
    assert event["rawPath"] == "/a"
    assert event["requestContext"]["authorizer"]["iam"]["accessKey"] == KEY.access_key_id


@pytest.mark.parametrize("headers", [(("host", HOST),), (("host", HOST), ("authorization", "Bearer x"))])
def test_unsigned_request(headers: tuple[tuple[str, str], ...]) -> None:
    made, answer = refused(Request(headers=headers))
    if len(headers) == 1:
        assert (orjson.loads(answer.body), answer.header("x-amzn-errortype")) == (FORBIDDEN, "AccessDeniedException")
        assert made.record.note == "the request is not signed"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_unsigned_request_has_no_body_in_answer_to_head(method: str) -> None:
    _, answer = refused(Request(method))
    assert answer.header("content-length") == str(len(orjson.dumps(FORBIDDEN)))
    assert bool(answer.body) is (method == "GET")


def test_wrong_secret() -> None:
    wrong = replace(SIGNER, key=replace(KEY, secret_access_key="x" * 40))
    made, answer = refused(wrong.sign(POST))
    assert orjson.loads(answer.body) == {"message": MISMATCH}
    assert answer.header("x-amzn-errortype") == "InvalidSignatureException"
    assert made.record.note.startswith("InvalidSignatureException: ")


def test_body_changed_on_the_way() -> None:
    _, answer = refused(replace(SIGNER.sign(POST), body=b'{"a":2}'))
    assert orjson.loads(answer.body) == {"message": MISMATCH}


def test_expired() -> None:
    _, answer = refused(replace(SIGNER, time=NOW - 3600).sign(Request()))
    assert answer.header("x-amzn-errortype") == "InvalidSignatureException"
    assert orjson.loads(answer.body)["message"].startswith("Signature expired: ")


def test_unknown_key_and_why_is_in_the_note_alone() -> None:
    stranger = replace(SIGNER, key=replace(KEY, access_key_id="AKIASTRANGER"))
    made, answer = refused(stranger.sign(Request()))
    assert answer.header("x-amzn-errortype") == "UnrecognizedClientException"
    assert orjson.loads(answer.body) == {"message": "The security token included in the request is invalid."}
    assert "AKIASTRANGER" in made.record.note


def test_refusal_comes_when_the_body_is_complete_and_the_connection_goes_on() -> None:
    made = rig()
    data = sent(POST)
    made.request(data[:-1])
    assert made.peer.received == b""
    made.request(data[-1:])
    assert made.answer().status == 403
    made.request(sent(SIGNER.sign(POST)))
    assert len(made.target.taken) == 1


def test_preflight_needs_no_signature_and_a_refusal_can_be_read() -> None:
    cors = Cors(allow_origins=("*",), allow_methods=("*",))
    made = rig(cors).request(
        b"OPTIONS / HTTP/1.1\r\nhost: x\r\norigin: https://a\r\naccess-control-request-method: PUT\r\n\r\n"
    )
    assert made.answer("OPTIONS").header("access-control-allow-methods") == "*"
    made.request(b"PUT / HTTP/1.1\r\nhost: x\r\norigin: https://a\r\ncontent-length: 0\r\n\r\n")
    answer = made.answer()
    assert (answer.status, answer.header("access-control-allow-origin")) == (403, "https://a")


def test_verifier_is_needed() -> None:
    signed = replace(function(Path("/code")), url=FunctionUrlConfig(AuthType.AWS_IAM))
    with pytest.raises(ValueError, match="AWS_IAM needs a verifier"):
        FunctionUrl(signed, Router(), VirtualClock(), "eu-west-1", print)


def test_verifier_is_not_asked_where_anybody_may_call() -> None:
    made = replace(function(Path("/code")), url=FunctionUrlConfig(AuthType.NONE))
    verifier = Verifier({}, service=SERVICE, region=REGION)
    assert FunctionUrl(made, Router(), VirtualClock(), "eu-west-1", print, verifier=verifier).verifier is None
