"""boto3 against the AWS-compatible port, over a socket: every protocol with a scripted service behind it."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from penstock.aws_api.protocol import cbor
from penstock.aws_api.service import Call, ServiceError
from penstock.invoke_api.refusal import RefusalError
from support.aws_protocol_rig import Port, Refused, open_port
from support.streams import within

WHEN = datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC)


@pytest.fixture(params=["open", "signed"])
async def port(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Port]:
    """Once for everybody, once for those who sign."""
    async with open_port(tmp_path, signed=request.param == "signed") as opened:
        yield opened
        assert opened.faults == []


# --- one service of each protocol ---


async def test_rest_json(port: Port) -> None:
    service = port.serve(
        "lambda",
        CreateFunction=lambda call: {"FunctionName": call.params["FunctionName"], "Timeout": 7},
        ListTags=lambda call: {"Tags": {"for": call.params["Resource"]}},
        GetLayerVersionByArn=lambda call: {"LayerArn": call.params["Arn"]},
        ListLayers=lambda call: {"Layers": []},
        DeleteAlias=lambda call: {},
    )
    arn = "arn:aws:lambda:us-east-1:123456789012:function:a"

    def use(client: Any) -> None:
        made = client.create_function(
            FunctionName="a", Role="arn:aws:iam::123456789012:role/r", Code={"ZipFile": b"PK\0\xff"}, Tags={"k": "v"}
        )
        assert (made["FunctionName"], made["Timeout"]) == ("a", 7)
        assert made["ResponseMetadata"]["HTTPStatusCode"] == 201
        assert client.list_tags(Resource=arn)["Tags"] == {"for": arn}
        assert client.get_layer_version_by_arn(Arn=f"{arn}:1".replace("function", "layer"))["LayerArn"].endswith(":1")
        assert client.list_layers()["Layers"] == []
        assert client.delete_alias(FunctionName="a", Name="b")["ResponseMetadata"]["HTTPStatusCode"] == 204

    await port.run("lambda", use)
    first = service.calls[0]
    assert first.params["Code"] == {"ZipFile": b"PK\0\xff"}
    assert (first.context.region, first.context.account_id) == ("eu-west-1", "123456789012")
    assert (first.context.endpoint, first.context.access_key_id) == (f"http://{port.host}", "AKIAEXAMPLE")


async def test_query(port: Port) -> None:
    stack = {
        "StackName": "s",
        "CreationTime": WHEN,
        "StackStatus": "CREATE_COMPLETE",
        "Outputs": [{"OutputKey": "Url", "OutputValue": "http://x/?a=1&b=<2>"}],
        "Tags": [],
        "EnableTerminationProtection": False,
    }
    service = port.serve(
        "cloudformation",
        DescribeStacks=lambda call: {"Stacks": [stack]},
        CreateChangeSet=lambda call: {"Id": "arn:1", "StackId": "arn:2"},
        DeleteStack=lambda call: {},
    )

    def use(client: Any) -> Any:
        client.create_change_set(
            StackName="s",
            ChangeSetName="c",
            TemplateBody="Resources: {}",
            Parameters=[{"ParameterKey": "Subnets", "ParameterValue": "a,b"}],
            Capabilities=["CAPABILITY_IAM"],
        )
        client.delete_stack(StackName="s")
        return client.describe_stacks(StackName="s")["Stacks"]

    assert await port.run("cloudformation", use) == [stack]
    assert service.calls[0].params["Parameters"] == [{"ParameterKey": "Subnets", "ParameterValue": "a,b"}]
    assert service.calls[0].params["Capabilities"] == ["CAPABILITY_IAM"]


async def test_ec2(port: Port) -> None:
    subnets = [{"SubnetId": "subnet-1", "DefaultForAz": True, "AvailableIpAddressCount": 251, "Tags": []}]
    service = port.serve("ec2", DescribeSubnets=lambda call: {"Subnets": subnets})
    filters = [{"Name": "default-for-az", "Values": ["true", "yes"]}]
    assert await port.run("ec2", lambda client: client.describe_subnets(Filters=filters)["Subnets"]) == subnets
    assert service.last.params == {"Filters": filters}


async def test_json(port: Port) -> None:
    events = [{"timestamp": 1, "message": "a\u2028é", "ingestionTime": 2}]
    service = port.serve("logs", FilterLogEvents=lambda call: {"events": events})
    found = await port.run("logs", lambda client: client.filter_log_events(logGroupName="/aws/lambda/a", limit=5))
    assert found["events"] == events
    assert service.last.params == {"logGroupName": "/aws/lambda/a", "limit": 5}


async def test_metrics(port: Port) -> None:
    """Large requests come compressed."""
    service = port.serve(
        "cloudwatch",
        PutMetricData=lambda call: {},
        GetMetricData=lambda call: {
            "MetricDataResults": [{"Id": "a", "Timestamps": [WHEN], "Values": [1.5, -2e30], "StatusCode": "Complete"}]
        },
    )
    data = [
        {"MetricName": f"metric-{number}", "Value": 1.0, "Timestamp": WHEN, "Dimensions": [{"Name": "a", "Value": "b"}]}
        for number in range(900)
    ]

    def use(client: Any) -> Any:
        client.put_metric_data(Namespace="N", MetricData=data)
        return client.get_metric_data(MetricDataQueries=[{"Id": "a"}], StartTime=WHEN, EndTime=WHEN)

    (result,) = (await port.run("cloudwatch", use))["MetricDataResults"]
    assert (result["Timestamps"], result["Values"]) == ([WHEN], [1.5, -2e30])
    assert service.calls[0].params["MetricData"] == data
    assert service.calls[1].params["StartTime"] == WHEN


async def test_cbor(tmp_path: Path) -> None:
    """Which clients choose when they may: botocore prefers JSON where a service has both."""
    async with open_port(tmp_path) as port:
        service = port.serve("cloudwatch", ListMetrics=lambda call: {"Metrics": [{"Namespace": "N"}], "NextToken": "t"})

        async def ask(value: object) -> tuple[bytes, Any]:
            body = cbor.dumps(value)
            found = await port.raw(
                b"POST /service/GraniteServiceVersion20100801/operation/ListMetrics HTTP/1.1\r\nHost: localhost\r\n"
                b"Connection: close\r\nsmithy-protocol: rpc-v2-cbor\r\nContent-Type: application/cbor\r\n"
                b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
            )
            head, _, content = found.partition(b"\r\n\r\n")
            assert b"smithy-protocol: rpc-v2-cbor\r\n" in head
            return head, cbor.loads(content)

        head, content = await ask({"Namespace": "N", "Dimensions": [{"Name": "a"}]})
        assert head.startswith(b"HTTP/1.1 200")
        assert content == {"Metrics": [{"Namespace": "N"}], "NextToken": "t"}
        assert service.last.params == {"Namespace": "N", "Dimensions": [{"Name": "a"}]}
        head, content = await ask({"Namespace": 5})
        assert head.startswith(b"HTTP/1.1 400")
        assert content["__type"] == "SerializationException"


# --- errors ---


async def test_errors_of_a_service(port: Port) -> None:
    """In each protocol: code, message, status of the model, and further members."""

    def refuse(code: str, **members: Any) -> Any:
        def operation(call: Call) -> Any:
            raise ServiceError(code, "no <such> thing", members=members)

        return operation

    port.serve("lambda", GetFunction=refuse("ResourceNotFoundException"), GetAlias=busy)
    port.serve("cloudformation", CreateStack=refuse("AlreadyExistsException"))
    port.serve("iam", GetRole=refuse("NoSuchEntity"))
    port.serve("logs", DescribeLogStreams=refuse("ResourceNotFoundException"))
    port.serve("cloudwatch", DeleteDashboards=refuse("DashboardNotFoundError"))
    port.serve("s3", ListObjectsV2=refuse("NoSuchBucket", BucketName="b"))
    port.serve("ec2", DescribeVpcs=refuse("InvalidVpcID.NotFound"))
    expected = {
        ("lambda", "ResourceNotFoundException", 404): lambda client: client.get_function(FunctionName="a"),
        ("cloudformation", "AlreadyExistsException", 400): lambda client: client.create_stack(StackName="s"),
        ("iam", "NoSuchEntity", 404): lambda client: client.get_role(RoleName="r"),
        ("logs", "ResourceNotFoundException", 400): lambda client: client.describe_log_streams(logGroupName="g"),
        ("cloudwatch", "ResourceNotFound", 404): lambda client: client.delete_dashboards(DashboardNames=["d"]),
        ("s3", "NoSuchBucket", 404): lambda client: client.list_objects_v2(Bucket="bucket"),
        ("ec2", "InvalidVpcID.NotFound", 400): lambda client: client.describe_vpcs(),
    }
    for (service, code, status), use in expected.items():
        found = await port.refused(service, use)
        assert (found.code, found.status, found.message) == (code, status, "no <such> thing"), service
        assert len(found.request_id) == 36
    throttled = await port.refused("lambda", lambda client: client.get_alias(FunctionName="a", Name="b"))
    assert throttled == Refused(429, "TooManyRequestsException", "Rate Exceeded.", throttled.request_id)


def busy(call: Call) -> Any:
    raise RefusalError(429, "TooManyRequestsException", "Rate Exceeded.", reason="ConcurrentInvocationLimitExceeded")


async def test_an_error_has_its_modelled_exception(port: Port) -> None:
    port.serve("lambda", GetAlias=busy)

    def use(client: Any) -> Any:
        with pytest.raises(client.exceptions.TooManyRequestsException) as caught:
            client.get_alias(FunctionName="a", Name="b")
        return caught.value.response

    response = await port.run("lambda", use)
    assert response["Reason"] == "ConcurrentInvocationLimitExceeded"
    assert response["Type"] == "User"


ELSEWHERE: dict[str, tuple[Any, str, int, str]] = {
    "s3": (lambda client: client.list_objects_v2(Bucket="bucket"), "GET /bucket", 501, "NotImplemented"),
    "cloudfront": (
        lambda client: client.list_distributions(),
        "GET /2020-05-31/distribution",
        404,
        "UnknownOperationException",
    ),
    "sts": (lambda client: client.get_caller_identity(), "GetCallerIdentity", 400, "InvalidAction"),
    "ec2": (lambda client: client.describe_subnets(), "DescribeSubnets", 400, "InvalidAction"),
    "sns": (lambda client: client.list_topics(), "ListTopics", 400, "InvalidAction"),
    "dynamodb": (lambda client: client.list_tables(), "ListTables", 400, "UnknownOperationException"),
    "cloudcontrol": (
        lambda client: client.get_resource(TypeName="AWS::Logs::LogGroup", Identifier="x"),
        "GetResource",
        400,
        "UnknownOperationException",
    ),
    "cloudwatch": (lambda client: client.list_dashboards(), "ListDashboards", 400, "UnknownOperationException"),
    "apigateway": (lambda client: client.get_rest_apis(), "GET /restapis", 404, "UnknownOperationException"),
}


@pytest.mark.parametrize("service", sorted(ELSEWHERE))
async def test_services_that_are_not_there(port: Port, service: str) -> None:
    port.serve("logs", DescribeLogGroups=lambda call: {})
    use, operation, status, code = ELSEWHERE[service]
    refused = await port.refused(service, use)
    assert (refused.status, refused.code) == (status, code)
    assert refused.message == f"Penstock does not offer {operation} of {service}: this port offers logs"
    assert len(refused.request_id) == 36


async def test_operations_that_are_not_offered(port: Port) -> None:
    port.serve("lambda", GetFunction=lambda call: {})
    port.serve("sts", GetCallerIdentity=lambda call: {})
    port.serve("s3", ListBuckets=lambda call: {})
    refused = await port.refused("lambda", lambda client: client.list_functions())
    assert (refused.status, refused.code) == (501, "NotImplementedException")
    assert refused.message == "The operation ListFunctions of lambda is not offered by Penstock"
    refused = await port.refused("sts", lambda client: client.get_session_token())
    assert (refused.status, refused.code) == (400, "InvalidAction")
    refused = await port.refused("s3", lambda client: client.get_bucket_acl(Bucket="bucket"))
    assert (refused.status, refused.code) == (501, "NotImplemented")


async def test_a_wrong_key(port: Port, request: pytest.FixtureRequest) -> None:
    port.serve("sts", GetCallerIdentity=lambda call: {"Account": "1"})
    port.serve("s3", ListBuckets=lambda call: {})
    port.serve("ec2", DescribeVpcs=lambda call: {})
    port.serve("logs", DescribeLogGroups=lambda call: {})
    if "signed" not in request.node.callspec.id:
        found = await port.run("sts", lambda client: client.get_caller_identity(), secret="guessed")
        assert found["Account"] == "1"
        return
    codes = {
        "sts": (lambda client: client.get_caller_identity(), 403, "SignatureDoesNotMatch"),
        "s3": (lambda client: client.list_buckets(), 403, "SignatureDoesNotMatch"),
        "ec2": (lambda client: client.describe_vpcs(), 401, "AuthFailure"),
        "logs": (lambda client: client.describe_log_groups(), 400, "InvalidSignatureException"),
    }
    for service, (use, status, code) in codes.items():
        refused = await port.refused(service, use, secret="guessed")
        assert (refused.status, refused.code) == (status, code), service


async def test_parameters_that_the_model_does_not_allow(port: Port) -> None:
    port.serve("lambda", CreateFunction=lambda call: {}, GetFunction=lambda call: {})
    port.serve("logs", CreateLogGroup=lambda call: {})
    port.serve("iam", GetRole=lambda call: {})
    port.serve("ec2", DescribeSubnets=lambda call: {}, CreateVpc=lambda call: {}, CreateSubnet=lambda call: {})
    role = {"Role": "arn:aws:iam::123456789012:role/r", "Code": {"ZipFile": b""}}
    unchecked: dict[str, Any] = {"parameter_validation": False}

    def create(**more: Any) -> Any:
        return lambda client: client.create_function(FunctionName="a", **more)

    refused = await port.refused("lambda", create(Timeout=0, **role), **unchecked)
    assert (refused.status, refused.code) == (400, "ValidationException")
    assert refused.message == (
        "1 validation error detected: Value '0' at 'timeout' failed to satisfy constraint: "
        "Member must have value greater than or equal to 1"
    )
    refused = await port.refused("lambda", create(), **unchecked)
    assert refused.message == (
        "2 validation errors detected: Value null at 'role' failed to satisfy constraint: Member must not be null; "
        "Value null at 'code' failed to satisfy constraint: Member must not be null"
    )
    refused = await port.refused(
        "lambda", lambda client: client.create_function(FunctionName="a", Runtime="cobol", **role)
    )
    assert refused.code == "InvalidParameterValueException"
    assert refused.message.startswith("Value cobol at 'runtime' failed to satisfy constraint: Member must satisfy enum")
    refused = await port.refused("logs", lambda client: client.create_log_group(logGroupName="a b"))
    assert refused.code == "InvalidParameterException"
    assert "at 'logGroupName' failed to satisfy constraint: Member must satisfy regular expression" in refused.message
    refused = await port.refused("iam", lambda client: client.get_role(RoleName="a b"))
    assert refused.code == "ValidationError"
    refused = await port.refused("ec2", lambda client: client.create_subnet(), **unchecked)
    assert (refused.code, refused.message) == ("MissingParameter", "The request must contain the parameter vpcId")


async def test_a_fault_of_ours(tmp_path: Path) -> None:
    def fail(call: Call) -> Any:
        raise LookupError("a secret\nthing")

    async with open_port(tmp_path) as port:
        port.serve("sts", GetCallerIdentity=fail)
        port.serve("logs", DescribeLogGroups=lambda call: {"logGroups": 5})
        refused = await port.refused("sts", lambda client: client.get_caller_identity())
        assert (refused.status, refused.code) == (500, "InternalFailure")
        assert "secret" not in refused.message
        refused = await port.refused("logs", lambda client: client.describe_log_groups())
        assert (refused.status, refused.code) == (500, "InternalFailure")
        assert port.faults[0] == "sts.GetCallerIdentity: LookupError: a secret thing"
        assert port.faults[1].startswith("logs.DescribeLogGroups: TypeError: ")


# --- many, and ends ---


async def test_many_clients_at_once(port: Port) -> None:
    async def answer(call: Call) -> Any:
        await asyncio.sleep(0)
        return {"Account": call.context.request_id}

    port.serve("sts", GetCallerIdentity=answer)
    async with asyncio.TaskGroup() as group:
        asked = [group.create_task(port.run("sts", lambda c: c.get_caller_identity()["Account"])) for _ in range(10)]
    assert len({task.result() for task in asked}) == 10
    assert port.door.open_requests == 0


async def test_draining_waits_for_an_answer_and_closing_does_not(tmp_path: Path) -> None:
    async with open_port(tmp_path) as port:
        begun, leave = asyncio.Event(), asyncio.Event()

        async def wait(call: Call) -> Any:
            begun.set()
            await leave.wait()
            return {"Account": "1"}

        port.serve("sts", GetCallerIdentity=wait)
        asked = asyncio.create_task(port.run("sts", lambda client: client.get_caller_identity()["Account"]))
        await within(begun.wait())
        drained = asyncio.create_task(port.door.drain())
        await asyncio.sleep(0)
        assert not drained.done()
        leave.set()
        assert await within(asked) == "1"
        await within(drained)


async def test_unsigned_requests_are_understood(tmp_path: Path) -> None:
    """curl without a signature, by what the protocols say of themselves."""
    async with open_port(tmp_path) as port:
        sts = port.serve(
            "sts", AssumeRoleWithWebIdentity=lambda call: {}, GetCallerIdentity=lambda call: {"Account": "1"}
        )
        ec2 = port.serve("ec2", DescribeVpcs=lambda call: {})
        port.serve("lambda", ListFunctions=lambda call: {"Functions": []})
        port.serve("logs", DescribeLogGroups=lambda call: {"logGroups": []})
        end = b"Host: localhost\r\nConnection: close\r\n"
        form = b"Content-Type: application/x-www-form-urlencoded\r\n"

        def post(body: bytes, extra: bytes) -> bytes:
            return b"POST / HTTP/1.1\r\n%b%bContent-Length: %d\r\n\r\n%b" % (end, extra, len(body), body)

        found = await port.raw(post(b"Action=GetCallerIdentity&Version=2011-06-15", form))
        assert b"<Account>1</Account>" in found
        found = await port.raw(b"GET /?Action=GetCallerIdentity&Version=2011-06-15 HTTP/1.1\r\n%b\r\n" % end)
        assert b"<Account>1</Account>" in found
        found = await port.raw(post(b"Action=DescribeVpcs&Version=2016-11-15&VpcId.1=vpc-1&VpcId.2=vpc-2", form))
        assert found.startswith(b"HTTP/1.1 200")
        assert ec2.last.params == {"VpcIds": ["vpc-1", "vpc-2"]}
        found = await port.raw(post(b"{}", b"X-Amz-Target: Logs_20140328.DescribeLogGroups\r\n"))
        assert found.endswith(b'{"logGroups":[]}')
        found = await port.raw(b"GET /2015-03-31/functions HTTP/1.1\r\n%b\r\n" % end)
        assert found.endswith(b'{"Functions":[]}')
        assert sts.calls[0].context.region == "us-east-1"
        found = await port.raw(b"GET / HTTP/1.1\r\n%b\r\n" % end)
        assert b"AWS-compatible endpoint of Penstock" in found
        found = await port.raw(b"GET /2015-03-31/functions HTTP/1.1\r\nOrigin: https://evil.example\r\n%b\r\n" % end)
        assert found.startswith(b"HTTP/1.1 403")


async def test_what_is_not_signed_is_refused_where_keys_are_asked_for(tmp_path: Path) -> None:
    async with open_port(tmp_path, signed=True) as port:
        port.serve("lambda", ListFunctions=lambda call: {"Functions": []})
        sts = port.serve("sts", AssumeRoleWithWebIdentity=lambda call: {}, GetCallerIdentity=lambda call: {})
        end = b"Host: localhost\r\nConnection: close\r\n"
        found = await port.raw(b"GET /2015-03-31/functions HTTP/1.1\r\n%b\r\n" % end)
        assert found.startswith(b"HTTP/1.1 403")
        assert b"MissingAuthenticationTokenException" in found
        found = await port.raw(b"GET /?Action=GetCallerIdentity&Version=2011-06-15 HTTP/1.1\r\n%b\r\n" % end)
        assert b"<Code>MissingAuthenticationToken</Code>" in found
        assert not sts.calls
        role = {"RoleArn": "arn:aws:iam::123456789012:role/r", "RoleSessionName": "me", "WebIdentityToken": "a.b.c.d.e"}
        await port.run("sts", lambda client: client.assume_role_with_web_identity(**role))
        assert sts.last.params == role
