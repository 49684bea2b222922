"""Killed at every point of a creation, an update and a deletion, a stack comes to an end that is whole."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from support.cloudformation import CAPABILITIES
from support.cloudformation_kills import MortalSite

FIRST = """
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument: {}
      ManagedPolicyArns: [arn:one, arn:two]
      Policies: [{PolicyName: own, PolicyDocument: {}}]
  Provider:
    Type: AWS::Lambda::CapacityProvider
    Properties:
      PermissionsConfig: {CapacityProviderOperatorRoleArn: !GetAtt Role.Arn}
      VpcConfig: {SubnetIds: [subnet-1]}
  Fn:
    Type: AWS::Lambda::Function
    Properties:
      Code: {S3Bucket: code, S3Key: one}
      Role: !GetAtt Role.Arn
      Timeout: 10
      CapacityProviderConfig:
        LambdaManagedInstancesCapacityProviderConfig: {CapacityProviderArn: !GetAtt Provider.Arn}
  FnVersion1:
    Type: AWS::Lambda::Version
    Properties: {FunctionName: !Ref Fn}
  Live:
    Type: AWS::Lambda::Alias
    Properties: {FunctionName: !Ref Fn, FunctionVersion: !GetAtt FnVersion1.Version, Name: live}
  Url:
    Type: AWS::Lambda::Url
    Properties: {TargetFunctionArn: !Ref Live, AuthType: NONE}
  May:
    Type: AWS::Lambda::Permission
    Properties: {FunctionName: !Ref Live, Action: lambda:InvokeFunctionUrl, Principal: "*", FunctionUrlAuthType: NONE}
  Layer:
    Type: AWS::Lambda::LayerVersion
    Properties: {Content: {S3Bucket: code, S3Key: layer-one}}
  Kept:
    Type: AWS::S3::Bucket
    Properties: {VersioningConfiguration: {Status: Enabled}}
  Old:
    Type: AWS::Logs::LogGroup
Outputs:
  Name: {Value: !Ref Fn}
"""
SECOND = (
    FIRST.replace("S3Key: one", "S3Key: two")
    .replace("S3Key: layer-one", "S3Key: layer-two")
    .replace("Timeout: 10", "Timeout: 20")
    .replace("FnVersion1", "FnVersion2")
    .replace("arn:two", "arn:three")
    .replace('Principal: "*"', "Principal: someone")
    .replace("  Old:", "  New:")
)


@pytest.fixture
async def site() -> AsyncIterator[MortalSite]:
    site = MortalSite()
    yield site
    await site.close()


def created(template: str = FIRST) -> dict[str, Any]:
    return {"StackName": "demo", "TemplateBody": template, "Capabilities": CAPABILITIES}


async def test_creation(site: MortalSite) -> None:
    seen: set[str] = set()
    steps = 0
    while True:
        site.anew()
        site.functions.looks = 1
        cut_off = await site.kill_after(steps, "CreateStack", **created())
        if not cut_off:
            assert await site.status("demo") == "CREATE_COMPLETE"
            break
        stacks = (await site.call("DescribeStacks"))["Stacks"]
        if stacks:
            seen.add(stacks[0]["StackStatus"])
            if stacks[0]["StackStatus"] == "ROLLBACK_COMPLETE":
                assert site.empty(), steps
        else:
            assert site.empty(), steps
        steps += 1
    assert seen == {"ROLLBACK_COMPLETE"}
    assert steps >= 50


async def test_update(site: MortalSite) -> None:
    seen: set[str] = set()
    steps = 0
    while True:
        site.anew()
        site.functions.looks = 1
        await site.call("CreateStack", **created())
        before = site.picture()
        stack_before = await site.stack("demo")
        template_before = await site.call("GetTemplate", StackName="demo")
        cut_off = await site.kill_after(steps, "UpdateStack", **created(SECOND))
        status = await site.status("demo")
        if status in ("UPDATE_ROLLBACK_COMPLETE", "CREATE_COMPLETE"):
            assert site.picture() == before, steps
            assert (await site.stack("demo"))["Outputs"] == stack_before["Outputs"]
            assert await site.call("GetTemplate", StackName="demo") == template_before
            names = {item["LogicalResourceId"] for item in await resources(site)}
            assert "Old" in names
            assert "New" not in names
        else:
            assert status == "UPDATE_COMPLETE", (steps, await site.reasons("demo"))
            check_updated(site)
        seen.add(status)
        assert (site.rows("before"), site.rows("leftover"), site.rows("template")) == (0, 0, 1), steps
        if steps % 4 == 0:
            await site.call("DeleteStack", StackName="demo")
            assert site.empty(), steps
        if not cut_off:
            break
        steps += 1
    assert seen == {"CREATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "UPDATE_COMPLETE"}
    assert steps >= 50


@pytest.mark.parametrize("at", [12, 24, 36, 48])
async def test_taking_back_is_cut_off_as_well(site: MortalSite, at: int) -> None:
    """And again, and again: each process lives one step longer than the one before."""
    site.anew()
    site.functions.looks = 1
    await site.call("CreateStack", **created())
    before = site.picture()
    assert await site.die_after(at, site.call("UpdateStack", **created(SECOND)))
    lives = 0
    while await site.die_after(lives, site.revive()):
        lives += 1
    status = await site.status("demo")
    if status == "UPDATE_COMPLETE":
        check_updated(site)
    else:
        assert status == "UPDATE_ROLLBACK_COMPLETE", await site.reasons("demo")
        assert site.picture() == before
    assert (site.rows("before"), site.rows("leftover"), site.rows("template")) == (0, 0, 1)
    assert lives > 5


async def resources(site: MortalSite) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await site.call("ListStackResources", StackName="demo"))["StackResourceSummaries"]
    return found


def check_updated(site: MortalSite) -> None:
    (version,) = site.functions.versions.values()
    assert version == {"Version": "2", "Code": {"S3Bucket": "code", "S3Key": "two"}}
    (alias,) = site.functions.aliases.values()
    assert alias["FunctionVersion"] == "2"
    (layer,) = site.functions.layers.values()
    assert layer["Content"]["S3Key"] == "layer-two"
    (permission,) = site.functions.permissions.values()
    assert permission["Principal"] == "someone"
    (role,) = site.iam.roles.values()
    assert role["attached"] == ["arn:one", "arn:three"]
    (group,) = site.logs.groups
    assert group.startswith("demo-New-")


async def test_deletion(site: MortalSite) -> None:
    steps = 0
    while True:
        site.anew()
        await site.call("CreateStack", **created())
        stack_id = (await site.stack("demo"))["StackId"]
        cut_off = await site.kill_after(steps, "DeleteStack", StackName="demo")
        status = await site.status(stack_id)
        if status == "CREATE_COMPLETE":
            assert steps == 0
        else:
            assert status == "DELETE_COMPLETE", steps
            assert site.empty(), steps
        if not cut_off:
            break
        steps += 1
    assert steps > 25
