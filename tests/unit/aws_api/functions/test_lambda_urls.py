"""Function URLs, and who may call what."""

from typing import Any

import orjson
import pytest

from penstock.model.function import AuthType, Cors, InvokeMode
from support.lambda_rig import LambdaRig, archive


async def test_a_url_is_served_from_the_moment_it_is_made(rig: LambdaRig) -> None:
    await rig.published()
    made = await rig.calls(
        "CreateFunctionUrlConfig",
        FunctionName="f",
        Qualifier="live",
        AuthType="NONE",
        InvokeMode="RESPONSE_STREAM",
        Cors={"AllowOrigins": ["*"], "MaxAge": 10},
    )
    got = await rig.calls("GetFunctionUrlConfig", FunctionName="f", Qualifier="live")
    (url,) = rig.host.urls

    assert made["FunctionUrl"] == got["FunctionUrl"] == url.address
    assert made["FunctionArn"].endswith(":function:f:live")
    assert "LastModifiedTime" not in made
    assert url.function.url is not None
    assert (url.function.url.auth_type, url.function.url.invoke_mode) == (AuthType.NONE, InvokeMode.RESPONSE_STREAM)
    assert url.function.url.cors == Cors(allow_origins=("*",), max_age=10)
    assert url.router is rig.host.versions[0].router


async def test_a_url_takes_its_new_settings(rig: LambdaRig) -> None:
    await rig.published()
    await rig.calls("CreateFunctionUrlConfig", FunctionName="f", Qualifier="live", AuthType="NONE")
    rig.clock.advance(5)
    updated = await rig.calls("UpdateFunctionUrlConfig", FunctionName="f", Qualifier="live", AuthType="AWS_IAM")

    assert (updated["AuthType"], updated["InvokeMode"]) == ("AWS_IAM", "BUFFERED")
    assert updated["LastModifiedTime"] > updated["CreationTime"]
    assert rig.host.urls[0].function.url is not None
    assert rig.host.urls[0].function.url.auth_type is AuthType.AWS_IAM


async def test_settings_that_cannot_be_are_refused_and_nothing_is_kept(rig: LambdaRig) -> None:
    await rig.published()
    wrong = {"AllowMethods": ["OPTIONS"]}
    error = await rig.calls.refused(
        "CreateFunctionUrlConfig", FunctionName="f", Qualifier="live", AuthType="NONE", Cors=wrong
    )
    missing = await rig.calls.refused("GetFunctionUrlConfig", FunctionName="f", Qualifier="live")

    assert error.code == "InvalidParameterValueException"
    assert missing.message == "The resource you requested does not exist."
    assert rig.host.urls == []


async def test_a_url_is_made_once_and_goes_when_deleted(rig: LambdaRig) -> None:
    await rig.published()
    await rig.calls("CreateFunctionUrlConfig", FunctionName="f", Qualifier="live", AuthType="NONE")
    twice = await rig.calls.refused("CreateFunctionUrlConfig", FunctionName="f", Qualifier="live", AuthType="NONE")
    await rig.calls("DeleteFunctionUrlConfig", FunctionName="f", Qualifier="live")
    again = await rig.calls.refused("DeleteFunctionUrlConfig", FunctionName="f", Qualifier="live")

    assert twice.code == "ResourceConflictException"
    assert rig.host.urls[0].removed
    assert again.code == "ResourceNotFoundException"


async def test_a_url_without_an_alias_leads_to_the_published_slot(rig: LambdaRig) -> None:
    await rig.function(PublishTo="LATEST_PUBLISHED")
    made = await rig.calls("CreateFunctionUrlConfig", FunctionName="f", AuthType="NONE")
    (url,) = rig.host.urls
    first = url.router
    await rig.calls("UpdateFunctionCode", FunctionName="f", ZipFile=archive("two"), PublishTo="LATEST_PUBLISHED")

    assert made["FunctionArn"].endswith(":function:f")
    assert first is rig.host.versions[0].router
    assert url.router is rig.host.versions[1].router


async def test_a_url_of_a_function_that_was_never_published_refuses_everything(rig: LambdaRig) -> None:
    await rig.function()
    await rig.calls("CreateFunctionUrlConfig", FunctionName="f", AuthType="NONE")

    assert rig.host.urls[0].router.targets == ()


@pytest.mark.parametrize("qualifier", ["1", "$LATEST"])
async def test_a_url_is_for_an_alias_or_the_function(rig: LambdaRig, qualifier: str) -> None:
    await rig.published()
    error = await rig.calls.refused("CreateFunctionUrlConfig", FunctionName="f", Qualifier=qualifier, AuthType="NONE")

    assert error.code == "ValidationException"


async def test_urls_are_listed(rig: LambdaRig) -> None:
    await rig.published()
    await rig.calls("CreateFunctionUrlConfig", FunctionName="f", Qualifier="live", AuthType="NONE")
    found = (await rig.calls("ListFunctionUrlConfigs", FunctionName="f"))["FunctionUrlConfigs"]
    error = await rig.calls.refused("ListFunctionUrlConfigs", FunctionName="g")

    assert [one["FunctionArn"].rpartition(":")[2] for one in found] == ["live"]
    assert error.message == "Function does not exist"


