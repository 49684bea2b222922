"""Capacity providers, layers, scaling bounds, asynchronous invocations, and functions of a template."""

from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from penstock.control_plane.scaling_config import ScalingConfig
from penstock.model.function import (
    Architecture,
    AuthType,
    CapacityProvider,
    Cors,
    Function,
    FunctionUrlConfig,
    InvokeMode,
    LayerVersion,
)
from support.lambda_rig import PROVIDER_ARN, FakeUrl, FakeVersion, LambdaRig, archive


async def test_a_provider_is_pending_when_made_and_active_when_read(rig: LambdaRig) -> None:
    made = (await rig.provider())["CapacityProvider"]
    read = (await rig.calls("GetCapacityProvider", CapacityProviderName=PROVIDER_ARN))["CapacityProvider"]

    assert (made["State"], read["State"]) == ("Pending", "Active")
    assert read["CapacityProviderScalingConfig"] == {"MaxVCpuCount": 400, "ScalingMode": "Auto"}
    assert read["InstanceRequirements"] == {"Architectures": ["x86_64"]}
    assert read["TelemetryConfig"]["LoggingConfig"]["LogGroup"] == "/aws/lambda/capacity-provider/cp"


async def test_a_provider_is_changed_in_place_and_those_who_run_hear_of_it(rig: LambdaRig) -> None:
    await rig.provider()
    policy = {"PredefinedMetricType": "LambdaCapacityProviderAverageCPUUtilization", "TargetValue": 30.0}
    scaling = {"MaxVCpuCount": 20, "ScalingMode": "Manual", "ScalingPolicies": [policy]}
    await rig.calls("UpdateCapacityProvider", CapacityProviderName="cp", CapacityProviderScalingConfig=scaling)
    read = (await rig.calls("GetCapacityProvider", CapacityProviderName="cp"))["CapacityProvider"]

    assert read["CapacityProviderScalingConfig"] == scaling
    assert [(one.max_vcpu_count, one.target_cpu_utilization) for one in rig.host.configured] == [(20, 30.0)]


async def test_manual_scaling_needs_a_policy(rig: LambdaRig) -> None:
    await rig.provider()
    error = await rig.calls.refused(
        "UpdateCapacityProvider", CapacityProviderName="cp", CapacityProviderScalingConfig={"ScalingMode": "Manual"}
    )

    assert error.code == "InvalidParameterValueException"
    assert rig.host.configured == []


async def test_a_provider_in_use_stays(rig: LambdaRig) -> None:
    await rig.function()
    error = await rig.calls.refused("DeleteCapacityProvider", CapacityProviderName="cp")
    await rig.calls("DeleteFunction", FunctionName="f")
    gone = (await rig.calls("DeleteCapacityProvider", CapacityProviderName="cp"))["CapacityProvider"]
    missing = await rig.calls.refused("GetCapacityProvider", CapacityProviderName="cp")

    assert (error.code, error.status) == ("ResourceConflictException", 409)
    assert gone["State"] == "Deleting"
    assert missing.message == f"Capacity provider not found: {PROVIDER_ARN}"


async def test_a_providers_versions_are_listed_with_their_states(rig: LambdaRig) -> None:
    await rig.published()
    found = await rig.calls("ListFunctionVersionsByCapacityProvider", CapacityProviderName="cp")

    assert found["CapacityProviderArn"] == PROVIDER_ARN
    assert [(one["FunctionArn"].rpartition(":")[2], one["State"]) for one in found["FunctionVersions"]] == [
        ("1", "Active")
    ]


async def test_providers_are_listed_by_state(rig: LambdaRig) -> None:
    await rig.provider("b")
    await rig.provider("a")
    found = (await rig.calls("ListCapacityProviders"))["CapacityProviders"]

    assert [one["CapacityProviderArn"].rpartition(":")[2] for one in found] == ["a", "b"]
    assert (await rig.calls("ListCapacityProviders", State="Failed"))["CapacityProviders"] == []


async def test_bounds_are_read_and_changed(rig: LambdaRig) -> None:
    await rig.published()
    answer = await rig.calls(
        "PutFunctionScalingConfig",
        FunctionName="f",
        Qualifier="1",
        FunctionScalingConfig={"MinExecutionEnvironments": 2, "MaxExecutionEnvironments": 4},
    )
    found = await rig.calls("GetFunctionScalingConfig", FunctionName="f", Qualifier="1")
    again = LambdaRig(rig.store)
    await again.service.start()

    assert answer == {"FunctionState": "Active"}
    assert found["AppliedFunctionScalingConfig"] == {"MinExecutionEnvironments": 2, "MaxExecutionEnvironments": 4}
    assert rig.host.versions[0].config == ScalingConfig(2, 4)
    assert again.host.versions[0].config == ScalingConfig(2, 4)
    assert (
        await rig.calls.refused("GetFunctionScalingConfig", FunctionName="f", Qualifier="2")
    ).code == "ResourceNotFoundException"


