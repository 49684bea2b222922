"""What the handlers ask of the services, type by type."""

import asyncio
import io
import json
import zipfile
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.aws_api.cloudformation.handlers.base import Ground, Job
from penstock.aws_api.cloudformation.handlers.functions import inline_archive
from penstock.aws_api.service import Context, Dispatcher, ServiceError
from support.clock import VirtualClock
from support.cloudformation import Site

# What `sam deploy --resolve-s3` creates for its artifacts.
# https://github.com/aws/aws-sam-cli/blob/develop/samcli/lib/bootstrap/bootstrap.py
SAM_BUCKET = """
AWSTemplateFormatVersion: 2010-09-09
Transform: AWS::Serverless-2016-10-31
Description: Managed Stack for AWS SAM CLI
Metadata: {SamCliInfo: {version: 1.170.0, installationId: x}}
Resources:
  SamCliSourceBucket:
    Type: AWS::S3::Bucket
    Properties:
      VersioningConfiguration: {Status: Enabled}
      Tags: [{Key: ManagedStackSource, Value: AwsSamCli}]
  SamCliSourceBucketBucketPolicy:
    Type: AWS::S3::BucketPolicy
    Properties:
      Bucket: !Ref SamCliSourceBucket
      PolicyDocument:
        Statement:
          - Action: [s3:GetObject]
            Effect: Allow
            Resource: {Fn::Join: ["", ["arn:", !Ref AWS::Partition, ":s3:::", !Ref SamCliSourceBucket, "/*"]]}
            Principal: {Service: serverlessrepo.amazonaws.com}
            Condition: {StringEquals: {aws:SourceAccount: !Ref AWS::AccountId}}
Outputs:
  SourceBucket: {Value: !Ref SamCliSourceBucket}
"""


async def done(site: Site, template: str, update: bool = False) -> None:
    await (site.update if update else site.create)("demo", template)
    status = await site.status("demo")
    assert status == ("UPDATE_COMPLETE" if update else "CREATE_COMPLETE"), await site.reasons("demo")


def resource(kind: str, **properties: Any) -> str:
    return json.dumps({"Resources": {"R": {"Type": kind, "Properties": properties}}})


async def test_the_bucket_of_sam(site: Site) -> None:
    tags = [{"Key": "ManagedStackSource", "Value": "AwsSamCli"}]
    await site.create("aws-sam-cli-managed-default", SAM_BUCKET, Tags=tags)
    stack = await site.stack("aws-sam-cli-managed-default")
    assert (stack["StackStatus"], stack["Tags"]) == ("CREATE_COMPLETE", tags)
    ((name, bucket),) = site.s3.buckets.items()
    assert name.startswith("aws-sam-cli-managed-default-samclisourcebucket-")
    assert len(name) <= 63
    assert name == name.lower()
    assert bucket["versioning"] == {"Status": "Enabled"}
    policy = json.loads(bucket["policy"])
    assert policy["Statement"][0]["Resource"] == f"arn:aws:s3:::{name}/*"
    assert policy["Statement"][0]["Condition"]["StringEquals"]["aws:SourceAccount"] == "123456789012"
    assert stack["Outputs"] == [{"OutputKey": "SourceBucket", "OutputValue": name}]


async def test_bucket_that_is_there_is_not_taken_over(site: Site) -> None:
    site.s3.buckets["mine"] = {}
    await site.create("demo", resource("AWS::S3::Bucket", BucketName="mine"))
    assert await site.status("demo") == "ROLLBACK_COMPLETE"
    reason = (await site.reasons("demo"))["R CREATE_FAILED"]
    assert "Resource of type 'AWS::S3::Bucket' with identifier 'mine' already exists." in reason
    assert "HandlerErrorCode: AlreadyExists" in reason
    assert "mine" in site.s3.buckets


