"""What a template may say, and what CloudFormation answers when it says something else."""

import json

import pytest

from support.cloudformation import CAPABILITIES, Site, parameters

GROUP = "Resources: {L: {Type: AWS::Logs::LogGroup}}"


def with_parameter(rules: str) -> str:
    return f"Parameters: {{P: {{{rules}}}}}\n{GROUP}\nOutputs: {{P: {{Value: !Join ['|', [!Ref P]]}}}}"


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("", "Either Template URL or Template Body must be specified."),
        ("[1]", "Template format error: unsupported structure."),
        ("a: [", "Template format error: YAML not well-formed. (line 2)"),
        ('{"a": ]}', "Template format error: JSON not well-formed. (line 1)"),
        ("Resources: {}", "Template format error: At least one Resources member must be defined."),
        (f"Nonsense: 1\n{GROUP}", "Invalid template property or properties [Nonsense]"),
        ("Resources: {L: text}", "Template format error: Any Resources member must be an object."),
        ("Resources: {L: {Properties: {}}}", "Every Resources object must contain a Type member."),
        ("Resources: {L_1: {Type: AWS::Logs::LogGroup}}", "Resource name L_1 is non alphanumeric."),
        (
            "Resources: {L: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: }}}",
            "[/Resources/L/Properties/LogGroupName] 'null' values are not allowed in templates",
        ),
        (
            "Resources: {L: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: !Ref X, Tags: !Ref Y}}}",
            "Template format error: Unresolved resource dependencies [X, Y] in the Resources block of the template",
        ),
        (
            "Resources: {L: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: !GetAtt X.Arn}}}",
            "Template error: instance of Fn::GetAtt references undefined resource X",
        ),
        (
            f"{GROUP}\nOutputs: {{O: {{Value: !Ref X}}}}",
            "Template format error: Unresolved resource dependencies [X] in the Outputs block of the template",
        ),
        (
            "Resources: {A: {Type: AWS::Logs::LogGroup, DependsOn: B}, B: {Type: AWS::Logs::LogGroup, DependsOn: A}}",
            "Circular dependency between resources: [A, B]",
        ),
        (
            "Resources: {A: {Type: AWS::Logs::LogGroup, DependsOn: [C]}}",
            "Template format error: Unresolved resource dependencies [C] in the Resources block of the template",
        ),
        (
            "Resources: {T: {Type: AWS::DynamoDB::Table}, Q: {Type: AWS::SQS::Queue}, R: {Type: AWS::SQS::Queue}}",
            "Unrecognized resource types: [AWS::DynamoDB::Table (T), AWS::SQS::Queue (Q, R)]",
        ),
        (
            "Resources: {L: {Type: AWS::Logs::LogGroup, Properties: {RetentionDays: 3, RetentionInDays: many}}}",
            "Properties validation failed for resource L with message:\n"
            "[#/RetentionInDays: expected type: Integer, found: String, "
            "#: extraneous key [RetentionDays] is not permitted]",
        ),
        (
            "Resources: {P: {Type: AWS::S3::BucketPolicy, Properties: {Bucket: b}}}",
            "#: required key [PolicyDocument] not found",
        ),
        (
            "Resources: {L: {Type: AWS::Logs::LogGroup}, P: {Type: AWS::S3::BucketPolicy, Properties: "
            "{Bucket: !GetAtt L.Name, PolicyDocument: {}}}}",
            "resource L does not support attribute type Name in Fn::GetAtt",
        ),
        (
            "Transform: Nobody\nResources: {L: {Type: AWS::Logs::LogGroup}}",
            "No transform named Nobody found.",
        ),
        (
            "Resources: {F: {Type: AWS::Serverless::Function}}",
            "Unrecognized resource types: [AWS::Serverless::Function]. F needs 'Transform: AWS::Serverless-2016-10-31'",
        ),
        (
            "Resources: {L: {Type: AWS::Logs::LogGroup, DeletionPolicy: Maybe}}",
            "Unrecognized DeletionPolicy Maybe for resource L",
        ),
        (
            "Resources: {L: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: !ImportValue other}}}",
            "No export named other found.",
        ),
        (
            "{\t'Resources': {A: &a {Type: AWS::Logs::LogGroup}, B: *a}}",
            "Template error: YAML aliases are not allowed in CloudFormation templates",
        ),
        (f"{GROUP}\nRules: {{}}", "The template section Rules is not supported by Penstock"),
        (
            "Resources: {L: {Type: AWS::Logs::LogGroup, DependOn: X}}",
            "Invalid template resource property 'DependOn'",
        ),
        (
            "Resources: {L: {Type: AWS::Logs::LogGroup, UpdatePolicy: {}}}",
            "UpdatePolicy of resource L is not supported by Penstock",
        ),
        (
            f"{GROUP}\nOutputs: {{O: {{Value: !GetAtt L.Nothing}}}}",
            "Template error: resource L does not support attribute type Nothing in Fn::GetAtt",
        ),
        (
            f"{GROUP}\nOutputs: {{O: {{Value: !Sub '${{L.Nothing}}'}}}}",
            "Template error: resource L does not support attribute type Nothing in Fn::GetAtt",
        ),
        (f"Resources: {{L: {{Type: X, Properties: {'[' * 900 + ']' * 900}}}}}", "nested too deeply"),
        (f"Description: {'x' * 1025}\n{GROUP}", "'Description' length is greater than 1024."),
    ],
)
async def test_refused(site: Site, template: str, message: str) -> None:
    refusal = await site.refused("CreateStack", StackName="demo", TemplateBody=template, Capabilities=CAPABILITIES)
    assert refusal.code == "ValidationError"
    assert message in refusal.message
    assert (await site.call("DescribeStacks"))["Stacks"] == []


