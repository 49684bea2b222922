"""What fails is taken back, or left, as was asked; and said in CloudFormation's words."""

import re

import pytest

from penstock.aws_api.service import ServiceError
from support.cloudformation import SUBNETS, Site, example, parameters

BROKEN = ServiceError("InvalidParameterValueException", "Bad subnet", 400)

TWO = """
Parameters:
  Days: {Type: Number, Default: 7}
Resources:
  First:
    Type: AWS::Logs::LogGroup
    Properties: {RetentionInDays: !Ref Days}
  Second:
    Type: AWS::S3::Bucket
    DependsOn: First
"""
THREE = TWO + "  Third:\n    Type: AWS::Logs::LogGroup\n    DependsOn: Second\n"


async def test_a_creation_that_fails_is_rolled_back(site: Site) -> None:
    site.functions.refusals["CreateCapacityProvider"] = BROKEN
    await site.create("demo", example(), Parameters=SUBNETS)
    assert await site.status("demo") == "ROLLBACK_COMPLETE"
    assert site.empty()
    reasons = await site.reasons("demo")
    assert re.fullmatch(
        r'Resource handler returned message: "Bad subnet \(Service: Lambda, Status Code: 400, Request ID: [-\w]+\)" '
        r"\(RequestToken: [-\w]+, HandlerErrorCode: InvalidRequest\)",
        reasons["ManagedInstances CREATE_FAILED"],
    )
    assert (
        reasons["demo ROLLBACK_IN_PROGRESS"]
        == "The following resource(s) failed to create: [ManagedInstances]. Rollback requested by user."
    )
    told = await site.told("demo", "demo")
    assert told == ["demo CREATE_IN_PROGRESS", "demo ROLLBACK_IN_PROGRESS", "demo ROLLBACK_COMPLETE"]
    assert "ManagedInstances DELETE_COMPLETE" in await site.told("demo", "ManagedInstances")
    refusal = await site.refused("UpdateStack", StackName="demo", TemplateBody=TWO)
    assert refusal.message.endswith("is in ROLLBACK_COMPLETE state and can not be updated.")


async def test_a_version_that_never_starts(site: Site) -> None:
    site.functions.looks = 5
    site.functions.broken["*"] = "The function's init failed"
    await site.create("demo", example(), Parameters=SUBNETS)
    reasons = await site.reasons("demo")
    version = next(key for key in reasons if "Version" in key and key.endswith("CREATE_FAILED"))
    assert '"The function\'s init failed"' in reasons[version]
    assert "HandlerErrorCode: NotStabilized" in reasons[version]
    assert await site.status("demo") == "ROLLBACK_COMPLETE"
    assert site.empty()


async def test_what_is_on_its_way_when_another_fails_is_cancelled(site: Site) -> None:
    site.functions.looks = 5
    site.logs.refusals["CreateLogGroup"] = BROKEN
    template = """
Resources:
  Provider:
    Type: AWS::Lambda::CapacityProvider
    Properties: {PermissionsConfig: {CapacityProviderOperatorRoleArn: arn}, VpcConfig: {SubnetIds: [subnet-1]}}
  Bucket: {Type: AWS::S3::Bucket}
  Logs: {Type: AWS::Logs::LogGroup, DependsOn: Bucket}
"""
    await site.create("demo", template)
    reasons = await site.reasons("demo")
    assert reasons["Provider CREATE_FAILED"] == "Resource creation cancelled"
    assert "failed to create: [Logs, Provider]" in reasons["demo ROLLBACK_IN_PROGRESS"]
    assert site.empty()


async def test_do_nothing_then_rollback(site: Site) -> None:
    site.s3.refusals["CreateBucket"] = BROKEN
    await site.create("demo", TWO, OnFailure="DO_NOTHING")
    assert await site.status("demo") == "CREATE_FAILED"
    assert len(site.logs.groups) == 1
    await site.call("RollbackStack", StackName="demo")
    assert await site.status("demo") == "ROLLBACK_COMPLETE"
    assert site.empty()


