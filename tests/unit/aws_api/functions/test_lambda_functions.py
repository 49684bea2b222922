"""Functions: made, read, changed and deleted."""

import base64
import hashlib
from pathlib import Path
from typing import Any

import pytest

from penstock.aws_api.service import FilePart, ServiceError
from support.lambda_rig import PROVIDER_ARN, LambdaRig, archive, function_params

MANAGED = "LambdaManagedInstancesCapacityProviderConfig"


async def test_a_function_is_pending_when_made_and_its_latest_cannot_be_invoked(rig: LambdaRig) -> None:
    made = await rig.function()
    read = await rig.calls("GetFunctionConfiguration", FunctionName="f")

    assert (made["State"], made["StateReasonCode"], made["Version"]) == ("Pending", "Creating", "$LATEST")
    assert (read["State"], read["LastUpdateStatus"]) == ("ActiveNonInvocable", "Successful")
    assert rig.host.versions == []


async def test_what_was_left_open_is_filled_in_as_on_aws(rig: LambdaRig) -> None:
    made = await rig.function()

    assert made["CapacityProviderConfig"][MANAGED] == {
        "CapacityProviderArn": PROVIDER_ARN,
        "PerExecutionEnvironmentMaxConcurrency": 16,
        "ExecutionEnvironmentMemoryGiBPerVCpu": 2.0,
    }
    assert (made["Timeout"], made["MemorySize"], made["Architectures"]) == (3, 2048, ["x86_64"])
    assert made["LoggingConfig"]["LogFormat"] == "JSON"
    assert made["LoggingConfig"]["LogGroup"] == "/aws/lambda/f"


async def test_the_code_is_known_by_what_it_holds(rig: LambdaRig) -> None:
    made = await rig.function(content="hello")
    data = archive("hello")
    got = await rig.calls("GetFunction", FunctionName="f")

    assert made["CodeSha256"] == base64.b64encode(hashlib.sha256(data).digest()).decode()
    assert made["CodeSize"] == len(data)
    assert _read(got["Code"]["Location"]) == data


def _read(location: str) -> bytes:
    return Path(location.removeprefix("file://")).read_bytes()


async def test_code_comes_from_s3(rig: LambdaRig, tmp_path: Path) -> None:
    data = archive("from s3")
    file = tmp_path / "object"
    file.write_bytes(b"before" + data + b"after")
    rig.s3.answer = {"Body": FilePart(file, 6, len(data))}

    made = await rig.function(Code={"S3Bucket": "bucket", "S3Key": "k", "S3ObjectVersion": "v"})

    assert rig.s3.asked == [{"Bucket": "bucket", "Key": "k", "VersionId": "v"}]
    assert made["CodeSize"] == len(data)


async def test_an_object_that_is_not_there_is_told_in_s3s_words(rig: LambdaRig) -> None:
    await rig.provider()
    error = await rig.calls.refused(
        "CreateFunction", **function_params("f", "x") | {"Code": {"S3Bucket": "bucket", "S3Key": "k"}}
    )

    assert error.code == "InvalidParameterValueException"
    assert error.message == (
        "Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: The specified key does not exist."
    )


@pytest.mark.parametrize(
    ("change", "code", "told"),
    [
        ({"Code": {"ZipFile": b"no zip"}}, "InvalidParameterValueException", "Could not unzip uploaded file."),
        ({"Code": {}}, "InvalidParameterValueException", "Please provide a source for function code."),
        ({"Runtime": "python3.9"}, "InvalidParameterValueException", "python3.9 does not run on Managed Instances"),
        ({"MemorySize": 3000}, "InvalidParameterValueException", "allowed: a multiple of 2048"),
        ({"Architectures": ["arm64"]}, "InvalidParameterValueException", "arm64"),
        ({"VpcConfig": {"SubnetIds": ["subnet-1"]}}, "InvalidParameterValueException", "VpcConfig"),
        ({"SnapStart": {"ApplyOn": "PublishedVersions"}}, "InvalidParameterValueException", "SnapStart"),
        (
            {"CapacityProviderConfig": {MANAGED: {"CapacityProviderArn": PROVIDER_ARN + "x"}}},
            "ResourceNotFoundException",
            "Capacity provider not found",
        ),
        (
            {"Layers": ["arn:aws:lambda:us-east-1:123456789012:layer:none:1"]},
            "InvalidParameterValueException",
            "does not exist",
        ),
        ({"Environment": {"Variables": {"AWS_REGION": "x"}}}, "InvalidParameterValueException", "AWS_REGION"),
        ({"PackageType": "Image"}, "InvalidParameterValueException", "container images"),
    ],
)
async def test_what_cannot_run_is_refused_and_nothing_is_kept(
    rig: LambdaRig, change: dict[str, Any], code: str, told: str
) -> None:
    await rig.provider()
    error = await rig.calls.refused("CreateFunction", **function_params("f", "x") | change)
    missing = await rig.calls.refused("GetFunction", FunctionName="f")

    assert error.code == code
    assert told in error.message
    assert missing.code == "ResourceNotFoundException"
    assert missing.message == "Function not found: arn:aws:lambda:us-east-1:123456789012:function:f"


