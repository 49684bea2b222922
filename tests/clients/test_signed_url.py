"""Function URLs with AuthType AWS_IAM, called with the signatures of botocore and of curl."""

import subprocess
from pathlib import Path

import httpx
import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from support.aws_doors import REGION, STRANGER, Doors
from support.clients import PATIENCE_S, need_program, plain_variables
from support.clients_app import ALL_BYTES, GREETING
from support.clients_site import NAMES, InvokeMode
from support.gate import Gate

PRESIGNED_S = 300


@pytest.fixture
def signed_url(doors: Doors, mode: InvokeMode) -> str:
    return doors.site.url(f"Signed{NAMES[mode]}")


def sign(doors: Doors, method: str, url: str, body: bytes = b"", key: tuple[str, str] | None = None) -> httpx.Request:
    """`key` signs in the place of the one in the key file."""
    request = AWSRequest(method, url, data=body, headers={"content-type": "application/octet-stream"})
    credentials = Credentials(*(key or (doors.access_key_id, doors.secret_access_key)))
    SigV4Auth(credentials, "lambda", REGION).add_auth(request)
    return httpx.Request(method, url, content=body, headers=dict(request.headers.items()))


def presign(doors: Doors, url: str) -> str:
    request = AWSRequest("GET", url)
    credentials = Credentials(doors.access_key_id, doors.secret_access_key)
    SigV4QueryAuth(credentials, "lambda", REGION, expires=PRESIGNED_S).add_auth(request)
    return str(request.url)


def send(request: httpx.Request) -> httpx.Response:
    with httpx.Client(timeout=PATIENCE_S, trust_env=False) as client:
        return client.send(request)


def test_a_signed_request(doors: Doors, signed_url: str) -> None:
    response = send(sign(doors, "GET", f"{signed_url}/?b=2&a=%201&a="))
    assert (response.status_code, response.text) == (200, GREETING)


def test_a_signed_body(doors: Doors, signed_url: str) -> None:
    assert send(sign(doors, "POST", f"{signed_url}/echo", ALL_BYTES)).content == ALL_BYTES


def test_a_signed_stream_arrives_as_it_is_written(doors: Doors, gate: Gate, visitor: str) -> None:
    request = sign(doors, "GET", f"{doors.site.url('SignedStreaming')}/stream?{visitor}")
    with httpx.Client(timeout=PATIENCE_S, trust_env=False) as client:
        response = client.send(request, stream=True)
        pieces = response.iter_raw()
        assert next(pieces) == b"begin\n"
        gate.next(visitor).release()
        assert b"".join(pieces) == b"end\n"


def test_a_presigned_url(doors: Doors, signed_url: str) -> None:
    url = presign(doors, f"{signed_url}/")
    assert send(httpx.Request("GET", url)).text == GREETING
    assert send(httpx.Request("GET", f"{url}&more=1")).status_code == 403


@pytest.mark.parametrize("what", ["unsigned", "body", "path", "query", "unknown key", "wrong secret"])
def test_what_was_not_signed_so_is_forbidden(doors: Doors, signed_url: str, what: str) -> None:
    url = f"{signed_url}/echo?a=1"
    good = sign(doors, "POST", url, b"body")
    wrong_secret = (doors.access_key_id, STRANGER[1])
    requests = {
        "unsigned": httpx.Request("POST", url, content=b"body"),
        "body": httpx.Request("POST", url, content=b"Body", headers=good.headers),
        "path": httpx.Request("POST", f"{signed_url}/Echo?a=1", content=b"body", headers=good.headers),
        "query": httpx.Request("POST", f"{signed_url}/echo?a=2", content=b"body", headers=good.headers),
        "unknown key": sign(doors, "POST", url, b"body", STRANGER),
        "wrong secret": sign(doors, "POST", url, b"body", wrong_secret),
    }
    response = send(requests[what])
    assert response.status_code == 403
    assert response.headers["content-type"] == "application/json"
    assert set(response.json()) in ({"Message"}, {"message"})
    assert send(good).content == b"body"


def test_curl_signs(doors: Doors, signed_url: str, tmp_path: Path) -> None:
    config = tmp_path / "curlrc"  # the secret is in no command line
    config.write_text(f'user = "{doors.access_key_id}:{doors.secret_access_key}"\n')
    options = ("--config", config, "--silent", "--show-error", "--noproxy", "*", "--max-time", str(PATIENCE_S))
    signed = ("--aws-sigv4", f"aws:amz:{REGION}:lambda")
    words = (need_program("curl"), *options, *signed, "--data", "word=a b", f"{signed_url}/echo?a=1")
    done = subprocess.run(words, env=plain_variables(), capture_output=True, timeout=2 * PATIENCE_S, check=False)
    assert done.stdout == b"word=a b", done.stderr
