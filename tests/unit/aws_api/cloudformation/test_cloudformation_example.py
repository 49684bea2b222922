"""The streaming example through its whole life: change set, stack, new code, deletion."""

import json

from penstock.template.references import references
from support.cloudformation import CAPABILITIES, SUBNETS, Site, example


async def deploy(site: Site, template: str, kind: str = "CREATE", name: str = "change") -> None:
    await site.call(
        "CreateChangeSet",
        StackName="demo",
        ChangeSetName=name,
        ChangeSetType=kind,
        TemplateBody=template,
        Parameters=SUBNETS,
        Capabilities=CAPABILITIES,
    )
    found = await site.call("DescribeChangeSet", StackName="demo", ChangeSetName=name)
    assert found["Status"] == "CREATE_COMPLETE", found
    await site.call("ExecuteChangeSet", StackName="demo", ChangeSetName=name)


async def test_create(site: Site) -> None:
    site.functions.looks = 3
    await deploy(site, example())
    assert await site.status("demo") == "CREATE_COMPLETE", await site.reasons("demo")
    outputs = await site.outputs("demo")
    assert outputs["FunctionUrl"] == "http://abc.lambda-url.us-east-1.localhost:4566/"
    (function,) = site.functions.functions.values()
    assert outputs["FunctionArn"] == function["FunctionArn"]
    assert function["Environment"]["Variables"]["PORT"] == "8000"
    assert function["Code"] == {"S3Bucket": "code", "S3Key": "app/abc"}
    (provider,) = site.functions.providers.values()
    assert provider["VpcConfig"] == {"SubnetIds": ["subnet-1", "subnet-2"], "SecurityGroupIds": ["sg-1"]}
    assert len(site.iam.roles) == 2
    assert len(site.functions.permissions) == 2
    (url,) = site.functions.urls
    assert url == f"{function['FunctionArn']}:live"


async def test_new_code_is_published_before_the_alias_moves(site: Site) -> None:
    await deploy(site, example())
    site.functions.looks = 2
    before = len(await site.events("demo"))
    await deploy(site, example("app/def"), "UPDATE", "second")
    assert await site.status("demo") == "UPDATE_COMPLETE", await site.reasons("demo")
    told = (await site.told("demo"))[before:]
    lines = [line.split() for line in told if line.endswith("COMPLETE") and not line.startswith("demo")]
    order = [f"{name.removeprefix('FastAPIFunction')[:5]} {status}" for name, status in lines]
    assert order == [" UPDATE_COMPLETE", "Versi CREATE_COMPLETE", "Alias UPDATE_COMPLETE", "Versi DELETE_COMPLETE"]
    (version,) = site.functions.versions.values()
    assert version == {"Version": "2", "Code": {"S3Bucket": "code", "S3Key": "app/def"}}
    (alias,) = site.functions.aliases.values()
    assert alias["FunctionVersion"] == "2"


async def test_delete(site: Site) -> None:
    await deploy(site, example())
    stack = await site.stack("demo")
    await site.call("DeleteStack", StackName="demo")
    assert site.empty()
    refusal = await site.refused("DescribeStacks", StackName="demo")
    assert (refusal.code, refusal.message) == ("ValidationError", "Stack with id demo does not exist")
    assert await site.status(stack["StackId"]) == "DELETE_COMPLETE"


async def test_the_same_again_is_no_change(site: Site) -> None:
    await deploy(site, example())
    await site.call(
        "CreateChangeSet",
        StackName="demo",
        ChangeSetName="again",
        ChangeSetType="UPDATE",
        TemplateBody=example(),
        Parameters=SUBNETS,
        Capabilities=CAPABILITIES,
    )
    found = await site.call("DescribeChangeSet", StackName="demo", ChangeSetName="again")
    assert found["Status"] == "FAILED"
    assert found["StatusReason"].startswith("The submitted information didn't contain changes.")
    assert found["ExecutionStatus"] == "UNAVAILABLE"


async def test_nothing_is_made_before_what_it_needs(site: Site) -> None:
    site.functions.looks = 2
    await deploy(site, example())
    told = await site.told("demo")
    processed = await site.call("GetTemplate", StackName="demo", TemplateStage="Processed")
    resources = json.loads(processed["TemplateBody"])["Resources"]
    pairs = 0
    for name, item in resources.items():
        for entry in references(item, ()):
            needed = entry.name.split(".")[0]
            if needed in resources:
                pairs += 1
                assert told.index(f"{needed} CREATE_COMPLETE") < told.index(f"{name} CREATE_IN_PROGRESS")
    assert pairs >= 8
