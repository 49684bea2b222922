"""boto3 at the AWS-compatible port."""

import base64
import json
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from support.aws_doors import REGION, STRANGER, Doors, event, split_stream
from support.clients import PATIENCE_S
from support.clients_site import NAMES, SLOTS, InvokeMode
from support.gate import Gate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from types_boto3_lambda import LambdaClient
    from types_boto3_lambda.type_defs import InvokeWithResponseStreamResponseTypeDef

# One try each: a second one would hide what the first one met.
CONFIG = Config(
    read_timeout=PATIENCE_S,
    connect_timeout=PATIENCE_S,
    retries={"total_max_attempts": 1},
    proxies={},
    region_name=REGION,
)


def connect(endpoint: str, access_key_id: str, secret_access_key: str) -> "LambdaClient":
    session = boto3.Session(access_key_id, secret_access_key)
    return session.client("lambda", endpoint_url=endpoint, config=CONFIG)


@pytest.fixture(scope="module")
def client(doors: Doors) -> "LambdaClient":
    return connect(doors.endpoint, doors.access_key_id, doors.secret_access_key)


def body_of(answer: bytes, mode: InvokeMode) -> bytes:
    """What the app wrote: its stream comes behind a prelude."""
    return split_stream(answer)[1] if mode == "RESPONSE_STREAM" else answer


def test_invoke(client: "LambdaClient", mode: InvokeMode, visitor: str) -> None:
    payload = event("echo", visitor)
    answer = client.invoke(FunctionName=NAMES[mode], Payload=payload)
    assert (answer["StatusCode"], answer["ExecutedVersion"]) == (200, "1")
    assert answer.get("FunctionError") is None
    assert json.loads(body_of(answer["Payload"].read(), mode)) == json.loads(payload)


def test_invoke_by_arn_and_alias(client: "LambdaClient", mode: InvokeMode, visitor: str) -> None:
    arn = client.get_function(FunctionName=NAMES[mode])["Configuration"]["FunctionArn"]
    payload = event("echo", visitor)
    assert client.invoke(FunctionName=f"{arn}:live", Payload=payload)["StatusCode"] == 200
    assert client.invoke(FunctionName=arn, Qualifier="live", Payload=payload)["StatusCode"] == 200


def test_the_tail_of_the_log(client: "LambdaClient", mode: InvokeMode, visitor: str) -> None:
    answer = client.invoke(FunctionName=NAMES[mode], LogType="Tail", Payload=event("echo", visitor))
    log = base64.b64decode(answer["LogResult"]).decode()
    request_id = answer["ResponseMetadata"]["RequestId"]
    assert f"START RequestId: {request_id}" in log
    assert f"REPORT RequestId: {request_id}" in log


def test_an_event_is_taken_and_handled_later(
    client: "LambdaClient", mode: InvokeMode, gate: Gate, visitor: str
) -> None:
    """It is accepted before it is done: the app waits until we let it go on."""
    answer = client.invoke(FunctionName=NAMES[mode], InvocationType="Event", Payload=event("visit", visitor))
    assert answer["StatusCode"] == 202
    assert answer["Payload"].read() == b""
    gate.next(visitor).release()


def test_a_dry_run_runs_nothing(client: "LambdaClient", mode: InvokeMode, visitor: str) -> None:
    answer = client.invoke(FunctionName=NAMES[mode], InvocationType="DryRun", Payload=event("visit", visitor))
    assert (answer["StatusCode"], answer["Payload"].read()) == (204, b"")


def test_an_error_of_the_function(client: "LambdaClient", mode: InvokeMode, visitor: str) -> None:
    answer = client.invoke(FunctionName=NAMES[mode], Payload=event("fail", visitor))
    assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
    assert {"errorType", "errorMessage"} <= set(json.loads(answer["Payload"].read()))