async def test_a_creation_that_failed_goes_on_with_an_update(site: Site) -> None:
    site.s3.refusals["CreateBucket"] = BROKEN
    await site.create("demo", TWO, DisableRollback=True)
    del site.s3.refusals["CreateBucket"]
    await site.update("demo", TWO)
    assert await site.status("demo") == "UPDATE_COMPLETE"
    assert len(site.s3.buckets) == 1
    assert len(site.logs.groups) == 1


async def test_what_was_half_made_is_made_anew(site: Site) -> None:
    site.functions.broken["*"] = "The function's init failed"
    await site.create("demo", example(), Parameters=SUBNETS, DisableRollback=True)
    assert await site.status("demo") == "CREATE_FAILED"
    assert len(site.functions.versions) == 1
    site.functions.broken.clear()
    (function,) = site.functions.functions.values()
    function["revision"] += 1
    await site.update("demo", example(), Parameters=SUBNETS)
    assert await site.status("demo") == "UPDATE_COMPLETE", await site.reasons("demo")
    assert [item["Version"] for item in site.functions.versions.values()] == ["2"]
    (alias,) = site.functions.aliases.values()
    assert alias["FunctionVersion"] == "2"


async def test_a_replacement_that_was_half_made_is_made_anew(site: Site) -> None:
    def provider(subnet: str) -> str:
        return f"""
Resources:
  Provider:
    Type: AWS::Lambda::CapacityProvider
    Properties: {{PermissionsConfig: {{CapacityProviderOperatorRoleArn: arn}}, VpcConfig: {{SubnetIds: [{subnet}]}}}}
"""

    await site.create("demo", provider("subnet-1"))
    site.functions.looks = 10_000_000
    site.step = 30.0
    await site.update("demo", provider("subnet-2"), DisableRollback=True)
    assert await site.status("demo") == "UPDATE_FAILED"
    assert len(site.functions.providers) == 2
    site.functions.looks = 0
    await site.update("demo", provider("subnet-3"))
    assert await site.status("demo") == "UPDATE_COMPLETE"
    (one,) = site.functions.providers.values()
    assert one["VpcConfig"]["SubnetIds"] == ["subnet-3"]


async def test_tags_of_an_attempt_that_failed_are_set_again(site: Site) -> None:
    await site.create("demo", example(), Parameters=SUBNETS, Tags=[{"Key": "a", "Value": "1"}])
    (function,) = site.functions.functions.values()
    site.functions.refusals["TagResource"] = BROKEN
    tags = [{"Key": "a", "Value": "2"}]
    await site.update("demo", example(), Parameters=SUBNETS, Tags=tags, DisableRollback=True)
    assert await site.status("demo") == "UPDATE_FAILED"
    site.functions.refusals.clear()
    await site.update("demo", example(), Parameters=SUBNETS, Tags=tags)
    assert await site.status("demo") == "UPDATE_COMPLETE"
    assert function["Tags"]["a"] == "2"


async def test_on_failure_delete(site: Site) -> None:
    site.s3.refusals["CreateBucket"] = BROKEN
    answer = await site.create("demo", TWO, OnFailure="DELETE")
    assert await site.status(answer["StackId"]) == "DELETE_COMPLETE"
    assert site.empty()


async def test_an_update_that_fails_returns_to_what_was(site: Site) -> None:
    await site.create("demo", example(), Parameters=SUBNETS, Tags=[{"Key": "of", "Value": "first"}])
    (function,) = site.functions.functions.values()
    site.functions.refusals["UpdateAlias"] = BROKEN
    fixed = False

    def fix(operation: str) -> None:
        nonlocal fixed
        if operation == "UpdateAlias":
            if fixed:
                site.functions.refusals.clear()
            fixed = True

    site.functions.on_call = fix
    await site.update("demo", example("app/def"), Parameters=SUBNETS, Tags=[{"Key": "of", "Value": "second"}])
    stack = await site.stack("demo")
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert stack["Tags"] == [{"Key": "of", "Value": "first"}]
    assert function["Code"]["S3Key"] == "app/abc"
    assert function["Tags"]["of"] == "first"
    assert [item["Version"] for item in site.functions.versions.values()] == ["1"]
    reasons = await site.reasons("demo")
    assert (
        reasons["demo UPDATE_ROLLBACK_IN_PROGRESS"]
        == "The following resource(s) failed to update: [FastAPIFunctionAliaslive]."
    )
    told = await site.told("demo", "demo")
    assert told[-4:] == [
        "demo UPDATE_IN_PROGRESS",
        "demo UPDATE_ROLLBACK_IN_PROGRESS",
        "demo UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
        "demo UPDATE_ROLLBACK_COMPLETE",
    ]


