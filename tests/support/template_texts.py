"""Template texts for these tests, and a short way to load one."""

from collections.abc import Mapping
from pathlib import Path

from penstock.template import Stack, load_stack

BASE = """\
AWSTemplateFormatVersion: 2010-09-09
Transform: AWS::Serverless-2016-10-31
Parameters:
  Subnets:
    Type: List<AWS::EC2::Subnet::Id>
Globals:
  Function:
    Timeout: 60
Resources:
  Provider:
    Type: AWS::Serverless::CapacityProvider
    Properties:
      VpcConfig:
        SubnetIds: !Ref Subnets
  Web:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: app/
      Handler: run.sh
      Runtime: python3.13
      MemorySize: 2048
      AutoPublishAlias: live
      Environment:
        Variables:
          MODE: plain
      CapacityProviderConfig:
        Arn: !GetAtt Provider.Arn
        PerExecutionEnvironmentMaxConcurrency: 64
      FunctionUrlConfig:
        AuthType: NONE
Outputs:
  Url:
    Value: !GetAtt WebUrl.FunctionUrl
"""


def load(
    folder: Path,
    text: str,
    *,
    parameters: Mapping[str, str] | None = None,
    env_vars: Mapping[str, Mapping[str, str]] | None = None,
    region: str = "us-east-1",
    min_environments: int | None = None,
    name: str = "template.yaml",
) -> Stack:
    """Load `text` as stack `demo` from `folder`, in which `app/` and `layer/` are made."""
    (folder / "app").mkdir(exist_ok=True)
    (folder / "layer").mkdir(exist_ok=True)
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return load_stack(
        path,
        stack_name="demo",
        parameters=parameters or {},
        env_vars=env_vars,
        region=region,
        min_environments=min_environments,
    )


def changed(text: str, old: str, new: str) -> str:
    """`text` with its one `old` replaced."""
    assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times"
    return text.replace(old, new)