async def test_a_function_without_a_capacity_provider_is_refused_by_name(rig: LambdaRig) -> None:
    params = function_params("f", "x")
    del params["CapacityProviderConfig"]
    error = await rig.calls.refused("CreateFunction", **params)

    assert "CapacityProviderConfig" in error.message


async def test_an_empty_vpc_and_no_snapstart_say_nothing(rig: LambdaRig) -> None:
    made = await rig.function(VpcConfig={"SubnetIds": [], "SecurityGroupIds": []}, SnapStart={"ApplyOn": "None"})

    assert made["FunctionName"] == "f"


async def test_a_name_is_given_once(rig: LambdaRig) -> None:
    await rig.function()
    error = await rig.calls.refused("CreateFunction", **function_params("f", "x"))

    assert (error.code, error.status, error.message) == (
        "ResourceConflictException",
        409,
        "Function already exist: f",
    )


async def test_an_update_changes_what_it_names_and_nothing_else(rig: LambdaRig) -> None:
    made = await rig.function(Environment={"Variables": {"NAME": "1x"}}, Description="d")
    updated = await rig.calls("UpdateFunctionConfiguration", FunctionName="f", Timeout=60)
    cleared = await rig.calls("UpdateFunctionConfiguration", FunctionName="f", Environment={"Variables": {}})

    assert (updated["Timeout"], updated["Environment"], updated["Description"]) == (60, made["Environment"], "d")
    assert updated["LastUpdateStatus"] == "InProgress"
    assert updated["RevisionId"] != made["RevisionId"]
    assert "Environment" not in cleared


async def test_an_update_that_cannot_run_leaves_all_as_it_was(rig: LambdaRig) -> None:
    await rig.function()
    before = await rig.calls("GetFunctionConfiguration", FunctionName="f")
    await rig.calls.refused("UpdateFunctionConfiguration", FunctionName="f", MemorySize=2049)

    assert await rig.calls("GetFunctionConfiguration", FunctionName="f") == before


async def test_a_revision_that_is_not_the_latest_is_refused(rig: LambdaRig) -> None:
    await rig.function()
    for operation, params in (
        ("UpdateFunctionConfiguration", {"Timeout": 4}),
        ("UpdateFunctionCode", {"ZipFile": archive("two")}),
        ("PublishVersion", {}),
    ):
        error = await rig.calls.refused(operation, FunctionName="f", RevisionId="another", **params)
        assert (error.code, error.status) == ("PreconditionFailedException", 412)


async def test_a_dry_run_of_new_code_keeps_the_old(rig: LambdaRig) -> None:
    made = await rig.function()
    tried = await rig.calls("UpdateFunctionCode", FunctionName="f", ZipFile=archive("two"), DryRun=True)
    read = await rig.calls("GetFunctionConfiguration", FunctionName="f")

    assert tried["CodeSha256"] != made["CodeSha256"]
    assert read["CodeSha256"] == made["CodeSha256"]


async def test_code_that_nothing_names_any_more_leaves_the_disk(rig: LambdaRig) -> None:
    await rig.function(content="one")
    folder = rig.store.files / "lambda"
    await rig.calls("UpdateFunctionCode", FunctionName="f", ZipFile=archive("two"))
    after_update = len(list(folder.iterdir()))
    await rig.calls("DeleteFunction", FunctionName="f")

    assert after_update == 1
    assert list(folder.iterdir()) == []


async def test_a_deleted_function_takes_all_with_it(rig: LambdaRig) -> None:
    await rig.published()
    await rig.calls("CreateFunctionUrlConfig", FunctionName="f", Qualifier="live", AuthType="NONE")
    await rig.calls("AddPermission", FunctionName="f", StatementId="s", Action="lambda:InvokeFunction", Principal="*")
    answer = await rig.calls("DeleteFunction", FunctionName="f")
    await rig.function()

    assert answer == {"StatusCode": 204}
    assert [version.retired for version in rig.host.versions] == [True]
    assert [url.removed for url in rig.host.urls] == [True]
    assert (await rig.calls("ListAliases", FunctionName="f"))["Aliases"] == []
    assert [one["Version"] for one in (await rig.calls("ListVersionsByFunction", FunctionName="f"))["Versions"]] == [
        "$LATEST"
    ]
    assert (await rig.calls.refused("GetPolicy", FunctionName="f")).code == "ResourceNotFoundException"


