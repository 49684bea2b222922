"""boto3 against the AWS-compatible port, over a socket: what is offered, and what is not in each protocol."""

import asyncio
import http.client
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from penstock.control_plane.aws_api import AwsApi, guarded
from penstock.control_plane.registry import Registry
from penstock.model.function import AuthType, FunctionUrlConfig, InvokeMode
from penstock.model.limits import MIB
from penstock.router import Router
from penstock.wire.listener import Listener, bind
from penstock.wire.sigv4 import Key, Verifier
from support.clock import VirtualClock
from support.functions import function
from support.streams import within

ARN = "arn:aws:lambda:us-east-1:123456789012:function:"
NAMES = [f"app-{number:03}" for number in range(120)]
KEY = Key(access_key_id="AKIAEXAMPLE", secret_access_key="secret", account_id="123456789012", user="me")
# No retries: they would hide an answer that invites them.
CONFIG = Config(connect_timeout=20, read_timeout=20, retries={"total_max_attempts": 1})
# One, because it keeps the service models it has read.
SESSION = boto3.session.Session()


@dataclass(frozen=True, slots=True)
class Refused:
    """A ClientError, read."""

    status: int
    code: str
    message: str
    request_id: str


@dataclass(frozen=True, slots=True)
class Port:
    host: str

    async def run(self, use: Callable[[Any], Any], service: str = "lambda", secret: str = KEY.secret_access_key) -> Any:
        """What `use` makes of a client, in a thread of its own. Operations are methods made at run time: not typed."""
        keys = {"aws_access_key_id": KEY.access_key_id, "aws_secret_access_key": secret}
        make = cast("Callable[..., Any]", SESSION.client)
        client = make(service, endpoint_url=f"http://{self.host}", region_name="us-east-1", config=CONFIG, **keys)
        try:
            return await within(asyncio.to_thread(use, client))
        finally:
            client.close()

    async def refused(
        self, use: Callable[[Any], Any], service: str = "lambda", secret: str = KEY.secret_access_key
    ) -> Refused:
        with pytest.raises(ClientError) as caught:
            await self.run(use, service, secret)
        error, metadata = caught.value.response["Error"], caught.value.response["ResponseMetadata"]
        return Refused(
            metadata["HTTPStatusCode"], error["Code"], error.get("Message", ""), metadata.get("RequestId", "")
        )


def registry() -> Registry:
    made = Registry()
    url = FunctionUrlConfig(AuthType.NONE, InvokeMode.RESPONSE_STREAM)
    for name in NAMES:
        shown = replace(function(Path("/code")), name=name, arn=ARN + name, url=url)
        local = f"http://{name}.lambda-url.us-east-1.localhost:8080/"
        made.add(shown, Router(), url=local, code_sha256="c2hh", code_size=9, last_modified=1e9)
    return made


@pytest.fixture(params=["open", "signed"])
async def port(request: pytest.FixtureRequest) -> AsyncIterator[Port]:
    """Once for everybody, once for those who sign."""
    verifier = Verifier({KEY.access_key_id: KEY}, service="lambda", region="us-east-1")
    api = AwsApi(
        registry(),
        VirtualClock(time.time()),  # signatures are made by the wall clock
        "us-east-1",
        "123456789012",
        verifier=verifier if request.param == "signed" else None,
    )
    sock = bind("127.0.0.1", 0)
    listener = await Listener(guarded(api.open_exchange, "127.0.0.1"), MIB).start(sock)
    yield Port(f"127.0.0.1:{sock.getsockname()[1]}")
    await within(listener.close())
    sock.close()


# --- what is offered ---


@pytest.mark.parametrize("size", [7, 50, 1000])
async def test_the_paginator_finds_every_function(port: Port, size: int) -> None:
    def names(client: Any) -> list[str]:
        pages = client.get_paginator("list_functions").paginate(PaginationConfig={"PageSize": size})
        return [item["FunctionName"] for page in pages for item in page["Functions"]]

    assert await port.run(names) == NAMES


