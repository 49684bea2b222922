"""boto3 alone at `penstock serve`: its waiters come to their end, and its paginators find everything once."""

import io
import json
import uuid
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import boto3
import pytest
from botocore.config import Config

from support.clients import PATIENCE_S
from support.gate import Gate
from support.projects import LAYER, MARK, RUN_SH
from support.sam_project import APP
from support.sam_serve import Serve, serving
from support.sam_site import HostCall
from support.up import shared_cache

pytestmark = pytest.mark.timeout(300)

BOTO_MARK = uuid.uuid4().hex
# Soon, and no oftener than this.
SOON = {"Delay": 1, "MaxAttempts": 60}
CONFIG = Config(read_timeout=PATIENCE_S, connect_timeout=PATIENCE_S, retries={"total_max_attempts": 1}, proxies={})
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
)

# Operations are methods made at run time: not typed.
Clients = Callable[[str], Any]


@pytest.fixture
def gate() -> Iterator[Gate]:
    with Gate() as gate:
        yield gate


@pytest.fixture
def serve(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    with serving(tmp_path, shared_cache(tmp_path_factory), BOTO_MARK) as serve:
        yield serve


@pytest.fixture
def clients(serve: Serve) -> Iterator[Clients]:
    session = boto3.Session("test", "test", region_name="us-east-1")
    make = cast("Callable[..., Any]", session.client)
    made: list[Any] = []

    def client(service: str) -> Any:
        made.append(make(service, endpoint_url=serve.endpoint, config=CONFIG))
        return made[-1]

    yield client
    for one in made:
        one.close()


def code(greeting: str) -> bytes:
    """A deployment package of the clients' app."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("app.py", APP.read_text().replace("naïve ☃", greeting))
        handler = zipfile.ZipInfo("run.sh")
        handler.external_attr = 0o100755 << 16
        archive.writestr(handler, RUN_SH)
    return data.getvalue()


def function(name: str, role: str, provider: str, gate: Gate) -> dict[str, Any]:
    """Parameters of CreateFunction."""
    variables = {
        "AWS_LAMBDA_EXEC_WRAPPER": "/opt/bootstrap",
        "AWS_LWA_INVOKE_MODE": "response_stream",
        "PORT": "8000",
        "GATE": str(gate.port),
        MARK: BOTO_MARK,
    }
    managed = {"CapacityProviderArn": provider, "PerExecutionEnvironmentMaxConcurrency": 16}
    return {
        "FunctionName": name,
        "Runtime": "python3.13",
        "Role": role,
        "Handler": "run.sh",
        "Code": {"ZipFile": code("first")},
        "Timeout": 30,
        "MemorySize": 2048,
        "Layers": [LAYER],
        "Environment": {"Variables": variables},
        "CapacityProviderConfig": {"LambdaManagedInstancesCapacityProviderConfig": managed},
    }


def network(clients: Clients) -> dict[str, list[str]]:
    """A capacity provider's VpcConfig in the default VPC."""
    ec2 = clients("ec2")
    [vpc] = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]
    here = [{"Name": "vpc-id", "Values": [vpc["VpcId"]]}]
    subnets = [one["SubnetId"] for one in ec2.describe_subnets(Filters=here)["Subnets"]]
    ec2.get_waiter("subnet_available").wait(SubnetIds=subnets, WaiterConfig=SOON)
    groups = [one["GroupId"] for one in ec2.describe_security_groups(Filters=here)["SecurityGroups"]]
    return {"SubnetIds": subnets[:3], "SecurityGroupIds": groups}


def make_provider(clients: Clients, name: str) -> tuple[str, str]:
    """The ARNs of a role and of a capacity provider that has it."""
    iam, lambda_ = clients("iam"), clients("lambda")
    role: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    iam.get_waiter("role_exists").wait(RoleName=name, WaiterConfig=SOON)
    made = lambda_.create_capacity_provider(
        CapacityProviderName=name,
        VpcConfig=network(clients),
        PermissionsConfig={"CapacityProviderOperatorRoleArn": role},
    )
    arn: str = made["CapacityProvider"]["CapacityProviderArn"]
    return role, arn


