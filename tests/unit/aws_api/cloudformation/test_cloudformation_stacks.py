"""Stacks as the API shows them: names, ARNs, protection, policies, exports, pages, restarts."""

import asyncio
from pathlib import Path

import pytest

from penstock.aws_api.cloudformation import limits
from penstock.aws_api.service import Call
from support.cloudformation import CAPABILITIES, CONTEXT, SUBNETS, Site, example

GROUP = "Resources: {L: {Type: AWS::Logs::LogGroup}}"
SLOW = """
Resources:
  Provider:
    Type: AWS::Lambda::CapacityProvider
    Properties: {PermissionsConfig: {CapacityProviderOperatorRoleArn: arn}, VpcConfig: {SubnetIds: [subnet-1]}}
"""


async def test_texts_for_what_is_not_there(site: Site) -> None:
    for operation, text in (
        ("DescribeStacks", "Stack with id none does not exist"),
        ("GetTemplate", "Stack with id none does not exist"),
        ("GetTemplateSummary", "Stack with id none does not exist"),
        ("ListStackResources", "Stack with id none does not exist"),
        ("DescribeStackResources", "Stack with id none does not exist"),
        ("DescribeStackEvents", "Stack [none] does not exist"),
        ("UpdateStack", "Stack [none] does not exist"),
        ("RollbackStack", "Stack [none] does not exist"),
    ):
        refusal = await site.refused(operation, StackName="none")
        assert (refusal.code, refusal.status, refusal.message) == ("ValidationError", 400, text), operation
    refusal = await site.refused("DescribeStackResource", StackName="none", LogicalResourceId="L")
    assert refusal.message == "Stack 'none' does not exist"
    await site.call("DeleteStack", StackName="none")


async def test_names(site: Site) -> None:
    refusal = await site.refused("CreateStack", StackName="9 lives", TemplateBody=GROUP)
    assert "Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*" in refusal.message
    await site.create("demo", GROUP)
    refusal = await site.refused("CreateStack", StackName="demo", TemplateBody=GROUP)
    assert (refusal.code, refusal.message) == ("AlreadyExistsException", "Stack [demo] already exists")
    refusal = await site.refused("DescribeStackResource", StackName="demo", LogicalResourceId="X")
    assert refusal.message == "Resource X does not exist for stack demo"


async def test_a_deleted_stack_is_found_by_its_arn_for_ninety_days(site: Site) -> None:
    first = (await site.create("demo", GROUP))["StackId"]
    await site.call("DeleteStack", StackName="demo")
    second = (await site.create("demo", GROUP))["StackId"]
    assert await site.status(first) == "DELETE_COMPLETE"
    assert await site.status("demo") == "CREATE_COMPLETE"
    assert [item["StackId"] for item in (await site.call("DescribeStacks"))["Stacks"]] == [second]
    listed = await site.call("ListStacks", StackStatusFilter=["DELETE_COMPLETE"])
    assert [item["StackId"] for item in listed["StackSummaries"]] == [first]
    shown = await site.call("DescribeStackResources", StackName=first)
    assert [item["ResourceStatus"] for item in shown["StackResources"]] == ["DELETE_COMPLETE"]
    site.clock.advance(91 * 24 * 3600)
    await site.cloudformation.start()
    await site.refused("DescribeStacks", StackName=first)
    assert not [key for key, _ in site.store.table("cloudformation.event").items() if key.startswith(first)]


async def test_termination_protection(site: Site) -> None:
    await site.create("demo", GROUP, EnableTerminationProtection=True)
    refusal = await site.refused("DeleteStack", StackName="demo")
    assert refusal.message == "Stack [demo] cannot be deleted while TerminationProtection is enabled"
    await site.call("UpdateTerminationProtection", StackName="demo", EnableTerminationProtection=False)
    await site.call("DeleteStack", StackName="demo")
    assert site.empty()