async def test_limits(site: Site) -> None:
    many = {f"L{number}": {"Type": "AWS::Logs::LogGroup"} for number in range(501)}
    refusal = await site.refused("CreateStack", StackName="demo", TemplateBody=json.dumps({"Resources": many}))
    assert refusal.message == "Template format error: Number of resources, 501, is greater than maximum allowed, 500"
    refusal = await site.refused("CreateStack", StackName="demo", TemplateBody=GROUP + " " * 51_200)
    assert "Member must have length less than or equal to 51200" in refusal.message
    site.s3.objects["code", "big"] = b"#" * (1024 * 1024 + 1)
    refusal = await site.refused("CreateStack", StackName="demo", TemplateURL="http://127.0.0.1:4566/code/big")
    assert "may not exceed" in refusal.message
    more = {f"P{number}": {"Type": "String", "Default": ""} for number in range(201)}
    body = json.dumps({"Parameters": more, "Resources": {"L": {"Type": "AWS::Logs::LogGroup"}}})
    refusal = await site.refused("CreateStack", StackName="demo", TemplateBody=body)
    assert "Number of parameters, 201, is greater than 200" in refusal.message


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:4566/code/dir/a%20b.template",
        "https://s3.amazonaws.com/code/dir/a%20b.template",
        "https://s3.eu-west-1.amazonaws.com/code/dir/a%20b.template",
        "https://code.s3.amazonaws.com/dir/a%20b.template",
        "https://code.s3-eu-west-1.amazonaws.com/dir/a%20b.template",
    ],
)
async def test_template_url(site: Site, url: str) -> None:
    site.s3.objects["code", "dir/a b.template"] = GROUP.encode()
    await site.call("CreateStack", StackName="demo", TemplateURL=url)
    assert await site.status("demo") == "CREATE_COMPLETE"


async def test_template_url_that_leads_nowhere(site: Site) -> None:
    refusal = await site.refused("CreateStack", StackName="demo", TemplateURL="http://127.0.0.1:4566/code/none")
    assert refusal.message == "S3 error: The specified key does not exist."
    refusal = await site.refused("CreateStack", StackName="demo", TemplateURL="ftp://host/code/none")
    assert refusal.message == "TemplateURL must be a supported URL."