def test_a_function_from_nothing(clients: Clients, gate: Gate) -> None:
    lambda_ = clients("lambda")
    role, provider = make_provider(clients, "alone")
    name = {"FunctionName": "alone"}
    lambda_.create_function(**function("alone", role, provider, gate))
    lambda_.get_waiter("function_exists").wait(**name, WaiterConfig=SOON)
    lambda_.get_waiter("function_updated_v2").wait(**name, WaiterConfig=SOON)
    assert lambda_.publish_version(**name)["Version"] == "1"
    lambda_.get_waiter("published_version_active").wait(**name, Qualifier="1", WaiterConfig=SOON)
    lambda_.get_waiter("function_active_v2").wait(**name, Qualifier="1", WaiterConfig=SOON)
    lambda_.create_alias(**name, Name="live", FunctionVersion="1")
    url = lambda_.create_function_url_config(**name, Qualifier="live", AuthType="NONE", InvokeMode="RESPONSE_STREAM")[
        "FunctionUrl"
    ]
    for sid, action, more in (
        ("url", "lambda:InvokeFunctionUrl", {"FunctionUrlAuthType": "NONE"}),
        ("function", "lambda:InvokeFunction", {"InvokedViaFunctionUrl": True}),
    ):
        lambda_.add_permission(**name, Qualifier="live", StatementId=sid, Action=action, Principal="*", **more)
    assert HostCall(url, "/").rest().text == "first"

    lambda_.update_function_code(**name, ZipFile=code("second"))
    lambda_.get_waiter("function_updated_v2").wait(**name, WaiterConfig=SOON)
    assert lambda_.publish_version(**name)["Version"] == "2"
    lambda_.get_waiter("published_version_active").wait(**name, Qualifier="2", WaiterConfig=SOON)
    assert HostCall(url, "/").rest().text == "first"
    lambda_.update_alias(**name, Name="live", FunctionVersion="2")
    assert HostCall(url, "/").rest().text == "second"

    lambda_.delete_function(**name)
    assert HostCall(url, "/").rest().status == 403
    lambda_.delete_capacity_provider(CapacityProviderName="alone")


def test_paginators_of_lambda(clients: Clients, gate: Gate) -> None:
    lambda_ = clients("lambda")
    role, provider = make_provider(clients, "pages")
    names = [f"page-{number}" for number in range(5)]
    for name in names:
        lambda_.create_function(**function(name, role, provider, gate))
    found = whole(lambda_, "list_functions", "Functions", {}, 2)
    assert sorted(one["FunctionName"] for one in found) == names
    for number in range(5):
        make_provider(clients, f"more-{number}")
    providers = whole(lambda_, "list_capacity_providers", "CapacityProviders", {}, 2)
    assert len({one["CapacityProviderArn"] for one in providers}) == len(providers) == 6
    versions = whole(lambda_, "list_versions_by_function", "Versions", {"FunctionName": "page-1"}, 1)
    assert [one["Version"] for one in versions] == ["$LATEST"]


