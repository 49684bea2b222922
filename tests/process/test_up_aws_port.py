"""`penstock up --aws-port`: what the flags join, seen from outside."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3
import httpx
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from types_boto3_lambda import LambdaClient

from support.projects import Shape, make_project
from support.up import Up, running, shared_cache

KEYS = "[default]\naws_access_key_id = AKIALOCAL\naws_secret_access_key = local-secret\n"


@pytest.fixture
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shared_cache(tmp_path_factory)


@contextmanager
def client(up: Up, access_key_id: str = "any", secret: str = "thing") -> Iterator[LambdaClient]:
    made = boto3.client(
        "lambda",
        endpoint_url=up.aws_endpoint,
        region_name="us-east-1",
        aws_access_key_id=access_key_id,
        aws_secret_access_key=secret,
        config=Config(retries={"total_max_attempts": 1}),
    )
    try:
        yield made
    finally:
        made.close()


def name_of(lambdas: LambdaClient) -> str:
    [function] = lambdas.list_functions()["Functions"]
    return function["FunctionName"]


def test_a_function_without_url_is_reached_by_its_name(tmp_path: Path, cache: Path) -> None:
    """Whoever signs it: on this machine alone, and no keys were given."""
    project = make_project(tmp_path / "site", Shape(with_url=False, variables={"AWS_LWA_INVOKE_MODE": "buffered"}))
    with running(project, cache, "--aws-port", "0") as up, client(up) as lambdas:
        assert up.wait_for("ready")["urls"] == {}
        answer = lambdas.invoke(FunctionName=name_of(lambdas), Payload=b'{"some": "event"}')
        assert (answer["StatusCode"], answer["ExecutedVersion"]) == (200, "1")
        answer["Payload"].close()
        assert up.wait_for("request", status=200)["function"] == "App"
    assert not project.folder.joinpath(".penstock/credentials").exists()


def test_keys_are_asked_for_when_they_were_given(tmp_path: Path, cache: Path) -> None:
    project = make_project(tmp_path / "site")
    keys = project.folder / "keys"
    keys.write_text(KEYS)
    keys.chmod(0o600)
    with running(project, cache, "--aws-port", "0", "--keys", "keys") as up:
        with client(up) as stranger, pytest.raises(ClientError, match="UnrecognizedClientException"):
            stranger.list_functions()
        with client(up, "AKIALOCAL", "another") as forger, pytest.raises(ClientError, match="InvalidSignatureExcep"):
            forger.invoke(FunctionName="App")
        with client(up, "AKIALOCAL", "local-secret") as known:
            assert name_of(known)
    assert "local-secret" not in up.stderr + json.dumps(up.events)


def test_a_signed_url_makes_keys_for_this_project(tmp_path: Path, cache: Path) -> None:
    project = make_project(tmp_path / "site", Shape(auth="AWS_IAM"))
    with running(project, cache) as up:
        assert up.get().status == 403
        credentials = project.folder / ".penstock/credentials"
        assert credentials.stat().st_mode & 0o777 == 0o600
        assert [event for event in up.said("info") if ".penstock/credentials" in event["text"]]


def test_a_function_url_by_its_host_and_no_other_page(tmp_path: Path, cache: Path) -> None:
    project = make_project(tmp_path / "site")
    with running(project, cache, "--aws-port", "0") as up:
        context = json.loads(up.get("/environ").text)
        assert context["AWS_LAMBDA_FUNCTION_NAME"]
        page = httpx.get(up.aws_endpoint, headers={"origin": "https://example.com"})
        assert (page.status_code, page.json()["Type" if "Type" in page.json() else "message"]) != (200, "")
        assert page.status_code == 403
        unknown = httpx.get(up.aws_endpoint, headers={"host": "0.lambda-url.us-east-1.localhost"})
        assert (unknown.status_code, unknown.json()) == (403, {"Message": None})


def test_an_event_that_fails_for_good_is_kept(tmp_path: Path, cache: Path) -> None:
    """Two retries, then the on-failure destination: a file here."""
    shape = Shape(variables={"AWS_LWA_ERROR_STATUS_CODES": "200"})
    project = make_project(tmp_path / "site", shape)
    text = project.template.read_text() + (
        "      EventInvokeConfig:\n"
        "        DestinationConfig:\n"
        "          OnFailure: {Type: SQS, Destination: arn:aws:sqs:us-east-1:123456789012:failed}\n"
    )
    project.template.write_text(text)
    with running(project, cache, "--aws-port", "0", "--async-retry-delay", "0.05") as up:
        with client(up) as lambdas:
            accepted = lambdas.invoke(FunctionName=name_of(lambdas), InvocationType="Event", Payload=b'{"job": 1}')
            assert accepted["StatusCode"] == 202
            accepted["Payload"].close()
        told = up.wait_for("discarded")
        assert (told["condition"], told["attempts"]) == ("RetriesExhausted", 3)
        [file] = project.folder.glob(".penstock/*/destinations/failed.jsonl")
        record = json.loads(file.read_text())
        assert record["requestPayload"] == {"job": 1}
        assert record["requestContext"]["condition"] == "RetriesExhausted"
        assert record["requestContext"]["approximateInvokeCount"] == 3