def test_chunks_leave_as_the_function_writes_them(client: "LambdaClient", gate: Gate, visitor: str) -> None:
    name = NAMES["RESPONSE_STREAM"]
    answer = client.invoke_with_response_stream(FunctionName=name, Payload=event("stream", visitor))
    events = iter(answer["EventStream"])
    came = b""
    while not came.endswith(b"begin\n"):  # the prelude may come by itself
        came += next(events)["PayloadChunk"]["Payload"]
    assert split_stream(came) == (200, b"begin\n")
    gate.next(visitor).release()
    rest = list(events)
    assert b"".join(one["PayloadChunk"]["Payload"] for one in rest[:-1]) == b"end\n"
    assert "ErrorCode" not in rest[-1]["InvokeComplete"]


def test_a_stream_of_a_buffered_function(client: "LambdaClient", visitor: str) -> None:
    payload = event("echo", visitor)
    answer = client.invoke_with_response_stream(FunctionName=NAMES["BUFFERED"], Payload=payload)
    events = list(answer["EventStream"])
    assert [list(one) for one in events] == [["PayloadChunk"], ["InvokeComplete"]]
    assert json.loads(events[0]["PayloadChunk"]["Payload"]) == json.loads(payload)


def test_a_stream_tells_the_error_of_the_function(client: "LambdaClient", mode: InvokeMode, visitor: str) -> None:
    answer = client.invoke_with_response_stream(
        FunctionName=NAMES[mode], LogType="Tail", Payload=event("fail", visitor)
    )
    complete = list(answer["EventStream"])[-1]["InvokeComplete"]
    assert complete["ErrorCode"] == "Unhandled"
    assert "errorType" in json.loads(complete["ErrorDetails"])
    assert b"START RequestId" in base64.b64decode(complete["LogResult"])


def test_all_slots_taken_is_an_exception_with_its_reason(client: "LambdaClient", gate: Gate, visitor: str) -> None:
    """At the latest one more than there are slots is refused, and what was begun goes on to its end."""
    name = NAMES["RESPONSE_STREAM"]
    begun: list[InvokeWithResponseStreamResponseTypeDef] = []

    payload = event("stream", visitor)
    with pytest.raises(client.exceptions.TooManyRequestsException) as refused:
        begun.extend(client.invoke_with_response_stream(FunctionName=name, Payload=payload) for _ in range(SLOTS + 1))
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 429
    members: Mapping[str, object] = refused.value.response
    assert members["Reason"] == "ConcurrentInvocationLimitExceeded"
    assert begun
    visits = [gate.next(visitor) for _ in begun]
    for visit in visits:
        visit.release()
    assert [list(one["EventStream"])[-1] for one in begun] == [{"InvokeComplete": {}}] * len(begun)


def test_what_runs_is_listed(client: "LambdaClient", doors: Doors, mode: InvokeMode) -> None:
    pages = client.get_paginator("list_functions").paginate(PaginationConfig={"PageSize": 2})
    names = [one["FunctionName"] for page in pages for one in page["Functions"]]
    assert names == sorted(doors.site.urls)
    config = client.get_function_url_config(FunctionName=NAMES[mode], Qualifier="live")
    assert (config["InvokeMode"], config["AuthType"]) == (mode, "NONE")
    assert config["FunctionUrl"].rstrip("/") == doors.site.url(NAMES[mode])


@pytest.mark.parametrize("stranger", [False, True], ids=["a wrong secret", "an unknown key"])
def test_a_wrong_key_is_refused(doors: Doors, stranger: bool) -> None:
    key = STRANGER if stranger else (doors.access_key_id, "not the secret of this key")
    with pytest.raises(ClientError) as refused:
        connect(doors.endpoint, *key).list_functions()
    codes = {False: "InvalidSignatureException", True: "UnrecognizedClientException"}
    assert refused.value.response["Error"]["Code"] == codes[stranger]
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_errors_have_the_classes_that_the_client_knows(client: "LambdaClient") -> None:
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.invoke(FunctionName="nobody")
    with pytest.raises(client.exceptions.InvalidRequestContentException):
        client.invoke(FunctionName=NAMES["BUFFERED"], Payload="no JSON")
