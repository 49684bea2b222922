"""Intrinsic functions, conditions, parameters and outputs, seen through a function's environment variables."""

from pathlib import Path

import pytest

from penstock.model.errors import UserError
from support.template_texts import BASE, changed, load

SECTIONS = """\
  Stage: {Type: String, Default: dev}
  Zones: {Type: CommaDelimitedList, Default: "a, b,c"}
  Count: {Type: Number, Default: 3}
  Empty: {Type: CommaDelimitedList, Default: ""}
  Secret: {Type: "AWS::SSM::Parameter::Value<String>", Default: /path}
Mappings:
  ByStage:
    dev: {Level: low, Zones: [x, y]}
    prod: {Level: high}
Conditions:
  IsDev: !Equals [!Ref Stage, dev]
  IsProd: !Not [!Condition IsDev]
  Both: !And [!Condition IsDev, !Condition IsProd]
  Either: !Or [!Condition IsDev, {Condition: IsProd}]
  Three: !Equals [!Ref Count, 3]
Globals:
"""
OTHERS = """\
Resources:
  Topic: {Type: AWS::SNS::Topic}
  Queue: {Type: AWS::SQS::Queue, Properties: {QueueName: jobs}}
  Table: {Type: AWS::DynamoDB::Table}
  Bucket: {Type: AWS::S3::Bucket}
  Left: {Type: AWS::SQS::Queue, Condition: IsProd}
"""


def template(value: str) -> str:
    text = changed(BASE, "Globals:\n", SECTIONS)
    text = changed(text, "Resources:\n", OTHERS)
    return changed(text, "MODE: plain", f"MODE: {value}")


VALUES = [
    ("8000", "8000"),
    ("1.5", "1.5"),
    ("true", "true"),
    ("No", "false"),
    ("'2010-09-09'", "2010-09-09"),
    ("2010-09-09", "2010-09-09"),
    ("!Ref Stage", "dev"),
    ("!Ref Count", "3"),
    ("!Ref AWS::Region", "us-east-1"),
    ("!Ref AWS::AccountId", "123456789012"),
    ("!Ref AWS::Partition", "aws"),
    ("!Ref AWS::URLSuffix", "amazonaws.com"),
    ("!Ref AWS::StackName", "demo"),
    ("!Sub '${Stage}-${AWS::Region}-${!Literal}'", "dev-us-east-1-${Literal}"),
    ("!Sub ['${Stage}-${Other}', {Other: !Ref Count}]", "dev-3"),
    ("!Sub '${Queue.Arn}'", "arn:aws:sqs:us-east-1:123456789012:jobs"),
    ("{'Fn::Sub': '$${Stage}$'}", "$dev$"),
    ("!Join ['-', [a, !Ref Stage, 1]]", "a-dev-1"),
    ("!Join [':', !Ref Zones]", "a:b:c"),
    ("!Join [':', !Ref Empty]", '""'),
    ("!Select [1, !Ref Zones]", "b"),
    ("!Select ['2', !Split [',', 'x,y,z']]", "z"),
    ("!Select [0, !GetAZs '']", "us-east-1a"),
    ("!If [IsDev, yes-dev, no-dev]", "yes-dev"),
    ("!If [IsProd, yes-prod, !If [Either, either, neither]]", "either"),
    ("!If [Both, both, !If [Three, three, other]]", "three"),
    ("!FindInMap [ByStage, !Ref Stage, Level]", "low"),
    ("!Select [1, !FindInMap [ByStage, dev, Zones]]", "y"),
    ("!FindInMap [ByStage, test, Level, {DefaultValue: none}]", "none"),
    ("!Base64 text", "dGV4dA=="),
    ("{'Fn::Base64': !Ref Stage}", "ZGV2"),
    ("!Length Zones", None),
    ("{'Fn::Length': !Ref Zones}", "3"),
    ("!ToJsonString {a: [1, !Ref Stage]}", '{"a":[1,"dev"]}'),
    ("!GetAtt Queue.Arn", "arn:aws:sqs:us-east-1:123456789012:jobs"),
    ("!GetAtt [Queue, Arn]", "arn:aws:sqs:us-east-1:123456789012:jobs"),
    ("{'Fn::GetAtt': Queue.Arn}", "arn:aws:sqs:us-east-1:123456789012:jobs"),
    ("!Ref Queue", "https://sqs.us-east-1.amazonaws.com/123456789012/jobs"),
    ("!Ref Secret", None),
    ("!Ref Left", None),
    ("!Cidr [10.0.0.0/16, 1, 8]", None),
]


@pytest.mark.parametrize(("value", "expected"), VALUES, ids=[value for value, _ in VALUES])
def test_a_value(tmp_path: Path, value: str, expected: str | None) -> None:
    if expected is None:
        with pytest.raises(UserError, match=r"template\.yaml:\d+: "):
            load(tmp_path, template(value))
    else:
        stack = load(tmp_path, template(value))
        assert stack.functions[0].environment["MODE"] == expected.replace('""', "")


def test_no_value_leaves_the_property_out(tmp_path: Path) -> None:
    assert load(tmp_path, template("!Ref AWS::NoValue")).functions[0].environment == {}
    text = changed(template("x"), "    Timeout: 60", "    Timeout: !If [IsProd, 60, !Ref AWS::NoValue]")
    assert load(tmp_path, text).functions[0].timeout_s == 3


