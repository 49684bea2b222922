"""A project whose functions are one web app behind Function URLs of every kind that clients meet."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from support.clients_app import ERROR_STATUS
from support.gate import Gate
from support.projects import LAYER, MARK, Project, Shape, make_project
from support.up import Up, running

APP = Path(__file__).with_name("clients_app.py")
SLOTS = 16

InvokeMode = Literal["BUFFERED", "RESPONSE_STREAM"]
MODES: tuple[InvokeMode, ...] = ("BUFFERED", "RESPONSE_STREAM")
# A function for each mode, by its logical id.
NAMES: dict[InvokeMode, str] = {"BUFFERED": "Buffered", "RESPONSE_STREAM": "Streaming"}


@dataclass(frozen=True)
class Site:
    """`penstock up` with the functions."""

    up: Up

    def url(self, function: str) -> str:
        """Without a slash at its end."""
        return self.urls[function].rstrip("/")

    @property
    def urls(self) -> dict[str, str]:
        """By logical id."""
        return self.up.wait_for("ready")["urls"]


def function(name: str, mode: InvokeMode, url_config: dict[str, object]) -> dict[str, object]:
    """A resource of the template; `url_config` is what its FunctionUrlConfig has besides the mode."""
    variables: dict[str, str | int] = {
        "AWS_LAMBDA_EXEC_WRAPPER": "/opt/bootstrap",
        "AWS_LWA_INVOKE_MODE": mode.lower(),
        "AWS_LWA_ERROR_STATUS_CODES": str(ERROR_STATUS),
        "PORT": 8000,
        "GATE": "",
        MARK: "",
    }
    return {
        "Type": "AWS::Serverless::Function",
        "Properties": {
            "FunctionName": name,
            "CodeUri": "app/",
            "Handler": "run.sh",
            "Runtime": "python3.13",
            "MemorySize": 2048,
            "Timeout": 60,
            "AutoPublishAlias": "live",
            "Layers": [LAYER],
            "Environment": {"Variables": variables},
            "CapacityProviderConfig": {
                "Arn": {"Fn::GetAtt": ["Capacity", "Arn"]},
                "PerExecutionEnvironmentMaxConcurrency": SLOTS,
            },
            "FunctionUrlConfig": {"AuthType": "NONE", "InvokeMode": mode, **url_config},
        },
    }


def make_site(folder: Path, gate: Gate, url_configs: dict[str, dict[str, object]]) -> Project:
    """A function for each mode and each of `url_configs`, whose keys come before the mode's name in the logical id.

    Functions are named by their logical ids; their streams visit the gate.
    """
    project = make_project(folder, Shape({"GATE": gate.port}))
    shutil.copyfile(APP, project.code / "app.py")
    functions = {
        name: function(name, mode, config)
        for prefix, config in url_configs.items()
        for mode in MODES
        for name in [f"{prefix}{NAMES[mode]}"]
    }
    capacity = {
        "Type": "AWS::Serverless::CapacityProvider",
        "Properties": {"VpcConfig": {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}},
    }
    template = {"Transform": "AWS::Serverless-2016-10-31", "Resources": {"Capacity": capacity, **functions}}
    project.template.write_text(json.dumps(template))
    return project


@contextmanager
def serving(project: Project, cache: Path, *flags: str) -> Iterator[Site]:
    with running(project, cache, *flags) as up:
        up.wait_for("ready")
        yield Site(up)
