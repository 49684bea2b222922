"""Versions, aliases, and who takes an invocation."""

import pytest

from penstock.aws_api.functions.directory import FunctionDirectory
from penstock.invoke_api.refusal import RefusalError
from support.lambda_rig import LambdaRig, archive


async def test_a_version_is_pending_until_its_environments_are_there(rig: LambdaRig) -> None:
    await rig.function()
    made = await rig.calls("PublishVersion", FunctionName="f", Description="first")
    pending = await rig.calls("GetFunctionConfiguration", FunctionName="f", Qualifier="1")
    rig.host.versions[0].become("Active")
    active = await rig.calls("GetFunctionConfiguration", FunctionName="f", Qualifier="1")

    assert (made["Version"], made["State"], made["Description"]) == ("1", "Pending", "first")
    assert made["FunctionArn"].endswith(":function:f:1")
    assert (pending["State"], pending["StateReasonCode"]) == ("Pending", "Creating")
    assert active["State"] == "Active"
    assert "StateReason" not in active


async def test_a_version_that_cannot_start_says_why(rig: LambdaRig) -> None:
    await rig.function()
    await rig.calls("PublishVersion", FunctionName="f")
    rig.host.versions[0].become("Failed", ("FunctionError.RuntimeInitError", "Runtime.ExitError: exit status 1"))
    found = await rig.calls("GetFunctionConfiguration", FunctionName="f", Qualifier="1")

    assert (found["State"], found["StateReasonCode"]) == ("Failed", "FunctionError.RuntimeInitError")
    assert found["StateReason"] == "Runtime.ExitError: exit status 1"


async def test_nothing_new_is_no_new_version(rig: LambdaRig) -> None:
    await rig.published()
    same = await rig.calls("PublishVersion", FunctionName="f")
    await rig.calls("UpdateFunctionCode", FunctionName="f", ZipFile=archive("two"))
    second = await rig.calls("PublishVersion", FunctionName="f")

    assert (same["Version"], second["Version"]) == ("1", "2")
    assert len(rig.host.versions) == 2


async def test_a_version_stays_as_it_was_published(rig: LambdaRig) -> None:
    await rig.published()
    before = await rig.calls("GetFunctionConfiguration", FunctionName="f", Qualifier="1")
    await rig.calls("UpdateFunctionCode", FunctionName="f", ZipFile=archive("two"))
    await rig.calls("UpdateFunctionConfiguration", FunctionName="f", Timeout=60)

    assert await rig.calls("GetFunctionConfiguration", FunctionName="f", Qualifier="1") == before


async def test_publish_comes_with_create_and_update(rig: LambdaRig) -> None:
    made = await rig.function(Publish=True)
    updated = await rig.calls("UpdateFunctionCode", FunctionName="f", ZipFile=archive("two"), Publish=True)

    assert (made["Version"], made["State"]) == ("1", "Pending")
    assert updated["Version"] == "2"


async def test_the_slot_is_published_again_and_again(rig: LambdaRig) -> None:
    await rig.function(PublishTo="LATEST_PUBLISHED")
    rig.host.versions[0].become("Active")
    await rig.calls(
        "PutFunctionScalingConfig",
        FunctionName="f",
        Qualifier="$LATEST.PUBLISHED",
        FunctionScalingConfig={"MinExecutionEnvironments": 1, "MaxExecutionEnvironments": 2},
    )
    await rig.calls("UpdateFunctionCode", FunctionName="f", ZipFile=archive("two"))
    again = await rig.calls("PublishVersion", FunctionName="f", PublishTo="LATEST_PUBLISHED")

    assert (again["Version"], again["LastUpdateStatus"]) == ("$LATEST.PUBLISHED", "InProgress")
    assert [version.retired for version in rig.host.versions] == [True, False]
    assert rig.host.versions[1].function.min_environments == 1
    assert rig.host.versions[1].function.max_environments == 2


async def test_a_wrong_digest_publishes_nothing(rig: LambdaRig) -> None:
    await rig.function()
    error = await rig.calls.refused("PublishVersion", FunctionName="f", CodeSha256="other")

    assert error.code == "InvalidParameterValueException"
    assert rig.host.versions == []


async def test_a_version_goes_when_no_alias_leads_there(rig: LambdaRig) -> None:
    await rig.published()
    await rig.calls("UpdateFunctionCode", FunctionName="f", ZipFile=archive("two"), Publish=True)
    kept = await rig.calls.refused("DeleteFunction", FunctionName="f", Qualifier="1")
    await rig.calls("UpdateAlias", FunctionName="f", Name="live", FunctionVersion="2")
    await rig.calls("DeleteFunction", FunctionName="f", Qualifier="1")
    latest = await rig.calls.refused("DeleteFunction", FunctionName="f", Qualifier="$LATEST")

    assert kept.code == "ResourceConflictException"
    assert [version.retired for version in rig.host.versions] == [True, False]
    assert latest.code == "InvalidParameterValueException"
    assert (await rig.calls.refused("GetFunction", FunctionName="f", Qualifier="1")).code == "ResourceNotFoundException"


async def test_a_number_is_never_used_again(rig: LambdaRig) -> None:
    await rig.published(alias=None)
    await rig.calls("DeleteFunction", FunctionName="f", Qualifier="1")
    made = await rig.calls("PublishVersion", FunctionName="f")

    assert made["Version"] == "2"