@pytest.mark.parametrize(
    ("rules", "value", "message"),
    [
        ("Type: String", None, "Parameters: [P] must have values"),
        ("Type: Number", "x", "Parameter 'P' must be a number"),
        ("Type: Number, MinValue: 3", "2", "Parameter 'P' must be a number not less than 3"),
        ("Type: Number, MaxValue: 3", "4", "Parameter 'P' must be a number not greater than 3"),
        ("Type: String, MinLength: 3", "ab", "Parameter 'P' must contain at least 3 characters"),
        ("Type: String, MaxLength: 3", "abcd", "Parameter 'P' must contain at most 3 characters"),
        ("Type: String, AllowedValues: [a, b]", "c", "Parameter 'P' must be one of AllowedValues"),
        ("Type: String, AllowedPattern: '[a-z]+'", "A", "Parameter 'P' must match pattern [a-z]+"),
        (
            "Type: String, AllowedPattern: '[a-z]+', ConstraintDescription: small letters",
            "A",
            "Parameter P failed to satisfy constraint: small letters",
        ),
        ("Type: Strange", "A", "Template format error: Unrecognized parameter type: Strange"),
        (
            "Type: AWS::SSM::Parameter::Value<String>",
            "/my/name",
            "Unable to fetch parameters [/my/name] from parameter store for this account.",
        ),
    ],
)
async def test_parameter_refused(site: Site, rules: str, value: str | None, message: str) -> None:
    given = [] if value is None else parameters(P=value)
    refusal = await site.refused("CreateStack", StackName="demo", TemplateBody=with_parameter(rules), Parameters=given)
    assert refusal.message == message


async def test_parameters_unknown_and_doubled(site: Site) -> None:
    body = with_parameter("Type: String, Default: a")
    refusal = await site.refused(
        "CreateStack", StackName="demo", TemplateBody=body, Parameters=parameters(Q="1", R="2")
    )
    assert refusal.message == "Parameters: [Q, R] do not exist in the template"
    twice = parameters(P="1") + parameters(P="2")
    refusal = await site.refused("CreateStack", StackName="demo", TemplateBody=body, Parameters=twice)
    assert refusal.message == "Duplicate parameter key: P"


async def test_lists_are_shown_with_commas_and_split_for_ref(site: Site) -> None:
    body = f"Parameters: {{P: {{Type: CommaDelimitedList}}}}\n{GROUP}\nOutputs: {{P: {{Value: !Join ['|', !Ref P]}}}}"
    await site.call("CreateStack", StackName="demo", TemplateBody=body, Parameters=parameters(P="a, b"))
    stack = await site.stack("demo")
    assert stack["Parameters"] == [{"ParameterKey": "P", "ParameterValue": "a, b"}]
    assert await site.outputs("demo") == {"P": "a|b"}


async def test_previous_and_hidden_values(site: Site) -> None:
    body = with_parameter("Type: String, NoEcho: true").replace(
        "LogGroup}", "LogGroup, Properties: {Tags: [{Key: k, Value: !Sub 'of-${P}'}]}}"
    )
    await site.call("CreateStack", StackName="demo", TemplateBody=body, Parameters=parameters(P="secret"))
    assert (await site.stack("demo"))["Parameters"] == [{"ParameterKey": "P", "ParameterValue": "****"}]
    assert "secret" not in str(await site.events("demo"))
    use = [{"ParameterKey": "P", "UsePreviousValue": True}]
    more = body.replace("Outputs: {", "Outputs: {Q: {Value: q}, ")
    await site.call("UpdateStack", StackName="demo", TemplateBody=more, Parameters=use)
    assert await site.outputs("demo") == {"Q": "q", "P": "secret"}
    refusal = await site.refused("CreateStack", StackName="other", TemplateBody=body, Parameters=use)
    assert refusal.message == "Invalid input for parameter key P. No previous value exists for this parameter"


async def test_intrinsics_and_conditions(site: Site) -> None:
    body = """
Parameters: {Size: {Type: String, Default: big}}
Mappings: {Days: {big: {Keep: 30}, small: {Keep: 1}}}
Conditions: {Big: !Equals [!Ref Size, big], Small: !Not [!Condition Big]}
Resources:
  L:
    Type: AWS::Logs::LogGroup
    Properties: {RetentionInDays: !FindInMap [Days, !Ref Size, Keep]}
  S:
    Type: AWS::Logs::LogGroup
    Condition: Small
Outputs:
  Sub: {Value: !Sub "${AWS::StackName}/${Size}/${AWS::Region}/${!Literal}"}
  If: {Value: !If [Big, yes-big, no]}
  Cidr: {Value: !Select [1, !Cidr [10.0.0.0/16, 2, 8]]}
  Base: {Value: {Fn::Base64: hello}}
  Split: {Value: !Select [1, !Split [":", !GetAtt L.Arn]]}
  OnlySmall: {Condition: Small, Value: !Ref S}
"""
    await site.call("CreateStack", StackName="demo", TemplateBody=body)
    assert await site.outputs("demo") == {
        "Sub": "demo/big/us-east-1/${Literal}",
        "If": "yes-big",
        "Cidr": "10.0.1.0/24",
        "Base": "aGVsbG8=",
        "Split": "aws",
    }
    (group,) = site.logs.groups.values()
    assert group["days"] == 30
    await site.call("UpdateStack", StackName="demo", TemplateBody=body, Parameters=parameters(Size="small"))
    assert len(site.logs.groups) == 2
    assert "OnlySmall" in await site.outputs("demo")


