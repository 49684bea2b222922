"""Small SAM projects on disk: a template, a code folder with the probe app, and what a test changes in them."""

import json
import shutil
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

PROBE_APP = Path(__file__).with_name("probe_app.py")
# -S: the app needs nothing but the standard library, and starts faster so.
RUN_SH = '#!/bin/sh\ncd "$LAMBDA_TASK_ROOT"\nexec python3 -S app.py\n'
FUNCTION = "App"
# A variable by which the processes of one test are known.
MARK = "PENSTOCK_TEST_MARK"
# What differs in each run. It is given beside the template: one that was seen before is not translated again, which
# takes longer than all else of a start.
_OF_A_RUN = (MARK, "GATE")
LAYER = "arn:aws:lambda:us-east-1:753240598075:layer:LambdaAdapterLayerX86:26"


@dataclass(frozen=True)
class Project:
    """`folder` holds `template.yaml`, `app/` and, after a run, `.penstock/`. Its function, when it is run with
    `env_vars`, carries `mark` in `MARK`.
    """

    folder: Path
    mark: str

    @property
    def template(self) -> Path:
        return self.folder / "template.yaml"

    @property
    def env_vars(self) -> Path:
        """For `--env-vars`; not there for a project that was not made here."""
        return self.folder / "env-vars.json"

    @property
    def code(self) -> Path:
        return self.folder / "app"

    @property
    def temporary(self) -> Path:
        """TMPDIR of the processes a test starts for it."""
        return self.folder / "tmp"

    def work_folders(self) -> list[Path]:
        """What `up` made for its environments and has not removed. Locks of ports are kept for the next one."""
        return [path for path in self.temporary.iterdir() if not path.name.startswith("penstock-ports-")]

    @property
    def logs(self) -> Path:
        """The function's log file when `up` was given no stack name."""
        (path,) = self.folder.glob(f".penstock/*/logs/{FUNCTION}.jsonl")
        return path


@dataclass(frozen=True)
class Shape:
    """What a test wants of the one function, as its template says it. `timeout` in seconds."""

    variables: Mapping[str, str | int] = field(default_factory=dict)
    concurrency: int = 4
    timeout: int = 30
    auth: str = "NONE"
    layers: tuple[str, ...] = (LAYER,)
    with_url: bool = True
    handler: str = "run.sh"


def make_project(folder: Path, shape: Shape | None = None, *, run_sh: str = RUN_SH) -> Project:
    """A project in `folder`, which is made when it is not there."""
    project = Project(folder, uuid.uuid4().hex)
    project.code.mkdir(parents=True)
    shutil.copyfile(PROBE_APP, project.code / "app.py")
    handler = project.code / "run.sh"
    handler.write_text(run_sh)
    handler.chmod(0o755)
    write_template(project, shape or Shape())
    return project


def write_template(project: Project, shape: Shape) -> None:
    """And beside it what differs in each run."""
    project.template.write_text(_template(shape))
    own = {name: value for name, value in shape.variables.items() if name in _OF_A_RUN}
    project.env_vars.write_text(json.dumps({"Parameters": {MARK: project.mark, **own}}))


def _template(shape: Shape) -> str:
    """YAML. JSON is YAML too, so single values are written as JSON."""
    variables = {
        "AWS_LAMBDA_EXEC_WRAPPER": "/opt/bootstrap",
        "AWS_LWA_INVOKE_MODE": "response_stream",
        "PORT": 8000,
        MARK: "",
        **shape.variables,
    }
    variables = {name: "" if name in _OF_A_RUN else value for name, value in variables.items()}
    url = f"      FunctionUrlConfig: {{AuthType: {shape.auth}, InvokeMode: RESPONSE_STREAM}}\n"
    return f"""\
Transform: AWS::Serverless-2016-10-31
Parameters:
  Subnets: {{Type: "List<AWS::EC2::Subnet::Id>"}}
  Groups: {{Type: "List<AWS::EC2::SecurityGroup::Id>"}}
Resources:
  Capacity:
    Type: AWS::Serverless::CapacityProvider
    Properties:
      VpcConfig: {{SubnetIds: !Ref Subnets, SecurityGroupIds: !Ref Groups}}
  {FUNCTION}:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: app/
      Handler: {shape.handler}
      Runtime: python3.13
      MemorySize: 2048
      Timeout: {shape.timeout}
      AutoPublishAlias: live
      Layers: {json.dumps(list(shape.layers))}
      Environment:
        Variables: {json.dumps(variables)}
      CapacityProviderConfig:
        Arn: !GetAtt Capacity.Arn
        PerExecutionEnvironmentMaxConcurrency: {shape.concurrency}
{url if shape.with_url else ""}"""
