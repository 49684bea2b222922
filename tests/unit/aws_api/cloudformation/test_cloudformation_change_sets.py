"""Change sets: what they show, when they can be carried out, and when not."""

from typing import Any

from penstock.aws_api.service import Answer, Call
from support.cloudformation import CAPABILITIES, CONTEXT, SUBNETS, Site, example, parameters

GROUP = """
Parameters: {Days: {Type: Number, Default: 7}, Name: {Type: String, Default: ""}}
Conditions: {Named: !Not [!Equals [!Ref Name, ""]]}
Resources:
  L:
    Type: AWS::Logs::LogGroup
    Properties:
      RetentionInDays: !Ref Days
      LogGroupName: !If [Named, !Ref Name, !Ref AWS::NoValue]
  P:
    Type: AWS::IAM::Policy
    Properties: {PolicyName: !Ref L, PolicyDocument: {Resource: !GetAtt L.Arn}, Roles: []}
"""


async def change_set(site: Site, template: str, kind: str = "UPDATE", name: str = "change", **params: Any) -> Answer:
    await site.call(
        "CreateChangeSet",
        StackName="demo",
        ChangeSetName=name,
        ChangeSetType=kind,
        TemplateBody=template,
        Capabilities=CAPABILITIES,
        **params,
    )
    return await site.call("DescribeChangeSet", StackName="demo", ChangeSetName=name)


def changes(answer: Answer) -> dict[str, tuple[str, str | None]]:
    found = (item["ResourceChange"] for item in answer["Changes"])
    return {item["LogicalResourceId"]: (item["Action"], item.get("Replacement")) for item in found}


async def test_a_new_stack_is_under_review_until_it_is_executed(site: Site) -> None:
    shown = await change_set(site, example(), "CREATE", Parameters=SUBNETS, Tags=[{"Key": "a", "Value": "b"}])
    assert (shown["Status"], shown["ExecutionStatus"]) == ("CREATE_COMPLETE", "AVAILABLE")
    assert len(shown["Changes"]) == 9
    assert {action for action, _ in changes(shown).values()} == {"Add"}
    stack = await site.stack("demo")
    assert (stack["StackStatus"], stack["Outputs"], stack["Tags"]) == ("REVIEW_IN_PROGRESS", [], [])
    await site.call("ExecuteChangeSet", ChangeSetName=shown["ChangeSetId"])
    stack = await site.stack("demo")
    assert (stack["StackStatus"], stack["ChangeSetId"]) == ("CREATE_COMPLETE", shown["ChangeSetId"])
    assert stack["Tags"] == [{"Key": "a", "Value": "b"}]
    assert stack["EnableTerminationProtection"] is False
    told = await site.told("demo", "demo")
    assert told == ["demo REVIEW_IN_PROGRESS", "demo CREATE_IN_PROGRESS", "demo CREATE_COMPLETE"]
    (function,) = site.functions.functions.values()
    assert function["Tags"] == {"a": "b", "lambda:createdBy": "SAM"}
    shown = await site.call("DescribeChangeSet", ChangeSetName=shown["ChangeSetId"])
    assert shown["ExecutionStatus"] == "EXECUTE_COMPLETE"
    refusal = await site.refused("ExecuteChangeSet", ChangeSetName=shown["ChangeSetId"])
    assert refusal.code == "InvalidChangeSetStatus"
    refusal = await site.refused(
        "CreateChangeSet", StackName="demo", ChangeSetName="new", ChangeSetType="CREATE", TemplateBody=GROUP
    )
    assert refusal.code == "ValidationError"
    assert refusal.message == "Stack [demo] already exists and cannot be created again with the changeSet [new]."


async def test_the_first_look_after_executing_finds_a_stack_without_waits_complete() -> None:
    site = Site()
    site.head_start = 5.0
    site.begin()
    await site.start(
        "CreateChangeSet",
        StackName="s",
        ChangeSetName="c",
        ChangeSetType="CREATE",
        TemplateBody=GROUP,
        Capabilities=CAPABILITIES,
    )
    await site.start("ExecuteChangeSet", StackName="s", ChangeSetName="c")
    answer = site.cloudformation.operations["DescribeStacks"](Call("DescribeStacks", {"StackName": "s"}, CONTEXT))
    assert isinstance(answer, dict)
    assert answer["Stacks"][0]["StackStatus"] == "CREATE_COMPLETE"
    await site.close()


