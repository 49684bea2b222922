"""What a template says about asynchronous invocations."""

from pathlib import Path

import pytest

from penstock.model.errors import UserError
from penstock.model.function import EventInvokeConfig, Function
from support.template_texts import BASE, changed, load

ARN = "arn:aws:{}:us-east-1:123456789012:{}"
RESOURCES = """\
Resources:
  Queue: {Type: AWS::SQS::Queue, Properties: {QueueName: jobs}}
  Topic: {Type: AWS::SNS::Topic}
  Bus: {Type: AWS::Events::EventBus, Properties: {Name: bus}}
  Bucket: {Type: AWS::S3::Bucket, Properties: {BucketName: kept}}
"""
CONFIG = """\
      EventInvokeConfig:
        MaximumEventAgeInSeconds: 100
        MaximumRetryAttempts: 0
        DestinationConfig:
          OnSuccess: {Type: SNS, Destination: !Ref Topic}
          OnFailure: {Type: SQS, Destination: !GetAtt Queue.Arn}
"""
WITH = changed(BASE, "Resources:\n", RESOURCES)
SAM = changed(WITH, "      MemorySize: 2048\n", f"{CONFIG}      MemorySize: 2048\n")


def read(folder: Path, text: str) -> Function:
    (function,) = load(folder, text).functions
    return function


def test_nothing_said(tmp_path: Path) -> None:
    function = read(tmp_path, BASE)
    assert function.event_invoke == EventInvokeConfig(21_600, 2, None, None)
    assert (function.dead_letter_arn, function.description) == (None, "")
    assert function.role.startswith("arn:aws:iam::123456789012:role/demo-WebRole-")


def test_everything_said(tmp_path: Path) -> None:
    config = read(tmp_path, SAM).event_invoke
    assert (config.max_age_s, config.max_retry_attempts) == (100, 0)
    assert config.on_success is not None
    assert config.on_success.startswith(ARN.format("sns", "demo-Topic-"))
    assert config.on_failure == ARN.format("sqs", "jobs")


@pytest.mark.parametrize(
    ("written", "arn"),
    [
        ("{Type: SNS, Destination: !GetAtt Topic.TopicArn}", ARN.format("sns", "demo-Topic-")),
        ("{Type: EventBridge, Destination: !GetAtt Bus.Arn}", ARN.format("events", "event-bus/bus")),
        ("{Type: S3Bucket, Destination: !GetAtt Bucket.Arn}", "arn:aws:s3:::kept"),
        ("{Type: Lambda, Destination: 'arn:aws:lambda:eu-west-1:123456789012:function:f:live'}", "arn:aws:lambda:"),
        ("{Type: SQS, Destination: !Sub 'arn:aws:sqs:${AWS::Region}:1:q'}", ""),
        ("{Type: SQS}", ARN.format("sqs", "demo-WebEventInvokeConfigOnFailureQueue-")),
        ("{Type: SQS, Destination: !ImportValue shared}", ARN.format("sqs", "Web-OnFailure")),
    ],
)
def test_kinds_of_destinations(tmp_path: Path, written: str, arn: str) -> None:
    text = changed(SAM, "{Type: SQS, Destination: !GetAtt Queue.Arn}", written)
    if not arn:
        with pytest.raises(UserError, match="bad value 'arn:aws:sqs:us-east-1:1:q'; allowed: an ARN of sqs, sns"):
            read(tmp_path, text)
        return
    config = read(tmp_path, text).event_invoke
    assert config.on_failure is not None
    assert config.on_failure.startswith(arn)
    assert config.on_success is not None
    assert ":sns:" in config.on_success


def test_only_a_number(tmp_path: Path) -> None:
    text = changed(SAM, CONFIG[CONFIG.index("        DestinationConfig") :], "")
    assert read(tmp_path, text).event_invoke == EventInvokeConfig(100, 0)
    text = changed(text, "        MaximumRetryAttempts: 0\n", "")
    assert read(tmp_path, text).event_invoke == EventInvokeConfig(100, 2)


def test_a_dead_letter_queue_and_a_description(tmp_path: Path) -> None:
    more = """\
      MemorySize: 2048
      Description: !Sub 'of ${AWS::StackName}'
      DeadLetterQueue: {Type: SQS, TargetArn: !GetAtt Queue.Arn}
"""
    function = read(tmp_path, changed(WITH, "      MemorySize: 2048\n", more))
    assert function.dead_letter_arn == ARN.format("sqs", "jobs")
    assert function.description == "of demo"