async def test_loops(site: Site) -> None:
    body = """
Transform: AWS::LanguageExtensions
Parameters: {Names: {Type: CommaDelimitedList, Default: "one,two-3"}}
Resources:
  Fn::ForEach::Groups:
    - Name
    - !Ref Names
    - L&{Name}:
        Type: AWS::Logs::LogGroup
        Properties: {LogGroupName: !Sub "/of/${Name}", RetentionInDays: !Length [1, 2, 3]}
Outputs:
  Fn::ForEach::Out:
    - Name
    - [one]
    - O${Name}: {Value: !Ref "L${Name}"}
"""
    refusal = await site.refused("CreateStack", StackName="demo", TemplateBody=body)
    assert refusal.message == "Requires capabilities : [CAPABILITY_AUTO_EXPAND]"
    await site.create("demo", body)
    assert sorted(site.logs.groups) == ["/of/one", "/of/two-3"]
    assert site.logs.groups["/of/one"]["days"] == 3
    assert await site.outputs("demo") == {"Oone": "/of/one"}
    summary = await site.call("ListStackResources", StackName="demo")
    assert [item["LogicalResourceId"] for item in summary["StackResourceSummaries"]] == ["Lone", "Ltwo3"]
    processed = await site.call("GetTemplate", StackName="demo", TemplateStage="Processed")
    assert "ForEach" not in processed["TemplateBody"]


async def test_capabilities(site: Site) -> None:
    role = "Resources: {R: {Type: AWS::IAM::Role, Properties: {AssumeRolePolicyDocument: {}}}}"
    refusal = await site.refused("CreateStack", StackName="demo", TemplateBody=role)
    assert refusal.code == "InsufficientCapabilitiesException"
    assert refusal.message == "Requires capabilities : [CAPABILITY_IAM]"
    named = role.replace("{AssumeRole", "{RoleName: mine, AssumeRole")
    refusal = await site.refused("CreateStack", StackName="demo", TemplateBody=named, Capabilities=["CAPABILITY_IAM"])
    assert refusal.message == "Requires capabilities : [CAPABILITY_NAMED_IAM]"
    await site.call("CreateStack", StackName="demo", TemplateBody=named, Capabilities=["CAPABILITY_NAMED_IAM"])
    assert list(site.iam.roles) == ["mine"]


async def test_summary_and_validation(site: Site) -> None:
    body = """
AWSTemplateFormatVersion: 2010-09-09
Transform: AWS::Serverless-2016-10-31
Description: What it is
Metadata: {A: 1}
Parameters:
  Size: {Type: String, Default: big, AllowedValues: [big, small], Description: How big}
  Secret: {Type: String, NoEcho: true}
Resources:
  F: {Type: AWS::Serverless::Function, Properties: {InlineCode: x, Handler: h, Runtime: python3.13}}
  T: {Type: AWS::DynamoDB::Table}
"""
    summary = await site.call("GetTemplateSummary", TemplateBody=body)
    assert summary["Capabilities"] == ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
    assert summary["DeclaredTransforms"] == ["AWS::Serverless-2016-10-31"]
    assert summary["Version"] == "2010-09-09"
    assert summary["Warnings"] == {"UnrecognizedResourceTypes": ["AWS::DynamoDB::Table"]}
    size, secret = summary["Parameters"]
    assert size["ParameterConstraints"] == {"AllowedValues": ["big", "small"]}
    assert secret["NoEcho"] is True
    valid = await site.call("ValidateTemplate", TemplateBody=body)
    assert valid["Description"] == "What it is"
    assert valid["Parameters"][0] == {
        "ParameterKey": "Size",
        "DefaultValue": "big",
        "NoEcho": False,
        "Description": "How big",
    }
