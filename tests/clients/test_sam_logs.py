"""What a deployed function wrote, by `aws logs tail` and `sam logs`; and version 2 of the AWS CLI along the way."""

import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.aws_doors import split_stream
from support.clients import Conversation, need_client, talking
from support.sam_project import FUNCTION
from support.sam_site import STACK, SamSite, sam_site
from support.up import shared_cache

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def site(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SamSite]:
    need_client("aws-cli-2")
    with sam_site(tmp_path, shared_cache(tmp_path_factory)) as site:
        site.deploy()
        yield site


def until(conversation: Conversation, words: str) -> str:
    """The first line with these words. Fails when nothing more comes."""
    while words not in (line := conversation.line()):
        pass
    return line


def test_logs(site: SamSite) -> None:
    name = site.function
    group = f"/aws/lambda/{name}"
    first, second = uuid.uuid4().hex, uuid.uuid4().hex

    def event(visitor: str) -> tuple[str, ...]:
        payload = json.dumps({"do": "echo", "name": visitor})
        return "lambda", "invoke", "--function-name", f"{name}:live", "--payload", payload, "out.json"

    raw = (*event(first), "--cli-binary-format", "raw-in-base64-out", "--output", "json")
    assert json.loads(site.tools.aws_2(*raw).output) == {"StatusCode": 200, "ExecutedVersion": "1"}
    status, body = split_stream((site.tools.home / "out.json").read_bytes())
    assert (status, json.loads(body)) == (200, {"do": "echo", "name": first})
    assert f"event {first}" in site.tools.aws_2("logs", "tail", group)
    assert f"event {first}" in site.tools.aws_2("logs", "tail", group, "--since", "10m", "--format", "json")
    assert f"event {first}" not in site.tools.aws_2("logs", "tail", group, "--filter-pattern", "nothing-has-this")
    assert f"event {first}" in site.tools.sam(site.project.folder, "logs", "--stack-name", STACK, "--name", FUNCTION)

    # A line that is written while somebody looks on.
    words = (need_client("aws-cli-2"), "logs", "tail", group, "--follow")
    with talking(site.tools.home, *words, variables={**site.tools.variables, "PYTHONUNBUFFERED": "1"}) as tail:
        until(tail, f"event {first}")
        site.tools.aws(*event(second))
        until(tail, f"event {second}")

    gone = site.tools.aws_2("logs", "tail", "/aws/lambda/nobody", code=None)
    assert gone.code != 0
    assert "ResourceNotFoundException" in gone
