"""The example, by the commands of docs/deploy.md: looked up, built, deployed by question and answer, used, removed."""

import json
import re
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from support.clients import need_client, need_program, talking
from support.package_index import need_packages
from support.sam_serve import Serve, serving
from support.sam_site import HostCall
from support.sam_terminal import at_terminal
from support.sam_tools import REGION, Tools, copy_example, make_tools
from support.up import shared_cache

pytestmark = pytest.mark.timeout(400)

STACK = "sam-app"
FUNCTION = "FastAPIFunction"
SENTENCE = "one process answers many requests at the same time\n"
# 50 ms after each character, those of the request id before the sentence too: examples/fastapi-streaming/app/main.py.
STREAM_S = 0.05 * (len(SENTENCE) + len("[] ") + 36)


@pytest.fixture
def serve(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    need_client("sam-cli")
    place = tmp_path / "serve"
    place.mkdir()
    with serving(place, shared_cache(tmp_path_factory), uuid.uuid4().hex) as serve:
        yield serve


def deploy_guided(tools: Tools, example: Path, subnets: list[str], groups: list[str]) -> str:
    """Answer as docs/deploy.md says; what was on the screen."""
    words = (need_client("sam-cli"), "deploy", "--guided")
    with at_terminal(example, words, tools.variables) as terminal:
        terminal.answer("Stack Name [", STACK)
        terminal.answer("AWS Region [", REGION)
        terminal.answer("Parameter SubnetIds", ",".join(subnets))
        terminal.answer("Parameter SecurityGroupIds", ",".join(groups))
        terminal.answer("Confirm changes before deploy [", "N")
        terminal.answer("Allow SAM CLI IAM role creation [", "Y")
        terminal.answer("Disable rollback [", "N")
        terminal.answer(f"{FUNCTION} Function Url has no authentication. Is this okay? [", "y")
        terminal.answer("Save arguments to configuration file [", "Y")
        terminal.answer("SAM configuration file [", "")
        terminal.answer("SAM configuration environment [", "")
        assert terminal.ended() == 0, terminal.text
        return terminal.text


def streams_at_once(url: str, count: int, folder: Path) -> set[str]:
    """`count` curls get the whole sentence each, as it is written, and none waits for another; their requests' ids."""
    curl = need_program("curl")
    began = time.monotonic()
    with ExitStack() as stack:
        running = [stack.enter_context(talking(folder, curl, "-sS", "-N", url)) for _ in range(count)]
        bodies = [one.rest().decode() for one in running]
        assert [one.ended() for one in running] == [0] * count
    took = time.monotonic() - began
    said = [re.fullmatch(rf"\[([0-9a-f-]{{36}})\] {SENTENCE}", body) for body in bodies]
    ids = {one[1] for one in said if one}
    assert len(ids) == count, bodies
    assert STREAM_S * 0.9 < took < STREAM_S * 2
    return ids


def pieces(url: str) -> list[bytes]:
    """One answer as it comes."""
    call = HostCall(url, "/")
    found = list(iter(lambda: call.read(1000), b""))
    call.close()
    return found


def test_the_example(serve: Serve, tmp_path: Path) -> None:
    tools = make_tools(serve.endpoint, tmp_path / "home")
    example = copy_example(tmp_path, "fastapi-streaming")
    need_packages(example / "app" / "requirements.txt")

    # What the README of the example has a user look up.
    shown = tools.aws(
        *("ec2", "describe-subnets", "--filters", "Name=default-for-az,Values=true"),
        *("--query", "Subnets[*].[SubnetId,AvailabilityZone]", "--output", "table"),
    )
    assert "DescribeSubnets" in shown
    subnets = re.findall(r"\|\s+(subnet-[0-9a-f]{8,17})\s+\|\s+us-east-1[a-z]\s+\|", shown)
    assert len(subnets) >= 3
    shown = tools.aws(
        *("ec2", "describe-security-groups", "--filters", "Name=group-name,Values=default"),
        *("--query", "SecurityGroups[*].[GroupId,GroupName]", "--output", "table"),
    )
    groups = re.findall(r"\|\s+(sg-[0-9a-f]{8,17})\s+\|\s+default\s+\|", shown)
    assert len(groups) == 1

    tools.sam(example, "build")
    screen = deploy_guided(tools, example, subnets[:3], groups)
    assert f"Successfully created/updated stack - {STACK} in {REGION}" in screen
    for kind in ("AWS::Lambda::CapacityProvider", "AWS::Lambda::Function", "AWS::Lambda::Url", "AWS::IAM::Role"):
        assert re.search(rf"CREATE_COMPLETE\s+{kind}", screen), screen
    url = tools.aws(
        *("cloudformation", "describe-stacks", "--stack-name", STACK, "--output", "text"),
        *("--query", "Stacks[0].Outputs[?OutputKey==`FunctionUrl`].OutputValue"),
    ).output.strip()
    name = tools.output(STACK, "FunctionArn").rpartition(":")[2]
    assert url in screen

    ids = streams_at_once(url, 10, tmp_path)
    assert len(pieces(url)) > len(SENTENCE) / 2

    listed = json.loads(tools.sam(example, "list", "stack-outputs", "--stack-name", STACK, "--output", "json").output)
    assert {one["OutputKey"]: one["OutputValue"] for one in listed}["FunctionUrl"] == url

    # An event that is no request comes to the app as POST /events, which this one does not have.
    done = tools.aws("lambda", "invoke", "--function-name", f"{name}:live", "--payload", "{}", "out.json")
    assert json.loads(done.output)["StatusCode"] == 200
    assert (tools.home / "out.json").read_bytes().endswith(b'{"detail":"Not Found"}')
    published = ("--stack-name", STACK, "--parameter", "Qualifier=live")
    said = tools.sam(example, "remote", "invoke", FUNCTION, *published, "--event", "{}")
    assert "Not Found" in said

    said = tools.sam(example, "logs", "--stack-name", STACK, "--name", FUNCTION)
    assert ids <= set(re.findall(r"streaming to request ([0-9a-f-]{36})", said))

    # samconfig.toml has the answers now.
    assert "No changes to deploy" in tools.sam(example, "deploy", code=1)

    tools.sam(example, "delete", "--no-prompts")
    gone = tools.aws("cloudformation", "describe-stacks", "--stack-name", STACK, code=None)
    assert gone.code != 0
    assert f"Stack with id {STACK} does not exist" in gone