def test_a_stack(clients: Clients) -> None:
    cloudformation, s3 = clients("cloudformation"), clients("s3")
    stack = {"StackName": "waited-for"}
    cloudformation.create_stack(**stack, TemplateBody=roles(3), Capabilities=["CAPABILITY_IAM"])
    cloudformation.get_waiter("stack_exists").wait(**stack, WaiterConfig=SOON)
    cloudformation.get_waiter("stack_create_complete").wait(**stack, WaiterConfig=SOON)
    bucket = physical_id(cloudformation, "Bucket")
    s3.get_waiter("bucket_exists").wait(Bucket=bucket, WaiterConfig=SOON)

    cloudformation.update_stack(**stack, TemplateBody=roles(5), Capabilities=["CAPABILITY_IAM"])
    cloudformation.get_waiter("stack_update_complete").wait(**stack, WaiterConfig=SOON)
    change = {**stack, "ChangeSetName": "fewer"}
    cloudformation.create_change_set(**change, TemplateBody=roles(4), Capabilities=["CAPABILITY_IAM"])
    cloudformation.get_waiter("change_set_create_complete").wait(**change, WaiterConfig=SOON)
    [removed] = cloudformation.describe_change_set(**change)["Changes"]
    assert removed["ResourceChange"]["Action"] == "Remove"
    cloudformation.execute_change_set(**change)
    cloudformation.get_waiter("stack_update_complete").wait(**stack, WaiterConfig=SOON)

    resources = whole(cloudformation, "list_stack_resources", "StackResourceSummaries", stack)
    assert sorted(one["LogicalResourceId"] for one in resources) == ["Bucket", "Role0", "Role1", "Role2", "Role3"]
    events = whole(cloudformation, "describe_stack_events", "StackEvents", stack)
    assert len({one["EventId"] for one in events}) == len(events) > 10
    assert [one["StackName"] for one in whole(cloudformation, "describe_stacks", "Stacks", {})] == ["waited-for"]

    cloudformation.delete_stack(**stack)
    cloudformation.get_waiter("stack_delete_complete").wait(**stack, WaiterConfig=SOON)
    s3.get_waiter("bucket_not_exists").wait(Bucket=bucket, WaiterConfig=SOON)


def test_objects(clients: Clients) -> None:
    s3 = clients("s3")
    s3.create_bucket(Bucket="many-objects")
    s3.get_waiter("bucket_exists").wait(Bucket="many-objects", WaiterConfig=SOON)
    keys = [f"folder {number}/näme?+{number}" for number in range(7)]
    for key in keys:
        s3.put_object(Bucket="many-objects", Key=key, Body=key.encode())
    s3.get_waiter("object_exists").wait(Bucket="many-objects", Key=keys[0], WaiterConfig=SOON)
    found = whole(s3, "list_objects_v2", "Contents", {"Bucket": "many-objects"}, 2)
    assert [one["Key"] for one in found] == keys
    assert [s3.get_object(Bucket="many-objects", Key=key)["Body"].read().decode() for key in keys] == keys

    large = bytes(range(256)) * 40_960  # 10 MiB: in parts, each by a connection of its own
    s3.upload_fileobj(io.BytesIO(large), "many-objects", "large")
    back = io.BytesIO()
    s3.download_fileobj("many-objects", "large", back)
    assert back.getvalue() == large
    s3.delete_object(Bucket="many-objects", Key="large")
    s3.get_waiter("object_not_exists").wait(Bucket="many-objects", Key="large", WaiterConfig=SOON)


def whole(client: Any, operation: str, member: str, params: dict[str, Any], page: int | None = None) -> list[Any]:
    """All that a paginator finds; with `page` so many at a time."""
    paging = {} if page is None else {"PaginationConfig": {"PageSize": page}}
    pages = list(client.get_paginator(operation).paginate(**params, **paging))
    found = [one for answer in pages for one in answer[member]]
    if page is not None:
        assert len(pages) >= len(found) / page
    return found


def roles(count: int) -> str:
    """A template of so many roles and a bucket."""
    role = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": json.loads(TRUST)}}
    resources = {f"Role{number}": role for number in range(count)}
    return json.dumps({"Resources": {"Bucket": {"Type": "AWS::S3::Bucket"}, **resources}})


def physical_id(cloudformation: Any, logical_id: str) -> str:
    found = cloudformation.describe_stack_resource(StackName="waited-for", LogicalResourceId=logical_id)
    result: str = found["StackResourceDetail"]["PhysicalResourceId"]
    return result