async def test_replacement_and_what_follows_from_it(site: Site) -> None:
    await site.create("demo", GROUP)
    shown = await change_set(site, GROUP, Parameters=parameters(Days="14"))
    assert changes(shown) == {"L": ("Modify", "False")}
    (detail,) = shown["Changes"][0]["ResourceChange"]["Details"]
    assert detail == {
        "Target": {"Attribute": "Properties", "Name": "RetentionInDays", "RequiresRecreation": "Never"},
        "Evaluation": "Static",
        "ChangeSource": "ParameterReference",
        "CausingEntity": "Days",
    }
    shown = await change_set(site, GROUP, name="named", Parameters=parameters(Name="mine"))
    assert changes(shown) == {"L": ("Modify", "True"), "P": ("Modify", "Conditional")}
    details = shown["Changes"][1]["ResourceChange"]["Details"]
    assert [(item["Evaluation"], item["ChangeSource"], item["CausingEntity"]) for item in details] == [
        ("Dynamic", "ResourceAttribute", "L"),
        ("Dynamic", "ResourceReference", "L"),
    ]
    await site.call("ExecuteChangeSet", StackName="demo", ChangeSetName="named")
    assert list(site.logs.groups) == ["mine"]
    told = await site.told("demo", "L")
    assert told[-5:] == [
        "L UPDATE_IN_PROGRESS",
        "L UPDATE_IN_PROGRESS",
        "L UPDATE_COMPLETE",
        "L DELETE_IN_PROGRESS",
        "L DELETE_COMPLETE",
    ]
    # The other one would change what is no more.
    refusal = await site.refused("ExecuteChangeSet", StackName="demo", ChangeSetName="change")
    assert refusal.code == "ChangeSetNotFound"


async def test_removal(site: Site) -> None:
    await site.create("demo", GROUP)
    shown = await change_set(site, "Resources: {W: {Type: AWS::CloudFormation::WaitConditionHandle}}")
    assert changes(shown) == {"W": ("Add", None), "L": ("Remove", None), "P": ("Remove", None)}


async def test_outputs_and_tags_alone_are_changes(site: Site) -> None:
    await site.create("demo", GROUP)
    shown = await change_set(site, GROUP + "Outputs: {O: {Value: v}}\n")
    assert (shown["Status"], shown["Changes"]) == ("CREATE_COMPLETE", [])
    await site.call("ExecuteChangeSet", StackName="demo", ChangeSetName="change")
    assert await site.outputs("demo") == {"O": "v"}
    same = GROUP + "Outputs: {O: {Value: v}}\n"
    shown = await change_set(site, same, name="tags", Tags=[{"Key": "a", "Value": "b"}])
    assert changes(shown) == {"L": ("Modify", "False")}
    assert shown["Changes"][0]["ResourceChange"]["Scope"] == ["Tags"]
    shown = await change_set(site, same, name="none")
    assert shown["Status"] == "FAILED"
    refusal = await site.refused("UpdateStack", StackName="demo", TemplateBody=same, Capabilities=CAPABILITIES)
    assert refusal.message == "No updates are to be performed."
    refusal = await site.refused("ExecuteChangeSet", StackName="demo", ChangeSetName="none")
    assert refusal.message.endswith("cannot be executed in its current status of [FAILED]")


async def test_unsupported_types_and_broken_templates_fail_the_change_set(site: Site) -> None:
    shown = await change_set(site, "Resources: {T: {Type: AWS::DynamoDB::Table}}", "CREATE")
    assert shown["Status"] == "FAILED"
    assert shown["StatusReason"] == ("Template format error: Unrecognized resource types: [AWS::DynamoDB::Table (T)]")
    broken = example().replace("CodeUri: s3://code/app/abc", "CodeUri: app/")
    shown = await change_set(site, broken, "CREATE", name="broken", Parameters=SUBNETS)
    assert shown["StatusReason"].startswith(
        "Transform AWS::Serverless-2016-10-31 failed with: Invalid Serverless Application Specification document. "
        "Number of errors found: 1. Resource with id [FastAPIFunction] is invalid. 'CodeUri' is not a valid S3 Uri"
    )
    assert await site.status("demo") == "REVIEW_IN_PROGRESS"
    await site.call("DeleteStack", StackName="demo")
    await site.refused("DescribeStacks", StackName="demo")