async def test_bounds_that_are_not_reached_yet_are_shown_beside(rig: LambdaRig) -> None:
    await rig.published()
    rig.host.versions[0].requested = ScalingConfig(5, 9)
    found = await rig.calls("GetFunctionScalingConfig", FunctionName="f", Qualifier="1")

    assert found["AppliedFunctionScalingConfig"] == {"MinExecutionEnvironments": 3}
    assert found["RequestedFunctionScalingConfig"] == {"MinExecutionEnvironments": 5, "MaxExecutionEnvironments": 9}


async def test_a_layer_has_numbered_versions_that_functions_use(rig: LambdaRig) -> None:
    first = await rig.calls(
        "PublishLayerVersion", LayerName="l", Content={"ZipFile": archive("1")}, CompatibleRuntimes=["python3.13"]
    )
    second = await rig.calls("PublishLayerVersion", LayerName=first["LayerArn"], Content={"ZipFile": archive("2")})
    await rig.published(Layers=[first["LayerVersionArn"]])
    (layer,) = rig.host.versions[0].function.layers

    assert (first["Version"], second["Version"]) == (1, 2)
    assert layer.arn == first["LayerVersionArn"]
    assert layer.content is not None
    assert layer.content.read_bytes() == archive("1")
    assert await rig.calls("GetLayerVersionByArn", Arn=first["LayerVersionArn"]) == first
    assert await rig.calls("GetLayerVersion", LayerName="l", VersionNumber=1) == first


async def test_layers_are_listed_newest_first(rig: LambdaRig) -> None:
    for runtimes in (["python3.13"], ["nodejs22.x"]):
        await rig.calls(
            "PublishLayerVersion", LayerName="l", Content={"ZipFile": archive("1")}, CompatibleRuntimes=runtimes
        )
    versions = (await rig.calls("ListLayerVersions", LayerName="l"))["LayerVersions"]
    layers = (await rig.calls("ListLayers", CompatibleRuntime="python3.13"))["Layers"]
    first = await rig.calls("ListLayerVersions", LayerName="l", MaxItems=1)
    rest = await rig.calls("ListLayerVersions", LayerName="l", MaxItems=1, Marker=first["NextMarker"])

    assert [one["Version"] for one in versions] == [2, 1]
    assert [one["LatestMatchingVersion"]["Version"] for one in layers] == [1]
    assert [one["Version"] for one in (*first["LayerVersions"], *rest["LayerVersions"])] == [2, 1]


async def test_a_deleted_layers_number_is_not_used_again(rig: LambdaRig) -> None:
    await rig.calls("PublishLayerVersion", LayerName="l", Content={"ZipFile": archive("1")})
    await rig.calls("DeleteLayerVersion", LayerName="l", VersionNumber=1)
    await rig.calls("DeleteLayerVersion", LayerName="l", VersionNumber=1)
    again = await rig.calls("PublishLayerVersion", LayerName="l", Content={"ZipFile": archive("1")})

    assert again["Version"] == 2
    assert (await rig.calls.refused("GetLayerVersion", LayerName="l", VersionNumber=1)).status == 404


async def test_a_layer_may_be_shared(rig: LambdaRig) -> None:
    await rig.calls("PublishLayerVersion", LayerName="l", Content={"ZipFile": archive("1")})
    version = {"LayerName": "l", "VersionNumber": 1}
    none = await rig.calls.refused("GetLayerVersionPolicy", **version)
    await rig.calls(
        "AddLayerVersionPermission", **version, StatementId="s", Action="lambda:GetLayerVersion", Principal="*"
    )
    policy = orjson.loads((await rig.calls("GetLayerVersionPolicy", **version))["Policy"])
    await rig.calls("RemoveLayerVersionPermission", **version, StatementId="s")

    assert none.message == "No policy is associated with the given resource."
    assert [one["Sid"] for one in policy["Statement"]] == ["s"]
    assert (await rig.calls.refused("GetLayerVersionPolicy", **version)).status == 404


async def test_what_becomes_of_events_reaches_what_runs(rig: LambdaRig) -> None:
    await rig.published()
    put = await rig.calls("PutFunctionEventInvokeConfig", FunctionName="f", Qualifier="1", MaximumRetryAttempts=0)
    updated = await rig.calls(
        "UpdateFunctionEventInvokeConfig", FunctionName="f", Qualifier="1", MaximumEventAgeInSeconds=60
    )
    found = rig.service.directory.find("f", "1")
    listed = await rig.calls("ListFunctionEventInvokeConfigs", FunctionName="f")
    got = await rig.calls("GetFunctionEventInvokeConfig", FunctionName="f", Qualifier="1")
    await rig.calls("DeleteFunctionEventInvokeConfig", FunctionName="f", Qualifier="1")
    after = rig.service.directory.find("f", "1")

    assert put["MaximumRetryAttempts"] == updated["MaximumRetryAttempts"] == 0
    assert listed["FunctionEventInvokeConfigs"] == [got]
    missing = await rig.calls.refused("GetFunctionEventInvokeConfig", FunctionName="f", Qualifier="1")
    assert missing.code == "ResourceNotFoundException"
    assert found is not None
    assert after is not None
    assert (found.function.event_invoke.max_retry_attempts, found.function.event_invoke.max_age_s) == (0, 60)
    assert after.function.event_invoke.max_retry_attempts == 2