async def test_an_update_without_rollback_stays_failed_and_can_be_mended(site: Site) -> None:
    await site.create("demo", TWO)
    (group,) = site.logs.groups.values()
    site.logs.refusals["CreateLogGroup"] = BROKEN
    await site.update("demo", THREE, DisableRollback=True, Parameters=parameters(Days="14"))
    assert await site.status("demo") == "UPDATE_FAILED"
    assert group["days"] == 14
    del site.logs.refusals["CreateLogGroup"]
    await site.update("demo", THREE, Parameters=parameters(Days="7"))
    assert await site.status("demo") == "UPDATE_COMPLETE"
    assert group["days"] == 7
    assert len(site.logs.groups) == 2


async def test_rollback_after_an_update_that_stayed_failed(site: Site) -> None:
    await site.create("demo", TWO)
    (group,) = site.logs.groups.values()
    site.logs.refusals["CreateLogGroup"] = BROKEN
    await site.update("demo", THREE, DisableRollback=True, Parameters=parameters(Days="14"))
    await site.call("RollbackStack", StackName="demo")
    stack = await site.stack("demo")
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert stack["Parameters"] == [{"ParameterKey": "Days", "ParameterValue": "7"}]
    assert group["days"] == 7


async def test_a_rollback_that_fails_can_be_continued(site: Site) -> None:
    await site.create("demo", TWO)
    (group,) = site.logs.groups.values()
    site.logs.refusals["CreateLogGroup"] = BROKEN

    def then_no_more(operation: str) -> None:
        if operation == "CreateLogGroup":
            site.logs.refusals["PutRetentionPolicy"] = BROKEN

    site.logs.on_call = then_no_more
    await site.update("demo", THREE, Parameters=parameters(Days="14"))
    assert await site.status("demo") == "UPDATE_ROLLBACK_FAILED"
    refusal = await site.refused("UpdateStack", StackName="demo", TemplateBody=TWO)
    assert refusal.message.endswith("is in UPDATE_ROLLBACK_FAILED state and can not be updated.")
    site.logs.refusals.clear()
    await site.call("ContinueUpdateRollback", StackName="demo")
    assert await site.status("demo") == "UPDATE_ROLLBACK_COMPLETE"
    assert group["days"] == 7


async def test_continuing_may_skip_a_resource(site: Site) -> None:
    await site.create("demo", TWO)
    site.logs.refusals["CreateLogGroup"] = BROKEN
    site.logs.on_call = lambda operation: site.logs.refusals.update(
        {"PutRetentionPolicy": BROKEN} if operation == "CreateLogGroup" else {}
    )
    await site.update("demo", THREE, Parameters=parameters(Days="14"))
    await site.call("ContinueUpdateRollback", StackName="demo", ResourcesToSkip=["First"])
    assert await site.status("demo") == "UPDATE_ROLLBACK_COMPLETE"


async def test_a_deletion_that_fails_names_what_is_left_and_may_retain_it(site: Site) -> None:
    await site.create("demo", TWO)
    (bucket,) = site.s3.buckets
    site.s3.objects[bucket, "file"] = b""
    await site.call("DeleteStack", StackName="demo")
    stack = await site.stack("demo")
    assert stack["StackStatus"] == "DELETE_FAILED"
    assert stack["StackStatusReason"] == "The following resource(s) failed to delete: [Second]. "
    assert len(site.logs.groups) == 1
    await site.call("DeleteStack", StackName="demo", RetainResources=["Second"])
    assert await site.status(stack["StackId"]) == "DELETE_COMPLETE"
    assert bucket in site.s3.buckets
    assert not site.logs.groups
    assert "Second DELETE_SKIPPED" in await site.told(stack["StackId"])


