"""The example that every check of the project starts from."""

import os
from pathlib import Path

from penstock.model.errors import Place
from penstock.model.function import (
    Architecture,
    AuthType,
    CapacityProvider,
    Function,
    FunctionUrlConfig,
    InvokeMode,
    LayerVersion,
)
from penstock.template import load_stack
from penstock.template.parameters import resolve_parameters
from penstock.template.source import read_source
from penstock.template.transform import transform

FOLDER = Path(__file__).parents[3] / "examples" / "fastapi-streaming"
TEMPLATE = FOLDER / "template.yaml"
ACCOUNT = "123456789012"


def line_of(text: str) -> int:
    return next(number for number, line in enumerate(TEMPLATE.read_text().splitlines(), 1) if text in line)


def test_the_transform_takes_it_unchanged() -> None:
    source = read_source(TEMPLATE)
    resources = transform(source, resolve_parameters(source, {}, "us-east-1"), "us-east-1", None)
    types = {name: item["Type"] for name, item in resources.items() if isinstance(item, dict)}
    version = next(name for name in types if name.startswith("FastAPIFunctionVersion"))
    assert types == {
        "FastAPIFunction": "AWS::Lambda::Function",
        version: "AWS::Lambda::Version",
        "FastAPIFunctionAliaslive": "AWS::Lambda::Alias",
        "FastAPIFunctionUrl": "AWS::Lambda::Url",
        "FastAPIFunctionUrlPublicPermissions": "AWS::Lambda::Permission",
        "FastAPIFunctionURLInvokeAllowPublicAccess": "AWS::Lambda::Permission",
        "FastAPIFunctionRole": "AWS::IAM::Role",
        "ManagedInstances": "AWS::Lambda::CapacityProvider",
        "ManagedInstancesOperatorRole": "AWS::IAM::Role",
    }


def test_it_gives_exactly_this_function() -> None:
    stack = load_stack(TEMPLATE, stack_name="demo", parameters={})
    name = stack.functions[0].name
    provider_name = stack.capacity_providers[0].name
    provider = CapacityProvider(
        logical_id="ManagedInstances",
        name=provider_name,
        arn=f"arn:aws:lambda:us-east-1:{ACCOUNT}:capacity-provider:{provider_name}",
        architecture=Architecture.X86_64,
        subnet_ids=("subnet-local1", "subnet-local2", "subnet-local3"),
        security_group_ids=("sg-local1",),
        max_vcpu_count=20,
        scaling_mode="Manual",
        target_cpu_utilization=70.0,
    )
    function = Function(
        logical_id="FastAPIFunction",
        name=name,
        arn=f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{name}",
        version="1",
        alias="live",
        handler="run.sh",
        runtime="python3.13",
        architecture=Architecture.X86_64,
        memory_mib=2048,
        timeout_s=120,
        ephemeral_storage_mib=512,
        code=FOLDER / "app",
        capacity_provider=provider,
        memory_gib_per_vcpu=2.0,
        max_concurrency=64,
        min_environments=3,
        max_environments=None,
        url=FunctionUrlConfig(AuthType.NONE, InvokeMode.RESPONSE_STREAM),
        layers=(
            LayerVersion(
                "arn:aws:lambda:us-east-1:753240598075:layer:LambdaAdapterLayerX86:26",
                place=Place(TEMPLATE, line_of("LambdaAdapterLayerX86")),
            ),
        ),
        environment={
            "AWS_LAMBDA_EXEC_WRAPPER": "/opt/bootstrap",
            "AWS_LWA_INVOKE_MODE": "response_stream",
            "PORT": "8000",
        },
        log_group=f"/aws/lambda/{name}",
        role=f"arn:aws:iam::{ACCOUNT}:role/demo-FastAPIFunctionRole-68A912CA522F",
        place=Place(TEMPLATE, line_of("FastAPIFunction:")),
    )
    assert stack.functions == (function,)
    assert stack.capacity_providers == (provider,)
    assert stack.warnings == ()
    assert name.startswith("demo-FastAPIFunction-")
    assert provider_name.startswith("demo-ManagedInstances-")
    assert stack.outputs({"FastAPIFunction": "http://127.0.0.1:3000/"}) == {
        "FunctionUrl": "http://127.0.0.1:3000/",
        "FunctionArn": function.arn,
        "CapacityProviderArn": provider.arn,
    }


def test_given_subnets_and_region_are_used() -> None:
    stack = load_stack(
        TEMPLATE,
        stack_name="demo",
        parameters={"SubnetIds": "subnet-a, subnet-b", "SecurityGroupIds": "sg-a"},
        region="eu-west-1",
    )
    provider = stack.capacity_providers[0]
    assert provider.subnet_ids == ("subnet-a", "subnet-b")
    assert provider.security_group_ids == ("sg-a",)
    assert stack.functions[0].layers[0].arn.startswith("arn:aws:lambda:eu-west-1:753240598075:layer:")


def test_the_handler_can_be_run() -> None:
    assert os.access(FOLDER / "app" / "run.sh", os.X_OK)