async def test_a_refused_change_set_leaves_no_stack(site: Site) -> None:
    params = {"StackName": "demo", "ChangeSetName": "c", "ChangeSetType": "CREATE", "TemplateBody": GROUP}
    refusal = await site.refused("CreateChangeSet", **params)
    assert refusal.message == "Requires capabilities : [CAPABILITY_IAM]"
    refusal = await site.refused("CreateChangeSet", **{**params, "ChangeSetType": "IMPORT"})
    assert refusal.message == "ChangeSetType IMPORT is not supported by Penstock"
    assert (await site.call("DescribeStacks"))["Stacks"] == []


async def test_names(site: Site) -> None:
    refusal = await site.refused("CreateChangeSet", StackName="demo", ChangeSetName="c", TemplateBody=GROUP)
    assert refusal.message == "Stack [demo] does not exist"
    refusal = await site.refused("DescribeChangeSet", StackName="demo", ChangeSetName="c")
    assert refusal.message == "Stack [demo] does not exist"
    refusal = await site.refused("DescribeChangeSet", ChangeSetName="c")
    assert refusal.message == "StackName must be specified if ChangeSetName is not specified as an ARN."
    refusal = await site.refused("ExecuteChangeSet", ChangeSetName="arn:aws:cloudformation:us-east-1:1:changeSet/c/1")
    assert (refusal.code, refusal.status) == ("ChangeSetNotFound", 404)
    await change_set(site, GROUP, "CREATE")
    refusal = await site.refused(
        "CreateChangeSet", StackName="demo", ChangeSetName="change", ChangeSetType="CREATE", TemplateBody=GROUP
    )
    assert refusal.code == "AlreadyExistsException"
    refusal = await site.refused("DescribeChangeSet", StackName="demo", ChangeSetName="none")
    assert refusal.message == "ChangeSet [none] does not exist"


async def test_listed_and_deleted(site: Site) -> None:
    await change_set(site, GROUP, "CREATE", name="one")
    await change_set(site, GROUP, "CREATE", name="two")
    listed = await site.call("ListChangeSets", StackName="demo")
    assert [item["ChangeSetName"] for item in listed["Summaries"]] == ["one", "two"]
    await site.call("DeleteChangeSet", StackName="demo", ChangeSetName="one")
    listed = await site.call("ListChangeSets", StackName="demo")
    assert [item["ChangeSetName"] for item in listed["Summaries"]] == ["two"]
    assert len(site.store.table("cloudformation.template").items()) == 1
    template = await site.call("GetTemplate", StackName="demo", ChangeSetName="two")
    assert template["TemplateBody"] == GROUP


async def test_executing_without_rollback(site: Site) -> None:
    site.logs.offered.pop("PutRetentionPolicy")
    shown = await change_set(site, GROUP.replace("      RetentionInDays: !Ref Days\n", ""), "CREATE")
    assert shown["Status"] == "CREATE_COMPLETE"
    site.logs.offered.pop("CreateLogGroup")
    await site.call("ExecuteChangeSet", StackName="demo", ChangeSetName="change", DisableRollback=True)
    assert await site.status("demo") == "CREATE_FAILED"
    reason = (await site.reasons("demo"))["L CREATE_FAILED"]
    assert "CreateLogGroup is not supported by Penstock" in reason


async def test_a_property_that_needs_a_call_nobody_offers_is_refused_by_name(site: Site) -> None:
    site.logs.offered.pop("PutRetentionPolicy")
    shown = await change_set(site, GROUP, "CREATE")
    assert shown["Status"] == "FAILED"
    assert "#/RetentionInDays: is not supported by Penstock" in shown["StatusReason"]