@pytest.mark.parametrize(
    ("kind", "properties", "make"),
    [
        (
            "AWS::IAM::Role",
            {"RoleName": "mine", "AssumeRolePolicyDocument": {}},
            lambda site: site.iam.roles.update(mine={"attached": [], "inline": {}}),
        ),
        (
            "AWS::Lambda::CapacityProvider",
            {
                "CapacityProviderName": "mine",
                "VpcConfig": {"SubnetIds": ["s"]},
                "PermissionsConfig": {"CapacityProviderOperatorRoleArn": "a"},
            },
            lambda site: site.functions.providers.update(mine={}),
        ),
        (
            "AWS::Lambda::Function",
            {"FunctionName": "mine", "Role": "arn", "Code": {"S3Bucket": "b", "S3Key": "k"}},
            lambda site: site.functions.functions.update(mine={"FunctionArn": "arn"}),
        ),
        ("AWS::Logs::LogGroup", {"LogGroupName": "mine"}, lambda site: site.logs.groups.update(mine={})),
    ],
)
async def test_names_that_are_taken(site: Site, kind: str, properties: dict[str, Any], make: Any) -> None:
    make(site)
    await site.create("demo", resource(kind, **properties))
    assert await site.status("demo") == "ROLLBACK_COMPLETE"
    assert "already exists" in (await site.reasons("demo"))["R CREATE_FAILED"]
    assert not site.empty()


def a_function(**properties: Any) -> str:
    base = {"Role": "arn:role", "Code": {"S3Bucket": "b", "S3Key": "k"}, "Handler": "h", "Runtime": "python3.13"}
    return resource("AWS::Lambda::Function", **{**base, **properties})


async def test_function_update_asks_only_for_what_changed(site: Site) -> None:
    await done(site, a_function(Timeout=10, Environment={"Variables": {"A": 1}}, Description="d"))
    site.calls.clear()
    await done(site, a_function(Timeout="20", Environment={"Variables": {"A": True}}), update=True)
    changes = [(name, params) for name, params in site.calls if name.startswith("Update")]
    ((name, params),) = changes
    assert name == "UpdateFunctionConfiguration"
    assert {key: params[key] for key in ("Timeout", "Environment", "Description")} == {
        "Timeout": 20,
        "Environment": {"Variables": {"A": "true"}},
        "Description": "",
    }
    assert "MemorySize" not in params


async def test_function_is_replaced_for_another_name(site: Site) -> None:
    await done(site, a_function(FunctionName="one"))
    await done(site, a_function(FunctionName="two"), update=True)
    assert list(site.functions.functions) == ["two"]


async def test_what_has_a_name_of_its_own_cannot_be_replaced(site: Site) -> None:
    def provider(subnet: str) -> str:
        return resource(
            "AWS::Lambda::CapacityProvider",
            CapacityProviderName="mine",
            VpcConfig={"SubnetIds": [subnet]},
            PermissionsConfig={"CapacityProviderOperatorRoleArn": "arn"},
        )

    await done(site, provider("subnet-1"))
    await site.update("demo", provider("subnet-2"))
    assert await site.status("demo") == "UPDATE_ROLLBACK_COMPLETE"
    assert (await site.reasons("demo"))["R UPDATE_FAILED"] == (
        "CloudFormation cannot update a stack when a custom-named resource requires replacing. "
        "Rename mine and update the stack again."
    )
    assert site.functions.providers["mine"]["VpcConfig"]["SubnetIds"] == ["subnet-1"]


async def test_function_code_in_the_template(site: Site) -> None:
    await done(site, a_function(Code={"ZipFile": "print('hi')"}))
    (function,) = site.functions.functions.values()
    with zipfile.ZipFile(io.BytesIO(function["Code"]["ZipFile"])) as archive:
        assert archive.read("index.py") == b"print('hi')"
    assert inline_archive("x", "nodejs22.x") == inline_archive("x", "nodejs22.x")
    await site.update("demo", a_function(Code={"ZipFile": "x"}, Runtime="java21"))
    assert "ZipFile can only be used when Runtime" in (await site.reasons("demo"))["R UPDATE_FAILED"]