async def test_policy(site: Site) -> None:
    await site.create("demo", GROUP)
    assert await site.call("GetStackPolicy", StackName="demo") == {}
    await site.call("SetStackPolicy", StackName="demo", StackPolicyBody='{"Statement": []}')
    assert await site.call("GetStackPolicy", StackName="demo") == {"StackPolicyBody": '{"Statement": []}'}


async def test_exports_hold_each_other(site: Site) -> None:
    giving = GROUP + "\nOutputs: {O: {Value: !Ref L, Export: {Name: !Sub '${AWS::StackName}-group'}}}"
    taking = (
        "Resources: {M: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: !Sub ['${x}-2', "
        "{x: !ImportValue giver-group}]}}}"
    )
    await site.create("giver", giving)
    (name,) = site.logs.groups
    assert (await site.call("ListExports"))["Exports"][0]["Value"] == name
    refusal = await site.refused("ListImports", ExportName="giver-group")
    assert refusal.message == "Export 'giver-group' is not imported by any stack."
    await site.create("taker", taking)
    assert f"{name}-2" in site.logs.groups
    assert (await site.call("ListImports", ExportName="giver-group"))["Imports"] == ["taker"]
    await site.call("DeleteStack", StackName="giver")
    stack = await site.stack("giver")
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    reason = "Delete canceled. Cannot delete export giver-group as it is in use by taker."
    assert stack["StackStatusReason"] == reason
    await site.update("giver", GROUP)
    assert await site.status("giver") == "UPDATE_ROLLBACK_COMPLETE"
    assert "Cannot delete export giver-group as it is in use by taker." in str(await site.reasons("giver"))
    await site.create("double", giving.replace("${AWS::StackName}", "giver"))
    assert await site.status("double") == "ROLLBACK_COMPLETE"
    assert "Export with name giver-group is already exported by stack giver." in str(await site.reasons("double"))
    await site.call("DeleteStack", StackName="taker")
    await site.call("DeleteStack", StackName="giver")
    assert site.empty()


async def test_pages(site: Site) -> None:
    many = "Resources:\n" + "".join(f"  L{number}: {{Type: AWS::Logs::LogGroup}}\n" for number in range(120))
    await site.create("demo", many)
    first = await site.call("ListStackResources", StackName="demo")
    second = await site.call("ListStackResources", StackName="demo", NextToken=first["NextToken"])
    both = first["StackResourceSummaries"] + second["StackResourceSummaries"]
    assert len({item["LogicalResourceId"] for item in both}) == 120
    assert "NextToken" not in second
    times = [item["Timestamp"] for item in await site.events("demo")]
    assert times == sorted(set(times))
    refusal = await site.refused("ListStackResources", StackName="demo", NextToken="x")
    assert refusal.message == "Invalid NextToken"


async def test_the_oldest_events_give_way(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "EVENTS_KEPT", 7)
    monkeypatch.setattr(limits, "PAGE", 3)
    await site.create("demo", GROUP)
    for number in range(3):
        await site.update("demo", GROUP + f"\nOutputs: {{O: {{Value: v{number}}}}}")
    events = await site.events("demo")
    assert len(events) == 7
    assert events[-1]["ResourceStatus"] == "UPDATE_COMPLETE"
    assert len(site.store.table("cloudformation.event").items()) == 7


async def test_one_operation_at_a_time(site: Site) -> None:
    site.functions.looks = 10
    await site.start("CreateStack", StackName="demo", TemplateBody=SLOW)
    assert (await site.start("DescribeStacks", StackName="demo"))["Stacks"][0]["StackStatus"] == "CREATE_IN_PROGRESS"
    refusal = await site.refused_now("UpdateStack", StackName="demo", TemplateBody=GROUP)
    assert refusal.message.endswith(" is in CREATE_IN_PROGRESS state and can not be updated.")
    await site.cloudformation.settled()
    await site.start("UpdateStack", StackName="demo", TemplateBody=SLOW.replace("[subnet-1]", "[subnet-2]"))
    refusal = await site.refused_now("DeleteStack", StackName="demo")
    assert refusal.message == "Stack [demo] cannot be deleted while in status UPDATE_IN_PROGRESS"
    await site.cloudformation.settled()
    assert await site.status("demo") == "UPDATE_COMPLETE"