async def test_a_deletion_can_be_forced_once_it_failed(site: Site) -> None:
    answer = await site.create("demo", TWO)
    site.logs.refusals["DeleteLogGroup"] = BROKEN
    refusal = await site.refused("DeleteStack", StackName="demo", DeletionMode="FORCE_DELETE_STACK")
    assert "only be used on a stack in the DELETE_FAILED state" in refusal.message
    await site.call("DeleteStack", StackName="demo")
    assert await site.status("demo") == "DELETE_FAILED"
    await site.call("DeleteStack", StackName="demo", DeletionMode="FORCE_DELETE_STACK")
    assert await site.status(answer["StackId"]) == "DELETE_COMPLETE"
    assert await site.told(answer["StackId"], "Second") == [
        "Second CREATE_IN_PROGRESS",
        "Second CREATE_IN_PROGRESS",
        "Second CREATE_COMPLETE",
        "Second DELETE_IN_PROGRESS",
        "Second DELETE_COMPLETE",
    ]


async def test_retain_is_for_what_failed(site: Site) -> None:
    await site.create("demo", TWO)
    refusal = await site.refused("DeleteStack", StackName="demo", RetainResources=["Second"])
    assert "only when the stack is in the DELETE_FAILED state" in refusal.message


async def test_deletion_policies(site: Site) -> None:
    kept = TWO.replace("DependsOn: First", "DependsOn: First\n    DeletionPolicy: Retain")
    answer = await site.create("demo", kept)
    await site.call("DeleteStack", StackName="demo")
    assert await site.status(answer["StackId"]) == "DELETE_COMPLETE"
    assert len(site.s3.buckets) == 1
    assert not site.logs.groups


async def test_cleanup_that_fails_does_not_fail_the_update(site: Site) -> None:
    await site.create("demo", THREE)
    site.logs.refusals["DeleteLogGroup"] = BROKEN
    await site.update("demo", TWO)
    stack = await site.stack("demo")
    assert stack["StackStatus"] == "UPDATE_COMPLETE"
    assert stack["StackStatusReason"] == "One or more resources could not be deleted."
    assert "Third DELETE_FAILED" in await site.told("demo")


async def test_a_handler_that_trips_fails_its_resource_alone(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(site.iam.offered, "CreateRole", lambda params: {"Unexpected": params})
    template = "Resources: {R: {Type: AWS::IAM::Role, Properties: {AssumeRolePolicyDocument: {}}}}"
    await site.create("demo", template)
    assert await site.status("demo") == "ROLLBACK_COMPLETE"
    assert (await site.reasons("demo"))["R CREATE_FAILED"] == "Internal Failure (KeyError)"
    assert "a resource handler failed" in caplog.text


async def test_creation_has_the_time_it_is_given(site: Site) -> None:
    site.functions.looks = 10_000
    template = """
Resources:
  Provider:
    Type: AWS::Lambda::CapacityProvider
    Properties: {PermissionsConfig: {CapacityProviderOperatorRoleArn: arn}, VpcConfig: {SubnetIds: [subnet-1]}}
"""
    await site.create("demo", template, TimeoutInMinutes=1)
    assert await site.status("demo") == "ROLLBACK_COMPLETE"
    assert 60 <= site.clock.monotonic() < 65
    assert site.empty()


async def test_a_resource_that_never_settles_fails(site: Site) -> None:
    site.functions.looks = 10_000_000
    template = """
Resources:
  Provider:
    Type: AWS::Lambda::CapacityProvider
    Properties: {PermissionsConfig: {CapacityProviderOperatorRoleArn: arn}, VpcConfig: {SubnetIds: [subnet-1]}}
"""
    site.step = 30.0
    await site.create("demo", template)
    assert "HandlerErrorCode: NotStabilized" in (await site.reasons("demo"))["Provider CREATE_FAILED"]
    assert site.empty()