async def test_what_sam_allows_the_public_is_kept_as_aws_writes_it(rig: LambdaRig) -> None:
    await rig.published()
    name: dict[str, Any] = {"FunctionName": "f", "Qualifier": "live", "Principal": "*"}
    first = await rig.calls(
        "AddPermission",
        **name,
        StatementId="url",
        Action="lambda:InvokeFunctionUrl",
        FunctionUrlAuthType="NONE",
    )
    await rig.calls(
        "AddPermission", **name, StatementId="call", Action="lambda:InvokeFunction", InvokedViaFunctionUrl=True
    )
    policy = orjson.loads((await rig.calls("GetPolicy", FunctionName="f", Qualifier="live"))["Policy"])

    assert orjson.loads(first["Statement"])["Condition"] == {"StringEquals": {"lambda:FunctionUrlAuthType": "NONE"}}
    assert [one["Sid"] for one in policy["Statement"]] == ["url", "call"]
    assert policy["Statement"][1]["Condition"] == {"Bool": {"lambda:InvokedViaFunctionUrl": "true"}}
    assert policy["Statement"][0]["Resource"].endswith(":function:f:live")


@pytest.mark.parametrize(
    ("principal", "written"),
    [
        ("123456789012", {"AWS": "arn:aws:iam::123456789012:root"}),
        ("s3.amazonaws.com", {"Service": "s3.amazonaws.com"}),
        ("arn:aws:iam::123456789012:role/r", {"AWS": "arn:aws:iam::123456789012:role/r"}),
    ],
)
async def test_a_principal_is_written_by_its_kind(rig: LambdaRig, principal: str, written: dict[str, str]) -> None:
    await rig.function()
    made = await rig.calls(
        "AddPermission", FunctionName="f", StatementId="s", Action="lambda:InvokeFunction", Principal=principal
    )

    assert orjson.loads(made["Statement"])["Principal"] == written


async def test_a_statement_is_added_once_and_removed_once(rig: LambdaRig) -> None:
    await rig.function()
    params: dict[str, Any] = {"StatementId": "s", "Action": "lambda:InvokeFunction", "Principal": "*"}
    await rig.calls("AddPermission", FunctionName="f", **params)
    twice = await rig.calls.refused("AddPermission", FunctionName="f", **params)
    stale = await rig.calls.refused("RemovePermission", FunctionName="f", StatementId="s", RevisionId="other")
    await rig.calls("RemovePermission", FunctionName="f", StatementId="s")
    again = await rig.calls.refused("RemovePermission", FunctionName="f", StatementId="s")

    assert (twice.code, stale.code, again.code) == (
        "ResourceConflictException",
        "PreconditionFailedException",
        "ResourceNotFoundException",
    )


def _is_public(rig: LambdaRig) -> bool:
    config = rig.host.urls[0].function.url
    assert config is not None
    return config.public


async def test_a_url_is_public_when_both_permissions_say_so(rig: LambdaRig) -> None:
    await rig.published()
    await rig.calls("CreateFunctionUrlConfig", FunctionName="f", Qualifier="live", AuthType="NONE")
    name: dict[str, Any] = {"FunctionName": "f", "Qualifier": "live", "Principal": "*"}
    seen = [_is_public(rig)]
    await rig.calls(
        "AddPermission", **name, StatementId="url", Action="lambda:InvokeFunctionUrl", FunctionUrlAuthType="NONE"
    )
    seen.append(_is_public(rig))
    await rig.calls(
        "AddPermission", **name, StatementId="call", Action="lambda:InvokeFunction", InvokedViaFunctionUrl=True
    )
    seen.append(_is_public(rig))
    await rig.calls("RemovePermission", FunctionName="f", Qualifier="live", StatementId="url")

    assert [*seen, _is_public(rig)] == [False, False, True, False]


@pytest.mark.parametrize(
    ("change", "public"),
    [
        ({}, True),
        ({"SourceAccount": "123456789012"}, False),
        ({"Principal": "123456789012"}, False),
        ({"FunctionUrlAuthType": "AWS_IAM"}, False),
        ({"Qualifier": "1"}, False),
    ],
)
async def test_a_narrower_statement_is_not_for_everybody(rig: LambdaRig, change: dict[str, str], public: bool) -> None:
    await rig.published()
    await rig.calls("CreateFunctionUrlConfig", FunctionName="f", Qualifier="live", AuthType="NONE")
    name: dict[str, Any] = {"FunctionName": "f", "Qualifier": "live", "Principal": "*"}
    await rig.calls("AddPermission", **name, StatementId="call", Action="lambda:InvokeFunction")
    await rig.calls(
        "AddPermission",
        **{**name, "StatementId": "url", "Action": "lambda:InvokeFunctionUrl", "FunctionUrlAuthType": "NONE", **change},
    )

    assert _is_public(rig) is public