async def test_deleting_while_it_is_created(site: Site) -> None:
    site.functions.looks = 10
    answer = await site.start("CreateStack", StackName="demo", TemplateBody=SLOW)
    await site.call("DeleteStack", StackName="demo")
    assert await site.status(answer["StackId"]) == "DELETE_COMPLETE"
    assert site.empty()
    told = await site.told(answer["StackId"], "demo")
    assert told == ["demo CREATE_IN_PROGRESS", "demo DELETE_IN_PROGRESS", "demo DELETE_COMPLETE"]


async def test_cancelling_an_update(site: Site) -> None:
    await site.create("demo", SLOW)
    refusal = await site.refused("CancelUpdateStack", StackName="demo")
    assert refusal.message == "CancelUpdateStack cannot be called from current stack status"
    site.functions.looks = 100
    await site.start("UpdateStack", StackName="demo", TemplateBody=SLOW.replace("[subnet-1]", "[subnet-2]"))
    await site.call("CancelUpdateStack", StackName="demo")
    assert await site.status("demo") == "UPDATE_ROLLBACK_COMPLETE"
    (provider,) = site.functions.providers.values()
    assert provider["VpcConfig"]["SubnetIds"] == ["subnet-1"]


async def test_protection_set_while_it_is_created_stays(site: Site) -> None:
    site.functions.looks = 10
    await site.start("CreateStack", StackName="demo", TemplateBody=SLOW)
    await site.start("UpdateTerminationProtection", StackName="demo", EnableTerminationProtection=True)
    await site.cloudformation.settled()
    stack = await site.stack("demo")
    assert (stack["StackStatus"], stack["EnableTerminationProtection"]) == ("CREATE_COMPLETE", True)


async def test_a_new_process_finds_everything(tmp_path: Path) -> None:
    site = Site(tmp_path)
    await site.create("demo", example(), Parameters=SUBNETS, Tags=[{"Key": "a", "Value": "b"}])
    await site.call(
        "CreateChangeSet",
        StackName="demo",
        ChangeSetName="next",
        TemplateBody=example("app/def"),
        Parameters=SUBNETS,
        Capabilities=CAPABILITIES,
    )
    before = [await site.stack("demo"), await site.events("demo")]
    await site.reopen()
    assert [await site.stack("demo"), await site.events("demo")] == before
    await site.call("ExecuteChangeSet", StackName="demo", ChangeSetName="next")
    assert await site.status("demo") == "UPDATE_COMPLETE"
    await site.close()


async def test_closing_cuts_off_what_the_next_start_takes_back(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.functions.looks = 100
    await site.start("CreateStack", StackName="demo", TemplateBody=SLOW)
    begun = asyncio.Event()
    site.functions.on_call = lambda operation: begun.set()
    await begun.wait()
    await site.reopen()
    await site.cloudformation.settled()
    assert await site.status("demo") == "ROLLBACK_COMPLETE"
    reasons = await site.reasons("demo")
    assert reasons["Provider CREATE_FAILED"] == "Penstock was stopped while the operation ran."
    assert site.empty()
    await site.close()


async def test_other_regions_have_their_own_stacks(site: Site) -> None:
    await site.create("demo", GROUP)
    elsewhere = type(CONTEXT)("eu-west-1", CONTEXT.account_id, "request", CONTEXT.endpoint)
    describe = site.cloudformation.operations["DescribeStacks"]
    assert describe(Call("DescribeStacks", {}, elsewhere)) == {"Stacks": []}