async def test_an_alias_has_its_own_way_with_events(rig: LambdaRig) -> None:
    await rig.published()
    await rig.calls("PutFunctionEventInvokeConfig", FunctionName="f", Qualifier="live", MaximumRetryAttempts=1)
    by_alias, by_number = rig.service.directory.find("f", "live"), rig.service.directory.find("f", "1")

    assert by_alias is not None
    assert by_number is not None
    assert by_alias.function.event_invoke.max_retry_attempts == 1
    assert by_number.function.event_invoke.max_retry_attempts == 2


def _of_template() -> Function:
    provider = CapacityProvider(
        "Cp", "stack-Cp", f"{PROVIDER_ARN[:-2]}stack-Cp", Architecture.X86_64, ("subnet-1",), (), 20, "Manual", 70.0
    )
    return Function(
        logical_id="Fn",
        name="stack-Fn",
        arn="arn:aws:lambda:us-east-1:123456789012:function:stack-Fn",
        version="1",
        alias="live",
        handler="run.sh",
        runtime="python3.13",
        architecture=Architecture.X86_64,
        memory_mib=2048,
        timeout_s=120,
        ephemeral_storage_mib=512,
        code=Path(__file__).parent,
        capacity_provider=provider,
        memory_gib_per_vcpu=2.0,
        max_concurrency=64,
        min_environments=3,
        max_environments=None,
        url=FunctionUrlConfig(AuthType.NONE, InvokeMode.RESPONSE_STREAM, Cors(allow_origins=("*",))),
        layers=(LayerVersion("arn:aws:lambda:us-east-1:753240598075:layer:LambdaAdapterLayerX86:26"),),
        environment={"PORT": "8000"},
        role="arn:aws:iam::123456789012:role/r",
    )


@pytest.fixture
def adopted(rig: LambdaRig) -> LambdaRig:
    function = _of_template()
    version = FakeVersion(function, state="Active", reason=None)
    rig.service.adopt(function, version, FakeUrl(function, version.router), "digest", 10)
    return rig


async def test_a_templates_function_is_shown_like_any_other(adopted: LambdaRig) -> None:
    calls = adopted.calls
    found = (await calls("GetFunction", FunctionName="stack-Fn", Qualifier="live"))["Configuration"]
    url = await calls("GetFunctionUrlConfig", FunctionName="stack-Fn", Qualifier="live")
    provider = (await calls("GetCapacityProvider", CapacityProviderName="stack-Cp"))["CapacityProvider"]

    assert (found["Version"], found["State"], found["CodeSha256"]) == ("1", "Active", "digest")
    assert url["FunctionUrl"] == "http://live.localhost:4566/"
    assert (url["InvokeMode"], url["Cors"]["AllowOrigins"]) == ("RESPONSE_STREAM", ["*"])
    assert provider["CapacityProviderScalingConfig"]["ScalingPolicies"][0]["TargetValue"] == 70.0
    assert (await calls("GetAlias", FunctionName="stack-Fn", Name="live"))["FunctionVersion"] == "1"


@pytest.mark.parametrize("qualifier", [None, "live", "1", "$LATEST.PUBLISHED"])
async def test_a_templates_function_is_invoked_by_every_qualifier(adopted: LambdaRig, qualifier: str | None) -> None:
    found = adopted.service.directory.find("stack-Fn", qualifier)

    assert found is not None
    assert found.function.handler == "run.sh"


async def test_a_templates_function_is_changed_in_its_template(adopted: LambdaRig) -> None:
    name = {"FunctionName": "stack-Fn"}
    for operation, params in (
        ("DeleteFunction", {}),
        ("UpdateFunctionCode", {"ZipFile": archive("x")}),
        ("UpdateFunctionConfiguration", {"Timeout": 1}),
        ("PublishVersion", {}),
        ("UpdateAlias", {"Name": "live", "Description": "d"}),
        ("DeleteAlias", {"Name": "live"}),
        ("DeleteFunctionUrlConfig", {"Qualifier": "live"}),
        ("UpdateFunctionUrlConfig", {"Qualifier": "live", "AuthType": "AWS_IAM"}),
    ):
        error = await adopted.calls.refused(operation, **name, **params)
        assert error.code == "ResourceConflictException", operation
        assert "penstock up" in error.message


async def test_two_functions_of_a_template_may_share_a_provider(adopted: LambdaRig) -> None:
    other = replace(
        _of_template(), name="stack-Other", arn="arn:aws:lambda:us-east-1:123456789012:function:stack-Other"
    )
    adopted.service.adopt(other, FakeVersion(other), None, "digest", 10)
    found = await adopted.calls("ListFunctionVersionsByCapacityProvider", CapacityProviderName="stack-Cp")

    assert len({one["FunctionArn"].split(":")[6] for one in found["FunctionVersions"]}) == 2