def test_a_role_of_elsewhere_is_not_needed(tmp_path: Path) -> None:
    text = changed(BASE, "      MemorySize: 2048\n", "      MemorySize: 2048\n      Role: {}\n")
    given = "arn:aws:iam::123456789012:role/mine"
    assert read(tmp_path, text.replace("Role: {}", f"Role: {given}")).role == given
    assert read(tmp_path, text.replace("Role: {}", "Role: !ImportValue shared")).role == ""


PLAIN = """\
  {id}:
    Type: AWS::Lambda::EventInvokeConfig
    Properties:
      FunctionName: {name}
      Qualifier: {qualifier}
      MaximumRetryAttempts: {retries}
"""


def plain(*configs: tuple[str, str, int], name: str = "!Ref Web", base: str = WITH) -> str:
    """`configs` are logical id, qualifier and retries."""
    made = (
        PLAIN.format(id=one, name=name, qualifier=qualifier, retries=retries) for one, qualifier, retries in configs
    )
    return changed(base, "Outputs:\n", f"{''.join(made)}Outputs:\n")


def test_a_configuration_counts_for_its_qualifier(tmp_path: Path) -> None:
    config = read(tmp_path, plain(("A", "$LATEST", 0), ("B", "live", 1))).event_invoke
    assert config.max_retry_attempts == 1
    assert read(tmp_path, plain(("A", "$LATEST", 0))).event_invoke == EventInvokeConfig()
    assert read(tmp_path, plain(("A", '"1"', 0))).event_invoke.max_retry_attempts == 0


def test_without_a_version_the_function_itself_is_meant(tmp_path: Path) -> None:
    base = changed(WITH, "      AutoPublishAlias: live\n", "")
    assert read(tmp_path, plain(("A", "$LATEST", 0), base=base)).event_invoke.max_retry_attempts == 0
    sam = changed(SAM, "      AutoPublishAlias: live\n", "")
    assert read(tmp_path, sam).event_invoke.max_retry_attempts == 0


@pytest.mark.parametrize("name", ["other", "!ImportValue other", "!Sub '${AWS::StackName}-x'"])
def test_a_configuration_of_another_function_is_not_its_business(tmp_path: Path, name: str) -> None:
    assert read(tmp_path, plain(("A", "live", 0), name=name)).event_invoke == EventInvokeConfig()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("Qualifier: live", "Qualifier: lve", "Config: Qualifier: bad value lve; allowed: live, 1, $LATEST"),
        ("      Qualifier: live\n", "", "Config: Qualifier is missing"),
        ("      FunctionName: !Ref Web\n", "", "Config: FunctionName is missing"),
        ("MaximumRetryAttempts: 1", "MaximumRetryAttempts: 1.5", "allowed: whole numbers from 0 to 2"),
        ("MaximumRetryAttempts: 1", "MaximumRetries: 1", "Config: unknown property MaximumRetries; did you mean"),
        (
            "MaximumRetryAttempts: 1",
            "DestinationConfig: {OnFailure: {Type: SQS}}",
            "Config: DestinationConfig.OnFailure: unknown property Type. Allowed: Destination",
        ),
        (
            "MaximumRetryAttempts: 1",
            "DestinationConfig: {OnSuccess: {Destination: !Ref Queue}}",
            "Config: DestinationConfig.OnSuccess.Destination: bad value 'https://sqs.",
        ),
    ],
)
def test_plain_cloudformation_speaks_its_own_names(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        read(tmp_path, changed(plain(("Config", "live", 1)), old, new))
    assert message.replace("lve;", "'lve';") in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.place is not None
    assert caught.value.place.line


def test_plain_dead_letters(tmp_path: Path) -> None:
    function = """\
  Plain:
    Type: AWS::Lambda::Function
    Properties:
      Code: app
      Handler: run.sh
      Runtime: python3.13
      MemorySize: 2048
      Role: !GetAtt WebRole.Arn
      DeadLetterConfig: {TargetArn: !Ref Topic}
      CapacityProviderConfig:
        LambdaManagedInstancesCapacityProviderConfig: {CapacityProviderArn: !GetAtt Provider.Arn}
Outputs:
"""
    text = changed(WITH, "Outputs:\n", function)
    arns = {one.logical_id: one.dead_letter_arn for one in load(tmp_path, text).functions}
    assert arns["Web"] is None
    assert str(arns["Plain"]).startswith(ARN.format("sns", "demo-Topic-"))
    with pytest.raises(UserError, match=r"Plain: DeadLetterConfig.TargetArn: bad value 'arn:aws:s3:::kept'; allowed:"):
        load(tmp_path, changed(text, "TargetArn: !Ref Topic", "TargetArn: !GetAtt Bucket.Arn"))
    with pytest.raises(UserError, match=r"Plain: DeadLetterConfig: unknown property Arn. Allowed: TargetArn"):
        load(tmp_path, changed(text, "TargetArn: !Ref Topic", "Arn: x"))