def test_names_of_other_resources_are_stable_stand_ins(tmp_path: Path) -> None:
    topic, again = (load(tmp_path, template("!Ref Topic")).functions[0].environment["MODE"] for _ in range(2))
    assert topic == again
    assert topic.startswith("arn:aws:sns:us-east-1:123456789012:demo-Topic-")
    assert load(tmp_path, template("!Ref Table")).functions[0].environment["MODE"].startswith("demo-Table-")
    table = load(tmp_path, template("!GetAtt Table.Arn")).functions[0].environment["MODE"]
    assert table.startswith("arn:aws:dynamodb:us-east-1:123456789012:table/demo-Table-")
    bucket = load(tmp_path, template("!GetAtt Bucket.Arn")).functions[0].environment["MODE"]
    assert bucket.startswith("arn:aws:s3:::demo-bucket-")


def test_a_stored_parameter_can_be_given(tmp_path: Path) -> None:
    stack = load(tmp_path, template("!Ref Secret"), parameters={"Secret": "hidden"})
    assert stack.functions[0].environment["MODE"] == "hidden"


def test_other_parameters_turn_the_conditions(tmp_path: Path) -> None:
    text = template("!If [IsProd, !GetAtt Left.QueueName, none]")
    assert load(tmp_path, text).functions[0].environment["MODE"] == "none"
    value = load(tmp_path, text, parameters={"Stage": "prod"}).functions[0].environment["MODE"]
    assert value.startswith("demo-Left-")


@pytest.mark.parametrize(("region", "partition"), [("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")])
def test_partitions(tmp_path: Path, region: str, partition: str) -> None:
    stack = load(tmp_path, template("!Ref AWS::Partition"), region=region)
    assert stack.functions[0].environment["MODE"] == partition
    assert stack.functions[0].arn.startswith(f"arn:{partition}:lambda:{region}:")


PARAMETERS = [
    ("{Type: String, AllowedValues: [a, b]}", "c", "bad value 'c': allowed: a, b"),
    (
        "{Type: String, AllowedPattern: '[a-z]+', ConstraintDescription: letters}",
        "a1",
        r"it must match \[a-z\]\+ \(letters\)",
    ),
    ("{Type: String, AllowedPattern: '['}", "a", "AllowedPattern is not a regular expression"),
    ("{Type: String, MinLength: 2}", "a", "it needs at least 2 characters"),
    ("{Type: String, MaxLength: 2}", "abc", "at most 2 characters are allowed"),
    ("{Type: String, MaxLength: many}", "abc", "MaxLength must be a number"),
    ("{Type: Number}", "one", "bad value 'one': it must be a number"),
    ("{Type: Number, MinValue: 2}", "1", "the minimum is 2"),
    ("{Type: Number, MaxValue: 2}", "3", "the maximum is 2"),
    ("{Type: List<Number>}", "1,x", "bad value 'x': it must be a number"),
    ("{Type: CommaDelimitedList, AllowedValues: [a, b]}", "a,c", "bad value 'c': allowed: a, b"),
    ("{Type: String, NoEcho: true, AllowedValues: [a]}", "secret", r"bad value '\*\*\*\*': allowed: a"),
    ("{Type: Text}", "a", "unknown Type Text"),
    ("{Default: a}", "a", "needs a Type"),
]


@pytest.mark.parametrize(("declaration", "given", "message"), PARAMETERS, ids=[item[0] for item in PARAMETERS])
def test_a_bad_parameter(tmp_path: Path, declaration: str, given: str, message: str) -> None:
    text = changed(BASE, "Globals:\n", f"  Given: {declaration}\nGlobals:\n")
    with pytest.raises(UserError, match=rf"template\.yaml:6: parameter Given: .*{message}"):
        load(tmp_path, text, parameters={"Given": given})


def test_typed_parameters_get_stand_ins(tmp_path: Path) -> None:
    declared = "  Subnet: {Type: 'AWS::EC2::Subnet::Id'}\n  Vpc: {Type: 'AWS::EC2::VPC::Id'}\nGlobals:\n"
    text = changed(changed(BASE, "Globals:\n", declared), "MODE: plain", "MODE: !Sub '${Subnet} ${Vpc}'")
    assert load(tmp_path, text).functions[0].environment["MODE"] == "subnet-local1 vpc-local1"


def test_outputs_that_only_an_account_can_tell_are_left_out(tmp_path: Path) -> None:
    text = template("x") + (
        "  Imported: {Value: !ImportValue other}\n"
        "  Never: {Condition: IsProd, Value: x}\n"
        "  Number: {Value: !Ref Count}\n"
        "  Sub: {Value: !Sub '${WebUrl.FunctionUrl}health'}\n"
    )
    stack = load(tmp_path, text)
    assert stack.warnings == (
        "output Imported is left out: Fn::ImportValue is not supported: its value is needed here",
    )
    assert stack.outputs({"Web": "http://localhost:1/"}) == {
        "Url": "http://localhost:1/",
        "Number": "3",
        "Sub": "http://localhost:1/health",
    }


def test_a_circle_of_conditions(tmp_path: Path) -> None:
    text = changed(template("x"), "  Three: ", "  A: !Not [!Condition B]\n  B: !Not [!Condition A]\n  Three: ")
    text = changed(text, "  Web:\n", "  Web:\n    Condition: A\n")
    with pytest.raises(UserError, match="circular reference: A -> B -> A"):
        load(tmp_path, text)


def test_a_branch_not_chosen_makes_no_circle(tmp_path: Path) -> None:
    text = template("!If [IsProd, !GetAtt WebUrl.FunctionUrl, none]")
    assert load(tmp_path, text).functions[0].environment["MODE"] == "none"
    with pytest.raises(UserError, match="circular reference: Web -> WebUrl"):
        load(tmp_path, text, parameters={"Stage": "prod"})