async def test_functions_are_listed_in_pages(rig: LambdaRig) -> None:
    for name in ("b", "a", "a-b", "c"):
        await rig.function(name)
    first = await rig.calls("ListFunctions", MaxItems=3)
    second = await rig.calls("ListFunctions", MaxItems=3, Marker=first["NextMarker"])
    wrong = await rig.calls.refused("ListFunctions", Marker="?")

    assert [one["FunctionName"] for one in first["Functions"]] == ["a", "a-b", "b"]
    assert [one["FunctionName"] for one in second["Functions"]] == ["c"]
    assert "NextMarker" not in second
    assert wrong.code == "InvalidParameterValueException"


async def test_all_versions_are_listed_with_their_arns(rig: LambdaRig) -> None:
    await rig.published()
    found = (await rig.calls("ListFunctions", FunctionVersion="ALL"))["Functions"]

    assert [one["FunctionArn"].rpartition(":")[2] for one in found] == ["$LATEST", "1"]


@pytest.mark.parametrize(
    "name",
    ["f", "123456789012:function:f", "arn:aws:lambda:us-east-1:123456789012:function:f", "function:f"],
)
async def test_a_function_answers_to_every_form_of_its_name(rig: LambdaRig, name: str) -> None:
    await rig.function()

    assert (await rig.calls("GetFunctionConfiguration", FunctionName=name))["FunctionName"] == "f"


async def test_a_function_of_another_region_is_not_here(rig: LambdaRig) -> None:
    await rig.function()
    arn = "arn:aws:lambda:eu-west-1:123456789012:function:f"
    error = await rig.calls.refused("GetFunctionConfiguration", FunctionName=arn)

    assert error.message == f"Function not found: {arn}"


async def test_tags_are_kept_beside(rig: LambdaRig) -> None:
    made = await rig.function(Tags={"a": "1"})
    arn = made["FunctionArn"]
    await rig.calls("TagResource", Resource=arn, Tags={"b": "2"})
    await rig.calls("UntagResource", Resource=arn, TagKeys=["a"])

    assert (await rig.calls("ListTags", Resource=arn))["Tags"] == {"b": "2"}
    assert (await rig.calls("GetFunction", FunctionName="f"))["Tags"] == {"b": "2"}
    assert (await rig.calls.refused("ListTags", Resource=arn + "x")).code == "ResourceNotFoundException"


async def test_the_account_knows_its_limits_and_what_is_used(rig: LambdaRig) -> None:
    made = await rig.function()
    settings = await rig.calls("GetAccountSettings")

    assert settings["AccountUsage"] == {"TotalCodeSize": made["CodeSize"], "FunctionCount": 1}
    assert settings["AccountLimit"]["CodeSizeUnzipped"] == 262_144_000


async def test_what_is_kept_comes_back_with_what_runs(rig: LambdaRig) -> None:
    await rig.published()
    await rig.calls("CreateFunctionUrlConfig", FunctionName="f", Qualifier="live", AuthType="NONE")
    before = await rig.calls("GetFunctionConfiguration", FunctionName="f", Qualifier="live")
    again = LambdaRig(rig.store)
    await again.service.start()
    after = await again.calls("GetFunctionConfiguration", FunctionName="f", Qualifier="live")

    assert again.warnings == []
    assert (before["State"], after["State"]) == ("Active", "Pending")
    assert {key: value for key, value in after.items() if not key.startswith("State")} == {
        key: value for key, value in before.items() if not key.startswith("State")
    }
    assert [version.function.version for version in again.host.versions] == ["1"]
    assert [url.function.qualifier for url in again.host.urls] == ["live"]
    assert again.host.urls[0].router is again.host.versions[0].router


async def test_a_version_that_cannot_come_back_is_told_of_and_fails(rig: LambdaRig) -> None:
    await rig.published()
    rig.store.table("lambda.capacity-provider").delete("cp")
    again = LambdaRig(rig.store)
    await again.service.start()
    found = await again.calls("GetFunctionConfiguration", FunctionName="f", Qualifier="1")

    assert again.warnings == [f"f:1 is not started: Capacity provider not found: {PROVIDER_ARN}"]
    assert found["State"] == "Failed"


async def test_errors_are_service_errors(rig: LambdaRig) -> None:
    error = await rig.calls.refused("GetFunction", FunctionName="f", Qualifier="live")

    assert isinstance(error, ServiceError)
    assert error.status == 404
    assert error.members == {"Type": "User"}