async def test_a_version_that_cannot_run_is_not_kept(rig: LambdaRig) -> None:
    await rig.function()
    rig.store.table("lambda.capacity-provider").delete("cp")
    await rig.calls.refused("PublishVersion", FunctionName="f")
    await rig.provider()
    made = await rig.calls("PublishVersion", FunctionName="f")

    assert made["Version"] == "1"


async def test_the_eleventh_version_comes_after_the_second(rig: LambdaRig) -> None:
    await rig.function()
    for number in range(11):
        await rig.calls("UpdateFunctionCode", FunctionName="f", ZipFile=archive(str(number)), Publish=True)
    found = (await rig.calls("ListVersionsByFunction", FunctionName="f"))["Versions"]

    assert [one["Version"] for one in found] == ["$LATEST", *map(str, range(1, 12))]


async def test_an_alias_leads_to_a_version_that_is_there(rig: LambdaRig) -> None:
    await rig.published(alias=None)
    made = await rig.calls("CreateAlias", FunctionName="f", Name="live", FunctionVersion="1", Description="d")
    missing = await rig.calls.refused("CreateAlias", FunctionName="f", Name="other", FunctionVersion="7")
    twice = await rig.calls.refused("CreateAlias", FunctionName="f", Name="live", FunctionVersion="1")

    assert made["AliasArn"].endswith(":function:f:live")
    assert (missing.code, twice.code) == ("ResourceNotFoundException", "ResourceConflictException")
    assert await rig.calls("GetAlias", FunctionName="f", Name="live") == made


async def test_the_url_of_an_alias_follows_it(rig: LambdaRig) -> None:
    await rig.published(alias=None)
    await rig.calls("CreateAlias", FunctionName="f", Name="live", FunctionVersion="1")
    await rig.calls("CreateFunctionUrlConfig", FunctionName="f", Qualifier="live", AuthType="NONE")
    await rig.calls("UpdateFunctionCode", FunctionName="f", ZipFile=archive("two"), Publish=True)
    (url,) = rig.host.urls
    before = url.router
    await rig.calls("UpdateAlias", FunctionName="f", Name="live", FunctionVersion="2")

    assert before is rig.host.versions[0].router
    assert url.router is rig.host.versions[1].router
    assert (url.function.version, url.function.alias) == ("2", "live")


async def test_an_alias_may_share_its_traffic(rig: LambdaRig) -> None:
    await rig.published()
    await rig.calls("UpdateFunctionCode", FunctionName="f", ZipFile=archive("two"), Publish=True)
    weights = {"AdditionalVersionWeights": {"2": 0.25}}
    shared = await rig.calls("UpdateAlias", FunctionName="f", Name="live", RoutingConfig=weights)
    directory = rig.service.directory
    chances = [0.2, 0.25, 0.9]
    found = [_find(directory, chance) for chance in chances]
    await rig.calls("UpdateAlias", FunctionName="f", Name="live", RoutingConfig={})

    assert shared["RoutingConfig"] == weights
    assert found == ["2", "1", "1"]
    assert "RoutingConfig" not in await rig.calls("GetAlias", FunctionName="f", Name="live")


def _find(directory: FunctionDirectory, chance: float) -> str:
    directory._chance = lambda: chance
    found = directory.find("f", "live")
    assert found is not None
    return found.version


@pytest.mark.parametrize("weights", [{"1": 0.5}, {"2": 0.5, "3": 0.2}, {"$LATEST": 0.5}])
async def test_weights_are_for_one_other_numbered_version(rig: LambdaRig, weights: dict[str, float]) -> None:
    await rig.published()
    for number in ("two", "three"):
        await rig.calls("UpdateFunctionCode", FunctionName="f", ZipFile=archive(number), Publish=True)
    error = await rig.calls.refused(
        "UpdateAlias", FunctionName="f", Name="live", RoutingConfig={"AdditionalVersionWeights": weights}
    )

    assert error.code == "InvalidParameterValueException"
    assert "RoutingConfig" not in await rig.calls("GetAlias", FunctionName="f", Name="live")


async def test_an_invocation_finds_the_version_behind_its_qualifier(rig: LambdaRig) -> None:
    await rig.published()
    by_alias, by_number = rig.service.directory.find("f", "live"), rig.service.directory.find("f", "1")

    assert by_alias is not None
    assert by_number is not None
    assert by_alias.function.qualified_arn.endswith(":f:live")
    assert by_number.function.qualified_arn.endswith(":f:1")
    assert by_alias.router is by_number.router is rig.host.versions[0].router
    assert rig.service.directory.find("f", "other") is None
    assert rig.service.directory.find("g", None) is None


@pytest.mark.parametrize("qualifier", [None, "$LATEST"])
async def test_without_a_qualifier_the_slot_must_be_filled(rig: LambdaRig, qualifier: str | None) -> None:
    await rig.published()
    with pytest.raises(RefusalError) as caught:
        rig.service.directory.find("f", qualifier)

    assert caught.value.error_type == "NoPublishedVersionException"


async def test_without_a_qualifier_the_slot_takes_it(rig: LambdaRig) -> None:
    await rig.function(PublishTo="LATEST_PUBLISHED")
    found = rig.service.directory.find("f", None)
    with pytest.raises(RefusalError) as caught:
        rig.service.directory.find("f", "$LATEST")

    assert found is not None
    assert found.version == "$LATEST.PUBLISHED"
    assert caught.value.error_type == "InvalidParameterValueException"
