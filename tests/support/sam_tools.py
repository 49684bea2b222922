"""`sam`, `aws` and `cfn-lint` as a user has them at a shell: told where to go by variables alone."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, cast

import boto3
import pytest
from botocore.config import Config

from penstock.packaging import interpreter
from support.clients import need_client, plain_variables

REGION = "us-east-1"
RUNTIME = "python3.13"
LIMIT_S = 120.0
_CONFIG: Final = Config(retries={"total_max_attempts": 1}, proxies={})


class Done(str):
    """What a command wrote, standard output before standard error, and its `code`."""

    __slots__ = ("code", "errors", "output")
    code: int
    output: str
    errors: str

    def __new__(cls, done: "subprocess.CompletedProcess[str]") -> "Done":
        self = super().__new__(cls, done.stdout + done.stderr)
        self.code, self.output, self.errors = done.returncode, done.stdout, done.stderr
        return self


@dataclass(frozen=True)
class Tools:
    """`endpoint` is Penstock's; `home` is a folder with nothing of the user's own in it. `more` are other variables."""

    endpoint: str
    home: Path
    key: tuple[str, str] = ("test", "test")
    more: Mapping[str, str] = field(default_factory=dict)

    @property
    def variables(self) -> dict[str, str]:
        return variables(
            self.home,
            AWS_ENDPOINT_URL=self.endpoint,
            AWS_ACCESS_KEY_ID=self.key[0],
            AWS_SECRET_ACCESS_KEY=self.key[1],
            AWS_DEFAULT_REGION=REGION,
            **self.more,
        )

    def sam(self, folder: Path, *words: str, code: int | None = 0) -> Done:
        """In `folder`. Fails unless it ends with this code; None takes any."""
        return expect(code, run(folder, [need_client("sam-cli"), *words], self.variables))

    def aws(self, *words: str, code: int | None = 0) -> Done:
        """In `home`. Fails unless it ends with this code; None takes any."""
        return expect(code, run(self.home, [need_client("aws-cli"), *words], self.variables))

    def aws_2(self, *words: str, code: int | None = 0) -> Done:
        """The same with version 2 of the AWS CLI. Skips where there is none."""
        return expect(code, run(self.home, [need_client("aws-cli-2"), *words], self.variables))

    def ask(self, service: str, operation: str, **params: Any) -> Any:
        """An answer by boto3: what is only looked at needs no process of its own, which takes half a second."""
        make = cast("Callable[..., Any]", boto3.Session(*self.key, region_name=REGION).client)
        client = make(service, endpoint_url=self.endpoint, config=_CONFIG)
        try:
            answer = getattr(client, operation)(**params)
        finally:
            client.close()
        del answer["ResponseMetadata"]
        return answer

    def output(self, stack: str, key: str) -> str:
        """The value of one of a stack's Outputs."""
        outputs = self._stack(stack)["Outputs"]
        return str(next(one["OutputValue"] for one in outputs if one["OutputKey"] == key))

    def status(self, stack: str) -> str:
        """Of a stack, such as CREATE_COMPLETE."""
        return str(self._stack(stack)["StackStatus"])

    def _stack(self, name: str) -> dict[str, Any]:
        [stack] = self.ask("cloudformation", "describe_stacks", StackName=name)["Stacks"]
        found: dict[str, Any] = stack
        return found

    def subnets(self) -> list[str]:
        """Ids of the default VPC's, in the order of their zones."""
        wanted = [{"Name": "default-for-az", "Values": ["true"]}]
        found = self.ask("ec2", "describe_subnets", Filters=wanted)["Subnets"]
        return [one["SubnetId"] for one in sorted(found, key=lambda one: str(one["AvailabilityZone"]))]

    def groups(self) -> list[str]:
        """Ids of the default VPC's security groups named `default`."""
        wanted = [{"Name": "group-name", "Values": ["default"]}]
        found = self.ask("ec2", "describe_security_groups", Filters=wanted)["SecurityGroups"]
        return [one["GroupId"] for one in found]


def make_tools(endpoint: str, home: Path) -> Tools:
    """`home` is made. Skips where `make clients` was not run, or there is no Python of the function's version."""
    need_client("sam-cli")
    need_client("aws-cli")
    place = home / "bin"
    place.mkdir(parents=True)
    found, warning = asyncio.run(interpreter.find(RUNTIME))
    if warning:
        pytest.skip(warning)
    # By the one name that `sam build` looks for, so that nothing else on PATH changes.
    (place / RUNTIME).symlink_to(found.executable)
    return Tools(endpoint, home)


def variables(home: Path, **more: str) -> dict[str, str]:
    """Nothing of the user's own, but for how pip and uv reach their index."""
    index = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "UV_", "SSL_CERT_"))}
    # Wide, so that no word of a table is broken into two lines.
    quick = {"SAM_CLI_TELEMETRY": "0", "SAM_CLI_POLL_DELAY": "0.5", "AWS_PAGER": "", "COLUMNS": "250"}
    plain = plain_variables(HOME=str(home), **quick, **index, **more)
    return {**plain, "PATH": f"{home / 'bin'}{os.pathsep}{plain['PATH']}"}


def run(folder: Path, words: Sequence[str | Path], environ: Mapping[str, str]) -> Done:
    """Run a command to its end."""
    return Done(
        subprocess.run(
            words,
            cwd=folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
    )


def expect(code: int | None, done: Done) -> Done:
    assert code is None or done.code == code, f"ended with {done.code}:\n{done}"
    assert "Traceback" not in done, done
    return done


def copy_example(folder: Path, name: str) -> Path:
    """A folder of `examples` as it stands in the repository."""
    place = folder / name
    ignored = shutil.ignore_patterns(".penstock", ".aws-sam", "__pycache__", "samconfig.toml")
    shutil.copytree(Path(__file__).parents[2] / "examples" / name, place, ignore=ignored)
    return place