async def test_function_name_is_generated_within_sixty_four_characters(site: Site) -> None:
    logical_id = "AVeryLongLogicalIdOfAFunction" * 3
    body = a_function().replace('"R"', f'"{logical_id}"')
    names = set()
    for number in range(3):
        await site.create(f"{'a-long-stack-name-' * 4}{number}", body)
    names = set(site.functions.functions)
    assert len(names) == 3
    assert {len(name) for name in names} == {64}


@given(st.text("abcXYZ019-", min_size=1, max_size=128), st.text("abcXYZ019", min_size=1, max_size=255))
def test_generated_names(stack: str, logical_id: str) -> None:
    context = Context("us-east-1", "123456789012", "request", "http://127.0.0.1:4566")
    ground = Ground(Dispatcher(), VirtualClock(), asyncio.sleep, context, stack, lambda: False)
    job = Job(ground, logical_id, {})
    for longest in (63, 64, 100, 140, 512):
        name, other = job.generated_name(longest), job.generated_name(longest)
        assert len(name) == min(longest, len(stack) + 1 + len(logical_id) + 13)
        assert name != other
        assert name.startswith(stack[:2])
        lowered = job.generated_name(longest, lower=True)
        assert lowered == lowered.lower()


async def test_the_same_version_is_not_published_twice(site: Site) -> None:
    version = {"Type": "AWS::Lambda::Version", "Properties": {"FunctionName": {"Ref": "R"}}}
    body = json.loads(a_function())
    body["Resources"]["V1"] = version
    await done(site, json.dumps(body))
    body["Resources"]["V2"] = version
    await site.update("demo", json.dumps(body))
    reason = (await site.reasons("demo"))["V2 CREATE_FAILED"]
    assert "A version for this Lambda function exists ( 1 ). Modify the function to create a new version." in reason
    assert await site.status("demo") == "UPDATE_ROLLBACK_COMPLETE"
    assert [item["Version"] for item in site.functions.versions.values()] == ["1"]


async def test_scaling_of_a_version(site: Site) -> None:
    body = json.loads(a_function())
    scaling = {"MinExecutionEnvironments": "1", "MaxExecutionEnvironments": 2}
    properties = {"FunctionName": {"Ref": "R"}, "FunctionScalingConfig": scaling}
    body["Resources"]["V"] = {"Type": "AWS::Lambda::Version", "Properties": properties}
    await done(site, json.dumps(body))
    (version,) = site.functions.versions.values()
    assert version["scaling"] == {"MinExecutionEnvironments": 1, "MaxExecutionEnvironments": 2}
    scaling["MaxExecutionEnvironments"] = 5
    await done(site, json.dumps(body), update=True)
    (version,) = site.functions.versions.values()
    assert (version["Version"], version["scaling"]["MaxExecutionEnvironments"]) == ("1", 5)


async def test_role_keeps_to_what_changed(site: Site) -> None:
    def role(**properties: Any) -> str:
        return resource("AWS::IAM::Role", AssumeRolePolicyDocument={"Version": "1"}, **properties)

    one = {"PolicyName": "one", "PolicyDocument": {"a": 1}}
    two = {"PolicyName": "two", "PolicyDocument": {"b": 1}}
    await done(site, role(ManagedPolicyArns=["arn:a", "arn:b"], Policies=[one]))
    (role_state,) = site.iam.roles.values()
    role_state["attached"].append("arn:by-hand")
    await done(site, role(ManagedPolicyArns=["arn:b", "arn:c"], Policies=[two], Description="new"), update=True)
    assert role_state["attached"] == ["arn:b", "arn:by-hand", "arn:c"]
    assert role_state["inline"] == {"two": '{"b": 1}'}
    assert role_state["given"]["Description"] == "new"
    await site.call("DeleteStack", StackName="demo")
    assert await site.status("demo") == "DELETE_FAILED"
    assert "must detach all policies first" in (await site.reasons("demo"))["R DELETE_FAILED"]