async def test_all_versions_are_listed_when_asked_for(port: Port) -> None:
    shown = await port.run(lambda client: client.list_functions(FunctionVersion="ALL", MaxItems=3))
    assert [item["FunctionArn"] for item in shown["Functions"]] == [
        f"{ARN}app-000:$LATEST",
        f"{ARN}app-000:1",
        f"{ARN}app-001:$LATEST",
    ]


@pytest.mark.parametrize("name", ["app-001", f"{ARN}app-001", "123456789012:function:app-001"])
async def test_a_function_is_found_by_its_names(port: Port, name: str) -> None:
    shown = await port.run(lambda client: client.get_function(FunctionName=name, Qualifier="live"))
    assert shown["Configuration"]["FunctionArn"] == f"{ARN}app-001:live"
    assert shown["Configuration"]["Environment"]["Variables"] == {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/bootstrap"}
    assert shown["Code"]["Location"] == "file:///code"
    assert len(shown["ResponseMetadata"]["RequestId"]) == 36


async def test_waiters_find_the_published_version_active(port: Port) -> None:
    def wait(client: Any) -> None:
        for waiter in ("function_exists", "function_active_v2", "function_updated_v2", "published_version_active"):
            client.get_waiter(waiter).wait(FunctionName="app-001", Qualifier="1")

    await port.run(wait)


async def test_the_address_of_a_function(port: Port) -> None:
    shown = await port.run(lambda client: client.get_function_url_config(FunctionName="app-001", Qualifier="live"))
    assert shown["FunctionUrl"] == "http://app-001.lambda-url.us-east-1.localhost:8080/"
    assert (shown["AuthType"], shown["InvokeMode"]) == ("NONE", "RESPONSE_STREAM")
    listed = await port.run(lambda client: client.list_function_url_configs(FunctionName="app-001"))
    assert [item["FunctionUrl"] for item in listed["FunctionUrlConfigs"]] == [shown["FunctionUrl"]]


async def test_aliases_versions_and_capacity_providers(port: Port) -> None:
    def ask(client: Any) -> tuple[Any, ...]:
        arn = client.list_capacity_providers()["CapacityProviders"][0]["CapacityProviderArn"]
        return (
            client.get_alias(FunctionName="app-001", Name="live")["FunctionVersion"],
            [item["Name"] for item in client.list_aliases(FunctionName="app-001")["Aliases"]],
            [item["Version"] for item in client.list_versions_by_function(FunctionName="app-001")["Versions"]],
            client.get_capacity_provider(CapacityProviderName=arn)["CapacityProvider"]["State"],
            client.get_function_configuration(FunctionName="app-001")["State"],
        )

    assert await port.run(ask) == ("1", ["live"], ["$LATEST", "1"], "Active", "ActiveNonInvocable")


async def test_a_function_that_is_not_there_is_said_in_the_modelled_exception(port: Port) -> None:
    def ask(client: Any) -> str:
        with pytest.raises(client.exceptions.ResourceNotFoundException) as caught:
            client.get_function(FunctionName="none")
        return str(caught.value.response["Message"])

    assert await port.run(ask) == f"Function not found: {ARN}none"


# --- what is not ---

# Each protocol by one or two services that speak it.
ELSEWHERE: dict[str, tuple[Callable[[Any], Any], str, int, str]] = {
    "s3": (lambda client: client.list_objects_v2(Bucket="b"), "GET /b", 501, "NotImplemented"),
    "cloudfront": (
        lambda client: client.list_distributions(),
        "GET /2020-05-31/distribution",
        404,
        "UnknownOperationException",
    ),
    "route53": (
        lambda client: client.list_hosted_zones(),
        "GET /2013-04-01/hostedzone",
        404,
        "UnknownOperationException",
    ),
    "sts": (lambda client: client.get_caller_identity(), "GetCallerIdentity", 400, "InvalidAction"),
    "iam": (lambda client: client.list_roles(), "ListRoles", 400, "InvalidAction"),
    "cloudformation": (lambda client: client.describe_stacks(), "DescribeStacks", 400, "InvalidAction"),
    "sns": (lambda client: client.list_topics(), "ListTopics", 400, "InvalidAction"),
    "ec2": (lambda client: client.describe_subnets(), "DescribeSubnets", 400, "InvalidAction"),
    "dynamodb": (lambda client: client.list_tables(), "ListTables", 400, "UnknownOperationException"),
    "logs": (lambda client: client.describe_log_groups(), "DescribeLogGroups", 400, "UnknownOperationException"),
    "sqs": (lambda client: client.list_queues(), "ListQueues", 400, "UnknownOperationException"),
    "apigateway": (lambda client: client.get_rest_apis(), "GET /restapis", 404, "UnknownOperationException"),
}


@pytest.mark.parametrize("service", sorted(ELSEWHERE))
async def test_other_services_are_refused_in_their_own_protocol(port: Port, service: str) -> None:
    use, operation, status, code = ELSEWHERE[service]
    refused = await port.refused(use, service)
    assert (refused.status, refused.code) == (status, code)
    assert refused.message.startswith("Penstock does not offer ")
    assert operation in refused.message
    assert f" of {service}: this port invokes and describes functions of lambda" in refused.message
    assert len(refused.request_id) == 36


async def test_a_head_request_to_another_service(port: Port) -> None:
    refused = await port.refused(lambda client: client.head_bucket(Bucket="b"), "s3")
    assert (refused.status, refused.code) == (501, "501")


async def test_an_upload_to_another_service(port: Port) -> None:
    small = await port.refused(lambda client: client.put_object(Bucket="b", Key="k", Body=b"x" * 1000), "s3")
    assert (small.status, small.code) == (501, "NotImplemented")
    large = await port.refused(lambda client: client.put_object(Bucket="b", Key="k", Body=b"x" * (MIB + 1)), "s3")
    assert (large.status, large.code) == (413, "RequestTooLargeException")


async def test_an_operation_of_lambda_that_is_not_offered(port: Port) -> None:
    refused = await port.refused(lambda client: client.delete_function(FunctionName="app-001"))
    assert (refused.status, refused.code) == (501, "NotImplementedException")
    assert refused.message == "The operation DeleteFunction of lambda is not offered by Penstock"


async def test_a_wrong_key_is_noticed_where_keys_are_asked_for(port: Port, request: pytest.FixtureRequest) -> None:
    def ask(client: Any) -> Any:
        return client.get_function(FunctionName="app-001")

    if "signed" in request.node.callspec.id:
        refused = await port.refused(ask, secret="guessed")
        assert (refused.status, refused.code) == (403, "InvalidSignatureException")
    else:
        assert (await port.run(ask, secret="guessed"))["Configuration"]["FunctionName"] == "app-001"


async def test_many_clients_at_once(port: Port) -> None:
    async with asyncio.TaskGroup() as group:
        asked = [group.create_task(port.run(lambda client: client.list_functions(MaxItems=1))) for _ in range(10)]
    assert len({task.result()["ResponseMetadata"]["RequestId"] for task in asked}) == 10


async def test_a_browser_is_told_what_is_here_and_a_page_nothing(port: Port) -> None:
    def get(path: str, **headers: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(port.host, timeout=20)
        try:
            connection.request("GET", path, headers=headers)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    status, body = await asyncio.to_thread(get, "/")
    assert status == 200
    assert body.startswith(b"AWS-compatible endpoint of Penstock")
    for headers in ({"Origin": "https://evil.example"}, {"Host": "evil.example"}):
        status, body = await asyncio.to_thread(get, "/2015-03-31/functions", **headers)
        assert status == 403
        assert b"app-001" not in body
