"""A SAM project that deploys in moments: one function of the clients' app, which needs nothing but Python."""

import json
import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path

from support.clients_app import GREETING
from support.gate import Gate
from support.projects import LAYER, MARK, RUN_SH

APP = Path(__file__).with_name("clients_app.py")
FUNCTION = "App"
SLOTS = 16


@dataclass(frozen=True)
class SamProject:
    """`folder` holds `template.yaml` and `app/`. Its function carries `mark` in `MARK`."""

    folder: Path
    mark: str

    def greet(self, words: str) -> None:
        """Change the code: the app answers with these words at `/` from now on."""
        code = APP.read_text().replace(f'GREETING = "{GREETING}"', f"GREETING = {json.dumps(words)}")
        assert words in code
        (self.folder / "app" / "app.py").write_text(code)

    def greet_late(self, words: str) -> None:
        """The same, by code that visits the gate as `start` before it is ready."""
        self.greet(words)
        app = self.folder / "app" / "app.py"
        code = app.read_text()
        main = 'if __name__ == "__main__":\n'
        assert main in code
        app.write_text(code.replace(main, f'{main}    wait_at_gate("start")\n'))

    def add_resource(self, logical_id: str, kind: str) -> None:
        """One without properties, to the template."""
        template = self.folder / "template.yaml"
        text = template.read_text()
        template.write_text(text.replace("Resources:\n", f"Resources:\n  {logical_id}: {{Type: {kind}}}\n"))

    def remove_resource(self, logical_id: str) -> None:
        template = self.folder / "template.yaml"
        lines = template.read_text().splitlines(keepends=True)
        template.write_text("".join(line for line in lines if not line.startswith(f"  {logical_id}: ")))

    def break_start(self) -> None:
        """Change the code: it ends at its start, with a line on the standard error."""
        (self.folder / "app" / "app.py").write_text('raise SystemExit("no module named nonsense")\n')


def make_project(folder: Path, gate: Gate) -> SamProject:
    """`folder` is made."""
    project = SamProject(folder, uuid.uuid4().hex)
    code = folder / "app"
    code.mkdir(parents=True)
    shutil.copyfile(APP, code / "app.py")
    (code / "run.sh").write_text(RUN_SH)
    (code / "run.sh").chmod(0o755)
    (folder / "template.yaml").write_text(_template(project.mark, gate.port))
    return project


def _template(mark: str, gate: int) -> str:
    variables = {
        "AWS_LAMBDA_EXEC_WRAPPER": "/opt/bootstrap",
        "AWS_LWA_INVOKE_MODE": "response_stream",
        "PORT": 8000,
        "GATE": gate,
        MARK: mark,
    }
    return f"""\
AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Parameters:
  SubnetIds: {{Type: "List<AWS::EC2::Subnet::Id>"}}
  SecurityGroupIds: {{Type: "List<AWS::EC2::SecurityGroup::Id>"}}
Resources:
  Capacity:
    Type: AWS::Serverless::CapacityProvider
    Properties:
      VpcConfig: {{SubnetIds: !Ref SubnetIds, SecurityGroupIds: !Ref SecurityGroupIds}}
  {FUNCTION}:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: app/
      Handler: run.sh
      Runtime: python3.13
      MemorySize: 2048
      Timeout: 60
      AutoPublishAlias: live
      Layers: [{LAYER}]
      Environment:
        Variables: {json.dumps(variables)}
      CapacityProviderConfig:
        Arn: !GetAtt Capacity.Arn
        PerExecutionEnvironmentMaxConcurrency: {SLOTS}
      FunctionUrlConfig: {{AuthType: NONE, InvokeMode: RESPONSE_STREAM}}
Outputs:
  FunctionUrl: {{Value: !GetAtt {FUNCTION}Url.FunctionUrl}}
  FunctionName: {{Value: !Ref {FUNCTION}}}
"""