async def test_policies_of_attempts_that_failed_are_put_right(site: Site) -> None:
    def role(*arns: str) -> str:
        return resource("AWS::IAM::Role", AssumeRolePolicyDocument={}, ManagedPolicyArns=arns)

    await done(site, role("arn:a", "arn:b"))
    (state,) = site.iam.roles.values()
    attach = site.iam.offered["AttachRolePolicy"]

    def only_some(params: Any) -> Any:
        if params["PolicyArn"] == "arn:d":
            raise ServiceError("LimitExceeded", "Too many policies", 409)
        return attach(params)

    site.iam.offered["AttachRolePolicy"] = only_some
    for arns in (("arn:a", "arn:c", "arn:d"), ("arn:a", "arn:e", "arn:d")):
        await site.update("demo", role(*arns), DisableRollback=True)
        assert await site.status("demo") == "UPDATE_FAILED"
    assert state["attached"] == ["arn:a", "arn:b", "arn:c", "arn:e"]
    await done(site, role("arn:a", "arn:e"), update=True)
    assert state["attached"] == ["arn:a", "arn:e"]
    await site.update("demo", role("arn:f", "arn:d"), DisableRollback=True)
    await site.call("DeleteStack", StackName="demo")
    assert site.empty()


async def test_managed_policy_makes_room_for_its_versions(site: Site) -> None:
    for number in range(7):
        document = {"number": number}
        await done(site, resource("AWS::IAM::ManagedPolicy", PolicyDocument=document), update=number > 0)
    ((arn, policy),) = site.iam.policies.items()
    assert policy["documents"][policy["default"]] == '{"number": 6}'
    assert arn.startswith("arn:aws:iam::123456789012:policy/demo-R-")
    await site.call("DeleteStack", StackName="demo")
    assert site.empty()


async def test_inline_policy_follows_its_roles(site: Site) -> None:
    body: dict[str, Any] = {"Resources": {}}
    for name in ("A", "B"):
        body["Resources"][name] = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {}}}
    policy = {"PolicyName": "p", "PolicyDocument": {"v": 1}, "Roles": [{"Ref": "A"}]}
    body["Resources"]["P"] = {"Type": "AWS::IAM::Policy", "Properties": policy}
    await done(site, json.dumps(body))
    policy["Roles"] = [{"Ref": "B"}]
    await done(site, json.dumps(body), update=True)
    inline = {name.split("-")[1]: state["inline"] for name, state in site.iam.roles.items()}
    assert inline == {"A": {}, "B": {"p": '{"v": 1}'}}
    await site.call("DeleteStack", StackName="demo")
    assert site.empty()


async def test_url_settings_return_to_their_defaults(site: Site) -> None:
    body = json.loads(a_function())
    properties = {"TargetFunctionArn": {"Ref": "R"}, "AuthType": "NONE", "Cors": {"AllowOrigins": ["*"], "MaxAge": "5"}}
    body["Resources"]["U"] = {"Type": "AWS::Lambda::Url", "Properties": properties}
    await done(site, json.dumps(body))
    (url,) = site.functions.urls.values()
    assert url["Cors"] == {"AllowOrigins": ["*"], "MaxAge": 5}
    properties["InvokeMode"] = "RESPONSE_STREAM"
    del properties["Cors"]
    await done(site, json.dumps(body), update=True)
    (url,) = site.functions.urls.values()
    assert (url["Cors"], url["InvokeMode"]) == ({}, "RESPONSE_STREAM")


async def test_stack_tags_go_to_what_bears_tags(site: Site) -> None:
    body = a_function(Tags=[{"Key": "own", "Value": "1"}])
    await site.create("demo", body, Tags=[{"Key": "stack", "Value": "1"}])
    (function,) = site.functions.functions.values()
    assert function["Tags"] == {"own": "1", "stack": "1"}
    await site.update("demo", body, Tags=[{"Key": "other", "Value": "2"}])
    assert function["Tags"] == {"own": "1", "other": "2"}


async def test_throttled(site: Site) -> None:
    site.functions.refusals["CreateFunction"] = ServiceError("TooManyRequestsException", "Rate exceeded", 429)
    await site.create("demo", a_function())
    assert "HandlerErrorCode: Throttling" in (await site.reasons("demo"))["R CREATE_FAILED"]
